package sensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// bme680Calibration are the trimming values, DS tables 11 to 16: index 1 is par_t1 and so on.
type bme680Calibration struct {
	t [4]float64
	p [11]float64
	h [8]float64
	g [4]float64

	heatVal, heatRange, rangeError float64
}

// newBME680Calibration takes the registers from 0x8A, 0xE1 and 0x00 on.
func newBME680Calibration(c1 [23]byte, c2 [14]byte, c3 [5]byte) (c bme680Calibration) {
	at := func(reg byte) []byte {
		if reg >= bme680Calib2 {
			return c2[reg-bme680Calib2:]
		}
		return c1[reg-bme680Calib1:]
	}
	u16 := func(reg byte) float64 { return float64(binary.LittleEndian.Uint16(at(reg))) }
	s16 := func(reg byte) float64 { return float64(int16(binary.LittleEndian.Uint16(at(reg)))) }
	u8 := func(reg byte) float64 { return float64(at(reg)[0]) }
	s8 := func(reg byte) float64 { return float64(int8(at(reg)[0])) }
	c.t = [4]float64{0, u16(0xE9), s16(0x8A), s8(0x8C)}
	c.p = [11]float64{0, u16(0x8E), s16(0x90), s8(0x92), s16(0x94), s16(0x96), s8(0x99), s8(0x98), s16(0x9C), s16(0x9E), u8(0xA0)}
	c.h = [8]float64{0,
		float64(uint16(at(0xE3)[0])<<4 | uint16(at(0xE2)[0]&0xF)), // 12 bits each, which share 0xE2
		float64(uint16(at(0xE1)[0])<<4 | uint16(at(0xE2)[0]>>4)),
		s8(0xE4), s8(0xE5), s8(0xE6), u8(0xE7), s8(0xE8)}
	c.g = [4]float64{0, s8(0xED), s16(0xEB), s8(0xEE)}
	c.heatVal = float64(int8(c3[0]))
	c.heatRange = float64(c3[2] >> 4 & 3)
	c.rangeError = float64(int8(c3[4]) >> 4)
	return c
}

// check refuses what an absent or broken memory gives.
func (c *bme680Calibration) check() error {
	if c.t[1] == 0 || c.t[1] == math.MaxUint16 || c.t[2] == 0 || c.t[2] == -1 || c.p[1] == 0 || c.p[1] == math.MaxUint16 ||
		c.h[2] == 0 || c.h[2] == 0xFFF {
		return fmt.Errorf("impossible calibration values (par_t1 %v, par_t2 %v, par_p1 %v, par_h2 %v): the part is broken or badly wired",
			c.t[1], c.t[2], c.p[1], c.h[2])
	}
	return nil
}

// temperature, pressure and humidity are DS 3.3.1 to 3.3.3: °C, Pa, %. fine carries the temperature to the pressure.
func (c *bme680Calibration) temperature(raw float64) (celsius, fine float64) {
	d := raw/131072 - c.t[1]/8192
	fine = (raw/16384-c.t[1]/1024)*c.t[2] + d*d*c.t[3]*16
	return fine / 5120, fine
}

func (c *bme680Calibration) pressure(raw, fine float64) float64 {
	v := fine/2 - 64000
	offset := (v*v*c.p[6]/131072+v*c.p[5]*2)/4 + c.p[4]*65536
	slope := (1 + (c.p[3]*v*v/16384+c.p[2]*v)/524288/32768) * c.p[1]
	p := (1048576 - raw - offset/4096) * 6250 / slope // slope can be 0: infinity, which is out of range
	cubic := math.Pow(p/256, 3) * c.p[10] / 131072
	return p + (c.p[9]*p*p/2147483648+p*c.p[8]/32768+cubic+c.p[7]*128)/16
}

func (c *bme680Calibration) humidity(raw, celsius float64) float64 {
	v := raw - (c.h[1]*16 + c.h[3]/2*celsius)
	v *= c.h[2] / 262144 * (1 + c.h[4]/16384*celsius + c.h[5]/1048576*celsius*celsius)
	return v + (c.h[6]/16384+c.h[7]/2097152*celsius)*v*v
}

// heater gives the set-point for a temperature, DS 3.3.5. It depends on that of the room.
func (c *bme680Calibration) heater(target, ambient float64) (byte, error) {
	cold := c.g[1]/16 + 49
	slope := c.g[2]/32768*0.0005 + 0.00235
	ohms := cold*(1+slope*target) + c.g[3]/1024*ambient
	v := 3.4 * (ohms*(4/(4+c.heatRange))*(1/(1+c.heatVal*0.002)) - 25)
	if !(v >= 0 && v < 256) {
		return 0, fmt.Errorf("impossible calibration values of the heater (%v, range %v, %v): the part is broken", c.g, c.heatRange, c.heatVal)
	}
	return byte(v), nil
}

// Constants for each range of the gas sensor's converter, DS table 16.
var (
	gasArray1 = [16]float64{1, 1, 1, 1, 1, 0.99, 1, 0.992, 1, 1, 0.998, 0.995, 1, 0.99, 1, 1}
	gasArray2 = [16]float64{8000000, 4000000, 2000000, 1000000, 499500.4995, 248262.1648, 125000, 63004.03226, 31281.28128,
		15625, 7812.5, 3906.25, 1953.125, 976.5625, 488.28125, 244.140625}
)

// gas is DS 3.4.1: ohms.
func (c *bme680Calibration) gas(raw float64, span int) float64 {
	v := (1340 + 5*c.rangeError) * gasArray1[span]
	return v * gasArray2[span] / (raw - 512 + v)
}

// gas688 is 688 3.4.1.
func gas688(raw float64, span int) float64 {
	return 1e6 * float64(int(262144)>>span) / (4096 + 3*(raw-512))
}
