package sensors

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// ROHM BH1750FVI Technical Note, 2011.11 Rev.D ("TN").
//
// The part has no id, no check sum, and nothing of its settings can be read back. So they are all sent each time, its data are cleared
// after a measurement and have to read as zero then, and what is not like the last reading is measured again.
func init() {
	Register(Driver{
		Name:     "bh1750",
		Doc:      "ROHM BH1750: light",
		Addrs:    []uint16{0x23, 0x5C}, // TN p. 10: ADDR low, ADDR high
		Measures: []Quantity{illuminance.within(0, bhMost)},
		Time:     800 * time.Millisecond, // three measurements, and one that is beyond range
		Open:     openBH1750,
	})
}

// Opcodes, TN p. 5. Each is a transfer of its own (p. 7).
const (
	bhPowerOn byte = 0x01
	bhReset   byte = 0x07 // clears the data; the part must be on
	bhOnce    byte = 0x20 // one measurement in high resolution, then power down
	bhTimeHi  byte = 0x40 // bits 7 to 5 of the measurement time
	bhTimeLo  byte = 0x60 // bits 4 to 0

	bhUsual byte = 69 // TN p. 11: of the measurement time, which is the sensitivity
	bhShort byte = 31

	bhLonger = 180 * time.Millisecond // TN p. 2: a measurement at 69, the maximum
	bhOver   = math.MaxUint16
	bhMost   = bhOver / 1.2 * 69 / 31 // lx
)

type bh1750 struct {
	dev  i2c.Dev
	time byte    // the measurement time that suits the light
	last float64 // lx; NaN: not known
}

// openBH1750 costs 3 transfers.
func openBH1750(o Options) (Sensor, error) {
	b := &bh1750{i2c.Dev{Bus: o.Bus, Addr: o.Addr}, bhUsual, math.NaN()}
	return b, b.clear()
}

// clear has the part forget its last measurement, so that a start that gets lost does not leave it to be read again. Reading the nothing
// that is there then tells that it is such a part, that it listens, and that the bus does not spoil what is read.
func (b *bh1750) clear() error {
	if err := b.send(bhPowerOn, bhReset); err != nil {
		return err
	}
	var buf [2]byte
	if err := b.dev.Tx(nil, buf[:]); err != nil {
		return err
	}
	if buf != [2]byte{} {
		return fmt.Errorf("the chip at %#02x does not clear its data (% x): is it a BH1750, and are the bus's wires too long, or its pull-ups too weak?", b.dev.Addr, buf)
	}
	return nil
}

func (b *bh1750) send(ops ...byte) error {
	for _, op := range ops {
		if err := b.dev.Tx([]byte{op}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Measure costs 9 transfers, 9 more where it is dark, and 9 or 18 more where the light has changed. An opcode that flipped on its way doubles the value, or leaves
// none at all, and that has the light change, too: so what is not like the last reading has to be measured twice alike.
func (b *bh1750) Measure(ctx context.Context) ([]Reading, error) {
	known := []float64{b.last}
	for range 3 {
		lux, err := b.measure(ctx)
		if err != nil {
			return nil, err
		}
		same := 0
		for i, k := range known {
			if math.Abs(lux-k) <= 2+lux/20 { // the part is right to 20 %, TN p. 2
				same++
				if i == 0 {
					same++ // it was found out then
				}
			}
		}
		// Nothing is also what a start leaves that got lost: that is measured twice where it was dark before, and three times where it was not.
		if lux > 0 && same > 0 || same > 1 && len(known) > 1 {
			b.last = lux
			if b.time == bhShort && lux < 40000 {
				b.time = bhUsual
			}
			return []Reading{illuminance.is(lux)}, nil
		}
		known = append(known, lux)
	}
	return nil, fmt.Errorf("the light was another each time (%.0f, %.0f and %.0f lx): does it flicker, or are the bus's wires too long, or its pull-ups too weak?",
		known[1], known[2], known[3])
}

// measure gives one measurement; where the light is beyond range, one of less sensitivity.
func (b *bh1750) measure(ctx context.Context) (float64, error) {
	raw, err := b.once(ctx)
	if err == nil && raw == bhOver && b.time == bhUsual {
		b.time = bhShort
		raw, err = b.once(ctx)
	}
	if err == nil && raw == bhOver {
		err = fmt.Errorf("the light is beyond range: more than %.0f lx", bhMost)
	}
	return float64(raw) / 1.2 * float64(bhUsual) / float64(b.time), err // TN p. 11
}

func (b *bh1750) once(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := b.send(bhPowerOn, bhTimeHi|b.time>>5, bhTimeLo|b.time&0x1F, bhOnce); err != nil {
		return 0, err
	}
	if !sleep(ctx, bhLonger*time.Duration(b.time)/time.Duration(bhUsual)) {
		return 0, ctx.Err()
	}
	var buf [2]byte
	if err := b.dev.Tx(nil, buf[:]); err != nil {
		return 0, err
	}
	if err := sameAgain(&b.dev, nil, buf[:]); err != nil {
		return 0, err
	}
	return int(buf[0])<<8 | int(buf[1]), b.clear()
}
