package sensors

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Aosong, AHT20 Product manuals, version A1 ("A1"); AHT10 Technical Manual, version A1 of 2018 ("AHT10"). The AHT21 and the AHT25 are AHT20
// in other cases; the AHT10 is its forerunner, and has no check sum.
func init() {
	addrs := []uint16{0x38} // A1 5.3; of the AHT10 with ADR to VDD it is 0x39
	quantities := []Quantity{temperature.within(-40, 85), humidity}
	Register(Driver{
		Name:     "aht20",
		Doc:      "Aosong AHT20, AHT21 and AHT25: temperature and humidity",
		Addrs:    addrs,
		Measures: quantities,
		Every:    2 * time.Second, // A1 1: more often, and it warms itself
		Time:     ahtTime,
		Open:     func(o Options) (Sensor, error) { return openAHT(o, true) },
	})
	Register(Driver{
		Name:     "aht10",
		Doc:      "Aosong AHT10 and AHT15: temperature and humidity",
		Addrs:    []uint16{0x38, 0x39},
		Measures: quantities,
		Every:    2 * time.Second,
		Time:     ahtTime,
		Open:     func(o Options) (Sensor, error) { return openAHT(o, false) },
	})
}

const (
	ahtReset  byte = 0xBA // A1 5.5
	ahtStatus byte = 0x71 // A1 5.3

	// Bits of the status, A1 table 10.
	ahtBusy       byte = 1 << 7
	ahtCalibrated byte = 1 << 3

	ahtTime   = 80 * time.Millisecond // A1 5.4.3
	ahtStart  = 20 * time.Millisecond // A1 5.5
	ahtSettle = 10 * time.Millisecond // A1 5.4.1
	ahtPolls  = 5
	ahtPoll   = 10 * time.Millisecond
)

var (
	ahtMeasure = []byte{0xAC, 0x33, 0x00} // A1 5.3
	aht20Init  = []byte{0xBE, 0x08, 0x00} // A1 5.4.1
	aht10Init  = []byte{0xE1, 0x08, 0x00} // AHT10 5.3
)

type aht struct {
	dev  i2c.Dev
	crc  bool // it sends one
	last []byte
}

// openAHT costs 3 transfers, and 2 more for a part that is not calibrated yet.
func openAHT(o Options, crc bool) (Sensor, error) {
	a := &aht{dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}, crc: crc}
	if err := a.notPort(); err != nil {
		return nil, err
	}
	if err := a.dev.Tx([]byte{ahtReset}, nil); err != nil {
		return nil, err
	}
	time.Sleep(ahtStart)
	status, err := a.status()
	if err != nil {
		return nil, err
	}
	if status&ahtCalibrated == 0 {
		begin := aht10Init
		if crc {
			begin = aht20Init
		}
		if err := a.dev.Tx(begin, nil); err != nil {
			return nil, err
		}
		time.Sleep(ahtSettle)
		if status, err = a.status(); err != nil {
			return nil, err
		}
	}
	if status&(ahtBusy|ahtCalibrated) != ahtCalibrated {
		return nil, fmt.Errorf("the chip at %#02x is idle and calibrated neither after a reset nor when told to be (status %#02x): it is no AHT20, or broken",
			o.Addr, status)
	}
	return a, nil
}

// notPort refuses a PCF8574A, which can have the same addresses: whatever is written to that switches its outputs. It reads as one byte again
// and again, which an AHT20 never does, and an AHT10 only as zeros.
func (a *aht) notPort() error {
	buf := make([]byte, 6, 7)
	if a.crc {
		buf = buf[:7]
	}
	if err := a.dev.Tx(nil, buf); err != nil {
		return err
	}
	if bytes.Count(buf, buf[:1]) == len(buf) && (a.crc || buf[0] != 0) {
		return fmt.Errorf("the chip at %#02x reads as %#02x for ever: it is no AHT20 or AHT10, perhaps a PCF8574A", a.dev.Addr, buf[0])
	}
	return nil
}

func (a *aht) status() (byte, error) {
	var buf [1]byte
	err := a.dev.Tx([]byte{ahtStatus}, buf[:])
	return buf[0], err
}

// Measure costs 2 transfers, of an AHT10 3.
func (a *aht) Measure(ctx context.Context) ([]Reading, error) {
	data, err := a.measure(ctx)
	if err == nil && bytes.Equal(data, a.last) {
		// The same 40 bits are rare. Perhaps the command to measure was spoilt on its way, and this was measured before.
		data, err = a.measure(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.last = data
	// A1 6: 20 bits each
	h := uint32(data[1])<<12 | uint32(data[2])<<4 | uint32(data[3])>>4
	t := uint32(data[3]&0xF)<<16 | uint32(data[4])<<8 | uint32(data[5])
	return []Reading{
		temperature.is(float64(t)*200/(1<<20) - 50), // 0, before the first measurement, is out of range
		humidity.is(float64(h) * 100 / (1 << 20)),
	}, nil
}

// measure gives the status and the values, A1 5.4.
func (a *aht) measure(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := a.dev.Tx(ahtMeasure, nil); err != nil {
		return nil, err
	}
	buf := make([]byte, 6, 7)
	if a.crc {
		buf = buf[:7]
	}
	wait := ahtTime
	for i := 0; ; i++ {
		if err := readAfter(ctx, &a.dev, wait, buf); err != nil {
			return nil, err
		}
		if a.crc {
			if crc8(shtCRC, buf[:6]) != buf[6] {
				return nil, errCRC
			}
		} else if again := make([]byte, len(buf)); buf[0]&ahtBusy == 0 {
			// What is not read twice alike is read once more.
			for n := 0; ; n++ {
				if err := a.dev.Tx(nil, again); err != nil {
					return nil, err
				}
				if bytes.Equal(buf, again) {
					break
				}
				if n == 2 {
					return nil, errNoise
				}
				copy(buf, again)
			}
		}
		if buf[0]&ahtBusy == 0 {
			break
		}
		if i == ahtPolls {
			return nil, fmt.Errorf("the chip at %#02x never ends its measurement (status %#02x)", a.dev.Addr, buf[0])
		}
		wait = ahtPoll
	}
	if buf[0]&ahtCalibrated == 0 {
		return nil, fmt.Errorf("the chip at %#02x is not calibrated any more (status %#02x): check its power", a.dev.Addr, buf[0])
	}
	return buf[:6], nil
}
