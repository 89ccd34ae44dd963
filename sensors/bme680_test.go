package sensors

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["bme680"] = func() i2c.Bus {
		c := newBME680Chip(false)
		c.noisy = true
		return c
	}
	costs["bme680"] = cost{
		each:  []transfer{{14, 0}, {1, 15}, {1, 13}, {1, 28}},
		least: []transfer{{2, 0}, {1, 15}},
		why:   "the settings are written each time and read back, the values are read twice",
	}
}

// A part's trimming values, as they are in its registers: 0x8A to 0xA0, 0xE1 to 0xEE, 0x00 to 0x04.
func exampleBME680() (c1 [23]byte, c2 [14]byte, c3 [5]byte) {
	put := func(reg byte, v int) { binary.LittleEndian.PutUint16(c1[reg-bme680Calib1:], uint16(v)) }
	put(0x8A, 26398)                                                            // par_t2
	c1[0x8C-0x8A] = 3                                                           // par_t3
	put(0x8E, 36673)                                                            // par_p1
	put(0x90, -10516)                                                           // par_p2
	c1[0x92-0x8A] = 88                                                          // par_p3
	put(0x94, 7310)                                                             // par_p4
	put(0x96, -128)                                                             // par_p5
	c1[0x98-0x8A] = 43                                                          // par_p7
	c1[0x99-0x8A] = 30                                                          // par_p6
	put(0x9C, -3202)                                                            // par_p8
	put(0x9E, -2687)                                                            // par_p9
	c1[0xA0-0x8A] = 30                                                          // par_p10
	c2 = [14]byte{0x3F, 0x8B, 0x2F, 0, 45, 20, 120, 0x9C, 0, 0, 0, 0, 0xC4, 18} // h2 1016, h1 763, h3 to h7
	binary.LittleEndian.PutUint16(c2[0xE9-0xE1:], 26041)                        // par_t1
	g2 := -12345
	binary.LittleEndian.PutUint16(c2[0xEB-0xE1:], uint16(g2))
	c3 = [5]byte{0x32, 0xAA, 0x16, 0x49, 0x13} // res_heat_val 50, res_heat_range 1, range_switching_error 1
	return c1, c2, c3
}

const (
	exampleRawT680 = 487000
	exampleRawP680 = 420000
	exampleRawH680 = 20500
	exampleRawG680 = 700
)

// bme680Chip has the registers of a part, and takes as long as the data sheet says.
type bme680Chip struct {
	noSpeed
	reg         [256]byte
	raw         [4]uint32 // temperature, pressure, humidity, gas
	span, flags byte      // of the gas
	ready, cut  time.Time
	noisy, deaf bool
	stuck       bool
}

func newBME680Chip(new bool) *bme680Chip {
	c := &bme680Chip{raw: [4]uint32{exampleRawT680, exampleRawP680, exampleRawH680, exampleRawG680}, span: 6, flags: bme680GasValid | bme680Stable}
	c1, c2, c3 := exampleBME680()
	copy(c.reg[bme680Calib1:], c1[:])
	copy(c.reg[bme680Calib2:], c2[:])
	copy(c.reg[bme680HeatVal:], c3[:])
	c.reg[bmxID] = bme680ID
	if new {
		c.reg[bme680Variant] = 1
	}
	c.powerCycle()
	return c
}

func (c *bme680Chip) powerCycle() {
	clear(c.reg[bme680Field : bme680Config+1])
	for _, reg := range []byte{0x1F, 0x22, 0x25} {
		c.reg[reg] = 0x80
	}
	c.ready = time.Time{}
}

func (c *bme680Chip) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && time.Now().After(c.cut) {
		c.powerCycle()
		c.cut = time.Time{}
	}
	if !c.ready.IsZero() && !time.Now().Before(c.ready) && !c.stuck {
		c.finish()
	}
	if len(r) > 0 {
		copy(r, c.reg[w[0]:])
		return nil
	}
	if w[0] != bmxReset && c.deaf {
		return nil
	}
	for pair := range slices.Chunk(w, 2) {
		switch reg := pair[0]; {
		case reg == bmxReset:
			c.powerCycle()
		case reg >= 0x50 && reg <= bme680Config:
			c.reg[reg] = pair[1]
			if reg == bme680CtrlMeas && pair[1]&3 == bmxForced {
				c.reg[bme680Field] = bme680Measuring
				factor := time.Duration(1) << (2 * (c.reg[bme680GasWait] >> 6))
				c.ready = time.Now().Add(12*time.Millisecond + factor*time.Duration(c.reg[bme680GasWait]&0x3F)*time.Millisecond)
			}
		}
	}
	return nil
}

func (c *bme680Chip) finish() {
	c.ready = time.Time{}
	if c.noisy {
		c.raw[1]++
	}
	c.reg[bme680CtrlMeas] &^= 3
	c.reg[bme680Field] = bme680New
	t, p, h, g := c.raw[0], c.raw[1], c.raw[2], c.raw[3]
	copy(c.reg[bme680Values:], []byte{byte(p >> 12), byte(p >> 4), byte(p << 4), byte(t >> 12), byte(t >> 4), byte(t << 4), byte(h >> 8), byte(h)})
	gas, run := []byte{byte(g >> 2), byte(g<<6) | c.flags | c.span}, bme680RunGas
	reg := 0x2A
	if c.reg[bme680Variant] == 1 {
		reg, run = 0x2C, bme688RunGas
	}
	if c.reg[bme680CtrlGas1] != run || c.reg[bme680CtrlGas0] != 0 {
		gas[1] &^= bme680GasValid | bme680Stable
	}
	copy(c.reg[reg:], gas)
}

// DS 3.3.3, the quick start: 0x59 is 100 ms. The longest is 4032 ms.
func TestBME680GasWait(t *testing.T) {
	for _, tt := range []struct {
		ms   int
		want byte
	}{{1, 1}, {63, 0x3F}, {100, 0x59}, {148, 0x65}, {4032, 0xFF}} {
		if got := gasWait(time.Duration(tt.ms) * time.Millisecond); got != tt.want {
			t.Errorf("%d ms: got %#02x, want %#02x", tt.ms, got, tt.want)
		}
	}
}

// The data sheet has no example with numbers, but each formula twice, in floating point and in integers: DS 3.3.1 to 3.3.5, 3.4.1. These
// are the latter.
func TestBME680AgainstIntegers(t *testing.T) {
	c := newBME680Calibration(exampleBME680())
	i := func(v float64) int64 { return int64(v) }
	for _, rawT := range []int64{420000, 460000, exampleRawT680, 520000} {
		celsius, fine := c.temperature(float64(rawT))
		v1 := rawT>>3 - i(c.t[1])<<1
		intFine := v1*i(c.t[2])>>11 + ((v1>>1)*(v1>>1)>>12)*(i(c.t[3])<<4)>>14
		near(t, "t_fine", fine, float64(intFine), 30)
		near(t, "temperature", celsius, float64((intFine*5+128)>>8)/100, 0.01)

		for _, rawP := range []int64{330000, 420000, 500000} {
			v := intFine>>1 - 64000
			offset := (((v>>2)*(v>>2)>>11)*i(c.p[6])>>2+v*i(c.p[5])<<1)>>2 + i(c.p[4])<<16
			slope := ((((v>>2)*(v>>2)>>13)*(i(c.p[3])<<5)>>3 + i(c.p[2])*v>>1) >> 18)
			slope = (32768 + slope) * i(c.p[1]) >> 15
			p := (1048576 - rawP - offset>>12) * 3125 << 1 / slope
			p += (i(c.p[9])*((p>>3)*(p>>3)>>13)>>12 + (p>>2)*i(c.p[8])>>13 + (p>>8)*(p>>8)*(p>>8)*i(c.p[10])>>17 + i(c.p[7])<<7) >> 4
			near(t, "pressure", c.pressure(float64(rawP), fine), float64(p), 12)
		}
		for _, rawH := range []int64{16000, exampleRawH680, 26000} {
			ts := (intFine*5 + 128) >> 8
			h1 := rawH - i(c.h[1])<<4 - (ts*i(c.h[3])/100)>>1
			h2 := i(c.h[2]) * (ts*i(c.h[4])/100 + (ts*(ts*i(c.h[5])/100)>>6)/100 + 1<<14) >> 10
			h3 := h1 * h2
			h4 := (i(c.h[6])<<7 + ts*i(c.h[7])/100) >> 4
			h5 := (h3 >> 14) * (h3 >> 14) >> 10
			rh := float64((h3+h4*h5>>1)>>10*1000>>12) / 1000
			near(t, "humidity", c.humidity(float64(rawH), celsius), rh, 0.05)
		}
	}
	// The two formulas for the heater do not agree on how much the room counts.
	got, err := c.heater(320, 0)
	v := (i(c.g[1]) + 784) * (((i(c.g[2])+154009)*320*5/100 + 3276800) / 10) / 2 / (i(c.heatRange) + 4)
	want := ((v/(131*i(c.heatVal)+65536)-250)*34 + 50) / 100
	if err != nil {
		t.Fatal(err)
	}
	near(t, "set-point of the heater", float64(got), float64(want), 1)
	if cold, _ := c.heater(320, -40); cold >= got {
		t.Errorf("set-point of the heater: %d at -40 °C, %d at 0 °C", cold, got)
	}
	// Of the integer formula for the gas: the constants are 2^31 and 512 times those in floating point.
	for span := range 16 {
		for _, raw := range []int64{0, 300, 512, 1023} {
			v1 := (1340 + 5*i(c.rangeError)) * int64(math.Round(gasArray1[span]*(1<<31))) >> 16
			v2 := raw<<15 - 16777216 + v1
			want := (int64(gasArray2[span]*512)*v1>>9 + v2>>1) / v2
			near(t, "gas", c.gas(float64(raw), span)/float64(want), 1, 0.005)
		}
	}
	near(t, "gas of a BME688", gas688(512, 0), 64e6, 1)       // 262144e6 / 4096
	near(t, "gas of a BME688", gas688(512, 8), 250e3, 1)      // 1024e6 / 4096
	near(t, "gas of a BME688", gas688(1023, 4), 2.911e6, 1e3) // 16384e6 / 5629
}

func TestBME680Calibration(t *testing.T) {
	c := newBME680Calibration(exampleBME680())
	if want := [4]float64{0, 26041, 26398, 3}; c.t != want {
		t.Errorf("par_t: got %v, want %v", c.t, want)
	}
	if want := [11]float64{0, 36673, -10516, 88, 7310, -128, 30, 43, -3202, -2687, 30}; c.p != want {
		t.Errorf("par_p: got %v, want %v", c.p, want)
	}
	if want := [8]float64{0, 763, 1016, 0, 45, 20, 120, -100}; c.h != want {
		t.Errorf("par_h: got %v, want %v", c.h, want)
	}
	if want := [4]float64{0, -60, -12345, 18}; c.g != want {
		t.Errorf("par_g: got %v, want %v", c.g, want)
	}
	if c.heatVal != 50 || c.heatRange != 1 || c.rangeError != 1 {
		t.Errorf("res_heat_val %v, res_heat_range %v, range_switching_error %v", c.heatVal, c.heatRange, c.rangeError)
	}
	c1, c2, c3 := exampleBME680()
	c3[4] = 0xF3
	if c := newBME680Calibration(c1, c2, c3); c.rangeError != -1 {
		t.Errorf("range_switching_error: got %v, want -1", c.rangeError)
	}
}

func TestBME680Playback(t *testing.T) {
	c1, c2, c3 := exampleBME680()
	c := newBME680Calibration(c1, c2, c3)
	heat, _ := c.heater(320, 25)
	twice := func(w byte, r []byte) []i2ctest.IO { return []i2ctest.IO{{W: []byte{w}, R: r}, {W: []byte{w}, R: r}} }
	data := []byte{0x66, 0x8A, 0x00, 0x76, 0xE5, 0x80, 0x50, 0x14, 0, 0, 0, 0xAF, 0x36}
	set := make([]byte, 28)
	set[0], set[10], set[23], set[24], set[26] = heat, 0x65, 0x10, 1, 0x24
	ops := slices.Concat(
		twice(0xD0, []byte{0x61}), twice(0xF0, []byte{0}),
		[]i2ctest.IO{{W: []byte{0xE0, 0xB6}}, {W: []byte{0x72}, R: []byte{0, 0, 0, 0}}},
		twice(0x8A, c1[:]), twice(0xE1, c2[:]), twice(0x00, c3[:]),
		[]i2ctest.IO{
			{W: []byte{0x5A, heat, 0x64, 0x65, 0x70, 0, 0x71, 0x10, 0x72, 1, 0x75, 0, 0x74, 0x25}},
			{W: []byte{0x1D}, R: append([]byte{0x60, 0}, data...)}, // still measuring
			{W: []byte{0x1D}, R: append([]byte{0x80, 0, 0x66, 0x8B}, data[2:]...)},
			{W: []byte{0x1F}, R: data}, // the one before was spoilt
			{W: []byte{0x1F}, R: data},
			{W: []byte{0x5A}, R: set},
		})
	got, err := playback(t, "bme680", 0x77, ops)
	wantTemperature, fine := c.temperature(487000)
	wantReadings(t, got, err, 0.6, wantTemperature, c.humidity(20500, wantTemperature), c.pressure(420000, fine)/100, c.gas(700, 6))
	near(t, "temperature", got[0].Value, 19.55, 5) // that the example is a room
}

func TestBME680Faults(t *testing.T) {
	tests := []struct {
		name   string
		before func(*bme680Chip) // Open
		then   func(*bme680Chip) // after it
		want   string            // of the error; empty: none
	}{
		{name: "works"},
		{name: "a BME688", before: func(c *bme680Chip) { c.reg[bme680Variant] = 1 }},
		{name: "a BME280", before: func(c *bme680Chip) { c.reg[bmxID] = 0x60 }, want: "it is a BME280: use type: bme280"},
		{name: "another part", before: func(c *bme680Chip) { c.reg[bmxID] = 0x42 }, want: "no part of this family"},
		{name: "no calibration", before: func(c *bme680Chip) { clear(c.reg[bme680Calib1:0xA1]) }, want: "impossible calibration"},
		{name: "no calibration of the heater", before: func(c *bme680Chip) { c.reg[0xED], c.reg[0] = 0x7F, 0x80 }, want: "calibration values of the heater"},
		{name: "never ends", then: func(c *bme680Chip) { c.stuck = true }, want: "never ends"},
		{name: "heater not stable", then: func(c *bme680Chip) { c.flags = bme680GasValid }, want: "not ready yet: the gas sensor has not reached"},
		{name: "no gas measured", then: func(c *bme680Chip) { c.flags = bme680Stable }, want: "has not measured its gas sensor"},
		{name: "deaf", then: func(c *bme680Chip) { c.deaf = true }, want: "never ends"},
		{name: "nothing measured", then: func(c *bme680Chip) { c.noisy, c.raw = false, [4]uint32{0x80000, 0x80000, 0x8000, 0} }, want: "measured nothing"},
		{name: "too hot", then: func(c *bme680Chip) { c.raw[0] = 0xFFFFF }, want: "impossible"},
		{name: "too cold", then: func(c *bme680Chip) { c.raw[0] = 0 }, want: "impossible"},
		{name: "no air", then: func(c *bme680Chip) { c.raw[1] = 0xFFFFF }, want: "impossible pressure"},
		{name: "deep sea", then: func(c *bme680Chip) { c.raw[1] = 0 }, want: "impossible pressure"},
		{name: "dry", then: func(c *bme680Chip) { c.raw[2] = 0 }, want: "impossible humidity"},
		{name: "wet", then: func(c *bme680Chip) { c.raw[2] = 0xFFFF }, want: "impossible humidity"},
		{name: "power cycle", then: func(c *bme680Chip) { c.powerCycle() }}, // all is written again
		{name: "power cycle while it measures", then: func(c *bme680Chip) { c.cut = time.Now().Add(50 * time.Millisecond) }, want: "never ends"},
		{name: "power cycle before it is read back", then: func(c *bme680Chip) { c.cut = time.Now().Add(bme680Time - time.Millisecond) }, want: "never ends"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newBME680Chip(false)
				c.noisy = true
				if tt.before != nil {
					tt.before(c)
				}
				err := measureOnce(t, "bme680", c, tt.then)
				wantError(t, err, tt.want)
				if unready := strings.HasPrefix(tt.want, "not ready"); unready != errors.Is(err, ErrNotReady) {
					t.Errorf("ErrNotReady: %v", err)
				}
			})
		})
	}
}

// Any bit of what starts a measurement may flip on its way: then what is told is right, or nothing is.
func TestBME680StartSpoilt(t *testing.T) {
	for bit := range 14 * 8 {
		synctest.Test(t, func(t *testing.T) {
			c := newBME680Chip(false)
			c.noisy = true
			h := &hostile{Bus: c}
			s, err := Lookup("bme680").Open(Options{Bus: h, Addr: 0x76})
			if err != nil {
				t.Fatal(err)
			}
			before, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.raw[0] += 20000 // about 5 °C
			h.call = 0
			h.spoil = func(w []byte) {
				if len(w) == 14 {
					w[bit/8] ^= 1 << (bit % 8)
					h.spoil = nil
				}
			}
			got, err := s.Measure(t.Context())
			if err == nil && !(got[0].Value > before[0].Value+3) {
				t.Errorf("bit %d: told %v, before it was %v", bit, got, before)
			}
		})
	}
}

// Its power may fail after any transfer of a measurement.
func TestBME680PowerCycleWithin(t *testing.T) {
	for after := range 4 {
		synctest.Test(t, func(t *testing.T) {
			c := newBME680Chip(false)
			c.noisy = true
			h := &hostile{Bus: c}
			s, err := Lookup("bme680").Open(Options{Bus: h, Addr: 0x76})
			if err != nil {
				t.Fatal(err)
			}
			right, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			h.n, h.call = 0, 0
			h.bad = func(n int, _ []byte) error {
				if n == after {
					c.powerCycle()
				}
				return nil
			}
			got, err := s.Measure(t.Context())
			if (err == nil) != (after == 3) {
				t.Errorf("after transfer %d: told %v, error %v", after, got, err)
			}
			if err == nil {
				near(t, "gas", got[3].Value, right[3].Value, 1)
			}
			h.bad, h.call = nil, 0
			if _, err := s.Measure(t.Context()); err != nil {
				t.Errorf("after transfer %d, the next one: %v", after, err)
			}
		})
	}
}
