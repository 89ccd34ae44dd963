package sensors

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func init() {
	for _, name := range []string{"htu21d", "si7021"} {
		parts[name] = func() i2c.Bus { return newCommandChip(name) }
		costs[name] = cost{each: []transfer{{1, 0}, {0, 3}, {1, 0}, {0, 3}}}
	}
}

var htuOpened = []i2ctest.IO{
	{W: []byte{0xE7}, R: []byte{0x02}},
	{W: []byte{0xFE}},
	{W: []byte{0xE7}, R: []byte{0x02}},
}

// HTU21D "CRC checksum": 0xDC has 0x79, 0x683A has 0x7C, 0x4E85 has 0x6B. "Conversion of signal outputs": 0x683A is 24.7 °C, 0x4E85 is 32.3 %.
func TestHTU21DWorkedExample(t *testing.T) {
	for _, tt := range []struct {
		data []byte
		crc  byte
	}{{[]byte{0xDC}, 0x79}, {[]byte{0x68, 0x3A}, 0x7C}, {[]byte{0x4E, 0x85}, 0x6B}} {
		if got := crc8(htuCRC, tt.data); got != tt.crc {
			t.Errorf("% x: got %#02x, want %#02x", tt.data, got, tt.crc)
		}
	}
	near(t, "temperature", htuCelsius(0x683A), 24.7, 0.05)
	near(t, "humidity", htuPercent(0x4E85), 32.3, 0.05)
}

func TestHTU21DPlayback(t *testing.T) {
	say := func(v uint16) i2ctest.IO {
		p := []byte{byte(v >> 8), byte(v)}
		return i2ctest.IO{R: append(p, crc8(0, p))}
	}
	command := func(c byte) i2ctest.IO { return i2ctest.IO{W: []byte{c}} }
	got, err := playback(t, "htu21d", 0x40, append(slices.Clone(htuOpened), command(0xF3), say(0x6838), command(0xF5), say(0x4E86)))
	wantReadings(t, got, err, 0.05, 24.7, 32.3)

	spoilt := say(0x4E86)
	spoilt.R[1] ^= 0x40
	for _, tt := range []struct {
		name string
		ops  []i2ctest.IO
		want string
	}{
		{"spoilt", []i2ctest.IO{command(0xF3), say(0x6838), command(0xF5), spoilt}, "check sum"},
		{"a temperature for the humidity", []i2ctest.IO{command(0xF3), say(0x6838), command(0xF5), say(0x6838)}, "instead of"},
		{"zeros", []i2ctest.IO{command(0xF3), say(0), command(0xF5), say(0)}, "instead of"},
		{"far too dry", []i2ctest.IO{command(0xF3), say(0x6838), command(0xF5), say(2)}, "impossible humidity"},
		{"far too cold", []i2ctest.IO{command(0xF3), say(0), command(0xF5), say(0x4E86)}, "impossible temperature"},
	} {
		if _, err := playback(t, "htu21d", 0x40, append(slices.Clone(htuOpened), tt.ops...)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSi7021ID(t *testing.T) {
	for _, tt := range []struct {
		id   byte
		want string // of the error; empty: none
	}{
		{0x15, ""}, {0x14, ""},
		{0x0D, "it is an Si7013"}, {0x32, "it is an HTU21D: use type: htu21d"}, {0x77, "it is no Si7021"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCommandChip("si7021")
			c.id[0] = tt.id
			c.id[2] = crc8(0, c.id[:2])
			_, err := Lookup("si7021").Open(Options{Bus: c, Addr: 0x40})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("id %#02x: got error %v, want %q", tt.id, err, tt.want)
			}
			c.id[2] ^= 1
			if _, err := Lookup("si7021").Open(Options{Bus: c, Addr: 0x40}); !errors.Is(err, errCRC) {
				t.Errorf("a wrong check sum: got error %v", err)
			}
		})
	}
}

// What another program has left: fewer bits, and the heater on, which a reset does not end.
func TestHTU21DFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommandChip("htu21d")
		c.user |= htuCoarse | htuHeater
		s, err := Lookup("htu21d").Open(Options{Bus: c, Addr: 0x40})
		if err != nil {
			t.Fatal(err)
		}
		if c.user != 0x02 {
			t.Errorf("user register %#02x, want 0x02", c.user)
		}
		got, err := s.Measure(t.Context())
		wantReadings(t, got, err, 0.01, 25, 40)
		c.swapped = true
		if got, err := s.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "instead of") {
			t.Errorf("swapped: got %v, error %v", got, err)
		}
	})
}

func TestHTU21DOther(t *testing.T) {
	for _, user := range []byte{0xFF, 0x00, 0x40} {
		ops := []i2ctest.IO{{W: []byte{0xE7}, R: []byte{user}}}
		if _, err := playback(t, "htu21d", 0x40, ops); err == nil || !strings.Contains(err.Error(), "another part") {
			t.Errorf("%#02x: got error %v", user, err)
		}
	}
}
