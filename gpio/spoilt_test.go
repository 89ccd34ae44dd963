package gpio

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bank has a Bank work with the rig's chip, in a bubble, until the test ends.
func (r *expanderRig) bank(lines ...LineConfig) (b *Bank, events chan Event) {
	events = make(chan Event, 4096)
	b = NewBank(BankConfig{Chip: "io", Lines: lines, Open: func() (Chip, error) { return r.kind.Open(r.cfg) }}, events)
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	return b, events
}

// spoilNext has one of the next transfers spoilt: the nth of those that match.
func (r *expanderRig) spoilNext(n int, match func(w, rd []byte) bool, spoil func(w, rd []byte, do func() error) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spoil = func(_ int, w, rd []byte, do func() error) error {
		if n < 0 || !match(w, rd) {
			return do()
		}
		if n--; n >= 0 {
			return do()
		}
		return spoil(w, rd, do)
	}
}

func taken(events chan Event) (all []string) {
	synctest.Wait()
	for {
		select {
		case e := <-events:
			all = append(all, describe(e))
		default:
			return all
		}
	}
}

// I2C has no check sum: whatever bit flips in whatever reading, of a chip with an interrupt or of one that is polled, is no press and no
// state of an output, not even of a line without debounce; not while nothing happens, and not beside a press of another line.
func TestMCP23017FlippedBitAnywhere(t *testing.T) {
	debounced, door := button, door
	debounced.Debounce, door.Debounce = 10*time.Millisecond, 10*time.Millisecond
	meter := LineConfig{Name: "meter", Offset: 4, Pull: PullUp, ActiveLow: true}
	for _, interrupt := range []bool{false, true} {
		for n := range 4 { // which reading after the press, or after none
			for _, press := range []bool{false, true} {
				for bit := range 22 * 8 {
					if os.Getenv("TORTURE_FAULTS") == "" && bit%6 != n { // all of them take 15 s
						continue
					}
					bubble(t, func(t *testing.T, rig *expanderRig) {
						if interrupt {
							rig.cfg.Interrupt = rig.irq
						}
						_, events := rig.bank(debounced, meter, door, relay, with(lamp, On))
						time.Sleep(1900 * time.Millisecond)
						taken(events)
						intf := false
						rig.spoilNext(n, func(w, rd []byte) bool { return rd != nil }, func(w, rd []byte, do func() error) error {
							err := do()
							if bit/8 < len(rd) {
								rd[bit/8] ^= 1 << (bit % 8)
							}
							intf = (int(w[0])+bit/8)%mcpSize == mcpINTF
							return err
						})
						if press {
							rig.input(12, false)
						}
						time.Sleep(3 * time.Second)
						want := 0
						if press {
							want = 1
						}
						got := taken(events)
						if intf && bit%8 == 4 { // the limit: a pulse that was over before it was read rests on that one reading
							got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "meter ") })
						}
						if len(got) != want || press && len(got) == 1 && got[0] != "door on edge" {
							t.Errorf("interrupt %v, bit %d of byte %d in reading %d, pressed %v: %q", interrupt, bit%8, bit/8, n, press, got)
						}
					})
				}
			}
		}
	}
}

// A bit that flips in a write may go into any register, or to any register: what becomes of that is found and set right before it counts.
func TestMCP23017FlippedWrite(t *testing.T) {
	debounced := with(button, Keep)
	debounced.Debounce = 10 * time.Millisecond
	for bit := range 24 {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			b, events := rig.bank(debounced, door, relay, lamp)
			time.Sleep(time.Second)
			b.Set("lamp", true)
			time.Sleep(10 * time.Millisecond)
			taken(events)
			rig.spoilNext(0, func(w, rd []byte) bool { return rd == nil }, func(w, rd []byte, do func() error) error {
				w[bit/8] ^= 1 << (bit % 8)
				defer func() { w[bit/8] ^= 1 << (bit % 8) }()
				return do()
			})
			b.Set("relay", true)
			time.Sleep(100 * time.Millisecond)
			if got := taken(events); len(got) != 1 || got[0] != "relay on" {
				t.Errorf("bit %d of byte %d: %q, want relay on", bit%8, bit/8, got)
			}
			if !rig.level(0) || rig.level(9) {
				t.Errorf("bit %d of byte %d: pins are 0x%04x", bit%8, bit/8, rig.reg("pins"))
			}
			rig.wantReg("ipol", 0)
			rig.wantReg("gpinten", 0)
		})
	}
}

// While SDA is held low every reading is zeros and every write is lost; another bus reads as ones. Nothing that is read then is told,
// and nothing that was read then is written when it is over: no line that nobody claimed becomes an output.
func TestMCP23017DeadBus(t *testing.T) {
	for _, test := range []struct {
		name  string
		fill  func(rd []byte, n int)
		lines []LineConfig
	}{
		{"zeros", func(rd []byte, n int) { clear(rd) }, []LineConfig{button, door, relay, with(lamp, On)}},
		{"ones", func(rd []byte, n int) { fillWith(rd, 0xff) }, []LineConfig{button, door, relay, with(lamp, On)}},
		{"zeros, outputs that are off", func(rd []byte, n int) { clear(rd) }, []LineConfig{relay}},
		{"zeros after the first byte", func(rd []byte, n int) { clear(rd[1:]) }, []LineConfig{button, door, relay, lamp}},
		{"zeros after some", func(rd []byte, n int) { clear(rd[min(len(rd), n%22):]) }, []LineConfig{button, door, relay, lamp}},
		{"ones after some", func(rd []byte, n int) { fillWith(rd[min(len(rd), n%22):], 0xff) }, []LineConfig{button, door, relay, lamp}},
	} {
		for _, interrupt := range []bool{false, true} {
			for _, lossy := range []bool{false, true} { // or only the readings are spoilt
				bubble(t, func(t *testing.T, rig *expanderRig) {
					if interrupt {
						rig.cfg.Interrupt = rig.irq
					}
					b, events := rig.bank(test.lines...)
					time.Sleep(time.Second)
					taken(events)
					rig.input(3, false) // held while the bus dies
					time.Sleep(time.Second)
					taken(events)
					dead, n := true, 0
					rig.mu.Lock()
					rig.spoil = func(_ int, w, rd []byte, do func() error) error {
						if !dead {
							return do()
						}
						n++
						if rd == nil && lossy {
							return nil
						}
						err := do()
						if rd != nil {
							test.fill(rd, n)
						}
						return err
					}
					rig.mu.Unlock()
					where := func() string {
						return map[bool]string{true: "interrupt, ", false: "polled, "}[interrupt] + test.name + map[bool]string{true: ", writes lost", false: ""}[lossy]
					}
					rig.irq.hold(true) // something calls
					rig.irq.hold(false)
					time.Sleep(5 * time.Second)
					b.Set("relay", true)
					time.Sleep(5 * time.Second)
					for len(events) > 0 {
						if e := <-events; e.Line != "" && e.Err == nil && lossy && e.Line == "relay" && e.Active {
							t.Errorf("%s: told %q", where(), describe(e))
						} else if e.Edge {
							t.Errorf("%s: told %q", where(), describe(e))
						}
					}
					if out := ^rig.reg("iodir") &^ (1<<0 | 1<<9); out != 0 {
						t.Errorf("%s: lines %04x became outputs", where(), out)
					}
					rig.mu.Lock()
					dead = false
					rig.mu.Unlock()
					time.Sleep(40 * time.Second)
					if !rig.level(0) {
						t.Errorf("%s: the relay is not on when all is well again", where())
					}
					if out := ^rig.reg("iodir") &^ (1<<0 | 1<<9); out != 0 {
						t.Errorf("%s: lines %04x became outputs when all was well again", where(), out)
					}
					for _, s := range taken(events) {
						if s == "button off edge" || s == "button on edge" || s == "door on edge" || s == "door off edge" {
							t.Errorf("%s: told %q", where(), s)
						}
					}
				})
			}
		}
	}
}

func fillWith(p []byte, v byte) {
	for i := range p {
		p[i] = v
	}
}

// A latch that does not take its level keeps lines from becoming outputs: they would drive what nobody wished.
func TestMCP23017LatchLost(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		c := rig.open()
		rig.claim(c, with(relay, On), lamp)
		rig.spoilNext(0, func(w, rd []byte) bool { return rd == nil && w[0] == mcpOLAT }, func(w, rd []byte, do func() error) error { return nil })
		pins := rig.watchPins()
		rig.play("0x20 reset")
		for range 3 {
			c.Read(LinesOf(0, 9))
		}
		for _, p := range pins() {
			if p == "b1 false" || p == "b1 true" { // what the reset did, and the repair
				continue
			}
			if p != "a0 false" && p != "a0 true" {
				t.Errorf("pin %s", p)
			}
		}
		rig.wantLevels(c, LinesOf(0, 9), LinesOf(0, 9), LinesOf(0, 9), Lines{})
	})
}
