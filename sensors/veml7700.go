package sensors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Vishay VEML7700, document 84286, Rev. 1.8 ("DS"), and Designing the VEML7700 Into an Application, document 84323 ("AN").
func init() {
	Register(Driver{
		Name:     "veml7700",
		Doc:      "Vishay VEML7700: light, from darkness to the sun",
		Addrs:    []uint16{0x10},                            // DS p. 5, fixed
		Measures: []Quantity{illuminance.within(0, 140000)}, // DS p. 1
		Time:     2 * time.Second,                           // where the range changes
		Open:     openVEML7700,
		IDs:      []ID{{Reg: vemlID, Value: []byte{vemlChip, 0}, Mask: []byte{0xFF, 0}}},
	})
}

// Registers, DS table 1: 16 bits, the low byte first; and bits of the configuration.
const (
	vemlConfig byte = 0
	vemlSaving byte = 3
	vemlLight  byte = 4
	vemlID     byte = 7

	vemlChip     byte   = 0x81 // the low byte of the id
	vemlShutdown uint16 = 1 << 0
	vemlFull            = math.MaxUint16

	vemlWake  = 4 * time.Millisecond // DS table 1: 2.5 ms from shutdown
	vemlTurns = 3                    // of the range, within a measurement

	// AN p. 10 has counts up to 10000 for linear ones, and 100 as few. What is between these stays in its range, so that it does not
	// change all the time.
	vemlFew, vemlSuits, vemlMany = 500, 10000, 20000
)

// vemlRange is a gain and an integration time.
type vemlRange struct {
	config uint16
	time   time.Duration
	lux    float64 // of a count, AN p. 5
}

// vemlRanges are four of the 24, the least sensitive first.
var vemlRanges = [...]vemlRange{
	{2<<11 | 0xC<<6, 25 * time.Millisecond, 2.1504}, // gain 1/8
	{2<<11 | 0<<6, 100 * time.Millisecond, 0.5376},
	{0<<11 | 0<<6, 100 * time.Millisecond, 0.0672}, // gain 1
	{1<<11 | 2<<6, 400 * time.Millisecond, 0.0084}, // gain 2
}

type veml7700 struct {
	dev i2c.Dev
	at  int // the range
	// valid is when the part has ended an integration in that range that began in it: before, it shows an older one.
	valid time.Time
}

// openVEML7700 costs 5 transfers.
func openVEML7700(o Options) (Sensor, error) {
	v := &veml7700{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, at: 1}
	var id [2]byte
	if err := readSure(&v.dev, vemlID, id[:]); err != nil {
		return nil, err
	}
	if id[0] != vemlChip {
		return nil, fmt.Errorf("the chip at %#02x has the id %#02x, want %#02x: it is no VEML7700", o.Addr, id[0], vemlChip)
	}
	return v, v.set()
}

// set begins to measure in the range. A range is changed while the part sleeps, so that no integration is of both.
func (v *veml7700) set() error {
	for _, w := range []struct {
		reg   byte
		value uint16
	}{{vemlConfig, vemlShutdown}, {vemlSaving, 0}, {vemlConfig, vemlRanges[v.at].config}} {
		if err := v.dev.Tx([]byte{w.reg, byte(w.value), byte(w.value >> 8)}, nil); err != nil {
			return err
		}
	}
	v.valid = time.Now().Add(vemlWake + 9*vemlRanges[v.at].time/4) // two, and an oscillator that is slow
	return nil
}

// Measure costs 3 transfers, and 6 more for a change of the range.
func (v *veml7700) Measure(ctx context.Context) ([]Reading, error) {
	lost, noise := false, 0
	for turn := 0; ; turn++ {
		if !sleep(ctx, time.Until(v.valid)) {
			return nil, ctx.Err()
		}
		var light, config, again [2]byte
		// The settings are read in between: what spoils both readings of the light in the same way spoils them too.
		for _, r := range []struct {
			reg byte
			buf []byte
		}{{vemlLight, light[:]}, {vemlConfig, config[:]}, {vemlLight, again[:]}} {
			if err := v.dev.Tx([]byte{r.reg}, r.buf); err != nil {
				return nil, err
			}
		}
		if light != again { // perhaps an integration has ended in between
			if noise++; noise == 4 {
				return nil, errNoise
			}
			turn--
			continue
		}
		at := v.at
		if got, want := binary.LittleEndian.Uint16(config[:]), vemlRanges[at].config; got != want {
			if lost {
				return nil, fmt.Errorf("the chip at %#02x lost its settings, or does not take them (it has %#04x, want %#04x): check its power", v.dev.Addr, got, want)
			}
			lost = true
		} else {
			raw := int(binary.LittleEndian.Uint16(light[:]))
			if v.at = vemlBetter(at, raw); v.at == at || turn == vemlTurns {
				v.at = at
				if raw == vemlFull {
					return nil, errors.New("the light is beyond range")
				}
				return []Reading{illuminance.is(vemlLux(float64(raw) * vemlRanges[at].lux))}, nil
			}
		}
		if err := v.set(); err != nil {
			return nil, err
		}
	}
}

// vemlBetter gives the range to measure in, where one gave that many counts.
func vemlBetter(at, raw int) int {
	switch {
	case raw == vemlFull:
		return 0
	case raw >= vemlFew && raw <= vemlMany:
		return at
	}
	lux, best := float64(raw)*vemlRanges[at].lux, 0
	for i, r := range vemlRanges {
		if lux <= vemlSuits*r.lux {
			best = i
		}
	}
	return best
}

// vemlLux corrects what counts say, AN p. 7: the part is not linear in much light. Below 1000 lx, from where the note wants it, this
// changes less than 8 %, and it leaves no step there.
func vemlLux(x float64) float64 {
	return (((6.0135e-13*x-9.3924e-9)*x+8.1488e-5)*x + 1.0023) * x
}
