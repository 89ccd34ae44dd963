package bus

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Stats counts the traffic of an address. A transfer that goes to several
// addresses counts for the first.
type Stats struct {
	Transfers, Messages int
	Written, Read       int // bytes
	Nacks, Timeouts     int
	Bits                int // on the wire, START and STOP counted as one each
}

func (s *Stats) String() string {
	at := func(speed int) time.Duration {
		return time.Duration(s.Bits) * time.Second / time.Duration(speed)
	}
	return fmt.Sprintf("transfers=%d messages=%d written=%d read=%d nacks=%d timeouts=%d bits=%d at100k=%v at400k=%v",
		s.Transfers, s.Messages, s.Written, s.Read, s.Nacks, s.Timeouts, s.Bits, at(100_000), at(400_000))
}

func (b *Bus) stat(addr uint16) *Stats {
	s := b.stats[addr]
	if s == nil {
		s = &Stats{}
		b.stats[addr] = s
	}
	return s
}

// TakeStats tells the traffic since it was last asked, by address, and in all.
func (b *Bus) TakeStats() []string {
	b.mu.Lock()
	defer b.unlock()
	var out []string
	var all Stats
	for _, a := range slices.Sorted(maps.Keys(b.stats)) {
		s := b.stats[a]
		out = append(out, fmt.Sprintf("0x%02x %v", a, s))
		all.Transfers += s.Transfers
		all.Messages += s.Messages
		all.Written += s.Written
		all.Read += s.Read
		all.Nacks += s.Nacks
		all.Timeouts += s.Timeouts
		all.Bits += s.Bits
	}
	now := time.Now()
	out = append(out, fmt.Sprintf("all %v seconds=%.3f", &all, now.Sub(b.since).Seconds()))
	b.since = now
	clear(b.stats)
	return out
}
