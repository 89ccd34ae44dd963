package sensors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Sensirion, Datasheet SHT4x, version 6 of 2023.
func init() {
	Register(Driver{
		Name:     "sht4x",
		Doc:      "Sensirion SHT40, SHT41, SHT43 and SHT45: temperature and humidity",
		Addrs:    []uint16{0x44, 0x45, 0x46}, // fixed, by the letter in the part's name: A, B, C
		Measures: []Quantity{temperature.within(-40, 125), humidity},
		Every:    time.Second, // more often, and it warms itself
		Time:     sht4Time,
		Open:     openSHT4x,
	})
}

// Commands, "Command overview". Those of the heater are never sent: no bit that flips makes one of them of these.
const (
	sht4Once       byte = 0xFD // high precision
	sht4ReadSerial byte = 0x89
	sht4Reset      byte = 0x94

	sht4Time  = 8300 * time.Microsecond // "Timings": high repeatability, the maximum
	sht4Start = time.Millisecond        // "Timings": soft reset, the maximum; reading the serial number takes no longer
)

type sht4x struct{ dev i2c.Dev }

// openSHT4x costs 3 transfers.
func openSHT4x(o Options) (Sensor, error) {
	s := &sht4x{i2c.Dev{Bus: o.Bus, Addr: o.Addr}}
	if _, err := sht4Serial(&s.dev); err != nil {
		other := sht3x{s.dev}
		if _, wrong := other.status(); wrong == nil {
			return nil, fmt.Errorf("the chip at %#02x is an SHT3x: use type: sht3x", o.Addr)
		}
		return nil, err
	}
	if err := s.dev.Tx([]byte{sht4Reset}, nil); err != nil {
		return nil, err
	}
	time.Sleep(sht4Start)
	return s, nil
}

// sht4Serial proves that a part is an SHT4x: no other one answers so to the command.
func sht4Serial(dev *i2c.Dev) (uint32, error) {
	if err := dev.Tx([]byte{sht4ReadSerial}, nil); err != nil {
		return 0, err
	}
	var buf [6]byte
	if err := readAfter(context.Background(), dev, sht4Start, buf[:]); err != nil {
		return 0, err
	}
	w, err := words(shtCRC, buf[:])
	if err != nil {
		return 0, err
	}
	return uint32(w[0])<<16 | uint32(w[1]), nil
}

// Measure costs 2 transfers. A measurement can be read once: nothing old can be read, nor anything after a power cycle.
func (s *sht4x) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.dev.Tx([]byte{sht4Once}, nil); err != nil {
		return nil, err
	}
	var buf [6]byte
	if err := readAfter(ctx, &s.dev, sht4Time, buf[:]); err != nil {
		return nil, err
	}
	w, err := words(shtCRC, buf[:])
	if err != nil {
		return nil, err
	}
	h, err := clampHumidity(-6+125*float64(w[1])/65535, 6, 19) // "Conversion of signal output": it goes beyond 0 and 100 %, to be cut off
	if err != nil {
		return nil, err
	}
	return []Reading{temperature.is(-45 + 175*float64(w[0])/65535), humidity.is(h)}, nil
}

// clampHumidity cuts off what a part of that tolerance says beyond 0 and 100 %, where nothing can be. The very ends of what it can say
// are of a part that is broken.
func clampHumidity(h, below, above float64) (float64, error) {
	if !(h > -below && h < 100+above) {
		return 0, errors.New("impossible humidity: the part is broken, or wet inside")
	}
	return min(max(h, 0), 100), nil
}
