package sensors

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["ina219"] = func() i2c.Bus { return newINA219Chip() }
	parts["ina226"] = func() i2c.Bus { return newINA226Chip() }
	least := []transfer{{3, 0}, {1, 2}, {1, 2}}
	costs["ina219"] = cost{each: []transfer{{1, 2}, {3, 0}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}}, least: least,
		why: "the flag is cleared first, the settings are read back and the values once more"}
	costs["ina226"] = cost{each: []transfer{{3, 0}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}, {1, 2}}, least: append(least, transfer{1, 2}),
		why: "the settings are read back and the values once more"}
	partSettings["ina219"] = Settings{"shunt": {"0.1"}}
	partSettings["ina226"] = Settings{"shunt": {"0.002"}}
}

// inaChip has the registers of a part, which measures when it is told to.
type inaChip struct {
	chip16
	drop, bus  int // what it measures, in bits
	done       time.Time
	longer     time.Duration
	converting bool
}

func newINA219Chip() *inaChip {
	c := &inaChip{drop: 2000, bus: 2995}
	c.on = map[byte]uint16{0: 0x399F, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0}
	c.reg = map[byte]uint16{}
	c.powerCycle()
	c.store = func(reg byte, v uint16) {
		switch {
		case reg != 0:
		case v&inaReset != 0:
			c.powerCycle()
		default:
			c.reg[0] = v
			c.reg[2] &^= 2
			c.converting = v&7 == 3
			c.done = time.Now().Add(18720*time.Microsecond + c.longer)
		}
	}
	c.load = func(reg byte) {
		if c.converting && !time.Now().Before(c.done) {
			c.converting = false
			limit := 4000 << (c.reg[0] >> 11 & 3)
			c.reg[1] = uint16(int16(min(max(c.drop, -limit), limit)))
			c.reg[2] = uint16(c.bus)<<3 | 2
		}
		if reg == 3 {
			c.reg[2] &^= 2
		}
	}
	return c
}

func newINA226Chip() *inaChip {
	c := &inaChip{drop: 8000, bus: 9584}
	c.on = map[byte]uint16{0: 0x4127, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 0xFE: 0x5449, 0xFF: 0x2260}
	c.reg = map[byte]uint16{}
	c.powerCycle()
	read := false // the flag was read, which clears it
	c.store = func(reg byte, v uint16) {
		switch {
		case reg != 0:
		case v&inaReset != 0:
			c.powerCycle()
		default:
			c.reg[0] = v&0x0FFF | 0x4000
			c.reg[6] &^= ina226Ready
			c.converting = v&7 == 3
			c.done = time.Now().Add(38720*time.Microsecond + c.longer)
		}
	}
	c.load = func(reg byte) {
		if read {
			read = false
			c.reg[6] &^= ina226Ready
		}
		if c.converting && !time.Now().Before(c.done) {
			c.converting = false
			c.reg[1] = uint16(int16(min(max(c.drop, -32768), 32767)))
			c.reg[2] = uint16(c.bus)
			c.reg[6] |= ina226Ready
		}
		read = reg == 6
	}
	return c
}

// The worked examples of both data sheets are one: 10 A through 2 milliohms at 12 V, less the drop: 11.98 V. SBOS448G 8.5.2, figure 27 "Register
// Results": shunt 07D0h, bus 5D98h; SBOS547A 7.5.4, table 1: shunt 1F40h, bus 2570h.
func TestINAWorkedExample(t *testing.T) {
	for name, ops := range map[string][]i2ctest.IO{
		"ina219": {
			{Addr: 0x40, W: []byte{0, 0x80, 0}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x39, 0x9F}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x39, 0x9F}},
			{Addr: 0x40, W: []byte{3}, R: []byte{0, 0}},
			{Addr: 0x40, W: []byte{0, 0x26, 0x63}}, // 32 V, 40 mV, 16 samples
			{Addr: 0x40, W: []byte{2}, R: []byte{0, 0}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x9A}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x07, 0xD0}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x26, 0x63}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x07, 0xD0}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x9A}},
		},
		"ina226": {
			{Addr: 0x40, W: []byte{0, 0x80, 0}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x27}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x27}},
			{Addr: 0x40, W: []byte{0xFE}, R: []byte{0x54, 0x49}},
			{Addr: 0x40, W: []byte{0xFE}, R: []byte{0x54, 0x49}},
			{Addr: 0x40, W: []byte{0xFF}, R: []byte{0x22, 0x60}},
			{Addr: 0x40, W: []byte{0xFF}, R: []byte{0x22, 0x60}},
			{Addr: 0x40, W: []byte{0, 0x45, 0x23}}, // 16 times 1.1 ms
			{Addr: 0x40, W: []byte{6}, R: []byte{0, 0}},
			{Addr: 0x40, W: []byte{6}, R: []byte{0, 8}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x1F, 0x40}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x25, 0x70}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x45, 0x23}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x1F, 0x40}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x25, 0x70}},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			bus := &i2ctest.Playback{Ops: ops, DontPanic: true}
			d := Lookup(name)
			s, err := d.Open(optionsFor(d, bus, Settings{"shunt": {"0.002"}, "max_current": {"15"}}))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			near(t, name+" voltage", value(t, readings, "voltage"), 11.98, 1e-9)
			near(t, name+" current", value(t, readings, "current"), 10, 1e-9)
			near(t, name+" power", value(t, readings, "power"), 119.8, 1e-9)
			if err := bus.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestINAFaults(t *testing.T) {
	small := Settings{"shunt": {"0.1"}, "max_current": {"0.5"}}
	is := func(reg byte, v uint16) func(*inaChip) { return func(c *inaChip) { c.on[reg] = v } }
	for name, tests := range map[string][]fault[*inaChip]{
		"ina219": {
			{name: "backwards", then: func(c *inaChip) { c.drop = -2000 }},
			{name: "too much", then: func(c *inaChip) { c.drop = 32001 }, want: "beyond range: more than 3.2 A"},
			{name: "too much backwards", then: func(c *inaChip) { c.drop = -32001 }, want: "beyond range"},
			{name: "more than wanted", given: small, then: func(c *inaChip) { c.drop = 6000 }, want: "impossible current"},
			{name: "more than the range for what is wanted", given: small, then: func(c *inaChip) { c.drop = 9000 }, want: "beyond range: more than 0.8 A"},
			{name: "too high", then: func(c *inaChip) { c.bus = 7000 }, want: "impossible voltage 28.000 V"},
			{name: "INA226", before: is(0, 0x4127), want: "it is an INA226 or INA230: use type: ina226"},
			{name: "INA3221", before: is(0, 0x7127), want: "it is an INA3221"},
			{name: "other chip", before: is(0, 0x1234), want: "no part of this family"},
		},
		"ina226": {
			{name: "backwards", then: func(c *inaChip) { c.drop = -8000 }},
			{name: "too much", then: func(c *inaChip) { c.drop = 32767 }, want: "beyond range: more than 40.96 A"},
			{name: "too much backwards", then: func(c *inaChip) { c.drop = -32768 }, want: "beyond range"},
			{name: "too high", then: func(c *inaChip) { c.bus = 30000 }, want: "impossible voltage 37.500 V"},
			{name: "INA219", before: is(0, 0x399F), want: "it is an INA219 or INA220: use type: ina219"},
			{name: "other maker", before: is(0xFE, 0x1234), want: "it is no INA226"},
			{name: "other die", before: is(0xFF, 0x2270), want: "it is no INA226"},
		},
	} {
		for _, tt := range append(tests, []fault[*inaChip]{
			{name: "works"},
			{name: "nothing answers sensibly", before: is(0, 0xFFFF), want: "check the wiring"},
			{name: "deaf", then: func(c *inaChip) { c.deaf = true }, want: "has not begun it"},
			{name: "slow", then: func(c *inaChip) { c.longer = 6 * time.Millisecond }},
			{name: "never ends", then: func(c *inaChip) { c.longer = time.Hour }, want: "never ends"},
			{name: "power cycle before", then: func(c *inaChip) { c.powerCycle() }},
			{name: "power cycle while it measures", then: func(c *inaChip) {
				c.cut = time.Now().Add(9 * time.Millisecond)
				c.longer = -15 * time.Millisecond
			}, want: "lost its settings"},
		}...) {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d, c := Lookup(name), parts[name]().(*inaChip)
					given := partSettings[name]
					if tt.given != nil {
						given = tt.given
					}
					readings, err := tt.try(t, d, c, optionsFor(d, c, given))
					if err == nil {
						drop := map[string]float64{"ina219": 0.00001, "ina226": 0.0000025}[name] * float64(c.drop)
						near(t, "current", value(t, readings, "current"), drop/given.Number("shunt"), 1e-9)
						near(t, "voltage", value(t, readings, "voltage"), 11.98, 1e-9)
					}
				})
			})
		}
	}
}

// A start that gets lost does not have the values of the last measurement read again.
func TestINAStartLost(t *testing.T) {
	for _, name := range []string{"ina219", "ina226"} {
		synctest.Test(t, func(t *testing.T) {
			d, c := Lookup(name), parts[name]().(*inaChip)
			s, err := d.Open(optionsFor(d, c, partSettings[name]))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.deaf, c.drop = true, 100
			if readings, err := s.Measure(t.Context()); err == nil {
				t.Errorf("%s: got %v", name, readings)
			}
			c.deaf = false
			readings, err := s.Measure(t.Context())
			if err != nil || value(t, readings, "current") > 0.2 {
				t.Errorf("%s: got %v, %v", name, readings, err)
			}
		})
	}
}

func TestINAOffers(t *testing.T) {
	d := Lookup("ina219")
	for _, tt := range []struct {
		given Settings
		most  float64
		wrong string
	}{
		{Settings{"shunt": {"0.1"}}, 3.2, ""},
		{Settings{"shunt": {"0.1"}, "max_current": {"3.2"}}, 3.2, ""},
		{Settings{"shunt": {"0.01"}, "max_current": {"10"}}, 10, ""},
		{Settings{"shunt": {"0.1"}, "max_current": {"5"}}, 0, "max_current: with a shunt of 0.1 ohms it can measure 3.2 A"},
	} {
		got, err := d.Quantities(optionsFor(d, nil, tt.given))
		if fmt.Sprint(err) != tt.wrong && (err != nil || tt.wrong != "") {
			t.Errorf("%v: got error %v, want %q", tt.given, err, tt.wrong)
		}
		if err == nil {
			near(t, "highest current", got[1].High, tt.most, 1e-9)
			near(t, "lowest current", got[1].Low, -tt.most, 1e-9)
		}
	}
}

// The model of the simulated bus.
func TestINA219Simulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, play := simulatedBus(t, "ina219", 0x40, "0x40 voltage 12.5", "0x40 current -1.5", "0x40 shunt 0.1")
		d := Lookup("ina219")
		s, err := d.Open(optionsFor(d, bus, partSettings["ina219"]))
		if err != nil {
			t.Fatal(err)
		}
		check := func(volts, amps float64) {
			t.Helper()
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "voltage", value(t, readings, "voltage"), volts, 0.003)
			near(t, "current", value(t, readings, "current"), amps, 0.0001)
			near(t, "power", value(t, readings, "power"), volts*amps, 0.01)
		}
		check(12.5, -1.5)
		play("0x40 reset", "0x40 voltage 3.3", "0x40 current 0.02")
		check(3.3, 0.02)
		play("0x40 current 5")
		if readings, err := s.Measure(t.Context()); err == nil {
			t.Errorf("got %v beyond range", readings)
		}
		play("0x40 current 1")
		for n := range 8 { // right, or an error
			play(fmt.Sprintf("fault 0x40 corrupt %d", n+1))
			if readings, err := s.Measure(t.Context()); err == nil {
				near(t, "current", value(t, readings, "current"), 1, 0.0001)
				near(t, "voltage", value(t, readings, "voltage"), 3.3, 0.003)
			}
			play("fault 0x40 off")
			check(3.3, 1)
		}
	})
}
