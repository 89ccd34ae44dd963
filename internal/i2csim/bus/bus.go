// Package bus is the wire between an I2C controller and its chips, with the
// controller's manners, faults, timing and counters.
package bus

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatewayd/internal/i2csim/chip"
)

// Flags of a message, as in linux/i2c.h.
const (
	Read    = 0x0001
	Ten     = 0x0010
	RecvLen = 0x0400
)

// BlockMax is the longest SMBus block.
const BlockMax = 32

// Msg is one message of a transaction. A read fills Buf; with RecvLen, where
// the controller knows it, the first byte tells how much Buf grows.
type Msg struct {
	Addr  uint16
	Flags uint16
	Buf   []byte
}

func (m *Msg) read() bool { return m.Flags&Read != 0 }

// Bus is one I2C bus.
type Bus struct {
	Profile Profile
	Log     *slog.Logger // set before use; of wires that cannot be written; nil: nobody wants to know

	wire chan struct{} // full during a transaction, waits included; a channel, so that testing/synctest sees who waits for it
	mu   sync.Mutex    // guards the following and the chips

	slots   map[uint16]*slot
	faults  map[uint16]*Fault
	stats   map[uint16]*Stats
	clashes int // of chips with one address
	since   time.Time
	latency time.Duration
	speed   int // bits per second, 0: no wire time
	timeout time.Duration
	retries int
	trace   io.Writer
	files   map[string]*net       // that follow pins, by their paths
	watch   map[chan<- Change]int // how many changes each has missed
	start   time.Time
	sleep   func(time.Duration)
	due     []notice // for followers, in the order of the changes
	fresh   bool     // some of due came since mu was taken

	turn sync.Mutex // held while followers are told; taken without mu, never the other way round
}

// slot is a place on the bus.
type slot struct {
	name   string
	chip   chip.Chip
	absent bool
	busy   bool
	gone   bool
	pins   map[string]bool
	nets   map[string][]*net
}

// Change is a chip's pin that changed its level.
type Change struct {
	Time time.Time
	Chip string
	Pin  string
	High bool
	Lost int // changes before this one that the watcher missed, as it did not keep up
}

// New makes an empty bus. Sleep waits for the wire; nil stands for time.Sleep. Close it, or the timers of chips that measure by
// themselves go on.
func New(p Profile, sleep func(time.Duration)) *Bus {
	if sleep == nil {
		sleep = time.Sleep
	}
	now := time.Now()
	return &Bus{
		Profile: p,
		slots:   map[uint16]*slot{},
		faults:  map[uint16]*Fault{},
		stats:   map[uint16]*Stats{},
		wire:    make(chan struct{}, 1),
		files:   map[string]*net{},
		watch:   map[chan<- Change]int{},
		timeout: time.Second,
		since:   now,
		start:   now,
		sleep:   sleep,
	}
}

// Transfer carries out a transaction: START, the messages with repeated
// starts between them, STOP. It blocks while another one is under way.
func (b *Bus) Transfer(msgs []Msg) syscall.Errno {
	if e := b.Profile.refuse(msgs); e != 0 {
		return e
	}
	b.wire <- struct{}{}
	defer func() { <-b.wire }()
	for try := 0; ; try++ {
		e := b.attempt(msgs)
		if e != syscall.EAGAIN { // lost arbitration: the kernel tries again
			return e
		}
		b.mu.Lock()
		retries := b.retries
		b.mu.Unlock()
		if try >= retries {
			return e
		}
	}
}

// attempt is one try of a transaction. Followers of pins are told while it still has the wire, as on a real one: they are
// told before the next transaction.
func (b *Bus) attempt(msgs []Msg) syscall.Errno {
	b.mu.Lock()
	defer b.unlock()
	b.pause(b.latency + b.wireTime(b.plan(msgs)))

	var cur *slot
	defer func() {
		if cur != nil {
			cur.chip.Stop()
		}
	}()
	st := b.stat(msgs[0].Addr)
	st.Transfers++
	st.Bits++                     // STOP
	struck := map[uint16]*Fault{} // a fault counts transfers, not messages
	for i := range msgs {
		m := &msgs[i]
		st = b.stat(m.Addr)
		st.Messages++
		st.Bits += 1 + 9 // START, address and acknowledge
		f, ok := struck[m.Addr]
		if !ok {
			f = b.takeFault(m.Addr)
			struck[m.Addr] = f
		}
		if f != nil {
			if e := b.fail(f, m, st); e != 0 {
				return b.traced(msgs[:i+1], e)
			}
		}
		s, alone := b.heard(m.Addr)
		if !alone {
			b.clashes++
		}
		if s != cur && cur != nil {
			cur.chip.Stop()
		}
		cur = s
		if s == nil || m.Flags&Ten != 0 || !s.chip.Start(m.read()) {
			cur = nil
			st.Nacks++
			return b.traced(msgs[:i+1], b.Profile.AddrNack)
		}
		if m.read() {
			if h, ok := s.chip.(chip.Stretcher); ok {
				b.pause(h.Stretch())
			}
			if e := b.receive(s.chip, m, st); e != 0 {
				return b.traced(msgs[:i+1], e)
			}
			if f != nil && f.Kind == Corrupt && len(m.Buf) > 0 {
				m.Buf[0] ^= 1
			}
		} else if !b.send(s.chip, m, st) {
			st.Nacks++
			return b.traced(msgs[:i+1], b.Profile.DataNack)
		}
	}
	return b.traced(msgs, 0)
}

func (b *Bus) send(c chip.Chip, m *Msg, st *Stats) bool {
	for _, v := range m.Buf {
		st.Written++
		st.Bits += 9
		if !c.Write(v) {
			return false
		}
	}
	return true
}

func (b *Bus) receive(c chip.Chip, m *Msg, st *Stats) syscall.Errno {
	for i := 0; i < len(m.Buf); i++ {
		m.Buf[i] = c.Read()
		st.Read++
		st.Bits += 9
		if i == 0 && m.Flags&RecvLen != 0 && b.Profile.BlockRead {
			n := int(m.Buf[0])
			if n == 0 || n > BlockMax {
				return syscall.EPROTO
			}
			m.Buf = append(m.Buf, make([]byte, n)...)
		}
	}
	return 0
}

// plan estimates the bits of a transaction, for the wait ahead of it.
func (b *Bus) plan(msgs []Msg) int {
	bits := 1
	for i := range msgs {
		bits += 10
		if s, _ := b.heard(msgs[i].Addr); s == nil {
			break
		}
		bits += 9 * len(msgs[i].Buf)
	}
	return bits
}

func (b *Bus) wireTime(bits int) time.Duration {
	if b.speed == 0 {
		return 0
	}
	return time.Duration(bits) * time.Second / time.Duration(b.speed)
}

// pause waits with the chips free to change.
func (b *Bus) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	b.mu.Unlock()
	b.sleep(d)
	b.mu.Lock()
}

// traced writes a transaction to the trace.
func (b *Bus) traced(msgs []Msg, e syscall.Errno) syscall.Errno {
	if b.trace == nil {
		return e
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%.6f", time.Since(b.start).Seconds())
	for i := range msgs {
		dir := "w"
		if msgs[i].read() {
			dir = "r"
		}
		fmt.Fprintf(&s, " 0x%02x %s[% x]", msgs[i].Addr, dir, msgs[i].Buf)
	}
	if e != 0 {
		fmt.Fprintf(&s, " %s", errnoName(e))
	}
	fmt.Fprintln(b.trace, s.String())
	return e
}

// Add puts a chip on the bus and gives its name.
func (b *Bus) Add(kind string, addr uint16, opt chip.Options) (string, error) {
	if own := addr &^ behind & 0x7f; own < 0x03 || own > 0x77 {
		return "", fmt.Errorf("address %#x is outside 0x03 to 0x77", own)
	}
	b.mu.Lock()
	defer b.unlock()
	if s := b.slots[addr]; s != nil {
		return "", fmt.Errorf("%s is there already", s.name)
	}
	s := &slot{
		name: kind + "@" + FormatAddr(addr),
		pins: map[string]bool{},
		nets: map[string][]*net{},
	}
	c, err := chip.New(kind, &env{bus: b, slot: s}, opt)
	if err != nil {
		return "", err
	}
	s.chip = c
	b.slots[addr] = s
	return s.name, nil
}

// Remove takes a chip off the bus for good. Its pins let go of what they are wired to.
func (b *Bus) Remove(addr uint16) error {
	return b.with(addr, func(s *slot) error {
		b.remove(addr, s)
		return nil
	})
}

func (b *Bus) remove(addr uint16, s *slot) {
	for pin, nets := range s.nets {
		for _, n := range nets {
			b.leave(n, end{s, pin})
		}
	}
	clear(s.nets)
	s.gone = true
	delete(b.slots, addr)
}

// Close takes all chips off the bus, which ends their timers. Transactions then find nobody.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.unlock()
	for addr, s := range b.slots {
		b.remove(addr, s)
	}
	return nil
}

// Do calls f with the chip at an address while nothing else touches it.
func (b *Bus) Do(addr uint16, f func(chip.Chip) error) error {
	return b.with(addr, func(s *slot) error { return f(s.chip) })
}

func (b *Bus) with(addr uint16, f func(*slot) error) error {
	b.mu.Lock()
	defer b.unlock()
	s := b.slots[addr]
	if s == nil {
		return fmt.Errorf("no chip at %s", FormatAddr(addr))
	}
	return f(s)
}

// Find gives the address of a chip by its name.
func (b *Bus) Find(name string) (uint16, bool) {
	b.mu.Lock()
	defer b.unlock()
	for a, s := range b.slots {
		if s.name == name {
			return a, true
		}
	}
	return 0, false
}

// List describes the chips in the order of their addresses, and the faults.
func (b *Bus) List() []string {
	b.mu.Lock()
	defer b.unlock()
	var out []string
	listed := slices.Collect(maps.Keys(b.slots))
	for a := range b.faults {
		if b.slots[a] == nil && a != Everywhere {
			listed = append(listed, a)
		}
	}
	slices.Sort(listed)
	for _, a := range listed {
		var line string
		switch s := b.slots[a]; {
		case s != nil:
			line = s.name
			if s.absent {
				line += " absent"
			}
			if s.busy {
				line += " busy"
			}
		default:
			line = FormatAddr(a)
		}
		if f := b.faults[a]; f != nil {
			line += " fault " + f.String()
		}
		out = append(out, line)
	}
	if f := b.faults[Everywhere]; f != nil {
		out = append(out, "all fault "+f.String())
	}
	return out
}
