package sensors

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Bosch BST-BME680-DS001, revision 1.1 of April 2019 ("DS"), and BST-BME688-DS000 ("688"). The BME688 is a BME680 whose gas sensor has other
// registers and another formula.
func init() {
	Register(Driver{
		Name:     "bme680",
		Doc:      "Bosch BME680 and BME688: temperature, humidity, air pressure, and the resistance of its heated gas sensor; measuring every 30 s it warms itself by some tenths of a degree",
		Addrs:    []uint16{0x76, 0x77}, // DS 6.2: SDO to GND, SDO to VDDIO
		IDs:      []ID{{Reg: bmxID, Value: []byte{bme680ID}}},
		Measures: []Quantity{bmxTemperature, humidity, bmxPressure, gasResistance},
		Every:    3 * time.Second, // more often, and the heater warms all of it
		Time:     bme680Time,
		Open:     openBME680,
	})
}

// gasResistance falls when there is more to oxidise in the air. Its range is what the converter can say at all.
var gasResistance = Quantity{Name: "gas_resistance", Unit: "Ω", StateClass: "measurement", Precision: 0}.within(150, 110e6)

// Registers, DS 5.2; those of the BME280 are not repeated.
const (
	bme680HeatVal  byte = 0x00 // 5 bytes: res_heat_val, res_heat_range in 0x02, range_switching_error in 0x04
	bme680Field    byte = 0x1D // the status, DS 5.3.5, then the index, and the values
	bme680Values   byte = 0x1F // DS 5.3.4
	bme680ResHeat  byte = 0x5A // the first of ten set-points, DS 5.3.3.2
	bme680GasWait  byte = 0x64 // DS 5.3.3.3
	bme680CtrlGas0 byte = 0x70 // DS 5.3.3.4
	bme680CtrlGas1 byte = 0x71 // DS 5.3.3.5
	bme680CtrlHum  byte = 0x72 // DS 5.3.1.1
	bme680CtrlMeas byte = 0x74 // DS 5.3.1
	bme680Config   byte = 0x75 // DS 5.3.2
	bme680Calib1   byte = 0x8A // 23 bytes, DS tables 11 to 14
	bme680Calib2   byte = 0xE1 // 14 bytes
	bme680Variant  byte = 0xF0 // 688: 1; of a BME680 0
)

const (
	bme680ID byte = 0x61 // DS 5.3.1.4

	bme680New       byte = 1 << 7 // DS 5.3.5.1
	bme680Measuring byte = 3 << 5 // of the gas, or anything: DS 5.3.5.2 and 3

	bme680RunGas byte = 1 << 4 // DS 5.3.3.5; it uses the first set-point
	bme688RunGas byte = 1 << 5 // 688

	bme680GasValid byte = 1 << 5 // DS 5.3.5.5, in the low byte of the gas sensor's value
	bme680Stable   byte = 1 << 4 // DS 5.3.5.6
	bme680Range    byte = 0xF

	bme680Target = 320.0                  // °C
	bme680Heat   = 148 * time.Millisecond // of which 20 to 30 ms pass until it is hot (DS 3.3.5)
	bme680First  = 25.0                   // °C, of the room, until it is known

	bme680Start = 5 * time.Millisecond                  // DS 1.1: 2 ms
	bme680Time  = bme680Heat + 13*time.Millisecond      // one sample of each takes 1 + 3 * 1.963 + 9 * 0.477 ms, which may be 15 % more
	bme680Polls = 10                                    // and so many times
	bme680Poll  = 3 * time.Millisecond                  // more
	bme680Sets  = int(bme680Config - bme680ResHeat + 1) // bytes from the first setting to the last
)

type bme680 struct {
	dev     i2c.Dev
	new     bool // a BME688
	ambient float64
	last    []byte
	calib   bme680Calibration
}

// openBME680 costs 12 transfers.
func openBME680(o Options) (Sensor, error) {
	b := &bme680{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, ambient: bme680First}
	var one [1]byte
	if err := readSure(&b.dev, bmxID, one[:]); err != nil {
		return nil, err
	}
	if got := one[0]; got != bme680ID {
		what, known := bmxNames[got]
		if !known {
			what = "it is no part of this family"
		}
		return nil, fmt.Errorf("the chip at %#02x has the id %#02x, want %#02x: %s", o.Addr, got, bme680ID, what)
	}
	if err := readSure(&b.dev, bme680Variant, one[:]); err != nil {
		return nil, err
	}
	b.new = one[0] == 1
	if err := b.dev.Tx([]byte{bmxReset, bmxResetWord}, nil); err != nil {
		return nil, err
	}
	time.Sleep(bme680Start)
	var set [4]byte // a reset clears them: one that got lost would leave old values to be read
	if err := b.dev.Tx([]byte{bme680CtrlHum}, set[:]); err != nil {
		return nil, err
	}
	if set[0] != 0 || set[2] != 0 || set[3] != 0 {
		return nil, fmt.Errorf("the chip at %#02x does not come up after a reset (settings % x)", o.Addr, set)
	}
	var c1 [23]byte
	var c2 [14]byte
	var c3 [5]byte
	for _, read := range []struct {
		reg byte
		buf []byte
	}{{bme680Calib1, c1[:]}, {bme680Calib2, c2[:]}, {bme680HeatVal, c3[:]}} {
		if err := readSure(&b.dev, read.reg, read.buf); err != nil {
			return nil, err
		}
	}
	b.calib = newBME680Calibration(c1, c2, c3)
	return b, b.calib.check()
}

// Measure costs 4 transfers: one starts a measurement, one reads the state and all values, one the values again, and one the settings.
func (b *bme680) Measure(ctx context.Context) ([]Reading, error) {
	data, err := b.measure(ctx)
	if err == nil && bytes.Equal(data, b.last) {
		// The same to the last bit is rare with its noise. Perhaps the bit that starts a measurement flipped on its way.
		data, err = b.measure(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.last = data
	return b.readings(data)
}

// settings gives the registers that decide on a measurement, and what they should be. The last starts it.
func (b *bme680) settings() (pairs []byte, err error) {
	heat, err := b.calib.heater(bme680Target, b.ambient)
	if err != nil {
		return nil, err
	}
	run := bme680RunGas
	if b.new {
		run = bme688RunGas
	}
	return []byte{
		bme680ResHeat, heat, bme680GasWait, gasWait(bme680Heat), bme680CtrlGas0, 0, bme680CtrlGas1, run,
		bme680CtrlHum, bmxHum1, bme680Config, 0, bme680CtrlMeas, bmxTP1 | bmxForced,
	}, nil
}

// measure gives the registers of the values, from bme680Values on.
func (b *bme680) measure(ctx context.Context) ([]byte, error) {
	start, err := b.settings()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// All registers each time: a power cycle clears them.
	if err := b.dev.Tx(start, nil); err != nil {
		return nil, err
	}
	buf := make([]byte, 15)
	if b.new {
		buf = make([]byte, 17)
	}
	wait := bme680Time
	for i := 0; ; i++ {
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
		if err := b.dev.Tx([]byte{bme680Field}, buf); err != nil {
			return nil, err
		}
		if buf[0]&(bme680New|bme680Measuring) == bme680New {
			break
		}
		if i == bme680Polls {
			return nil, fmt.Errorf("the chip at %#02x never ends its measurement (status %#02x)", b.dev.Addr, buf[0])
		}
		wait = bme680Poll
	}
	values := buf[bme680Values-bme680Field:]
	if err := makeSure(&b.dev, bme680Values, values); err != nil {
		return nil, err
	}
	set := make([]byte, bme680Sets)
	if err := b.dev.Tx([]byte{bme680ResHeat}, set); err != nil {
		return nil, err
	}
	for i := 0; i < len(start); i += 2 {
		reg, want := start[i], start[i+1]
		got := set[reg-bme680ResHeat]
		switch reg {
		case bme680CtrlMeas:
			want &^= bmxForced // it sleeps again
		case bme680CtrlHum:
			got &= 7
		}
		if got != want {
			return nil, fmt.Errorf("the chip at %#02x lost its settings during a measurement, or did not take them (register %#02x is %#02x, want %#02x): check its power",
				b.dev.Addr, reg, got, want)
		}
	}
	return values, nil
}

func (b *bme680) readings(data []byte) ([]Reading, error) {
	be20 := func(p []byte) float64 { return float64(uint32(p[0])<<12 | uint32(p[1])<<4 | uint32(p[2])>>4) }
	rawP, rawT := be20(data), be20(data[3:])
	if rawT == 0x80000 && rawP == 0x80000 { // both as after a reset
		return nil, errors.New("the chip has measured nothing since it was switched on")
	}
	gas := data[len(data)-2:]
	switch low := gas[1]; {
	case low&bme680GasValid == 0:
		return nil, errors.New("the chip has not measured its gas sensor")
	case low&bme680Stable == 0: // the very first, or it is very cold: DS 3.4
		return nil, fmt.Errorf("%w: the gas sensor has not reached its temperature", ErrNotReady)
	}
	c := &b.calib
	t, fine := c.temperature(rawT)
	h := c.humidity(float64(binary.BigEndian.Uint16(data[6:])), t)
	if !(h >= -20 && h <= 120) { // as with the BME280
		return nil, fmt.Errorf("impossible humidity %.1f %%", h)
	}
	if bmxTemperature.check(t) == nil {
		b.ambient = t
	}
	raw, span := float64(binary.BigEndian.Uint16(gas)>>6), int(gas[1]&bme680Range)
	resistance := c.gas(raw, span)
	if b.new {
		resistance = gas688(raw, span)
	}
	return []Reading{
		temperature.is(t),
		humidity.is(min(max(h, 0), 100)),
		pressure.is(c.pressure(rawP, fine) / 100),
		gasResistance.is(math.Round(resistance)),
	}, nil
}

// gasWait is DS 5.3.3.3: six bits, and a factor of 1, 4, 16 or 64.
func gasWait(d time.Duration) byte {
	ms, factor := d.Milliseconds(), byte(0)
	for ms > 0x3F {
		ms /= 4
		factor++
	}
	return factor<<6 | byte(ms)
}
