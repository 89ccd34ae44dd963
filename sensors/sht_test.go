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
	parts["sht3x"] = simPart("sht31", 0x44)
	parts["sht4x"] = func() i2c.Bus { return newCommandChip("sht4x") }
	costs["sht3x"] = cost{each: []transfer{{2, 0}, {0, 6}}}
	costs["sht4x"] = cost{each: []transfer{{1, 0}, {0, 6}}}
}

// SHT3x 4.12: the check sum of 0xBEEF is 0x92.
func TestSHT3xCRC(t *testing.T) {
	if got := crc8(shtCRC, []byte{0xBE, 0xEF}); got != 0x92 {
		t.Errorf("got %#02x, want 0x92", got)
	}
	if w, err := words(shtCRC, []byte{0xBE, 0xEF, 0x92, 0, 0, 0x81}); err != nil || !slices.Equal(w, []uint16{0xBEEF, 0}) {
		t.Errorf("got %#x, %v", w, err)
	}
	for i := range 24 {
		spoilt := []byte{0xBE, 0xEF, 0x92}
		spoilt[i/8] ^= 1 << (i % 8)
		if _, err := words(shtCRC, spoilt); !errors.Is(err, errCRC) {
			t.Errorf("bit %d flipped: got error %v", i, err)
		}
	}
}

// playback opens a sensor and measures once with recorded traffic, in no time at all.
func playback(t *testing.T, driver string, addr uint16, ops []i2ctest.IO) (readings []Reading, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for i := range ops {
			ops[i].Addr = addr
		}
		bus := &i2ctest.Playback{Ops: ops, DontPanic: true}
		var s Sensor
		if s, err = Lookup(driver).Open(Options{Bus: bus, Addr: addr}); err == nil {
			if readings, err = s.Measure(t.Context()); err == nil {
				err = Lookup(driver).check(readings, Lookup(driver).Measures)
			}
		}
		if wrong := bus.Close(); wrong != nil && err == nil {
			t.Error(wrong)
		}
	})
	return readings, err
}

// wantReadings compares values by their order.
func wantReadings(t *testing.T, got []Reading, err error, within float64, want ...float64) {
	t.Helper()
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %v, error %v, want %v", got, err, want)
	}
	for i, w := range want {
		near(t, got[i].Quantity, got[i].Value, w, within)
	}
}

var sht3Opened = []i2ctest.IO{
	{W: []byte{0xF3, 0x2D}, R: []byte{0x80, 0x10, 0xE1}},
	{W: []byte{0x30, 0x93}},
	{W: []byte{0x30, 0xA2}},
	{W: []byte{0xF3, 0x2D}, R: []byte{0x80, 0x10, 0xE1}},
}

// SHT3x 4.13: T = -45 + 175 S/(2^16 - 1), RH = 100 S/(2^16 - 1).
func TestSHT3xPlayback(t *testing.T) {
	for _, tt := range []struct {
		data        []byte
		celsius, rh float64
	}{
		{[]byte{0x66, 0x66, 0x93, 0x66, 0x66, 0x93}, 25, 40},
		{[]byte{0x07, 0x51, 0x3C, 0x00, 0x00, 0x81}, -40, 0},
		{[]byte{0xF8, 0xAE, 0x43, 0xFF, 0xFF, 0xAC}, 125, 100},
	} {
		tt.data[2], tt.data[5] = crc8(shtCRC, tt.data[:2]), crc8(shtCRC, tt.data[3:5])
		got, err := playback(t, "sht3x", 0x45, append(slices.Clone(sht3Opened), i2ctest.IO{W: []byte{0x24, 0x00}}, i2ctest.IO{R: tt.data}))
		wantReadings(t, got, err, 0.002, tt.celsius, tt.rh)
	}
	_, err := playback(t, "sht3x", 0x44, append(slices.Clone(sht3Opened), i2ctest.IO{W: []byte{0x24, 0x00}}, i2ctest.IO{R: []byte{0x66, 0x66, 0x93, 0x66, 0x67, 0x93}}))
	if !errors.Is(err, errCRC) {
		t.Errorf("a wrong check sum of the humidity: got error %v", err)
	}
}

var sht4Opened = []i2ctest.IO{
	{W: []byte{0x89}},
	{R: []byte{0xBE, 0xEF, 0x92, 0x66, 0x66, 0x93}},
	{W: []byte{0x94}},
}

// SHT4x "Conversion of signal output": T = -45 + 175 S/65535, RH = -6 + 125 S/65535, cut off at 0 and 100 %.
func TestSHT4xPlayback(t *testing.T) {
	for _, tt := range []struct {
		raw         [2]uint16
		celsius, rh float64
	}{
		{[2]uint16{0x6666, 0x6666}, 25, 44},
		{[2]uint16{1873, 1000}, -40, 0},
		{[2]uint16{63662, 0xF000}, 125, 100},
	} {
		var data []byte
		for _, v := range tt.raw {
			w := []byte{byte(v >> 8), byte(v)}
			data = append(data, append(w, crc8(shtCRC, w))...)
		}
		got, err := playback(t, "sht4x", 0x44, append(slices.Clone(sht4Opened), i2ctest.IO{W: []byte{0xFD}}, i2ctest.IO{R: data}))
		wantReadings(t, got, err, 0.005, tt.celsius, tt.rh)
	}
	for _, data := range [][]byte{
		{0x66, 0x66, 0x92, 0x66, 0x66, 0x93},
		{0x66, 0x66, 0x93, 0x66, 0x66, 0x90},
	} {
		_, err := playback(t, "sht4x", 0x44, append(slices.Clone(sht4Opened), i2ctest.IO{W: []byte{0xFD}}, i2ctest.IO{R: data}))
		if !errors.Is(err, errCRC) {
			t.Errorf("% x: got error %v", data, err)
		}
	}
}

// Each is told from the other, and neither gets the other's commands: 0x24 begins one of an SHT3x, and heats an SHT4x.
func TestSHTOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, sim := newSim(t, "sht31", 0x44)
		_, err := Lookup("sht4x").Open(Options{Bus: sim, Addr: 0x44})
		if err == nil || !strings.Contains(err.Error(), "0x44 is an SHT3x: use type: sht3x") {
			t.Errorf("sht4x with an SHT3x: got error %v", err)
		}
		c := newCommandChip("sht4x")
		_, err = Lookup("sht3x").Open(Options{Bus: c, Addr: 0x44})
		if err == nil || !strings.Contains(err.Error(), "0x44 is an SHT4x: use type: sht4x") {
			t.Errorf("sht3x with an SHT4x: got error %v", err)
		}
		if c.heated {
			t.Error("the SHT4x was heated")
		}
	})
}

// Another program has left it measuring by itself, and heating.
func TestSHT3xFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sim := newSim(t, "sht31", 0x44)
		sim.Tx(0x44, []byte{0x27, 0x37}, nil)
		sim.Tx(0x44, []byte{0x30, 0x6D}, nil)
		time.Sleep(time.Second)
		s, err := Lookup("sht3x").Open(Options{Bus: sim, Addr: 0x44})
		if err != nil {
			t.Fatal(err)
		}
		simDo(t, b, "0x44 temperature 31")
		got, err := s.Measure(t.Context())
		wantReadings(t, got, err, 0.01, 31, 50)
	})
}

// TestBusy has parts answer later than they should: they are asked again, for some time.
func TestBusy(t *testing.T) {
	for _, name := range []string{"sht4x", "htu21d", "si7021"} {
		for _, tt := range []struct {
			late time.Duration
			ok   bool
		}{{5 * time.Millisecond, true}, {time.Second, false}} {
			synctest.Test(t, func(t *testing.T) {
				c := newCommandChip(name)
				s, err := Lookup(name).Open(Options{Bus: c, Addr: Lookup(name).Addrs[0]})
				if err != nil {
					t.Fatal(name, err)
				}
				c.late = tt.late
				got, err := s.Measure(t.Context())
				switch {
				case tt.ok:
					wantReadings(t, got, err, 0.01, 25, 40)
				case !errors.Is(err, errNobody):
					t.Errorf("%s, late by %v: got %v, error %v", name, tt.late, got, err)
				}
			})
		}
	}
}

// A power cycle while it measures leaves nothing to be read, and no harm.
func TestPowerCycleSingleShot(t *testing.T) {
	for _, name := range []string{"sht4x", "htu21d", "si7021"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCommandChip(name)
			s, err := Lookup(name).Open(Options{Bus: c, Addr: Lookup(name).Addrs[0]})
			if err != nil {
				t.Fatal(name, err)
			}
			c.cut = time.Now().Add(5 * time.Millisecond)
			if got, err := s.Measure(t.Context()); err == nil {
				t.Errorf("%s: got %v", name, got)
			}
			got, err := s.Measure(t.Context())
			wantReadings(t, got, err, 0.01, 25, 40)
		})
	}
}
