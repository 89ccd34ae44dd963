package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/physic"

	"gatewayd/gpio"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/chip"
	"gatewayd/internal/i2csim/control"
)

// mishap is what happens to one transfer.
type mishap uint8

const (
	noAnswer   mishap = iota // nobody acknowledges
	timeout                  // the controller gives up
	broken                   // the controller reports an error, nothing was done
	unheard                  // it was carried out, and reported as failed
	goneBus                  // the device is not there
	flipRead                 // a bit of what is read is wrong
	flipWrite                // a bit of what is written is wrong, the register's number included
	zeros                    // SDA is held low: nothing gets through, all reads are 00
	ones                     // all reads are FF, and writes are lost
	short                    // a read breaks off, and the rest is FF or 00
	lostWrite                // a write is acknowledged and not carried out
	stray                    // the transfer goes to another address
	resetAfter               // the chip is reset after it
	brownOut                 // or in the middle of it
	mishaps
)

var mishapNames = [mishaps]string{"no answer", "timeout", "broken", "unheard", "gone bus", "flipped read", "flipped write", "zeros", "ones", "short",
	"lost write", "stray", "reset", "brown-out"}

// spoilsWrites tells that a register may get what nobody wished.
func (m mishap) spoilsWrites() bool { return m == flipWrite || m == stray || m == brownOut }

// regime is what happens to some of the transfers for a while.
type regime struct {
	kinds []mishap
	share float64         // of the transfers
	addrs map[uint16]bool // whose
}

func (r *regime) String() string {
	var names []string
	for _, k := range r.kinds {
		names = append(names, mishapNames[k])
	}
	return fmt.Sprintf("%s in %.0f %% at %v", strings.Join(names, ", "), 100*r.share, r.addrs)
}

// registers are an MCP23017's, as they truly are.
type registers struct {
	at                       time.Time
	there                    bool
	iodir, latch, gppu, ipol uint16
}

// wire is a bus between the program and simulated chips on which things go wrong, and which knows what truly is.
type wire struct {
	t    *testing.T
	bus  *bus.Bus
	name string
	// outputs are lines of the gateway's, by address.
	outputs map[uint16][]gpio.LineConfig

	mu     sync.Mutex // guards the following
	dice   *rand.Rand
	regime *regime // nil: all is well
	struck [mishaps]int
	n      int
	counts map[uint16]int
	most   int // transfers with one chip in one second
	second int64
	hit    map[uint16]map[int]int // by address and line: when its bit was flipped last, as a count of transfers
	serial map[uint16]int
	broken map[string]int // readings that broke off: when, as a count of transfers
	truth  map[uint16][]registers
	spoilt map[uint16]time.Time // when a write may have gone wrong
	dirty  map[uint16]bool      // and the chip was not reset since
	wishes map[string][]wished
	trail  []string // the last transfers, for a report
}

// wished is a level that a line was to have.
type wished struct {
	at   time.Time
	high bool
}

func newWire(t *testing.T, name string, seed uint64, chips ...string) *wire {
	w := &wire{
		t: t, name: name, bus: bus.New(bus.Profiles["bcm2835"], nil), dice: rand.New(rand.NewPCG(seed, 1)), counts: map[uint16]int{},
		hit: map[uint16]map[int]int{}, serial: map[uint16]int{}, truth: map[uint16][]registers{}, spoilt: map[uint16]time.Time{}, dirty: map[uint16]bool{}, outputs: map[uint16][]gpio.LineConfig{}, wishes: map[string][]wished{},
	}
	t.Cleanup(func() { w.bus.Close() })
	for _, c := range chips {
		w.play("chip " + c)
	}
	return w
}

func (w *wire) String() string                  { return w.name }
func (w *wire) SetSpeed(physic.Frequency) error { return nil }

func (w *wire) play(line string) {
	w.t.Helper()
	if _, err := control.Exec(w.bus, line); err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
}

// world does something to a chip from outside.
func (w *wire) world(addr uint16, lines ...string) {
	w.t.Helper()
	for _, l := range lines {
		w.play(l)
	}
	w.look(addr)
}

// look notes a chip's registers, if they have changed.
func (w *wire) look(addr uint16) {
	now := registers{at: time.Now()}
	absent := false
	for _, l := range w.bus.List() {
		if strings.HasPrefix(l, fmt.Sprintf("mcp23017@0x%02x", addr)) {
			now.there, absent = true, strings.Contains(l, " absent")
		}
	}
	now.there = now.there && !absent
	if now.there {
		w.bus.Do(addr, func(c chip.Chip) error {
			for name, v := range map[string]*uint16{"iodir": &now.iodir, "olat": &now.latch, "gppu": &now.gppu, "ipol": &now.ipol} {
				s, _ := chip.Get(c, name, nil)
				n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
				if err != nil {
					w.t.Errorf("get %s: %q", name, s)
				}
				*v = uint16(n)
			}
			return nil
		})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.truth[addr]
	if n := len(h); n > 0 {
		was := h[n-1]
		if was.at = now.at; was == now {
			return
		}
	}
	if n := len(h); n > 0 {
		w.compare(addr, &h[n-1], &now)
	}
	if h = append(h, now); len(h) > 4000 {
		h = append([]registers(nil), h[2000:]...)
	}
	w.truth[addr] = h
}

// compare asserts that nothing is driven that nobody wished. w.mu is held.
func (w *wire) compare(addr uint16, was, is *registers) {
	if is.iodir == 0xffff && was.iodir != is.iodir || !was.there {
		w.dirty[addr] = false
	}
	if !is.there || len(w.outputs[addr]) == 0 || w.spoilt[addr].Equal(is.at) {
		return
	}
	var claimed uint16
	for _, l := range w.outputs[addr] {
		bit := uint16(1) << l.Offset
		claimed |= bit
		high := is.latch&bit != 0
		if is.iodir&bit != 0 || was.there && was.iodir&bit == 0 && was.latch&bit != 0 == high {
			continue // as it was
		}
		all := w.wishes[l.Name]
		ok := len(all) == 0 && high == l.Level(false)
		for i, x := range all {
			ok = ok || x.high == high && (i == len(all)-1 || is.at.Sub(all[i+1].at) < 3*time.Second) // the latest, or not overtaken for long
		}
		if !ok {
			w.t.Errorf("%v: %s is driven %v, which nobody wished: %+v\n%s", is.at.Format("15:04:05.000000"), l.Name, high, all, w.recent(addr, 30))
		}
	}
	if other := ^is.iodir &^ claimed; other != 0 && !w.dirty[addr] {
		w.t.Errorf("%v: at %#x lines %04x are driven that are nobody's\n%s", is.at.Format("15:04:05.000000"), addr, other, w.recent(addr, 30))
	}
}

// registersOf gives the latest that was noted of a chip.
func (w *wire) registersOf(addr uint16, n int) []registers {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.truth[addr]
	return slices.Clone(h[max(0, len(h)-n):])
}

// unpulled tells whether a working chip was without a line's pull-up, alone, at some time since then.
func (w *wire) unpulled(addr uint16, line gpio.LineConfig, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.truth[addr]
	for i := len(h) - 1; i > 0 && line.Pull == gpio.PullUp; i-- {
		r, was := &h[i], &h[i-1]
		if r.there && was.there && was.gppu>>line.Offset&1 != 0 && r.gppu>>line.Offset&1 == 0 && r.iodir == was.iodir && r.latch == was.latch && r.iodir != 0xffff {
			return true
		}
		if !r.at.After(since) {
			return false
		}
	}
	return false
}

// drove tells whether a chip has driven a line to a level at some time since then.
func (w *wire) drove(addr uint16, line uint32, high bool, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.truth[addr]
	for i := len(h) - 1; i >= 0; i-- {
		r := &h[i]
		if r.there && r.iodir>>line&1 == 0 && (r.latch>>line&1 != 0) == high {
			return true
		}
		if !r.at.After(since) {
			return false
		}
	}
	return false
}

// last gives the last transfers with an address.
func (w *wire) last(addr uint16, n int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.recent(addr, n)
}

// recent is last for who has the mutex.
func (w *wire) recent(addr uint16, n int) string {
	var out []string
	for i := len(w.trail) - 1; i >= 0 && len(out) < n; i-- {
		if strings.Contains(w.trail[i], fmt.Sprintf(" %02x w", addr)) {
			out = append([]string{w.trail[i]}, out...)
		}
	}
	return strings.Join(out, "\n")
}
