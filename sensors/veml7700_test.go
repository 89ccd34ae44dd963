package sensors

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["veml7700"] = func() i2c.Bus { return newVEMLPart(500) }
	r := transfer{1, 2}
	costs["veml7700"] = cost{each: []transfer{r, r, r}, least: []transfer{r}, why: "its settings are read back, and the light once more"}
}

// vemlPart integrates over and over, in the light that it has when an integration ends.
type vemlPart struct {
	noSpeed
	raw    float64 // lx, not corrected
	config uint16
	light  uint16
	since  time.Time // an integration began
	id     byte
	deaf   bool
	cut    time.Time
}

func newVEMLPart(raw float64) *vemlPart { return &vemlPart{raw: raw, config: 1, id: 0x81} }

func (c *vemlPart) integrate() {
	if c.config&1 != 0 {
		return
	}
	it := map[uint16]time.Duration{0xC: 25, 8: 50, 0: 100, 1: 200, 2: 400, 3: 800}[c.config>>6&15] * time.Millisecond
	gain := []float64{1, 2, 0.125, 0.25}[c.config>>11&3]
	for slow := it * 11 / 10; time.Since(c.since) >= slow; {
		c.since = c.since.Add(slow)
		c.light = uint16(min(c.raw/(0.0042*2/gain*float64(800*time.Millisecond)/float64(it)), 65535))
	}
}

func (c *vemlPart) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && !time.Now().Before(c.cut) {
		c.cut, c.config, c.light = time.Time{}, 1, 0
	}
	c.integrate()
	if len(w) == 3 && w[0] == 0 && !c.deaf {
		c.config = uint16(w[1]) | uint16(w[2])<<8
		c.since = time.Now().Add(2500 * time.Microsecond)
	}
	if len(r) == 2 {
		v := map[byte]uint16{0: c.config, 4: c.light, 7: 0xC400 | uint16(c.id)}[w[0]]
		binary.LittleEndian.PutUint16(r, v)
	}
	return nil
}

// AN p. 5: the resolution at each gain and integration time, 0.0042 lx at 800 ms and gain 2, doubles with half of either.
func TestVEMLResolution(t *testing.T) {
	gains := map[uint16]float64{0: 1, 1: 2, 2: 0.125, 3: 0.25}
	times := map[uint16]float64{0xC: 25, 8: 50, 0: 100, 1: 200, 2: 400, 3: 800}
	for _, r := range vemlRanges {
		near(t, "lux of a count", r.lux, 0.0042*2/gains[r.config>>11&3]*800/times[r.config>>6&15], 1e-9)
		near(t, "ms", r.time.Seconds()*1000, times[r.config>>6&15], 1e-9)
	}
}

// AN p. 7: y = 6.0135E-13 x^4 - 9.3924E-09 x^3 + 8.1488E-05 x^2 + 1.0023 x.
func TestVEMLCorrection(t *testing.T) {
	last := -1.0
	for x := 0.0; x < 24000; x += 10 {
		y := 6.0135e-13*x*x*x*x - 9.3924e-09*x*x*x + 8.1488e-05*x*x + 1.0023e+00*x
		near(t, "lux", vemlLux(x), y, y*1e-9)
		if y <= last {
			t.Errorf("%v lx is not more than before", x)
		}
		last = y
	}
	near(t, "what 100 counts are worth below 1000 lx", vemlLux(100), 100, 1.1)
}

func TestVEMLPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := func(w []byte, r ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x10, W: w, R: r} }
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			io([]byte{7}, 0x81, 0xC4), io([]byte{7}, 0x81, 0xC4),
			io([]byte{0, 1, 0}), io([]byte{3, 0, 0}), io([]byte{0, 0x00, 0x10}),
			io([]byte{4}, 0xE8, 0x03), io([]byte{0}, 0x00, 0x10), io([]byte{4}, 0xE9, 0x03), // an integration ended
			io([]byte{4}, 0xE8, 0x03), io([]byte{0}, 0x00, 0x10), io([]byte{4}, 0xE8, 0x03), // 1000
		}}
		s, err := Lookup("veml7700").Open(Options{Bus: bus, Addr: 0x10})
		if err != nil {
			t.Fatal(err)
		}
		readings, err := s.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "illuminance", value(t, readings, "illuminance"), vemlLux(537.6), 1e-9)
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

// From darkness to the sun and back, each measurement is of the light as it is.
func TestVEMLRanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newVEMLPart(500)
		s, err := Lookup("veml7700").Open(Options{Bus: c, Addr: 0x10})
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range []float64{500, 0, 0.5, 30, 80, 300, 5000, 22000, 22000, 0.02, 23000, 100} {
			time.Sleep(time.Second)
			c.raw = raw
			time.Sleep(time.Second) // the part has seen it
			start := time.Now()
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatalf("%v lx: %v", raw, err)
			}
			want := vemlLux(raw)
			near(t, "illuminance", value(t, readings, "illuminance"), want, 0.01+want/200)
			if took := time.Since(start); took > Lookup("veml7700").Time {
				t.Errorf("%v lx: took %v", raw, took)
			}
		}
	})
}

func TestVEMLFaults(t *testing.T) {
	for _, tt := range []fault[*vemlPart]{
		{name: "works"},
		{name: "wrong chip", before: func(c *vemlPart) { c.id = 0x26 }, want: "has the id 0x26, want 0x81: it is no VEML7700"},
		{name: "takes nothing", before: func(c *vemlPart) { c.deaf = true }, want: "does not take them"},
		{name: "power cycle before", then: func(c *vemlPart) { c.config, c.light = 1, 0 }},
		{name: "power cycle within", then: func(c *vemlPart) { c.cut = time.Now().Add(100 * time.Millisecond) }},
		{name: "power cycle, and deaf", then: func(c *vemlPart) { c.config, c.light, c.deaf = 1, 0, true }, want: "lost its settings"},
		{name: "beyond the sun", then: func(c *vemlPart) { c.raw = 30000 }, want: "impossible illuminance"},
		{name: "beyond range", then: func(c *vemlPart) { c.raw = 200000 }, want: "beyond range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := Lookup("veml7700"), newVEMLPart(500)
				if got, err := tt.try(t, d, c, optionsFor(d, c, nil)); err == nil {
					near(t, "illuminance", value(t, got, "illuminance"), vemlLux(500), 1)
				}
			})
		})
	}
}

// What spoils one byte of what is read, or several in a row, tells nothing that is not there.
func TestVEMLSpoilt(t *testing.T) {
	for from := range 6 {
		for many := 1; many < 8; many++ {
			synctest.Test(t, func(t *testing.T) {
				c := newVEMLPart(500)
				h := &hostile{Bus: c}
				s, err := Lookup("veml7700").Open(Options{Bus: h, Addr: 0x10})
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				h.bad = func(_ int, r []byte) error {
					if len(r) > 0 {
						if n >= from && n < from+many {
							r[1] ^= 2
						}
						n++
					}
					return nil
				}
				if readings, err := s.Measure(t.Context()); err == nil {
					near(t, "illuminance", value(t, readings, "illuminance"), vemlLux(500), 1)
				}
			})
		}
	}
}
