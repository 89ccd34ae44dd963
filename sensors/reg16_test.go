package sensors

import (
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// chip16 is a part with registers of 16 bits, the high byte first.
type chip16 struct {
	noSpeed
	reg   map[byte]uint16
	on    map[byte]uint16 // the registers after a power cycle
	load  func(reg byte)  // before it is read
	store func(reg byte, v uint16)
	cut   time.Time // when the power fails for a moment
	deaf  bool      // acknowledges what is written, and does not take it
}

func (c *chip16) powerCycle() {
	for reg, v := range c.on {
		c.reg[reg] = v
	}
}

func (c *chip16) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && !time.Now().Before(c.cut) {
		c.cut = time.Time{}
		c.powerCycle()
	}
	if len(w) == 3 && !c.deaf {
		c.store(w[0], uint16(w[1])<<8|uint16(w[2]))
	}
	if len(r) == 2 {
		c.load(w[0])
		r[0], r[1] = byte(c.reg[w[0]]>>8), byte(c.reg[w[0]])
	}
	return nil
}

// fault is something that happens to a part, and what is said of it.
type fault[C any] struct {
	name   string
	given  Settings
	before func(C) // Open
	then   func(C) // after it
	want   string  // of the error; empty: none
}

// try opens the device and measures once.
func (f *fault[C]) try(t *testing.T, d *Driver, chip C, o Options) ([]Reading, error) {
	t.Helper()
	if f.before != nil {
		f.before(chip)
	}
	var got []Reading
	s, err := d.Open(o)
	if err == nil {
		if f.then != nil {
			f.then(chip)
		}
		got, err = s.Measure(t.Context())
	}
	if err == nil {
		quantities, _ := d.Quantities(o)
		err = d.check(got, quantities)
	}
	if f.want == "" && err != nil || f.want != "" && (err == nil || !strings.Contains(err.Error(), f.want)) {
		t.Errorf("got %v and error %v, want %q", got, err, f.want)
	}
	return got, err
}

// simulatedBus gives a simulated bus with a chip, set up by control lines, and what plays such lines to it.
func simulatedBus(t *testing.T, kind string, addr uint16, lines ...string) (i2c.Bus, func(...string)) {
	t.Helper()
	b, part := newSim(t, kind, addr)
	play := func(lines ...string) {
		t.Helper()
		for _, l := range lines {
			simDo(t, b, l)
		}
	}
	play(lines...)
	return part, play
}

// value gives a reading of a quantity.
func value(t *testing.T, readings []Reading, quantity string) float64 {
	t.Helper()
	for _, r := range readings {
		if r.Quantity == quantity {
			return r.Value
		}
	}
	t.Errorf("no %s in %v", quantity, readings)
	return 0
}
