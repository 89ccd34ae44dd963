package sensors

import (
	"encoding/binary"
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
	for name, id := range map[string]byte{"bme280": bmeChipID, "bmp280": bmpChipID} {
		parts[name] = func() i2c.Bus {
			c := newBMxChip(id)
			c.noisy = true
			return c
		}
	}
	const why = "the settings are written each time, and read back with the values, twice"
	costs["bme280"] = cost{each: []transfer{{6, 0}, {1, 13}, {1, 13}}, least: []transfer{{2, 0}, {1, 8}}, why: why}
	costs["bmp280"] = cost{each: []transfer{{4, 0}, {1, 10}, {1, 10}}, least: []transfer{{2, 0}, {1, 6}}, why: why}
}

// The trimming values of DS001's worked example (3.12), and a typical part's for humidity, with a negative dig_H5.
var (
	exampleTP = []uint16{27504, 26435, 65536 - 1000, 36477, 65536 - 10685, 3024, 2855, 140, 65536 - 7, 15500, 65536 - 14600, 6000}
	exampleH  = []byte{0x6A, 0x01, 0, 0x14, 0x25, 0xFC, 0x1E} // 362, 0, 0x145 = 325, -62, 30
)

const exampleH1, exampleRawT, exampleRawP, exampleRawH = 75, 519888, 415148, 29000

func exampleCalibration() (tp [26]byte, h [7]byte) {
	for i, v := range exampleTP {
		binary.LittleEndian.PutUint16(tp[2*i:], v)
	}
	tp[25] = exampleH1
	copy(h[:], exampleH)
	return tp, h
}

// bmxChip has the registers of a part, and takes as long as the data sheet allows.
type bmxChip struct {
	noSpeed
	reg     [256]byte
	hum     byte // the ctrl_hum that counts
	ready   time.Time
	stuck   byte      // bits of status that never clear
	cut     time.Time // when the power fails for a moment
	raw     [3]uint32
	noHum   bool // ignores ctrl_hum
	noReset bool
	noisy   bool   // its values differ a little each time, as they do
	deaf    bool   // acknowledges what is written, and does not take it
	history []byte // registers written
}

func newBMxChip(id byte) *bmxChip {
	c := &bmxChip{raw: [3]uint32{exampleRawT, exampleRawP, exampleRawH}}
	tp, h := exampleCalibration()
	copy(c.reg[bmxCalib:], tp[:])
	copy(c.reg[bmxCalibHum:], h[:])
	c.reg[bmxID] = id
	c.powerCycle()
	return c
}

func (c *bmxChip) powerCycle() {
	c.hum = 0
	copy(c.reg[bmxCtrlHum:], []byte{0, 0, 0, 0, 0, 0x80, 0, 0, 0x80, 0, 0, 0x80, 0})
}

func (c *bmxChip) Tx(_ uint16, w, r []byte) error {
	c.finish()
	if !c.cut.IsZero() && time.Now().After(c.cut) {
		c.powerCycle()
		c.cut = time.Time{}
	}
	if len(r) > 0 {
		c.reg[bmxStatus] |= c.stuck
		copy(r, c.reg[w[0]:])
		return nil
	}
	if w[0] != bmxReset && c.deaf {
		return nil
	}
	for pair := range slices.Chunk(w, 2) {
		c.history = append(c.history, pair[0])
		switch pair[0] {
		case bmxReset:
			if !c.noReset {
				c.powerCycle()
			}
		case bmxCtrlHum:
			if !c.noHum {
				c.reg[bmxCtrlHum] = pair[1]
			}
		case bmxConfig:
			c.reg[bmxConfig] = pair[1]
		case bmxCtrlMeas:
			c.hum = c.reg[bmxCtrlHum]
			c.reg[bmxCtrlMeas] = pair[1]
			if pair[1]&bmxModeMsk == 0 {
				break
			}
			c.reg[bmxStatus] = bmxMeasuring
			c.ready = time.Now().Add(bmeTime)
			if c.reg[bmxID] == bmpChipID {
				c.ready = time.Now().Add(bmpTime)
			}
		}
	}
	return nil
}

func (c *bmxChip) finish() {
	if c.reg[bmxStatus]&bmxMeasuring == 0 || time.Now().Before(c.ready) {
		return
	}
	c.reg[bmxStatus] = 0
	c.reg[bmxCtrlMeas] &^= bmxModeMsk
	if c.noisy {
		c.raw[1]++
	}
	t, p, h := c.raw[0], c.raw[1], c.raw[2]
	if c.hum == 0 {
		h = 0x8000
	}
	copy(c.reg[0xF7:], []byte{byte(p >> 12), byte(p >> 4), byte(p << 4), byte(t >> 12), byte(t >> 4), byte(t << 4), byte(h >> 8), byte(h)})
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: got %.4f, want %.4f", what, got, want)
	}
}

// DS001 3.12: 25.08 °C and 100653 Pa.
func TestBMxWorkedExample(t *testing.T) {
	c := newBMxCalibration(exampleCalibration())
	celsius, fine := c.temperature(exampleRawT)
	near(t, "temperature", celsius, 25.08, 0.005)
	near(t, "t_fine", fine, 128422, 1)
	near(t, "pressure", c.pressure(exampleRawP, fine), 100653.27, 0.05)
	if want := [7]float64{0, 75, 362, 0, 325, -62, 30}; c.h != want {
		t.Errorf("humidity's trimming: got %v, want %v", c.h, want)
	}
}

// The data sheet has no example for humidity, but the same formula twice: this is the one in integers, DS002 4.2.3.
func TestBMxHumidityAgainstIntegers(t *testing.T) {
	c := newBMxCalibration(exampleCalibration())
	integer := func(raw, fine int32) float64 {
		h1, h2, h3, h4, h5, h6 := int32(c.h[1]), int32(c.h[2]), int32(c.h[3]), int32(c.h[4]), int32(c.h[5]), int32(c.h[6])
		x := fine - 76800
		v := (((raw << 14) - (h4 << 20) - (h5 * x)) + 16384) >> 15 *
			((((((((x * h6) >> 10) * (((x * h3) >> 11) + 32768)) >> 10) + 2097152) * h2) + 8192) >> 14)
		v -= ((((v >> 15) * (v >> 15)) >> 7) * h1) >> 4
		return float64(min(max(v, 0), 419430400)>>12) / 1024
	}
	for _, raw := range []int32{24000, 26000, 29000, 32000} {
		for _, fine := range []int32{-20000, 60000, 128422, 200000} {
			got := min(max(c.humidity(float64(raw), float64(fine)), 0), 100)
			near(t, "humidity", got, integer(raw, fine), 0.02)
		}
	}
}

func TestBMxPlayback(t *testing.T) {
	tp, h := exampleCalibration()
	data := []byte{0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x71, 0x48} // 415148, 519888, 29000
	tests := []struct {
		driver string
		ops    []i2ctest.IO
		want   []string
	}{
		{"bme280", []i2ctest.IO{
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x60}},
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x60}},
			{Addr: 0x76, W: []byte{0xE0, 0xB6}},
			{Addr: 0x76, W: []byte{0xF3}, R: []byte{1, 0, 0}}, // still loading its calibration
			{Addr: 0x76, W: []byte{0xF3}, R: []byte{0, 0, 0}},
			{Addr: 0x76, W: []byte{0x88}, R: tp[:]},
			{Addr: 0x76, W: []byte{0x88}, R: tp[:]},
			{Addr: 0x76, W: []byte{0xE1}, R: h[:]},
			{Addr: 0x76, W: []byte{0xE1}, R: h[:]},
			{Addr: 0x76, W: []byte{0xF5, 0x20, 0xF2, 1, 0xF4, 0x25}},
			{Addr: 0x76, W: []byte{0xF2}, R: append([]byte{1, 8, 0x25, 0x20, 0}, data...)},                                  // still measuring
			{Addr: 0x76, W: []byte{0xF2}, R: append([]byte{1, 0, 0x24, 0x20, 0}, 0x55, 0x55, 0, 0x7E, 0xED, 0, 0x71, 0x48)}, // spoilt on the wire
			{Addr: 0x76, W: []byte{0xF2}, R: append([]byte{1, 0, 0x24, 0x20, 0}, data...)},
			{Addr: 0x76, W: []byte{0xF2}, R: append([]byte{1, 0, 0x24, 0x20, 0}, data...)},
		}, []string{"temperature", "humidity", "pressure"}},
		{"bmp280", []i2ctest.IO{
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x58}},
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x58}},
			{Addr: 0x76, W: []byte{0xE0, 0xB6}},
			{Addr: 0x76, W: []byte{0xF3}, R: []byte{0, 0, 0}},
			{Addr: 0x76, W: []byte{0x88}, R: tp[:24]},
			{Addr: 0x76, W: []byte{0x88}, R: tp[:24]},
			{Addr: 0x76, W: []byte{0xF5, 0x20, 0xF4, 0x25}},
			{Addr: 0x76, W: []byte{0xF3}, R: append([]byte{0, 0x24, 0x20, 0}, data[:6]...)},
			{Addr: 0x76, W: []byte{0xF3}, R: append([]byte{0, 0x24, 0x20, 0}, data[:6]...)},
		}, []string{"temperature", "pressure"}},
	}
	for _, tt := range tests {
		t.Run(tt.driver, func(t *testing.T) {
			bus := &i2ctest.Playback{Ops: tt.ops, DontPanic: true}
			s, err := Lookup(tt.driver).Open(Options{Bus: bus, Addr: 0x76})
			if err != nil {
				t.Fatal(err)
			}
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			values := map[string]float64{"temperature": 25.08, "pressure": 1006.53, "humidity": 47.12}
			var names []string
			for _, r := range readings {
				names = append(names, r.Quantity)
				near(t, r.Quantity, r.Value, values[r.Quantity], 0.01)
			}
			if !slices.Equal(names, tt.want) {
				t.Errorf("got %v, want %v", names, tt.want)
			}
			if err := bus.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBMxWrongChip(t *testing.T) {
	for _, tt := range []struct {
		driver string
		id     byte
		want   string
	}{
		{"bme280", 0x58, "id 0x58, want 0x60: it is a BMP280: use type: bmp280"},
		{"bmp280", 0x60, "it is a BME280: use type: bme280"},
		{"bme280", 0x61, "it is a BME680"},
		{"bme280", 0xFF, "check the wiring"},
		{"bme280", 0x42, "no part of this family"},
	} {
		_, err := Lookup(tt.driver).Open(Options{Bus: newBMxChip(tt.id), Addr: 0x77})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "0x77") {
			t.Errorf("%s and id %#x: got error %v, want %q", tt.driver, tt.id, err, tt.want)
		}
	}
}

// A start whose mode, or whose register, flipped on the wire leaves the last values.
func TestBMxStartSpoilt(t *testing.T) {
	for _, at := range []struct{ i, bit int }{{4, 6}, {5, 0}} { // ctrl_meas and its value
		synctest.Test(t, func(t *testing.T) {
			c := newBMxChip(bmeChipID)
			h := &hostile{Bus: c}
			s, err := Lookup("bme280").Open(Options{Bus: h, Addr: 0x76})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.raw[0] += 5000
			h.spoil = func(w []byte) {
				if len(w) == 6 {
					w[at.i] ^= 1 << at.bit
					h.spoil = nil
				}
			}
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near(t, "temperature", readings[0].Value, 26.65, 0.01)
		})
	}
}

func TestBMxFaults(t *testing.T) {
	tests := []struct {
		name   string
		before func(*bmxChip) // Open
		then   func(*bmxChip) // after it
		want   string         // of the error; empty: none
	}{
		{name: "works"},
		{name: "no calibration", before: func(c *bmxChip) { clear(c.reg[bmxCalib:0xA2]) }, want: "impossible calibration"},
		{name: "no calibration of humidity", before: func(c *bmxChip) { fill(c.reg[bmxCalibHum:0xE8], 0xFF) }, want: "impossible calibration"},
		{name: "reset lost", before: func(c *bmxChip) { c.reg[bmxCtrlMeas], c.noReset = bmxTP1, true }, want: "does not come up"},
		{name: "never loads", before: func(c *bmxChip) { c.stuck = bmxImageUpdate }, want: "does not come up"},
		{name: "never ends", then: func(c *bmxChip) { c.stuck = bmxMeasuring }, want: "never ends"},
		{name: "nothing measured", then: func(c *bmxChip) { c.raw = [3]uint32{0x80000, 0x80000, 0x8000} }, want: "measured nothing"},
		{name: "26 degrees", then: func(c *bmxChip) { c.raw[0] = 0x80000 }},
		{name: "too hot", then: func(c *bmxChip) { c.raw[0] = 0xFFFFF }, want: "impossible temperature"},
		{name: "too cold", then: func(c *bmxChip) { c.raw[0] = 0 }, want: "impossible temperature"},
		{name: "no air", then: func(c *bmxChip) { c.raw[1] = 0xFFFFF }, want: "impossible pressure"},
		{name: "deep sea", then: func(c *bmxChip) { c.raw[1] = 0 }, want: "impossible pressure"},
		{name: "dry", then: func(c *bmxChip) { c.raw[2] = 0 }, want: "impossible humidity"},
		{name: "wet", then: func(c *bmxChip) { c.raw[2] = 0xFFFF }, want: "impossible humidity"},
		{name: "no hygrometer", then: func(c *bmxChip) { c.noHum = true }, want: "lost its settings"},
		{name: "start lost", then: func(c *bmxChip) {
			c.Tx(0, []byte{bmxConfig, 0, bmxCtrlHum, bmxHum1, bmxCtrlMeas, bmxTP1 | bmxForced}, nil) // an older measurement
			c.deaf = true
		}, want: "did not take them"},
		{name: "power cycle", then: func(c *bmxChip) { c.powerCycle() }}, // ctrl_hum is written again
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newBMxChip(bmeChipID)
				if tt.before != nil {
					tt.before(c)
				}
				wantError(t, measureOnce(t, "bme280", c, tt.then), tt.want)
			})
		})
	}
}

// A sensor that loses power between the start of a measurement and its end.
func TestBMxPowerCycleWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBMxChip(bmeChipID)
		s, err := Lookup("bme280").Open(Options{Bus: c, Addr: 0x76})
		if err != nil {
			t.Fatal(err)
		}
		c.cut = time.Now().Add(5 * time.Millisecond)
		if _, err := s.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "lost its settings") {
			t.Errorf("got error %v", err)
		}
		if _, err := s.Measure(t.Context()); err != nil {
			t.Errorf("the next one: %v", err)
		}
		if want := []byte{bmxReset, bmxConfig, bmxCtrlHum, bmxCtrlMeas, bmxConfig, bmxCtrlHum, bmxCtrlMeas}; !slices.Equal(c.history, want) {
			t.Errorf("wrote % x, want % x", c.history, want)
		}
	})
}
