package sensors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	for name, bits := range map[string]int{"ads1115": 16, "ads1015": 12} {
		parts[name] = func() i2c.Bus { return newADSChip(bits) }
		partSettings[name] = Settings{"inputs": {"a0", "a0-a1"}}
		each := []transfer{{3, 0}, {1, 2}, {1, 2}, {1, 2}, {1, 2}}
		least := []transfer{{3, 0}, {1, 2}, {1, 2}}
		costs[name] = cost{each: slices.Concat(each, each), least: slices.Concat(least, least),
			why: "two inputs; for each, its settings are read back while it converts, which tells that this conversion has begun, and the value is read again"}
	}
}

// adsChip has the registers of a part, whose conversions take as long as the data sheet allows.
type adsChip struct {
	chip16
	bits   int
	volts  [4]float64
	done   time.Time
	longer time.Duration
	lost   int           // so many starts are not heard
	slow   time.Duration // a transfer takes
	result uint16
}

func newADSChip(bits int) *adsChip {
	c := &adsChip{bits: bits, volts: [4]float64{1.25, 0.5, 0, 3.3}}
	c.on = map[byte]uint16{adsConversion: 0, adsConfig: 0x8583, 2: 0x8000, 3: 0x7FFF}
	c.reg = map[byte]uint16{}
	c.powerCycle()
	c.store = func(reg byte, v uint16) {
		if reg != adsConfig {
			return
		}
		c.reg[adsConfig] = v | adsOS
		if v&adsOS == 0 {
			return
		}
		if c.lost > 0 {
			c.lost--
			return
		}
		rates := []float64{8, 16, 32, 64, 128, 250, 475, 860}
		if c.bits == 12 {
			rates = []float64{128, 250, 490, 920, 1600, 2400, 3300, 3300}
		}
		c.reg[adsConfig] &^= adsOS
		c.done = time.Now().Add(time.Duration(1.1/rates[v>>5&7]*float64(time.Second)) + c.longer)
		c.result = c.convert(v)
	}
	c.load = func(byte) {
		if c.reg[adsConfig]&adsOS == 0 && !time.Now().Before(c.done) {
			c.reg[adsConfig] |= adsOS
			c.reg[adsConversion] = c.result
		}
	}
	return c
}

func (c *adsChip) Tx(addr uint16, w, r []byte) error {
	time.Sleep(c.slow)
	return c.chip16.Tx(addr, w, r)
}

func (c *adsChip) convert(config uint16) uint16 {
	in := [][2]int{{0, 1}, {0, 3}, {1, 3}, {2, 3}, {0, -1}, {1, -1}, {2, -1}, {3, -1}}[config>>12&7]
	v := c.volts[in[0]]
	if in[1] >= 0 {
		v -= c.volts[in[1]]
	}
	scale := []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256}[config>>9&7]
	raw := int16(min(max(v/scale*32768, -32768), 32767))
	if c.bits == 12 {
		raw &^= 0xF
	}
	return uint16(raw)
}

// SBAS444 table 7-3, "Input Signal Versus Ideal Output Code".
func TestADSIdealCodes(t *testing.T) {
	for _, tt := range []struct {
		code uint16
		want float64
		err  string
	}{
		{code: 0x7FFF, err: "beyond range"},
		{code: 0x7FFE, want: 2.048 * 32766 / 32768},
		{code: 0x0001, want: 2.048 / 32768},
		{code: 0x0000, want: 0},
		{code: 0xFFFF, want: -2.048 / 32768},
		{code: 0x8000, err: "beyond range"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newADSChip(16)
			o := optionsFor(Lookup("ads1115"), c, Settings{"inputs": {"a0-a1"}, "range": {"2.048V"}})
			s, err := Lookup("ads1115").Open(o)
			if err != nil {
				t.Fatal(err)
			}
			load := c.load
			c.load = func(reg byte) { load(reg); c.reg[adsConversion] = tt.code }
			readings, err := s.Measure(t.Context())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "a0-a1") || !strings.Contains(err.Error(), "2.048V") {
					t.Errorf("%#04x: got %v and error %v, want %q", tt.code, readings, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("%#04x", tt.code), value(t, readings, "a0_a1"), tt.want, 1e-9)
		})
	}
}

// A quick start of the data sheet (SBAS444 8.1.1 has the bytes of one in continuous mode), single-shot: AIN0 against ground, then AIN0 against AIN1.
func TestADSPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x49, W: []byte{1, 0x43, 0x87}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0xC3, 0x87}},
			{Addr: 0x49, W: []byte{1, 0xC3, 0x87}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0x43, 0x87}}, // it converts
			{Addr: 0x49, W: []byte{0}, R: []byte{0, 0}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0x43, 0x87}}, // still
			{Addr: 0x49, W: []byte{0}, R: []byte{0x27, 0x50}}, // spoilt on the wire
			{Addr: 0x49, W: []byte{1}, R: []byte{0xC3, 0x87}},
			{Addr: 0x49, W: []byte{0}, R: []byte{0x27, 0x10}}, // 10000
			{Addr: 0x49, W: []byte{0}, R: []byte{0x27, 0x10}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0xC3, 0x87}},
			{Addr: 0x49, W: []byte{0}, R: []byte{0x27, 0x10}},
			{Addr: 0x49, W: []byte{1, 0x83, 0x87}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0x83, 0x87}}, // the start got lost
			{Addr: 0x49, W: []byte{1, 0x83, 0x47}},            // 32 a second
			{Addr: 0x49, W: []byte{1}, R: []byte{0x03, 0x47}},
			{Addr: 0x49, W: []byte{0}, R: []byte{0xFC, 0x18}}, // -1000
			{Addr: 0x49, W: []byte{1}, R: []byte{0x83, 0x47}},
			{Addr: 0x49, W: []byte{0}, R: []byte{0xFC, 0x18}},
		}}
		d := Lookup("ads1115")
		o := optionsFor(d, bus, Settings{"inputs": {"a0", "a0-a1"}})
		o.Addr = 0x49
		s, err := d.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		readings, err := s.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "a0", value(t, readings, "a0"), 1.25, 1e-9)
		near(t, "a0-a1", value(t, readings, "a0_a1"), -0.125, 1e-9)
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestADSFaults(t *testing.T) {
	all := Settings{"inputs": adsInputs, "rate": {"8"}}
	for _, tt := range []fault[*adsChip]{
		{name: "works"},
		{name: "all inputs", given: all},
		{name: "takes nothing", before: func(c *adsChip) { c.deaf = true }, want: "does not take its settings"},
		{name: "goes deaf", then: func(c *adsChip) { c.deaf = true }, want: "lost its settings"},
		{name: "power cycle before", then: func(c *adsChip) { c.powerCycle() }},
		{name: "power cycle within", then: func(c *adsChip) { c.cut = time.Now().Add(3 * time.Millisecond) }, want: "lost its settings"},
		{name: "power cycle within, with the settings that it has then", given: Settings{"inputs": {"a0-a1"}, "range": {"2.048V"}},
			then: func(c *adsChip) { c.cut = time.Now().Add(3 * time.Millisecond) }, want: "lost its settings"},
		{name: "starts lost", then: func(c *adsChip) { c.lost = 2 }},
		{name: "busy machine", given: Settings{"inputs": {"a0", "a3", "a0-a1"}, "rate": {"860"}}, then: func(c *adsChip) { c.slow = 70 * time.Millisecond }},
		{name: "machine that is too busy", then: func(c *adsChip) { c.slow = time.Second }, want: "busy"},
		{name: "never starts", then: func(c *adsChip) { c.lost = 99 }, want: "not seen to begin"},
		{name: "slow", then: func(c *adsChip) { c.longer = 5 * time.Millisecond }},
		{name: "never ends", then: func(c *adsChip) { c.longer = time.Hour }, want: "never ends"},
		{name: "too much", then: func(c *adsChip) { c.volts[3] = 5 }, want: "input a3 is beyond range: 4.096V"},
		{name: "much more range", given: Settings{"inputs": {"a3"}, "range": {"6.144V"}}, then: func(c *adsChip) { c.volts[3] = 5 }},
		{name: "below ground", then: func(c *adsChip) { c.volts[1] = 6 }, want: "input a0-a1 is beyond range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := Lookup("ads1115"), newADSChip(16)
				given := Settings{"inputs": {"a0", "a3", "a0-a1"}}
				if tt.given != nil {
					given = tt.given
				}
				tt.try(t, d, c, optionsFor(d, c, given))
			})
		})
	}
}

// Each input has its own value: none has the one of the conversion before.
func TestADSInputs(t *testing.T) {
	for _, name := range []string{"ads1115", "ads1015"} {
		synctest.Test(t, func(t *testing.T) {
			d := Lookup(name)
			c := parts[name]().(*adsChip)
			o := optionsFor(d, c, Settings{"inputs": adsInputs})
			s, err := d.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for round := range 3 {
				c.volts[0] += 0.1 * float64(round)
				readings, err := s.Measure(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]float64{"a0": c.volts[0], "a1": c.volts[1], "a2": c.volts[2], "a3": c.volts[3], "a0_a1": c.volts[0] - c.volts[1],
					"a0_a3": c.volts[0] - c.volts[3], "a1_a3": c.volts[1] - c.volts[3], "a2_a3": c.volts[2] - c.volts[3]}
				for q, v := range want {
					near(t, name+" "+q, value(t, readings, q), v, 0.0021)
				}
			}
		})
	}
}

func TestADSOffers(t *testing.T) {
	d := Lookup("ads1115")
	got, err := d.Quantities(optionsFor(d, nil, Settings{"inputs": {"a3", "a0-a1"}, "range": {"0.512V"}}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, q := range got {
		names = append(names, q.Name)
		if q.Class != "voltage" || q.Unit != "V" || q.Low != -0.512 || q.High != 0.512 {
			t.Errorf("got %+v", q)
		}
	}
	if want := []string{"a3", "a0_a1"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	_, err = d.Quantities(optionsFor(d, nil, Settings{"inputs": {"a3", "a3"}}))
	if wrong, ok := err.(*WrongSetting); !ok || wrong.Key != "inputs" {
		t.Errorf("the same input twice: got %v", err)
	}
}

func TestADSWrongChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := Lookup("ads1015"), newADSChip(12)
		c.bits = 16 // an ADS1115 behind the name
		f := fault[*adsChip]{want: "use type: ads1115"}
		f.try(t, d, c, optionsFor(d, c, Settings{"inputs": {"a0"}, "rate": {"920"}}))
	})
}

// The model of the simulated bus.
func TestADSSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, play := simulatedBus(t, "ads1115", 0x48, "0x48 ain0 1.25", "0x48 ain3 -0.2", "0x48 ain1 2")
		d := Lookup("ads1115")
		o := optionsFor(d, bus, Settings{"inputs": {"a0", "a3", "a0-a1"}})
		s, err := d.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		check := func(a0 float64) {
			t.Helper()
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "a0", value(t, readings, "a0"), a0, 0.0002)
			near(t, "a3", value(t, readings, "a3"), -0.2, 0.0002)
			near(t, "a0-a1", value(t, readings, "a0_a1"), a0-2, 0.0002)
		}
		check(1.25)
		play("0x48 reset", "0x48 ain0 3.3")
		check(3.3)
		play("0x48 ain0 4.1")
		if _, err := s.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "beyond range") {
			t.Errorf("got error %v", err)
		}
		play("0x48 ain0 1")
		for n := range 10 { // right, or an error
			play(fmt.Sprintf("fault 0x48 corrupt %d", n+1))
			if readings, err := s.Measure(t.Context()); err == nil {
				near(t, "a0", value(t, readings, "a0"), 1, 0.0002)
				near(t, "a3", value(t, readings, "a3"), -0.2, 0.0002)
				near(t, "a0-a1", value(t, readings, "a0_a1"), -1, 0.0002)
			}
			play("fault 0x48 off")
			check(1)
		}
	})
}
