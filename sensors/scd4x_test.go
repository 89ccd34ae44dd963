package sensors

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	parts["scd4x"] = func() i2c.Bus { return newSCDChip() }
	costs["scd4x"] = cost{each: []transfer{{2, 0}, {0, 3}, {2, 0}, {0, 9}}, least: []transfer{{2, 0}, {0, 9}},
		why: "it is asked whether it has measured: the least is for who knows"}
}

// scdChip is a part as the data sheet has it: busy after a command, and with one measurement to give each 5 or 30 s.
type scdChip struct {
	noSpeed
	co2       uint16
	settings  map[uint16]uint16 // by the command that sets them
	memory    map[uint16]uint16
	period    time.Duration // 0: it does not measure
	next      time.Time     // it has measured
	has       bool
	out       []byte
	busy      time.Time
	late      time.Duration // what it takes longer
	deaf      uint16        // a command that it does not take
	forbidden int           // commands that write its memory, or calibrate it, and the general call
	broken    func(out []byte)
}

func newSCDChip() *scdChip {
	c := &scdChip{co2: 500, memory: map[uint16]uint16{scdSetOffset: 0x05D9, scdSetHeight: 0, scdSetSelf: 1}}
	c.powerCycle()
	return c
}

func (c *scdChip) powerCycle() {
	c.period, c.has, c.out = 0, false, nil
	c.settings = map[uint16]uint16{}
	for k, v := range c.memory {
		c.settings[k] = v
	}
}

func (c *scdChip) say(all ...uint16) {
	c.out = nil
	for _, w := range all {
		p := []byte{byte(w >> 8), byte(w)}
		c.out = append(c.out, append(p, crc8(0xFF, p))...)
	}
	if c.broken != nil {
		c.broken(c.out)
	}
}

func (c *scdChip) Tx(addr uint16, w, r []byte) error {
	now := time.Now()
	if addr == 0 {
		c.forbidden++
	}
	if now.Before(c.busy) {
		return errNobody
	}
	for c.period > 0 && !now.Before(c.next) {
		c.has, c.next = true, c.next.Add(c.period)
	}
	if len(w) >= 2 {
		command := uint16(w[0])<<8 | uint16(w[1])
		if !c.take(command, w[2:]) {
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

func (c *scdChip) take(command uint16, args []byte) bool {
	wait := scdAnswer
	if c.period > 0 && !slices.Contains([]uint16{scdRead, scdReady, scdStop}, command) {
		return false // DS table 9: not while it measures
	}
	if command == c.deaf {
		return true
	}
	start := func(period time.Duration) {
		c.period, c.has, c.next, wait = period, false, time.Now().Add(period), 0
	}
	switch command {
	case scdStop:
		c.period, wait = 0, 500*time.Millisecond
	case scdReinit:
		c.powerCycle()
		wait = 30 * time.Millisecond
	case scdSerial:
		c.say(0xF896, 0x9F07, 0x3BBE)
	case scdStart:
		start(5 * time.Second)
	case scdStartLow:
		start(30 * time.Second)
	case scdReady:
		ready := uint16(0x8000)
		if c.has {
			ready = 0x8006
		}
		c.say(ready)
	case scdRead:
		if !c.has {
			return false
		}
		c.has = false
		c.say(c.co2, 0x6667, 0x5EB9)
	case scdSetOffset, scdSetHeight, scdSetSelf:
		if len(args) != 3 || crc8(0xFF, args[:2]) != args[2] {
			return false
		}
		c.settings[command] = uint16(args[0])<<8 | uint16(args[1])
	case scdOffset:
		c.say(c.settings[scdSetOffset])
	case scdHeight:
		c.say(c.settings[scdSetHeight])
	case scdSelf:
		c.say(c.settings[scdSetSelf])
	default:
		c.forbidden++
		return false
	}
	c.busy = time.Now().Add(wait + c.late)
	return true
}

// The examples of the data sheet, DS 3.6 to 3.10: each command's table has the bytes. Serial number 273 325 796 834 238; 5.4 °C of offset, 1950 m,
// no self calibration; no measurement, then one of 500 ppm, 25 °C and 37 %.
func TestSCDPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := func(b ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x62, W: b} }
		r := func(b ...byte) i2ctest.IO { return i2ctest.IO{Addr: 0x62, R: b} }
		// The data sheet has no example of an answer that one is ready.
		ready := []i2ctest.IO{w(0xE4, 0xB8), r(0x80, 0x06, crc8(0xFF, []byte{0x80, 0x06})), w(0xEC, 0x05), r(0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C)}
		ops := []i2ctest.IO{
			w(0x3F, 0x86), w(0x36, 0x46),
			w(0x36, 0x82), r(0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2, 0x3B, 0xBE, 0x89),
			w(0x24, 0x1D, 0x07, 0xE6, 0x48), w(0x23, 0x18), r(0x07, 0xE6, 0x48),
			w(0x24, 0x27, 0x07, 0x9E, 0x09), w(0x23, 0x22), r(0x07, 0x9E, 0x09),
			w(0x24, 0x16, 0x00, 0x00, 0x81), w(0x23, 0x13), r(0x00, 0x00, 0x81),
			w(0x21, 0xB1),
			w(0xE4, 0xB8), r(0x80, 0x00, 0xA2),
		}
		ops = append(append(ops, ready...), ready...)
		bus := &i2ctest.Playback{Ops: ops, DontPanic: true}
		d := Lookup("scd4x")
		s, err := d.Open(optionsFor(d, bus, Settings{"temperature_offset": {"5.4"}, "altitude": {"1950"}, "self_calibration": {"off"}}))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := s.Measure(t.Context()); !errors.Is(err, ErrNotReady) {
				t.Errorf("too soon: got %v, %v", got, err)
			}
			time.Sleep(5 * time.Second)
		}
		readings, err := s.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "CO2", value(t, readings, "carbon_dioxide"), 500, 0)
		near(t, "temperature", value(t, readings, "temperature"), 25, 0.005)
		near(t, "humidity", value(t, readings, "humidity"), 37, 0.005)
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

// scdNext measures until there is something.
func scdNext(t *testing.T, s Sensor) ([]Reading, error) {
	t.Helper()
	for range 20 {
		got, err := s.Measure(t.Context())
		if !errors.Is(err, ErrNotReady) {
			return got, err
		}
		time.Sleep(scdPeriod)
	}
	return nil, ErrNotReady
}

func TestSCDFaults(t *testing.T) {
	all := Settings{"temperature_offset": {"2"}, "altitude": {"450"}, "self_calibration": {"off"}, "mode": {"low_power"}}
	spoil := func(i int) func(*scdChip) {
		return func(c *scdChip) {
			c.broken = func(out []byte) {
				if i < len(out) {
					out[i] ^= 0x10
				}
			}
		}
	}
	for _, tt := range []fault[*scdChip]{
		{name: "works"},
		{name: "measures already", before: func(c *scdChip) { c.take(scdStart, nil) }},
		{name: "all settings", given: all},
		{name: "does not take them", given: all, before: func(c *scdChip) { c.deaf = scdSetHeight }, want: "altitude: the chip at 0x62 does not take its settings (it has 0x0000, want 0x01c2)"},
		{name: "another's settings", before: func(c *scdChip) { c.settings[scdSetHeight] = 3000 }},
		{name: "spoilt serial", before: spoil(8), want: "is it an SCD4x? a check sum is wrong"},
		{name: "spoilt answer", then: spoil(0), want: "a check sum is wrong"},
		{name: "spoilt value", then: spoil(4), want: "a check sum is wrong"},
		{name: "spoilt check sum", then: spoil(8), want: "a check sum is wrong"},
		{name: "slow", then: func(c *scdChip) { c.late = 5 * time.Millisecond }},
		{name: "busy for ever", then: func(c *scdChip) { c.busy = time.Now().Add(time.Hour) }, want: "nobody answers"},
		{name: "no carbon dioxide", then: func(c *scdChip) { c.co2 = 0 }, want: "impossible carbon_dioxide 0 ppm"},
		{name: "power cycle", then: func(c *scdChip) { c.powerCycle() }, want: "has measured nothing for 15s"},
		{name: "does not start", before: func(c *scdChip) { c.deaf = scdStart }, want: "has measured nothing for 15s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := Lookup("scd4x"), newSCDChip()
				o := optionsFor(d, c, tt.given)
				if tt.before != nil {
					tt.before(c)
				}
				var got []Reading
				s, err := d.Open(o)
				if err == nil {
					if tt.then != nil {
						tt.then(c)
					}
					if got, err = scdNext(t, s); err == nil {
						err = d.check(got, d.Measures)
					}
				}
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("got %v and error %v, want %q", got, err, tt.want)
				}
				if err == nil {
					near(t, "CO2", value(t, got, "carbon_dioxide"), 500, 0)
				}
				want := map[uint16]uint16{scdSetOffset: 0x05D9, scdSetHeight: 0, scdSetSelf: 1}
				if tt.given != nil {
					want = map[uint16]uint16{scdSetOffset: 0x02ED, scdSetHeight: 450, scdSetSelf: 0}
				}
				for k, v := range want {
					if err == nil && c.settings[k] != v {
						t.Errorf("setting %#04x: got %#04x, want %#04x", k, c.settings[k], v)
					}
				}
				if c.forbidden > 0 {
					t.Errorf("%d commands that must not be", c.forbidden)
				}
			})
		})
	}
}

// Each measurement is told once, the first after a start never; a part that lost its power is started again, with its settings.
func TestSCDOnce(t *testing.T) {
	for mode, period := range map[string]time.Duration{"periodic": scdPeriod, "low_power": scdLowPeriod} {
		synctest.Test(t, func(t *testing.T) {
			d, c := Lookup("scd4x"), newSCDChip()
			o := optionsFor(d, c, Settings{"mode": {mode}, "altitude": {"300"}})
			s, err := d.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			told := 0
			for c.co2 = 400; time.Since(start) < 10*period; time.Sleep(time.Second) {
				since := time.Since(start)
				c.co2 = 400 + uint16(since/period)
				got, err := s.Measure(t.Context())
				if errors.Is(err, ErrNotReady) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if told++; told == 1 && since < 2*period {
					t.Errorf("%s: told its first measurement, after %v", mode, since)
				}
				near(t, "CO2", value(t, got, "carbon_dioxide"), float64(c.co2), 0)
			}
			if want := 8; told != want {
				t.Errorf("%s: told %d times, want %d", mode, told, want)
			}
			c.powerCycle()
			if got, err := scdNext(t, s); err == nil {
				t.Errorf("%s: got %v after a power cycle", mode, got)
			}
			if s, err = d.Open(o); err != nil {
				t.Fatal(err)
			}
			if _, err := scdNext(t, s); err != nil {
				t.Error(err)
			}
			if got := c.settings[scdSetHeight]; got != 300 {
				t.Errorf("%s: altitude %d", mode, got)
			}
		})
	}
}

// A single look waits for the first measurement that counts.
func TestSCDSingle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := Lookup("scd4x")
		s := Once(t.Context(), PollerConfig{Name: "air", Driver: d, Options: optionsFor(d, newSCDChip(), nil), Every: time.Minute})
		if s.Err != nil || len(s.Readings) != 3 || s.Took > 12*time.Second {
			t.Errorf("got %v, %v after %v", s.Readings, s.Err, s.Took)
		}
	})
}
