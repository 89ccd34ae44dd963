package sensors

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Sensirion, Datasheet SHT3x-DIS, version 5 of May 2018.
func init() {
	Register(Driver{
		Name:     "sht3x",
		Doc:      "Sensirion SHT30, SHT31 and SHT35: temperature and humidity",
		Addrs:    []uint16{0x44, 0x45}, // 3.2: ADDR to VSS, to VDD
		Measures: []Quantity{temperature.within(-40, 125), humidity},
		Every:    time.Second, // more often, and it warms itself
		Time:     sht3Time,
		Open:     openSHT3x,
	})
}

const (
	sht3Once   uint16 = 0x2400 // 4.3: single shot, high repeatability, no clock stretching
	sht3Break  uint16 = 0x3093 // 4.8: ends periodic measuring
	sht3Reset  uint16 = 0x30A2 // 4.9
	sht3Status uint16 = 0xF32D // 4.11

	// Bits of the status, 4.11.
	sht3Heater     uint16 = 1 << 13
	sht3WasReset   uint16 = 1 << 4
	sht3NotThat    uint16 = 1 << 1               // the last command was not understood
	sht3AlwaysZero uint16 = 1<<14 | 1<<12 | 3<<2 // reserved; 9 to 5 too, but those are not sure to be 0

	sht3Time  = 15500 * time.Microsecond // 2.2: high repeatability, the maximum
	sht3Start = 1500 * time.Microsecond  // 2.2: a soft reset, the maximum
	sht3Idle  = time.Millisecond         // 4.8: after a break

	shtCRC byte = 0xFF // 4.12: what the check sum begins with
)

type sht3x struct{ dev i2c.Dev }

// openSHT3x costs 4 transfers.
func openSHT3x(o Options) (Sensor, error) {
	s := &sht3x{i2c.Dev{Bus: o.Bus, Addr: o.Addr}}
	// Asked first, as an SHT4x, which can have the same address, has other commands, heaters among them.
	if _, err := s.status(); err != nil {
		if _, other := sht4Serial(&s.dev); other == nil {
			return nil, fmt.Errorf("the chip at %#02x is an SHT4x: use type: sht4x", o.Addr)
		}
		return nil, err
	}
	if err := s.command(sht3Break, nil); err != nil { // a reset is only for an idle part (4.9)
		return nil, err
	}
	time.Sleep(sht3Idle)
	if err := s.command(sht3Reset, nil); err != nil {
		return nil, err
	}
	time.Sleep(sht3Start)
	status, err := s.status()
	if err != nil {
		return nil, err
	}
	if status&sht3WasReset == 0 || status&(sht3Heater|sht3NotThat|sht3AlwaysZero) != 0 {
		return nil, fmt.Errorf("the chip at %#02x does not come up after a reset as an SHT3x does (status %#04x)", o.Addr, status)
	}
	return s, nil
}

func (s *sht3x) command(c uint16, answer []byte) error {
	return s.dev.Tx([]byte{byte(c >> 8), byte(c)}, answer)
}

func (s *sht3x) status() (uint16, error) {
	var buf [3]byte
	if err := s.command(sht3Status, buf[:]); err != nil {
		return 0, err
	}
	w, err := words(shtCRC, buf[:])
	if err != nil {
		return 0, err
	}
	return w[0], nil
}

// Measure costs 2 transfers. A measurement can be read once (4.4): nothing old can be read, nor anything after a power cycle.
func (s *sht3x) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.command(sht3Once, nil); err != nil {
		return nil, err
	}
	var buf [6]byte
	if err := readAfter(ctx, &s.dev, sht3Time, buf[:]); err != nil {
		return nil, err
	}
	w, err := words(shtCRC, buf[:])
	if err != nil {
		return nil, err
	}
	// 4.13
	return []Reading{
		temperature.is(-45 + 175*float64(w[0])/65535),
		humidity.is(100 * float64(w[1]) / 65535),
	}, nil
}
