package bus

import (
	"fmt"
	"strconv"
	"strings"

	"gatewayd/internal/i2csim/chip"
)

// Behind gives the place of a chip behind a multiplexer, which stands for an address wherever the bus is asked to do something with a
// chip: Add, Do, SetAbsent. On the wire the chip has its own address, while its channel is joined.
func Behind(mux uint16, channel int, addr uint16) uint16 {
	return behind | (mux&7)<<10 | uint16(channel)<<7 | addr
}

const behind = 0x8000

// FormatAddr writes an address, or a place behind a multiplexer: 0x20, 0x70/3/0x76.
func FormatAddr(a uint16) string {
	if a&behind == 0 {
		return fmt.Sprintf("0x%02x", a)
	}
	return fmt.Sprintf("0x%02x/%d/0x%02x", 0x70|a>>10&7, a>>7&7, a&0x7f)
}

// ParseAddr reads what FormatAddr writes; numbers may be decimal.
func ParseAddr(s string) (uint16, error) {
	parts := strings.Split(s, "/")
	var n [3]uint64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 0, 16)
		if err != nil || v > 0x7f || i > 2 {
			return 0, fmt.Errorf("%q is no address", s)
		}
		n[i] = v
	}
	switch {
	case len(parts) == 1:
		return uint16(n[0]), nil
	case len(parts) == 3 && n[0]&^7 == 0x70 && n[1] < 8:
		return Behind(uint16(n[0]), int(n[1]), uint16(n[2])), nil
	}
	return 0, fmt.Errorf("%q is no address: wanted 0x20, or 0x70/3/0x76 for one behind a multiplexer", s)
}

// heard gives the chip that hears an address. Where several do, which channels of multiplexers can bring about, they would spoil each
// other's answers; here the first one answers.
func (b *Bus) heard(addr uint16) (first *slot, alone bool) {
	first, alone = b.slots[addr], true
	if first != nil && first.absent {
		first = nil
	}
	for mux := uint16(0x70); mux <= 0x77; mux++ {
		m := b.slots[mux]
		if m == nil || m.absent {
			continue
		}
		joint, ok := m.chip.(chip.Mux)
		for ch := 0; ok && ch < 8; ch++ {
			s := b.slots[Behind(mux, ch, addr)]
			if joint.Channels()>>ch&1 == 0 || s == nil || s.absent {
				continue
			}
			if first != nil {
				return first, false
			}
			first = s
		}
	}
	return first, alone
}

// Clashes tells how often two chips heard one address.
func (b *Bus) Clashes() int {
	b.mu.Lock()
	defer b.unlock()
	return b.clashes
}
