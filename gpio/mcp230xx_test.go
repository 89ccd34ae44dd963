package gpio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"gatewayd/internal/i2csim/bus"
)

// The bytes on the wire, as the data sheet has them.
func TestMCP23017Wire(t *testing.T) {
	// All registers are read from IOCON at 0x0b to IOCON at 0x0a.
	row := func(iocon, a, b, iodira, iodirb byte) []byte {
		return []byte{iocon, 0, 0, 0, 0, 0, 0, a, b, a, b, iodira, iodirb, 0, 0, 0, 0, 0, 0, 0, 0, iocon}
	}
	latched := row(4, 0, 0, 0xff, 0xff)
	latched[9], latched[10] = 0x01, 0x02
	reset, odr := row(0, 0, 0, 0xff, 0xff), row(4, 0, 0, 0xff, 0xff)
	set, off := row(4, 0x01, 0x02, 0xfe, 0xfd), row(4, 0x00, 0x02, 0xfe, 0xfd)
	b := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x20, W: []byte{0x05}, R: []byte{0x00}},
		{Addr: 0x20, W: []byte{0x0a}, R: []byte{0x00}},
		{Addr: 0x20, W: []byte{0x0b}, R: reset}, // not all zero
		{Addr: 0x20, W: []byte{0x0b}, R: reset},
		{Addr: 0x20, W: []byte{0x0b}, R: reset}, // to be sure
		// Claim: the same again, and IOCON, which proves who answers.
		{Addr: 0x20, W: []byte{0x05}, R: []byte{0x00}},
		{Addr: 0x20, W: []byte{0x0a}, R: []byte{0x00}},
		{Addr: 0x20, W: []byte{0x0b}, R: reset}, // not all zero
		{Addr: 0x20, W: []byte{0x0b}, R: reset},
		{Addr: 0x20, W: []byte{0x0b}, R: reset},
		{Addr: 0x20, W: []byte{0x0a, 0x04}},
		{Addr: 0x20, W: []byte{0x0b}, R: odr},
		{Addr: 0x20, W: []byte{0x0b}, R: odr},
		{Addr: 0x20, W: []byte{0x14, 0x01, 0x02}}, // OLAT
		{Addr: 0x20, W: []byte{0x0b}, R: latched}, // before the lines drive
		{Addr: 0x20, W: []byte{0x00, 0xfe, 0xfd}}, // IODIR
		{Addr: 0x20, W: []byte{0x0b}, R: set},
		// Write, and what the first Read after it compares.
		{Addr: 0x20, W: []byte{0x14, 0x00, 0x02}},
		{Addr: 0x20, W: []byte{0x0b}, R: off},
		// A later Read.
		{Addr: 0x20, W: []byte{0x12}, R: []byte{0x00, 0x02, 0x00, 0x02}},
		{Addr: 0x20, W: []byte{0x00}, R: []byte{0xfe, 0xfd}},
	}}
	c, err := MCP23017.Open(ExpanderConfig{Bus: b, Addr: 0x20})
	if err != nil {
		t.Fatal(err)
	}
	if errs := c.Claim([]LineConfig{{Offset: 0, Output: true, Initial: On}, {Offset: 9, Output: true, Initial: On}}); errs != nil {
		t.Error(errs)
	}
	if err := c.Write(LinesOf(0), Lines{}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if v, err := c.Read(LinesOf(0, 9)); err != nil || v != (Levels{Valid: LinesOf(0, 9), High: LinesOf(9)}) {
			t.Errorf("Read: %v, %v", v, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestMCP23017Interrupt(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		c := rig.open()
		quick := LineConfig{Name: "meter", Offset: 4, Pull: PullUp}
		slow := LineConfig{Name: "slow", Offset: 5, Pull: PullUp, Debounce: 10 * time.Millisecond}
		rig.claim(c, button, door, quick, slow, relay)
		rig.wantReg("iocon", 0x44)
		edges, stop := rig.start(c)
		wantEdges(t, edges)

		// At once, in the time of its transactions: no time passes.
		rig.taken()
		rig.input(3, false)
		wantEdges(t, edges, "3 low")
		if got := fmt.Sprint(rig.taken()); got != "[r[0e+6]]" {
			t.Errorf("transactions %s, want one of 6 bytes", got)
		}
		rig.input(3, true)
		wantEdges(t, edges, "3 high")
		// All of them together. The model flags one line of each port at a time, as the real chip was seen to do.
		rig.play("0x20 inputs 0x0000")
		wantEdgesSorted(t, edges, false, 3, 4, 5, 12)
		rig.play("0x20 inputs 0xffff")
		wantEdgesSorted(t, edges, true, 3, 4, 5, 12)

		// A pulse that is over before anybody reads. Where lines settle, it is nothing.
		rig.pulse(4)
		wantEdges(t, edges, "4 low", "4 high")
		rig.pulse(5)
		wantEdges(t, edges)
		// The same with a reading for another reason that comes before that of the interrupt.
		rig.irq.be(true, nil)
		rig.pulse(4)
		if v, err := c.Read(LinesOf(0)); err != nil || !v.Valid.Has(0) {
			t.Errorf("Read: %v, %v", v, err)
		}
		wantEdges(t, edges, "4 low", "4 high")

		// A missed edge of the interrupt line: the safety scan finds it.
		rig.input(12, false)
		wantEdges(t, edges)
		rig.irq.be(false, nil)
		time.Sleep(501 * time.Millisecond)
		wantEdges(t, edges, "12 low")
		rig.input(12, true)
		wantEdges(t, edges, "12 high")

		// Read sees a change first: Watch tells it all the same.
		rig.irq.be(true, nil)
		rig.input(12, false)
		rig.wantLevels(c, LinesOf(12), LinesOf(3, 4, 5, 12), LinesOf(3, 4, 5), Lines{})
		wantEdges(t, edges, "12 low")
		rig.irq.be(false, nil)

		if err := stop(); err != nil {
			t.Error(err)
		}
		// After Close the chip does not hold the line.
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		rig.input(12, true)
		if low, _ := rig.irq.Asserted(); low {
			t.Error("the interrupt line is held after Close")
		}
		rig.wantReg("gpinten", 0)
		rig.wantReg("iodir", 0xfffe)
	})
}

// pulse pulls a line low and lets it go before anybody on the bus can look.
func (r *expanderRig) pulse(pin int) {
	r.mu.Lock() // the tap waits
	defer r.mu.Unlock()
	r.input(pin, false)
	r.input(pin, true)
}

func wantEdgesSorted(t *testing.T, edges <-chan Edge, high bool, offsets ...uint32) {
	t.Helper()
	synctest.Wait()
	var got Lines
	for range offsets {
		select {
		case e := <-edges:
			if e.High != high || got.Has(e.Offset) {
				t.Errorf("edge %+v, want each line once, high %v", e, high)
			}
			got.Set(e.Offset, true)
		default:
		}
	}
	if want := LinesOf(offsets...); got != want {
		t.Errorf("edges of %04x, want %04x", got[0], want[0])
	}
	wantEdges(t, edges)
}

// An interrupt line that others hold, or that cannot be read, makes the chip a polled one, and that is told once.
func TestMCP23017InterruptLineFails(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		c := rig.open()
		rig.claim(c, button)
		edges, stop := rig.start(c)
		for _, test := range []struct {
			begin, end func()
			say        string
		}{
			{func() { rig.irq.hold(true) }, func() { rig.irq.hold(false) }, "interrupt line stays active"},
			{func() { rig.irq.be(true, errors.New("gone")) }, func() { rig.irq.be(false, nil) }, "interrupt line is not available"},
		} {
			time.Sleep(time.Second)
			test.begin()
			time.Sleep(time.Second)
			rig.transfers()
			time.Sleep(time.Second)
			if got := rig.transfers(); got < 95 || got > 105 {
				t.Errorf("%s: %d transactions in a second, want 100", test.say, got)
			}
			rig.input(3, false)
			time.Sleep(11 * time.Millisecond)
			wantEdges(t, edges, "3 low")
			rig.input(3, true)
			time.Sleep(11 * time.Millisecond)
			wantEdges(t, edges, "3 high")
			test.end()
			time.Sleep(time.Second)
			rig.transfers()
			time.Sleep(10 * time.Second)
			if got := rig.transfers(); got > 21 {
				t.Errorf("%s: %d transactions in 10 s after it, want 20", test.say, got)
			}
			if got := rig.log.count(test.say); got != 1 {
				t.Errorf("%q is %d times in the log, want once:\n%s", test.say, got, &rig.log)
			}
		}
		if got := rig.log.count("\n"); got != 4 {
			t.Errorf("%d lines in the log, want 4:\n%s", got, &rig.log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Two chips on one line: both are read, and neither is polled for it.
func TestMCP23017SharedInterrupt(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.play("chip mcp23017@0x21")
		line := &testInterrupt{}
		stopLine, err := rig.bus.OnLine(line.set, bus.Pin{Addr: 0x20, Name: "intb"}, bus.Pin{Addr: 0x21, Name: "inta"})
		if err != nil {
			t.Fatal(err)
		}
		defer stopLine()
		rig.cfg.Interrupt = line
		var edges [2]chan Edge
		var stop [2]func() error
		for i := range 2 {
			cfg := rig.cfg
			cfg.Addr += uint16(i)
			c, err := MCP23017.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			rig.claim(c, button, door)
			edges[i], stop[i] = rig.start(c)
		}
		time.Sleep(time.Second)
		for range 20 {
			for _, level := range []string{"low", "high"} {
				for i := range 2 {
					rig.bus.TakeStats()
					rig.play(fmt.Sprintf("0x2%d input 3 %s", i, level))
					wantEdges(t, edges[i], "3 "+level)
					wantEdges(t, edges[1-i])
				}
				rig.play("0x20 input b4 "+level, "0x21 input b4 "+level)
				time.Sleep(30 * time.Millisecond) // past a scan at Poll, should one chip have been quicker than the other
				for i := range 2 {
					wantEdges(t, edges[i], "12 "+level)
				}
			}
		}
		rig.transfers()
		time.Sleep(10 * time.Second)
		if got := rig.transfers(); got > 25 {
			t.Errorf("%d transactions in 10 s: polled though the line is free", got)
		}
		for i := range 2 {
			if err := stop[i](); err != nil {
				t.Error(err)
			}
		}
		if got := rig.log.count("\n"); got != 0 {
			t.Errorf("in the log:\n%s", &rig.log)
		}
	})
}

// A bus that fails for a moment is borne, one that fails for long ends Watch. No edge is invented, and none is lost that lasts.
func TestMCP23017BusFails(t *testing.T) {
	for _, interrupt := range []bool{false, true} {
		for _, fault := range []string{"nack", "timeout", "errno EIO"} {
			t.Run(fmt.Sprintf("%s/interrupt=%v", fault, interrupt), func(t *testing.T) {
				bubble(t, func(t *testing.T, rig *expanderRig) {
					rig.bus.SetTimeout(50 * time.Millisecond)
					if interrupt {
						rig.cfg.Interrupt = rig.irq
					}
					c := rig.open()
					rig.claim(c, button, with(relay, On))
					edges, stop := rig.start(c)
					for _, times := range []int{1, 2, 3} {
						rig.play(fmt.Sprintf("fault 0x20 %s %d", fault, times))
						rig.input(3, false)
						time.Sleep(time.Second)
						wantEdges(t, edges, "3 low")
						rig.input(3, true)
						time.Sleep(time.Second)
						wantEdges(t, edges, "3 high")
					}
					if interrupt { // others on the line are at work: no reason to try sooner
						rig.play("fault 0x20 " + fault + " on")
						for range 6 {
							rig.irq.hold(true)
							time.Sleep(time.Millisecond)
							rig.irq.hold(false)
						}
						rig.play("fault 0x20 off")
						time.Sleep(time.Second)
					}
					if got := rig.log.count("\n"); got != 0 || c.Repairs() != 0 { // a marginal bus would fill the log
						t.Errorf("%d lines in the log, want none\n%s", got, &rig.log)
					}
					rig.play("fault 0x20 " + fault + " on")
					time.Sleep(2 * time.Second)
					synctest.Wait()
					want := map[string]error{"nack": bus.EREMOTEIO, "timeout": syscall.ETIMEDOUT, "errno EIO": syscall.EIO}[fault]
					if err := stop(); !errors.Is(err, want) {
						t.Errorf("Watch: %v, want %v", err, want)
					}
					wantEdges(t, edges)
				})
			})
		}
	}
}

// Every transaction in turn fails, or brings wrong bytes. Nothing may panic or hang, no output may change that was not told to, and in the
// end everything is as it was wished. What Read says of outputs is always true.
func TestMCP23017SpoiltTransfers(t *testing.T) {
	spoils := map[string]func(w, r []byte, do func() error) error{
		"nack":    func(w, r []byte, do func() error) error { return bus.EREMOTEIO },
		"timeout": func(w, r []byte, do func() error) error { return syscall.ETIMEDOUT },
		"unheard": func(w, r []byte, do func() error) error { do(); return syscall.EIO }, // carried out, but reported as failed
		"zeros":   func(w, r []byte, do func() error) error { err := do(); clear(r); return err },
		"ones": func(w, r []byte, do func() error) error {
			err := do()
			for i := range r {
				r[i] = 0xff
			}
			return err
		},
	}
	for i := range 22 { // a bit of each byte; those of relay, button and lamp, and the highest
		bit := []int{0, 3, 1, 7}[i/2%4]
		spoils[fmt.Sprintf("bit %d of byte %d", bit, i)] = func(w, r []byte, do func() error) error {
			err := do()
			if i < len(r) {
				r[i] ^= 1 << bit
			}
			return err
		}
	}
	for name, spoil := range spoils {
		failing := name == "nack" || name == "timeout" || name == "unheard"
		for _, interrupt := range []bool{false, true} {
			for n := range 24 {
				if testing.Short() && n%5 != 0 {
					continue
				}
				bubble(t, func(t *testing.T, rig *expanderRig) {
					where := fmt.Sprintf("%s in transaction %d, interrupt=%v", name, n, interrupt)
					// The relay is on before we come, and stays on.
					rig.poke(0x14, 0x01, 0x00)
					rig.poke(0x00, 0xfe, 0xff)
					pins := rig.watchPins()
					rig.spoil = func(i int, w, r []byte, do func() error) error {
						if i == n {
							return spoil(w, r, do)
						}
						return do()
					}
					if interrupt {
						rig.cfg.Interrupt = rig.irq
					}
					rig.cfg.Verify = 100 * time.Millisecond
					var chip Chip
					err := errors.New("not open")
					for range 3 {
						if chip, err = MCP23017.Open(rig.cfg); err == nil {
							break
						}
					}
					if err != nil {
						t.Fatalf("%s: open: %v", where, err)
					}
					lines := []LineConfig{relay, lamp, button}
					errs := chip.Claim(lines)
					for range 3 {
						if errs != nil {
							errs = chip.Claim(lines)
						}
					}
					if errs != nil {
						t.Fatalf("%s: Claim: %v", where, errors.Join(errs...))
					}
					edges, stop := rig.start(chip)
					time.Sleep(15 * time.Millisecond)
					for _, high := range []Lines{LinesOf(0), LinesOf(0, 9), LinesOf(0)} {
						err := chip.Write(LinesOf(9), high)
						if err != nil {
							err = chip.Write(LinesOf(9), high)
						}
						if err != nil {
							t.Errorf("%s: Write: %v", where, err)
						}
						v, err := chip.Read(LinesOf(0, 9))
						if err != nil {
							v, err = chip.Read(LinesOf(0, 9))
						}
						if err != nil {
							t.Errorf("%s: Read: %v", where, err)
						}
						for _, o := range []uint32{0, 9} {
							if v.Valid.Has(o) && v.High.Has(o) != high.Has(o) || v.Fault.Has(o) {
								t.Errorf("%s: Read says line %d is high: %v, fault: %v, want %v", where, o, v.High.Has(o), v.Fault.Has(o), high.Has(o))
							}
						}
						time.Sleep(15 * time.Millisecond)
					}
					rig.input(3, false)
					time.Sleep(600 * time.Millisecond) // a safety scan, and several comparisons
					if failing {
						wantEdges(t, edges, "3 low")
					} else {
						synctest.Wait()
						var last Edge
						for len(edges) > 0 {
							last = <-edges
						}
						if last.Offset != 3 || last.High {
							t.Errorf("%s: the last edge is %+v, want line 3 low", where, last)
						}
					}
					for _, p := range pins() {
						if p[:2] == "a0" {
							t.Errorf("%s: the relay clicks: %s", where, p)
						}
					}
					rig.wantReg("olat", 1|1<<3)
					rig.wantReg("iodir", 0xfdfe)
					rig.wantReg("gppu", 1<<3)
					if err := stop(); err != nil {
						t.Errorf("%s: Watch: %v", where, err)
					}
					if t.Failed() {
						t.Fatalf("%s: transactions %q\n%s", where, rig.taken(), &rig.log)
					}
				})
			}
		}
	}
}

// Read, Write and Claim beside Watch, in real time, for the race detector.
func TestMCP23017Concurrent(t *testing.T) {
	rig := newExpanderRig(t)
	rig.cfg.Interrupt = rig.irq
	rig.cfg.Poll, rig.cfg.Safety, rig.cfg.Verify = time.Millisecond, 2*time.Millisecond, 3*time.Millisecond
	c := rig.open()
	rig.claim(c, relay, lamp, button)
	edges, stop := suiteWatch(t, c)
	var seen int
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // the world
		defer close(done)
		for i := range 50 {
			rig.input(3, i%2 != 0)
			time.Sleep(2 * time.Millisecond)
		}
	})
	wg.Go(func() {
		last := true
		for {
			select {
			case <-done:
				return
			case e := <-edges:
				if e.Offset == 3 {
					seen++
					if e.High == last && !e.Resync {
						t.Errorf("edge %+v is the second to that level", e)
					}
					last = e.High
				}
			}
		}
	})
	working := func() bool {
		select {
		case <-done:
			return false
		default:
			return true
		}
	}
	for i := 0; i < 100 || working(); i++ {
		on := Lines{}
		on.Set(0, i%2 == 0)
		if err := c.Write(LinesOf(0), on); err != nil {
			t.Error(err)
			break
		}
		on.Set(9, true)
		if v, err := c.Read(LinesOf(0, 9)); err != nil || v.High.Has(0) != on.Has(0) || !v.Valid.Has(0) {
			t.Errorf("Read: %v, %v, want %v", v, err, on)
			break
		}
		if i%10 == 5 {
			rig.claim(c, relay, lamp, button, door)
			rig.claim(c, relay, lamp, button)
		}
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if seen == 0 { // how many depends on how busy the machine is
		t.Error("no edge of 50 presses and releases")
	}
	if c.Repairs() != 0 {
		t.Errorf("%d repairs:\n%s", c.Repairs(), &rig.log)
	}
}

// The bank that has the interrupt line starts later than this chip, and ends before it: nobody needs to hear of that.
func TestMCP23017InterruptLineStarts(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		rig.irq.be(true, fmt.Errorf("interrupt: %w", errNotOpen))
		c := rig.open()
		rig.claim(c, button)
		_, stop := rig.start(c)
		time.Sleep(time.Second)
		rig.irq.be(false, nil)
		time.Sleep(time.Second)
		rig.irq.be(true, fmt.Errorf("chip: %w", context.Canceled))
		time.Sleep(time.Second)
		if got := rig.log.count("\n"); got != 0 {
			t.Errorf("%d lines in the log, want none:\n%s", got, &rig.log)
		}
		rig.irq.be(true, errors.New("gone"))
		time.Sleep(time.Second)
		if got := rig.log.count("interrupt line is not available"); got != 1 {
			t.Errorf("told %d times, want once:\n%s", got, &rig.log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// An input that never rests holds the line through our own flags: no other chip is to be blamed.
func TestMCP23017InterruptNeverRests(t *testing.T) {
	bubble(t, func(t *testing.T, rig *expanderRig) {
		rig.cfg.Interrupt = rig.irq
		c := rig.open()
		rig.claim(c, button)
		_, stop := rig.start(c)
		time.Sleep(time.Second)
		rig.mu.Lock()
		rig.spoil = func(n int, w, r []byte, do func() error) error {
			err := do()
			if i := mcpINTF - int(w[0]); i >= 0 && i < len(r) {
				r[i] |= 1 << 3
			}
			return err
		}
		rig.mu.Unlock()
		rig.irq.hold(true)
		time.Sleep(2 * time.Second)
		if a, b := rig.log.count("never rest"), rig.log.count("nothing to say"); a != 1 || b != 0 {
			t.Errorf("never rest %d times, nothing to say %d times, want 1 and 0:\n%s", a, b, &rig.log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// GPB7's bit of GPINTEN, which somebody set, is at the address of IOCON in the other layout. It goes, but is no other layout.
func TestMCP23017AttachTells(t *testing.T) {
	for _, test := range []struct {
		name  string
		poke  []byte
		moved bool
	}{
		{"nothing", nil, false},
		{"GPINTENB", []byte{mcpGPINTEN + 1, 0x82}, false},
		{"BANK", []byte{mcpIOCON, mcpBANK | mcpMIRROR}, true},
		{"SEQOP", []byte{mcpIOCON, mcpSEQOP}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, rig *expanderRig) {
				if test.poke != nil {
					rig.poke(test.poke...)
				}
				if moved, err := MCP23017.family(MCP23017, rig, 0x20).attach(); err != nil || moved != test.moved {
					t.Errorf("attach: moved %v, %v, want %v", moved, err, test.moved)
				}
				if rig.reg("gpinten")&0x8000 != 0 || rig.reg("iocon")&(mcpBANK|mcpSEQOP) != 0 {
					t.Errorf("GPINTEN is 0x%04x, IOCON 0x%02x", rig.reg("gpinten"), rig.reg("iocon"))
				}
			})
		})
	}
}

// I2C has no check sum: with the defaults one flipped bit in one polled scan is no press, and a press is one.
func TestMCP23017FlippedBit(t *testing.T) {
	for _, blind := range []bool{false, true} {
		bubble(t, func(t *testing.T, rig *expanderRig) {
			if blind {
				rig.cfg.Interrupt = rig.irq
				rig.irq.be(true, errors.New("gone"))
			}
			line := button
			line.Debounce = 10 * time.Millisecond
			events := make(chan Event, 64)
			b := NewBank(BankConfig{Chip: "io", Lines: []LineConfig{line}, Open: func() (Chip, error) { return MCP23017.Open(rig.cfg) }}, events)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- b.Run(ctx) }()
			time.Sleep(995 * time.Millisecond)
			for len(events) > 0 {
				<-events
			}
			flip := true
			rig.mu.Lock()
			rig.spoil = func(n int, w, r []byte, do func() error) error {
				err := do()
				if i := mcpGPIO - int(w[0]); flip && i >= 0 && i < len(r) {
					time.Sleep(300 * time.Microsecond) // on the wire: the next scan is a little later than the period
					r[i] ^= 1 << 3
					flip = false
				}
				return err
			}
			rig.mu.Unlock()
			time.Sleep(200 * time.Millisecond)
			if n := len(events); n != 0 {
				t.Errorf("blind %v: one flipped bit: %d events, the first %+v, want none", blind, n, <-events)
			}
			rig.input(3, false)
			time.Sleep(50 * time.Millisecond)
			if n := len(events); n != 1 {
				t.Errorf("blind %v: a press: %d events, want 1", blind, n)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
