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

	"gatewayd/internal/i2csim/chip"
)

func init() {
	parts["aht20"] = func() i2c.Bus { return newAHTChip(true) }
	parts["aht10"] = func() i2c.Bus { return newAHTChip(false) }
	costs["aht20"] = cost{each: []transfer{{3, 0}, {0, 7}}}
	costs["aht10"] = cost{
		each:  []transfer{{3, 0}, {0, 6}, {0, 6}},
		least: []transfer{{3, 0}, {0, 6}},
		why:   "the values are read twice: there is no check sum",
	}
}

// ahtChip is a part whose values differ a little each time, as they do.
type ahtChip struct {
	noSpeed
	crc        bool
	status     byte
	data       [5]byte
	raw        [2]uint32 // humidity, temperature
	ready, cut time.Time
	takes      time.Duration
	deaf       bool   // acknowledges what is written, and does not take it
	broken     bool   // never calibrated
	wrote      []byte // first bytes
}

func newAHTChip(crc bool) *ahtChip {
	return &ahtChip{crc: crc, status: 0x18, raw: [2]uint32{1 << 19, 393216}, takes: ahtTime}
}

func (c *ahtChip) Tx(_ uint16, w, r []byte) error {
	if !c.cut.IsZero() && time.Now().After(c.cut) {
		c.data, c.status, c.cut = [5]byte{}, 0x18, time.Time{}
	}
	if c.status&ahtBusy != 0 && !time.Now().Before(c.ready) {
		c.status &^= ahtBusy
		c.raw[0]++
		h, t := c.raw[0], c.raw[1]
		c.data = [5]byte{byte(h >> 12), byte(h >> 4), byte(h<<4) | byte(t>>16), byte(t >> 8), byte(t)}
	}
	if len(w) > 0 && !c.deaf {
		c.wrote = append(c.wrote, w[0])
		switch w[0] {
		case ahtReset:
			c.data, c.status = [5]byte{}, c.status&^ahtBusy
		case ahtMeasure[0]:
			c.status |= ahtBusy
			c.ready = time.Now().Add(c.takes)
		case aht20Init[0], aht10Init[0]:
			if !c.broken {
				c.status |= ahtCalibrated
			}
		}
	}
	if len(r) > 0 {
		all := append([]byte{c.status}, c.data[:]...)
		if c.crc {
			all = append(all, crc8(0xFF, all))
		}
		copy(r, all)
	}
	return nil
}

// AHT20 A1 6: RH = S/2^20, T = S/2^20 200 - 50. The manual has no example: these are 50 %, 25 °C.
func TestAHTPlayback(t *testing.T) {
	busy := []byte{0x98, 0, 0, 0, 0, 0, 0}
	busy[6] = crc8(0xFF, busy[:6])
	right := []byte{0x18, 0x80, 0x00, 0x06, 0x00, 0x00, 0}
	right[6] = crc8(0xFF, right[:6])
	wrong := slices.Clone(right)
	wrong[3] ^= 1
	open := []i2ctest.IO{{R: busy}, {W: []byte{0xBA}}, {W: []byte{0x71}, R: []byte{0x18}}}
	fresh := []i2ctest.IO{{R: make([]byte, 6)}, {W: []byte{0xBA}}, {W: []byte{0x71}, R: []byte{0x10}}, {W: []byte{0xBE, 8, 0}}, {W: []byte{0x71}, R: []byte{0x18}}}
	fresh10 := slices.Clone(fresh)
	fresh10[3].W = []byte{0xE1, 8, 0}
	open10 := append([]i2ctest.IO{{R: busy[:6]}}, open[1:]...)
	fresh[0].R = []byte{0x10, 0, 0, 0, 0, 0, crc8(0xFF, []byte{0x10, 0, 0, 0, 0, 0})}
	start := i2ctest.IO{W: []byte{0xAC, 0x33, 0x00}}
	for _, tt := range []struct {
		name, driver string
		ops          []i2ctest.IO
		want         error
	}{
		{"aht20", "aht20", append(slices.Clone(open), start, i2ctest.IO{R: right}), nil},
		{"not calibrated, busy", "aht20", append(slices.Clone(fresh), start, i2ctest.IO{R: busy}, i2ctest.IO{R: right}), nil},
		{"spoilt", "aht20", append(slices.Clone(open), start, i2ctest.IO{R: wrong}), errCRC},
		{"aht10", "aht10", append(slices.Clone(fresh10), start, i2ctest.IO{R: busy[:6]}, i2ctest.IO{R: right[:6]}, i2ctest.IO{R: right[:6]}), nil},
		{"aht10, spoilt", "aht10", append(slices.Clone(open10), start, i2ctest.IO{R: right[:6]}, i2ctest.IO{R: wrong[:6]}, i2ctest.IO{R: right[:6]}, i2ctest.IO{R: right[:6]}), nil},
	} {
		got, err := playback(t, tt.driver, 0x38, tt.ops)
		if tt.want != nil {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: got error %v, want %v", tt.name, err, tt.want)
			}
			continue
		}
		wantReadings(t, got, err, 0.001, 25, 50)
	}
}

func TestAHTFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*ahtChip)
		then   func(*ahtChip)
		want   string // of the error; empty: none
	}{
		{name: "works"},
		{name: "not calibrated", before: func(c *ahtChip) { c.status = 0 }},
		{name: "never calibrated", before: func(c *ahtChip) { c.status, c.broken = 0, true }, want: "idle and calibrated neither"},
		{name: "slow", then: func(c *ahtChip) { c.takes += 20 * time.Millisecond }},
		{name: "never ends", then: func(c *ahtChip) { c.takes = time.Minute }, want: "never ends"},
		{name: "power cycle", then: func(c *ahtChip) { c.cut = time.Now().Add(50 * time.Millisecond) }, want: "impossible temperature -50.00"},
		{name: "not calibrated any more", then: func(c *ahtChip) { c.status = 0 }, want: "not calibrated any more"},
	} {
		for _, driver := range []string{"aht20", "aht10"} {
			synctest.Test(t, func(t *testing.T) {
				c := newAHTChip(driver == "aht20")
				if tt.before != nil {
					tt.before(c)
				}
				wantError(t, measureOnce(t, driver, c, tt.then), tt.want)
			})
		}
	}
}

// A command to measure that was spoilt on the wire leaves the last values, with a right check sum.
func TestAHTStartSpoilt(t *testing.T) {
	for _, driver := range []string{"aht20", "aht10"} {
		synctest.Test(t, func(t *testing.T) {
			c := newAHTChip(driver == "aht20")
			h := &hostile{Bus: c}
			s, err := Lookup(driver).Open(Options{Bus: h, Addr: 0x38})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.raw[1] += 52429 // 10 °C
			h.spoil = func(w []byte) {
				if len(w) == 3 {
					w[0] ^= 1 << 4
					h.spoil = nil
				}
			}
			got, err := s.Measure(t.Context())
			wantReadings(t, got, err, 0.01, 35, 50)
		})
	}
}

// Whatever is written to a PCF8574A switches its outputs.
func TestAHTLeavesPortsAlone(t *testing.T) {
	for _, driver := range []string{"aht20", "aht10"} {
		b, sim := newSim(t, "pcf8574", 0x38)
		simDo(t, b, "0x38 input 3 low")
		_, err := Lookup(driver).Open(Options{Bus: sim, Addr: 0x38})
		if err == nil || !strings.Contains(err.Error(), "perhaps a PCF8574A") {
			t.Errorf("%s: got error %v", driver, err)
		}
		b.Do(0x38, func(c chip.Chip) error {
			if latch, err := chip.Get(c, "latch", nil); latch != "0xff" {
				t.Errorf("%s: the outputs are %s (%v), want 0xff", driver, latch, err)
			}
			return nil
		})
	}
}
