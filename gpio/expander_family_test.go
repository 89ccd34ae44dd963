package gpio

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// eachFamily runs a test in a bubble with one type of each family, polled and with an interrupt.
func eachFamily(t *testing.T, f func(t *testing.T, rig *expanderRig)) {
	for _, name := range families {
		for _, interrupt := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/interrupt=%v", name, interrupt), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rig := newRigOf(t, Expander(name))
					if interrupt {
						rig.cfg.Interrupt = rig.irq
					}
					f(t, rig)
				})
			})
		}
	}
}

// Lines that every type has. The lamp is wired as most relay boards are.
var (
	famRelay  = LineConfig{Name: "relay", Offset: 0, Output: true}
	famLamp   = LineConfig{Name: "lamp", Offset: 5, Output: true, ActiveLow: true}
	famButton = LineConfig{Name: "button", Offset: 1, ActiveLow: true, Debounce: 10 * time.Millisecond}
	famDoor   = LineConfig{Name: "door", Offset: 6, ActiveLow: true, Debounce: 10 * time.Millisecond}
)

// rest has the world lift the inputs.
func (r *expanderRig) rest() {
	r.input(1, true)
	r.input(6, true)
}

// A new start without Close, as after SIGKILL: what is on stays on, and no pin moves.
func TestFamilyRestartKeeps(t *testing.T) {
	eachFamily(t, func(t *testing.T, rig *expanderRig) {
		rig.rest()
		c := rig.open()
		rig.claim(c, famRelay, with(famLamp, On), famButton, famDoor)
		if err := c.Write(LinesOf(0), LinesOf()); err != nil {
			t.Fatal(err)
		}
		pins := rig.watchPins()
		for range 3 {
			c = rig.open()
			rig.claim(c, famRelay, famLamp, famButton, famDoor)
			rig.wantLevels(c, LinesOf(0, 5), LinesOf(0, 1, 5, 6), LinesOf(1, 6), Lines{})
			_, stop := rig.start(c)
			time.Sleep(5 * time.Second)
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		if got := pins(); got != nil {
			t.Errorf("pins change %q, want none", got)
		}
		if c.Repairs() != 0 {
			t.Errorf("%d repairs\n%s", c.Repairs(), &rig.log)
		}
	})
}

// A reset is found by what it does to outputs, or by the next comparison, and repaired: no button was pressed.
func TestFamilyReset(t *testing.T) {
	eachFamily(t, func(t *testing.T, rig *expanderRig) {
		rig.rest()
		b, events := rig.bank(famRelay, famLamp, famButton, famDoor)
		time.Sleep(time.Second)
		b.Set("lamp", true)
		time.Sleep(time.Second)
		taken(events)
		for range 5 {
			time.Sleep(777 * time.Millisecond)
			rig.play(fmt.Sprintf("0x%02x reset", rig.cfg.Addr))
			time.Sleep(2200 * time.Millisecond)
			if rig.level(0) || rig.level(5) {
				t.Errorf("pins are 0x%04x after a reset, want the relay and the lamp low\n%s", rig.reg("pins"), &rig.log)
			}
			for _, s := range taken(events) {
				if !strings.HasPrefix(s, "lamp on") && !strings.HasPrefix(s, "relay off") {
					t.Errorf("told %q", s)
				}
			}
		}
		if rig.log.count("chip was reset, repaired") == 0 {
			t.Errorf("not told:\n%s", &rig.log)
		}
		rig.input(1, false)
		time.Sleep(600 * time.Millisecond)
		if got := taken(events); !slices.Equal(got, []string{"button on edge"}) {
			t.Errorf("a press: %q", got)
		}
	})
}

// Whatever bit flips in whatever reading is no press and no state, not while nothing happens and not beside a press.
func TestFamilyFlippedBit(t *testing.T) {
	all := os.Getenv("TORTURE_FAULTS") != ""
	for _, name := range families[1:] { // an MCP23017's are in TestMCP23017FlippedBitAnywhere
		for n := range 6 { // which reading after the press, or after none
			for _, press := range []bool{false, true} {
				for _, interrupt := range []bool{false, true} {
					for bit := range 32 {
						if !all && bit%5 != n%5 {
							continue
						}
						synctest.Test(t, func(t *testing.T) {
							rig := newRigOf(t, Expander(name))
							if interrupt {
								rig.cfg.Interrupt = rig.irq
							}
							rig.rest()
							_, events := rig.bank(famButton, famDoor, famRelay, with(famLamp, On))
							time.Sleep(1900 * time.Millisecond)
							taken(events)
							rig.spoilNext(n, func(w, rd []byte) bool { return rd != nil }, func(w, rd []byte, do func() error) error {
								err := do()
								if bit/8 < len(rd) {
									rd[bit/8] ^= 1 << (bit % 8)
								}
								return err
							})
							var want []string
							if press {
								rig.input(6, false)
								want = []string{"door on edge"}
							}
							time.Sleep(3 * time.Second)
							if got := taken(events); !slices.Equal(got, want) {
								t.Errorf("%s, interrupt %v, bit %d of byte %d in reading %d, pressed %v: %q, want %q", name, interrupt, bit%8, bit/8, n, press, got, want)
							}
						})
					}
				}
			}
		}
	}
}

// A bit that flips in a write is found and set right before it counts, in a command too.
func TestFamilyFlippedWrite(t *testing.T) {
	for _, name := range families {
		for bit := range 24 {
			for _, which := range []int{0, 1} { // the write itself, or what may come after it
				synctest.Test(t, func(t *testing.T) {
					rig := newRigOf(t, Expander(name))
					rig.rest()
					b, events := rig.bank(famButton, famDoor, famRelay, famLamp)
					time.Sleep(time.Second)
					b.Set("lamp", true)
					time.Sleep(10 * time.Millisecond)
					taken(events)
					rig.spoilNext(which, func(w, rd []byte) bool { return rd == nil && bit/8 < len(w) }, func(w, rd []byte, do func() error) error {
						w[bit/8] ^= 1 << (bit % 8)
						defer func() { w[bit/8] ^= 1 << (bit % 8) }()
						return do()
					})
					b.Set("relay", true)
					time.Sleep(5 * time.Second)
					for _, s := range taken(events) {
						if s != "relay on" && s != "lamp on" {
							t.Errorf("%s: bit %d of byte %d: told %q", name, bit%8, bit/8, s)
						}
					}
					if !rig.level(0) || rig.level(5) {
						t.Errorf("%s: bit %d of byte %d: pins are 0x%04x", name, bit%8, bit/8, rig.reg("pins"))
					}
				})
			}
		}
	}
}

// While SDA is held low every address answers with zeros, and every write is lost: no button was pressed, and no wish is confirmed.
func TestFamilyHeldBus(t *testing.T) {
	eachFamily(t, func(t *testing.T, rig *expanderRig) {
		rig.rest()
		b, events := rig.bank(famButton, famDoor, famRelay, with(famLamp, On))
		time.Sleep(time.Second)
		taken(events)
		held := true
		rig.mu.Lock()
		rig.spoil = func(_ int, w, rd []byte, do func() error) error {
			if !held {
				return do()
			}
			clear(rd)
			return nil
		}
		rig.mu.Unlock()
		rig.irq.hold(true)
		rig.irq.hold(false)
		time.Sleep(100 * time.Millisecond)
		b.Set("relay", true)
		time.Sleep(10 * time.Second)
		for len(events) > 0 {
			if e := <-events; e.Line != "" && e.Err == nil {
				t.Errorf("told %q while the bus was held", describe(e))
			}
		}
		if rig.reg("pins")&(1<<0|1<<5) != 0 {
			t.Errorf("pins are 0x%04x", rig.reg("pins"))
		}
		rig.mu.Lock()
		held = false
		rig.mu.Unlock()
		time.Sleep(40 * time.Second)
		got := taken(events)
		slices.Sort(got)
		if got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, " ") || s == "" || !strings.Contains(s, "o") }); !slices.Contains(got, "relay on") || !slices.Contains(got, "button off") {
			t.Errorf("told %q when all was well again", got)
		}
		for _, s := range got {
			if strings.HasSuffix(s, "edge") {
				t.Errorf("told %q", s)
			}
		}
		if !rig.level(0) || rig.level(5) {
			t.Errorf("pins are 0x%04x when all was well again", rig.reg("pins"))
		}
	})
}

// A chip of another type is refused, as far as it can be told without writing: as it is after power-on, and as its own type has set it.
func TestFamilyOtherType(t *testing.T) {
	// What cannot be told by reading: a PCF857x has nothing but pins, and what reads as pins may be one; and where only the second half of
	// registers is missing, or there too.
	untold := []string{
		"pca9534 as PCA9535", "pca9534 as PCA9555", "pca9534 as PCF8574", "pca9534 as PCF8575",
		"pca9535 as PCA9555", "pca9535 as PCF8574", "pca9535 as PCF8575",
		"pca9555 as PCA9535", "pca9555 as PCF8574", "pca9555 as PCF8575",
		"pcf8574 as PCF8575", "pcf8575 as PCF8574",
	}
	unused := []string{"mcp23017 as MCP23008", "mcp23017 as PCF8574"} // only as it is after power-on
	types := []*ExpanderType{MCP23017, mcp23008, pcf8574, pcf8575, pca9534, pca9535, pca9555}
	for _, kind := range types {
		for _, is := range types {
			if is == kind {
				continue
			}
			for _, used := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					rig := newRigOf(t, is)
					rig.rest()
					if used {
						rig.claim(rig.open(), famRelay, famLamp, famButton, famDoor)
					}
					pair := fmt.Sprintf("%s as %s", modelOf(is), kind.Name)
					rig.taken()
					_, err := kind.Open(rig.cfg)
					for _, s := range rig.taken() {
						if s[0] == 'w' {
							t.Errorf("%s: wrote %s", pair, s)
						}
					}
					if err != nil {
						if want := "no " + kind.Name + ": compare"; !strings.Contains(err.Error(), want) {
							t.Errorf("%s: %v, want %q", pair, err, want)
						}
						return
					}
					if !slices.Contains(untold, pair) && !(used && slices.Contains(unused, pair)) {
						t.Errorf("%s, used: %v: not refused", pair, used)
					}
				})
			}
		}
	}
}

// What each family costs: transactions, as they come by on the wire.
func TestFamilyCosts(t *testing.T) {
	for _, test := range []struct {
		name                        string
		scan, press, release, write int
		idle                        int // in 10 s with an interrupt
	}{
		{"MCP23017", 1, 1, 1, 2, 20},
		{"MCP23008", 1, 1, 1, 2, 20},
		{"PCF8574", 1, 3, 2, 3, 30},
		{"PCF8575", 1, 3, 2, 3, 30},
		{"PCA9534", 1, 2, 2, 5, 35},
		{"PCA9535", 1, 2, 2, 5, 35},
		{"PCA9555", 1, 2, 2, 5, 35},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := func(t *testing.T, poll bool) (rig *expanderRig, c *expander, edges chan Edge, stop func() error) {
				rig = newRigOf(t, Expander(test.name))
				rig.rest()
				if !poll {
					rig.cfg.Interrupt = rig.irq
				}
				c = rig.open()
				rig.claim(c, famRelay, famButton, famDoor)
				edges, stop = rig.start(c)
				time.Sleep(3501 * time.Millisecond) // between two comparisons, and between two scans
				rig.taken()
				return rig, c, edges, stop
			}
			want := func(what string, rig *expanderRig, n int) {
				t.Helper()
				synctest.Wait()
				if got := rig.taken(); len(got) != n {
					t.Errorf("%s: %d transactions, want %d: %q", what, len(got), n, got)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				rig, c, edges, stop := begin(t, false)
				rig.input(1, false)
				want("press", rig, test.press)
				rig.input(1, true)
				want("release", rig, test.release)
				wantEdges(t, edges, "1 low", "1 high")
				if err := c.Write(LinesOf(0), LinesOf(0)); err != nil {
					t.Error(err)
				}
				rig.wantLevels(c, LinesOf(0), LinesOf(0, 1, 6), LinesOf(0, 1, 6), Lines{})
				want("write", rig, test.write)
				time.Sleep(10 * time.Second)
				want("idle", rig, test.idle)
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				rig, _, _, stop := begin(t, true)
				time.Sleep(10 * time.Millisecond)
				want("scan", rig, test.scan)
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A PCA95xx is refused as an MCP230xx however it is set, and nothing is written to it; and so is an MCP230xx the other way round.
func FuzzOtherType(f *testing.F) {
	f.Add(uint8(0), uint16(0xffff), uint16(0xffff), uint16(0xffff))
	f.Add(uint8(1), uint16(0xffde), uint16(0xffde), uint16(0xffff))
	f.Add(uint8(2), uint16(0xa4a4), uint16(0x0000), uint16(0x5a5a))
	f.Add(uint8(4), uint16(0x0004), uint16(0xfffc), uint16(0x1234))
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		f.Add(uint8(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32()), uint16(r.Uint32()))
	}
	f.Fuzz(func(t *testing.T, which uint8, latch, in, outside uint16) {
		pca := []*ExpanderType{pca9534, pca9535, pca9555}[which%3]
		for _, mcp := range []*ExpanderType{MCP23017, mcp23008} {
			rig := newRigOf(t, pca)
			v := func(reg int, v uint16) []byte {
				return []byte{byte(reg * pca.Lines / 8), byte(v), byte(v >> 8)}[:1+pca.Lines/8]
			}
			rig.poke(v(pcaOutput, latch)...)
			rig.poke(v(pcaConfig, in)...)
			rig.play(fmt.Sprintf("0x20 inputs 0x%x", outside&pca.all()))
			_, err := mcp.Open(rig.cfg)
			if (latch|in)&pca.all() == 0 {
				rig.bus.Close()
				continue // each of its registers is 0, as those of an MCP can be: nothing tells
			}
			for _, s := range rig.taken() {
				if s[0] == 'w' {
					t.Errorf("%s as %s: output %04x, configuration %04x, pins %04x: wrote %s", pca.Name, mcp.Name, latch, in, outside, s)
				}
			}
			if err == nil {
				t.Errorf("%s as %s: output %04x, configuration %04x, pins %04x: not refused", pca.Name, mcp.Name, latch, in, outside)
			}
			rig.bus.Close()
		}
	})
}
