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

// Bosch BST-BME280-DS002 ("DS002") and BST-BMP280-DS001 ("DS001"). The BMP280 is a BME280 without humidity.
func init() {
	addrs := []uint16{0x76, 0x77} // DS002 6.2: SDO to GND, SDO to VDDIO
	Register(Driver{
		Name:     "bme280",
		Doc:      "Bosch BME280: temperature, humidity and air pressure",
		Addrs:    addrs,
		Measures: []Quantity{bmxTemperature, humidity, bmxPressure},
		Open:     func(o Options) (Sensor, error) { return openBMx280(o, bmeChipID) },
		IDs:      []ID{{Reg: bmxID, Value: []byte{bmeChipID}}},
	})
	Register(Driver{
		Name:     "bmp280",
		Doc:      "Bosch BMP280: temperature and air pressure",
		Addrs:    addrs,
		Measures: []Quantity{bmxTemperature, bmxPressure},
		Open:     func(o Options) (Sensor, error) { return openBMx280(o, bmpChipID) },
		IDs:      []ID{{Reg: bmxID, Value: []byte{bmpChipID}}},
	})
}

var (
	bmxTemperature = temperature.within(-40, 85) // DS002 1.1
	bmxPressure    = pressure.within(300, 1100)  // DS002 1.3
)

// Registers, DS002 5.3.
const (
	bmxCalib    byte = 0x88 // 24 bytes, little-endian; on the BME280 dig_H1 is the 26th, at 0xA1
	bmxID       byte = 0xD0
	bmxReset    byte = 0xE0
	bmxCalibHum byte = 0xE1 // 7 bytes
	bmxCtrlHum  byte = 0xF2
	bmxStatus   byte = 0xF3
	bmxCtrlMeas byte = 0xF4
	bmxConfig   byte = 0xF5
)

const (
	bmeChipID byte = 0x60 // DS002 5.4.1
	bmpChipID byte = 0x58 // DS001 4.3.1

	bmxResetWord   byte = 0xB6 // DS002 5.4.2
	bmxMeasuring   byte = 1 << 3
	bmxImageUpdate byte = 1 << 0

	// One sample of each, filter off: "weather monitoring", DS002 3.5.1. It warms itself least; the noise is 0.005 °C, 3.3 Pa, 0.07 %.
	bmxHum1    byte = 1
	bmxTP1     byte = 1<<5 | 1<<2
	bmxForced  byte = 1
	bmxModeMsk byte = 3
	bmxRound   byte = 1 << 5 // of the pause in normal mode, which is not used: 3 bits that count measurements

	bmxStartup = 3 * time.Millisecond    // DS002 1.1: 2 ms
	bmeTime    = 9300 * time.Microsecond // DS002 9.1, the maximum: 1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575) ms
	bmpTime    = 6500 * time.Microsecond // the same without humidity; DS001 3.8.1 has 6.4 ms
	bmxPolls   = 5                       // and so many times 2 ms more, for a part that is slower than its data sheet
	bmxPoll    = 2 * time.Millisecond
)

// bmxNames are what other chip ids at the same addresses mean.
var bmxNames = map[byte]string{
	0x00: "nothing answers sensibly: check the wiring",
	0xFF: "nothing answers sensibly: check the wiring",
	0x55: "it is a BMP180 or BMP085",
	0x56: "it is a BMP280, an engineering sample", // DS001 4.3.1
	0x57: "it is a BMP280, an engineering sample",
	0x58: "it is a BMP280: use type: bmp280",
	0x60: "it is a BME280: use type: bme280",
	0x61: "it is a BME680 or BME688",
}

type bmx280 struct {
	dev   i2c.Dev
	hum   bool // it has a hygrometer
	round byte // of measurements, in config
	last  []byte
	calib bmxCalibration
}

// openBMx280 costs 6 transfers, a BME280 two more.
func openBMx280(o Options, id byte) (Sensor, error) {
	b := &bmx280{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, hum: id == bmeChipID}
	var one [1]byte
	if err := readSure(&b.dev, bmxID, one[:]); err != nil {
		return nil, err
	}
	if got := one[0]; got != id {
		what, known := bmxNames[got]
		if !known {
			what = "it is no part of this family"
		}
		return nil, fmt.Errorf("the chip at %#02x has the id %#02x, want %#02x: %s", o.Addr, got, id, what)
	}
	// Another program may have left it in normal mode, where a write to the filter's register can be ignored (DS002 5.4.6).
	if err := b.dev.Tx([]byte{bmxReset, bmxResetWord}, nil); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		time.Sleep(bmxStartup)
		var state [3]byte // with ctrl_meas and config, which a reset clears: one that got lost would leave old values to be read
		if err := b.dev.Tx([]byte{bmxStatus}, state[:]); err != nil {
			return nil, err
		}
		if state[0]&bmxImageUpdate == 0 && state[1] == 0 && state[2] == 0 {
			break
		}
		if i == bmxPolls {
			return nil, fmt.Errorf("the chip at %#02x does not come up after a reset (status and settings % x)", o.Addr, state)
		}
	}
	return b, b.readCalibration()
}

func (b *bmx280) readCalibration() error {
	var tp [26]byte // DS002 4.2.2, DS001 3.11.2
	var h [7]byte
	if b.hum {
		if err := readSure(&b.dev, bmxCalib, tp[:]); err != nil {
			return err
		}
		if err := readSure(&b.dev, bmxCalibHum, h[:]); err != nil {
			return err
		}
	} else if err := readSure(&b.dev, bmxCalib, tp[:24]); err != nil {
		return err
	}
	b.calib = newBMxCalibration(tp, h)
	return b.calib.check(b.hum)
}

// Measure costs 3 transfers: one starts a measurement, one reads the settings, the state and all values back, and one does so again.
func (b *bmx280) Measure(ctx context.Context) ([]Reading, error) {
	data, err := b.measure(ctx)
	if err == nil && bytes.Equal(data, b.last) {
		// The same to the last bit is rare with that noise. Perhaps the bit that starts a measurement flipped on its way.
		data, err = b.measure(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.last = data
	return b.readings(data)
}

// measure gives the registers of the values, DS002 5.4.7 to 5.4.9.
func (b *bmx280) measure(ctx context.Context) ([]byte, error) {
	// All registers each time: a power cycle clears them, and ctrl_hum counts only from the next write to ctrl_meas (DS002 5.4.3). One
	// write can have several pairs of register and value (DS002 6.2.1). The round tells a start that got lost, which would leave the
	// values of the last measurement.
	b.round += bmxRound
	start, wait := []byte{bmxConfig, b.round, bmxCtrlMeas, bmxTP1 | bmxForced}, bmpTime
	first, buf := bmxStatus, make([]byte, 10) // 0xF3..0xFC
	if b.hum {
		start, wait = []byte{bmxConfig, b.round, bmxCtrlHum, bmxHum1, bmxCtrlMeas, bmxTP1 | bmxForced}, bmeTime
		first, buf = bmxCtrlHum, make([]byte, 13) // 0xF2..0xFE
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.dev.Tx(start, nil); err != nil {
		return nil, err
	}
	at := func(reg byte) []byte { return buf[reg-first:] }
	for i := 0; ; i++ {
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
		// One burst, so that the values belong together (DS002 4: shadowing).
		if err := b.dev.Tx([]byte{first}, buf); err != nil {
			return nil, err
		}
		if at(bmxStatus)[0]&bmxMeasuring == 0 {
			break
		}
		if i == bmxPolls {
			return nil, fmt.Errorf("the chip at %#02x never ends its measurement (status %#02x)", b.dev.Addr, at(bmxStatus)[0])
		}
		wait = bmxPoll
	}
	if err := makeSure(&b.dev, first, buf); err != nil {
		return nil, err
	}
	if at(bmxConfig)[0] != b.round || at(bmxCtrlMeas)[0]&^bmxModeMsk != bmxTP1 || b.hum && at(bmxCtrlHum)[0]&7 != bmxHum1 {
		return nil, fmt.Errorf("the chip at %#02x lost its settings during a measurement, or did not take them: check its power", b.dev.Addr)
	}
	return at(0xF7), nil
}

func (b *bmx280) readings(data []byte) ([]Reading, error) {
	be20 := func(p []byte) float64 { return float64(uint32(p[0])<<12 | uint32(p[1])<<4 | uint32(p[2])>>4) }
	rawP, rawT := be20(data), be20(data[3:])
	// What a skipped value reads as (DS002 5.4.7) can be measured too, at 26 °C even with ease: the settings were read back, so
	// only both at once say that nothing was measured.
	if rawT == 0x80000 && rawP == 0x80000 {
		return nil, errors.New("the chip has measured nothing since it was switched on")
	}
	c := &b.calib
	t, fine := c.temperature(rawT)
	p := c.pressure(rawP, fine) / 100
	readings := []Reading{temperature.is(t)}
	if b.hum {
		h := c.humidity(float64(binary.BigEndian.Uint16(data[6:])), fine)
		// The data sheet's code cuts off at 0 and 100 %: a wet sensor goes some way beyond. A broken one goes far.
		if !(h >= -20 && h <= 120) {
			return nil, fmt.Errorf("impossible humidity %.1f %%", h)
		}
		readings = append(readings, humidity.is(min(max(h, 0), 100)))
	}
	return append(readings, pressure.is(p)), nil
}

// bmxCalibration are the trimming values, DS002 4.2.2: index 1 is dig_T1 and so on.
type bmxCalibration struct {
	t [4]float64
	p [10]float64
	h [7]float64
}

func newBMxCalibration(tp [26]byte, h [7]byte) (c bmxCalibration) {
	u16 := func(i int) float64 { return float64(binary.LittleEndian.Uint16(tp[i:])) }
	s16 := func(p []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(p))) }
	c.t[1], c.p[1] = u16(0), u16(6)
	for i := 2; i <= 3; i++ {
		c.t[i] = s16(tp[2*i-2:])
	}
	for i := 2; i <= 9; i++ {
		c.p[i] = s16(tp[4+2*i:])
	}
	c.h[1] = float64(tp[25])
	c.h[2] = s16(h[0:])
	c.h[3] = float64(h[2])
	c.h[4] = float64(int16(int8(h[3]))<<4 | int16(h[4]&0xF)) // 12 bits with sign, 0xE4 and 0xE5[3:0]
	c.h[5] = float64(int16(int8(h[5]))<<4 | int16(h[4]>>4))  // 0xE5[7:4] and 0xE6
	c.h[6] = float64(int8(h[6]))
	return c
}

// check refuses what an absent or broken memory gives.
func (c *bmxCalibration) check(hum bool) error {
	for _, v := range []float64{c.t[1], c.p[1]} { // unsigned
		if v == 0 || v == math.MaxUint16 {
			return fmt.Errorf("impossible calibration values (dig_T1 %v, dig_P1 %v): the part is broken or badly wired", c.t[1], c.p[1])
		}
	}
	if c.t[2] == 0 || c.t[2] == -1 || hum && (c.h[2] == 0 || c.h[2] == -1) {
		return fmt.Errorf("impossible calibration values (dig_T2 %v, dig_H2 %v): the part is broken or badly wired", c.t[2], c.h[2])
	}
	return nil
}

// temperature, pressure and humidity are DS002 8.1, DS001 8.1: °C, Pa, %. fine carries the temperature to the others.
func (c *bmxCalibration) temperature(raw float64) (celsius, fine float64) {
	d := raw/131072 - c.t[1]/8192
	fine = (raw/16384-c.t[1]/1024)*c.t[2] + d*d*c.t[3]
	return fine / 5120, fine
}

func (c *bmxCalibration) pressure(raw, fine float64) float64 {
	v1 := fine/2 - 64000
	v2 := v1*v1*c.p[6]/32768 + v1*c.p[5]*2
	v2 = v2/4 + c.p[4]*65536
	v1 = (c.p[3]*v1*v1/524288 + c.p[2]*v1) / 524288
	v1 = (1 + v1/32768) * c.p[1]
	p := (1048576 - raw - v2/4096) * 6250 / v1 // v1 can be 0: infinity, which is out of range
	v1 = c.p[9] * p * p / 2147483648
	v2 = p * c.p[8] / 32768
	return p + (v1+v2+c.p[7])/16
}

func (c *bmxCalibration) humidity(raw, fine float64) float64 {
	v := fine - 76800
	v = (raw - (c.h[4]*64 + c.h[5]/16384*v)) * (c.h[2] / 65536 * (1 + c.h[6]/67108864*v*(1+c.h[3]/67108864*v)))
	return v * (1 - c.h[1]*v/524288)
}
