package sensors

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["sgp40"] = func() i2c.Bus { return newSGPChip() }
	costs["sgp40"] = cost{each: []transfer{{8, 0}, {0, 3}}}
}

// sgpChip is a part as the data sheet has it.
type sgpChip struct {
	noSpeed
	raw, features, test uint16
	out                 []byte
	ready               time.Time
	late                time.Duration
	ticks               []byte // of humidity and temperature, as it was told
	broken              func(out []byte)
	forbidden           int
	cut                 time.Time // when the power fails for a moment
}

func newSGPChip() *sgpChip { return &sgpChip{raw: 30000, features: 0x3220, test: 0xD400} }

func (c *sgpChip) Tx(addr uint16, w, r []byte) error {
	now := time.Now()
	if !c.cut.IsZero() && !now.Before(c.cut) {
		c.cut, c.out = time.Time{}, nil
	}
	if now.Before(c.ready) {
		return errNobody
	}
	if addr == 0 {
		c.forbidden++
	}
	say := func(wait time.Duration, all ...uint16) {
		c.out, c.ready = nil, now.Add(wait+c.late)
		for _, v := range all {
			p := []byte{byte(v >> 8), byte(v)}
			c.out = append(c.out, append(p, crc8(0xFF, p))...)
		}
		if c.broken != nil {
			c.broken(c.out)
		}
	}
	if len(w) >= 2 {
		switch uint16(w[0])<<8 | uint16(w[1]) {
		case sgpSerial:
			say(time.Millisecond, 0, 0x0123, 0x4567)
		case sgpFeatures:
			say(time.Millisecond, c.features)
		case sgpSelfTest:
			say(320*time.Millisecond, c.test)
		case sgpMeasure:
			if len(w) != 8 || crc8(0xFF, w[2:4]) != w[4] || crc8(0xFF, w[5:7]) != w[7] {
				return errNobody
			}
			c.ticks = slices.Clone(w[2:])
			say(30*time.Millisecond, c.raw)
		default:
			c.forbidden++
			return errNobody
		}
	}
	if len(r) > 0 {
		if c.out == nil {
			return errNobody
		}
		copy(r, c.out)
		c.out = nil
	}
	return nil
}

// sgpNext measures every second until there is an index, and tells how often it was not ready.
func sgpNext(t *testing.T, s Sensor) (readings []Reading, warm int, err error) {
	t.Helper()
	for ; warm < 100; warm++ {
		if readings, err = s.Measure(t.Context()); !errors.Is(err, ErrNotReady) {
			break
		}
		time.Sleep(sgpPeriod)
	}
	return readings, warm, err
}

// DS table 9 has the words of 50 % and 25 °C, with their check sums, table 10 what other ones are.
func TestSGPPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := func(b ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x59, W: b} }
		r := func(b ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x59, R: append(b, crc8(0xFF, b))} }
		ops := []i2ctest.IO{
			w(0x36, 0x82), {Addr: 0x59, R: []byte{0x00, 0x00, 0x81, 0xBE, 0xEF, 0x92, 0x00, 0x00, 0x81}},
			w(0x20, 0x2F), r(0x32, 0x20),
			w(0x28, 0x0E), r(0xD4, 0x00),
		}
		for range 47 {
			ops = append(ops, w(0x26, 0x0F, 0x80, 0x00, 0xA2, 0x66, 0x66, 0x93), r(0x75, 0x30))
		}
		bus := &i2ctest.Playback{Ops: ops, DontPanic: true}
		d := Lookup("sgp40")
		s, err := d.Open(optionsFor(d, bus, nil))
		if err != nil {
			t.Fatal(err)
		}
		readings, warm, err := sgpNext(t, s)
		if err != nil || warm != 46 {
			t.Fatalf("after %d seconds: %v", warm, err)
		}
		near(t, "raw", value(t, readings, "voc_raw"), 30000, 0)
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSGPFaults(t *testing.T) {
	spoil := func(i int) func(*sgpChip) {
		return func(c *sgpChip) { c.broken = func(out []byte) { out[i] ^= 0x04 } }
	}
	for _, tt := range []fault[*sgpChip]{
		{name: "works"},
		{name: "of another air", given: Settings{"humidity": {"0"}, "temperature": {"-45"}}},
		{name: "an SGP41", before: func(c *sgpChip) { c.features = 0x0040 }, want: "has the features 0x0040, want 0x3220"},
		{name: "fails its test", before: func(c *sgpChip) { c.test = 0x4B00 }, want: "fails its self test (0x4b00"},
		{name: "spoilt serial", before: spoil(5), want: "is it an SGP40? a check sum is wrong"},
		{name: "spoilt value", then: spoil(1), want: "a check sum is wrong"},
		{name: "spoilt check sum", then: spoil(2), want: "a check sum is wrong"},
		{name: "slow", then: func(c *sgpChip) { c.late = 5 * time.Millisecond }},
		{name: "busy for ever", then: func(c *sgpChip) { c.ready = time.Now().Add(time.Hour) }, want: "nobody answers"},
		{name: "power cycle while it measures", then: func(c *sgpChip) { c.cut = time.Now().Add(15 * time.Millisecond) }, want: "nobody answers"},
		{name: "nothing", then: func(c *sgpChip) { c.raw = 0 }, want: "impossible voc_raw 0"},
		{name: "everything", then: func(c *sgpChip) { c.raw = 65535 }, want: "impossible voc_raw 65535"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := Lookup("sgp40"), newSGPChip()
				if tt.before != nil {
					tt.before(c)
				}
				var got []Reading
				s, err := d.Open(optionsFor(d, c, tt.given))
				if err == nil {
					if tt.then != nil {
						tt.then(c)
					}
					got, _, err = sgpNext(t, s)
				}
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("got %v and error %v, want %q", got, err, tt.want)
				}
				want := []byte{0x80, 0, 0xA2, 0x66, 0x66, 0x93}
				if tt.given != nil {
					want = []byte{0, 0, 0x81, 0, 0, 0x81}
				}
				if err == nil && !slices.Equal(c.ticks, want) {
					t.Errorf("the air: sent % x, want % x", c.ticks, want)
				}
				if c.forbidden > 0 {
					t.Errorf("%d commands that must not be", c.forbidden)
				}
			})
		})
	}
}

// It measures every second, and is told every ten, or when the air changes.
func TestSGPQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := Lookup("sgp40"), newSGPChip()
		s, err := d.Open(optionsFor(d, c, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := sgpNext(t, s); err != nil {
			t.Fatal(err)
		}
		for n, quiet := 0, true; n < 600 || quiet; n++ { // it learns what is usual
			time.Sleep(sgpPeriod - sgpTime)
			readings, err := s.Measure(t.Context())
			if err != nil || n == 700 {
				t.Fatalf("got %v, %v", readings, err)
			}
			quiet = readings[0].Quiet
		}
		told := ""
		for i := range 60 {
			time.Sleep(sgpPeriod - sgpTime)
			if i == 35 {
				c.raw -= 1500 // somebody peels an orange
			}
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if readings[0].Quiet != readings[1].Quiet {
				t.Errorf("one of them is quiet: %v", readings)
			}
			told += map[bool]string{true: ".", false: "!"}[readings[0].Quiet]
		}
		if want := strings.Repeat(".........!", 3) + "....."; told[:35] != want || strings.Count(told[35:], "!") < 10 {
			t.Errorf("got %s, want %s, and then more often", told, want)
		}
	})
}

// What Sensirion says of the index: nothing for 45 s; 100 is what is usual; more is worse, and less is better, than that; what is worse for
// long becomes usual, after hours; it never leaves 1 to 500.
func TestVOCIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var v vocAlgorithm
	run := func(seconds int, raw float64) (low, high, last float64) {
		low = 1000
		for range seconds {
			last = v.process(raw + float64(rnd.IntN(41)-20))
			low, high = min(low, last), max(high, last)
		}
		return low, high, last
	}
	if _, high, _ := run(46, 30000); high != 0 {
		t.Errorf("an index of %v in the first 46 s", high)
	}
	if low, _, _ := run(1, 30000); low == 0 {
		t.Error("no index after that")
	}
	run(300, 30000)
	within := func(what string, got, low, high float64) {
		t.Helper()
		if !(got >= low && got <= high) {
			t.Errorf("%s: got %v, want %v to %v", what, got, low, high)
		}
	}
	low, high, last := run(3*3600, 30000)
	within("usual", last, 98, 102)
	within("usual, at the least", low, 80, 100)
	within("usual, at the most", high, 100, 120)
	_, _, last = run(600, 29000)
	within("worse", last, 350, 500)
	_, _, last = run(600, 25000)
	within("much worse", last, 480, 500)
	_, _, last = run(1800, 30000)
	within("usual again", last, 90, 110)
	_, _, last = run(600, 30600)
	within("better", last, 1, 30)
	_, _, last = run(24*3600, 29000)
	within("worse for a day", last, 90, 150)
	for _, raw := range []float64{1, 64999, 20000, 52768} {
		low, high, _ = run(600, raw)
		within("lowest", low, 1, 500)
		within("highest", high, 1, 500)
	}
}

// The first index is of the signal alone, with nothing learned: 500 / (1 + exp(-0.0065 (x - 213))), where x is the signal above 20000, times
// 230 / (50 + 220), negative.
func TestVOCFirst(t *testing.T) {
	for raw, want := range map[float64]float64{20001: 100, 20010: 96, 20100: 63, 19000: 100, 30000: 1} {
		var v vocAlgorithm
		for range 46 {
			v.process(raw)
		}
		if got := v.process(raw); got != want {
			t.Errorf("%v: got %v, want %v", raw, got, want)
		}
	}
}
