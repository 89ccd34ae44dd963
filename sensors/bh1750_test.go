package sensors

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["bh1750"] = func() i2c.Bus { return newBHChip(100) }
	dark["bh1750"] = true
	w, r := transfer{1, 0}, transfer{0, 2}
	costs["bh1750"] = cost{each: []transfer{w, w, w, w, r, r, w, w, r}, least: []transfer{w, r},
		why: "its sensitivity is sent each time, the value is read again, and what it leaves behind is cleared, and seen to be"}
}

// bhChip is a part that measures as long as the data sheet allows.
type bhChip struct {
	noSpeed
	lux     float64
	on      bool
	time    byte
	data    uint16
	done    time.Time
	mode    byte // of the measurement that runs
	deaf    bool
	stuck   bool // never clears
	cut     time.Time
	history []byte
}

func newBHChip(lux float64) *bhChip { return &bhChip{lux: lux, time: 69} }

func (c *bhChip) powerCycle() {
	c.on, c.time, c.data, c.mode = false, 69, 0, 0
}

func (c *bhChip) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && !time.Now().Before(c.cut) {
		c.cut = time.Time{}
		c.powerCycle()
	}
	if c.mode != 0 && !time.Now().Before(c.done) {
		v := c.lux * 1.2 * float64(c.time) / 69
		if c.mode == 0x21 {
			v *= 2
		}
		c.data, c.mode, c.on = uint16(min(v, 65535)), 0, false
	}
	if len(w) == 1 && !c.deaf {
		c.history = append(c.history, w[0])
		switch op := w[0]; {
		case op == 0:
			c.on = false
		case op == 1:
			c.on = true
		case op == 7 && c.on && !c.stuck:
			c.data = 0
		case op>>3 == 8:
			c.time = c.time&0x1F | op<<5
		case op>>5 == 3:
			c.time = c.time&0xE0 | op&0x1F
		case op == 0x20 || op == 0x21:
			c.mode, c.on = op, true
			c.done = time.Now().Add(180 * time.Millisecond * time.Duration(c.time) / 69)
		}
	}
	if len(r) == 2 {
		r[0], r[1] = byte(c.data>>8), byte(c.data)
	}
	return nil
}

// TN p. 7, "Measurement sequence example": 10000011 10010000 are 28067 lx.
func TestBHWorkedExample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const addr = 0x5C
		w := func(op byte) i2ctest.IO { return i2ctest.IO{Addr: addr, W: []byte{op}} }
		r := func(hi, lo byte) i2ctest.IO { return i2ctest.IO{Addr: addr, R: []byte{hi, lo}} }
		clearing := []i2ctest.IO{w(0x01), w(0x07), r(0, 0)}
		ops := clearing
		for range 2 { // nothing is known of the light yet
			ops = append(ops, w(0x01), w(0x42), w(0x65), w(0x20), r(0x83, 0x90), r(0x83, 0x90))
			ops = append(ops, clearing...)
		}
		ops = append(ops, w(0x01), w(0x42), w(0x65), w(0x20), r(0x93, 0x90), r(0x83, 0x90), r(0x83, 0x90)) // spoilt on the wire
		ops = append(ops, clearing...)
		bus := &i2ctest.Playback{Ops: ops, DontPanic: true}
		s, err := Lookup("bh1750").Open(Options{Bus: bus, Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "illuminance", value(t, readings, "illuminance"), 28067, 0.5)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBHFaults(t *testing.T) {
	for _, tt := range []struct {
		fault[*bhChip]
		lux float64
	}{
		{fault[*bhChip]{name: "works"}, 100},
		{fault[*bhChip]{name: "dark", then: func(c *bhChip) { c.lux = 0 }}, 0},
		{fault[*bhChip]{name: "sun", then: func(c *bhChip) { c.lux = 100000 }}, 100000},
		{fault[*bhChip]{name: "more than the sun", then: func(c *bhChip) { c.lux = 130000 }, want: "beyond range: more than 121"}, 0},
		{fault[*bhChip]{name: "does not clear", before: func(c *bhChip) { c.stuck, c.data = true, 77 }, want: "does not clear its data (00 4d)"}, 0},
		{fault[*bhChip]{name: "stops to clear", then: func(c *bhChip) { c.stuck = true }, want: "does not clear its data"}, 0},
		{fault[*bhChip]{name: "power cycle before", then: func(c *bhChip) { c.powerCycle() }}, 100},
		{fault[*bhChip]{name: "power cycle while it measures", then: func(c *bhChip) { c.cut = time.Now().Add(99 * time.Millisecond) }}, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := Lookup("bh1750"), newBHChip(100)
				if got, err := tt.try(t, d, c, optionsFor(d, c, nil)); err == nil {
					near(t, "illuminance", value(t, got, "illuminance"), tt.lux, 1)
				}
			})
		})
	}
}

// Single things that go wrong once the light is known do not tell anything that is not there. Its range follows the light.
func TestBHGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBHChip(100)
		h := &hostile{Bus: c}
		s, err := Lookup("bh1750").Open(Options{Bus: h, Addr: 0x23})
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, lux float64) {
			t.Helper()
			h.call = 0
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			near(t, what, value(t, readings, "illuminance"), lux, 1+lux/1000)
		}
		check("first", 100)
		n := 0
		h.bad = func(_ int, r []byte) error { // another light each time
			if n++; len(r) == 2 && r[1] > 0 {
				c.lux += 50
			}
			return nil
		}
		h.call, c.lux = 0, 150
		if got, err := s.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "the light was another each time (150, 250 and 350 lx)") {
			t.Errorf("a light that flickers: got %v, %v", got, err)
		}
		h.bad, c.lux = nil, 100
		for bit := range 8 {
			h.spoil = func(w []byte) {
				if len(w) == 1 && w[0] == bhOnce {
					w[0] ^= 1 << bit
					h.spoil = nil
				}
			}
			check(fmt.Sprintf("bit %d of a start", bit), 100)
		}
		h.spoil = func(w []byte) {
			if len(w) == 1 && w[0]&0xF8 == bhTimeHi {
				w[0] ^= 1 // 69 becomes 37
				h.spoil = nil
			}
		}
		check("the sensitivity", 100)
		h.spoil = nil
		c.cut = time.Now().Add(99 * time.Millisecond)
		check("a power cycle", 100)
		for _, lux := range []float64{90000, 95000, 30000, 30000, 0, 0.8, 50} {
			c.lux = lux
			check("changed", lux)
		}
		for bit := range 8 { // it was dark, and is not any more
			c.lux = 0
			check("dark", 0)
			c.lux = 50
			h.spoil = func(w []byte) {
				if len(w) == 1 && w[0] == bhOnce {
					w[0] ^= 1 << bit
					h.spoil = nil
				}
			}
			check(fmt.Sprintf("light after dark, bit %d of a start", bit), 50)
		}
		if c.time != 69 {
			t.Errorf("the sensitivity is %d still", c.time)
		}
	})
}

// The model of the simulated bus.
func TestBHSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, play := simulatedBus(t, "bh1750", 0x23, "0x23 lux 812")
		d := Lookup("bh1750")
		s, err := d.Open(optionsFor(d, bus, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, lux := range []float64{812, 812, 0, 100000, 40} {
			play(fmt.Sprintf("0x23 lux %v", lux))
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "illuminance", value(t, readings, "illuminance"), lux, 1+lux/1000)
		}
		for n := range 12 { // right, or an error
			play(fmt.Sprintf("fault 0x23 corrupt %d", n+1))
			if readings, err := s.Measure(t.Context()); err == nil {
				near(t, "illuminance", value(t, readings, "illuminance"), 40, 1)
			}
			play("fault 0x23 off", "0x23 reset")
		}
	})
}
