package sensors

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Texas Instruments SBOS547A, INA226. Current and power are computed here, as with the INA219.
func init() {
	Register(Driver{
		Name:    "ina226",
		Doc:     "TI INA226: voltage, current and power, up to 36 V, finer than an INA219",
		Addrs:   inaAddrs,
		Keys:    inaKeys,
		Offers:  func(o Options) ([]Quantity, error) { return inaOffers(o, 0.08192, 36) },
		Time:    ina226Time,
		Example: "shunt: 0.1",
		// Not the maker's id: its number is a command to reset an HTU21D.
		IDs:  []ID{{Reg: ina226Die, Value: []byte{byte(ina226DieID >> 4), byte(ina226DieID & 0xF << 4)}, Mask: []byte{0xFF, 0xF0}}},
		Open: openINA226,
	})
}

// Registers, SBOS547A 7.6, and bits of the configuration, 7.6.1.
const (
	ina226Mask         byte = 0x06
	ina226Manufacturer byte = 0xFE
	ina226Die          byte = 0xFF

	ina226TI      uint16 = 0x5449      // "TI", 7.6.9
	ina226DieID   uint16 = 0x226       // without the revision, 7.6.10
	ina226Default uint16 = 0x4127      // after a reset
	ina226Fixed   uint16 = 1 << 14     // reads so
	ina226Average uint16 = 2 << 9      // of 16
	ina226Convert uint16 = 4<<6 | 4<<3 // 1.1 ms of either
	ina226Ready   uint16 = 1 << 3      // CVRF, 7.6.7
	ina226Volts          = 0.00125     // of a bit, 7.6.3
	ina226Drop           = 0.0000025   // of a bit, 7.6.2
	ina226Set            = ina226Fixed | ina226Average | ina226Convert | inaTriggered

	ina226Time = 38800 * time.Microsecond // 6.5: 1.21 ms at worst, twice, 16 times
)

type ina226 struct {
	reg16
	shunt float64
}

// openINA226 costs 7 transfers.
func openINA226(o Options) (Sensor, error) {
	s := &ina226{reg16{i2c.Dev{Bus: o.Bus, Addr: o.Addr}}, o.Settings.Number("shunt")}
	if err := inaStart(&s.reg16, ina226Default); err != nil {
		return nil, err
	}
	maker, err := s.readSure(ina226Manufacturer)
	if err != nil {
		return nil, err
	}
	die, err := s.readSure(ina226Die)
	if err != nil {
		return nil, err
	}
	if maker != ina226TI || die>>4 != ina226DieID {
		return nil, fmt.Errorf("the chip at %#02x has the ids %#04x and %#04x, want %#04x and %#03xn: it is no INA226", o.Addr, maker, die, ina226TI, ina226DieID)
	}
	return s, nil
}

// Measure costs 7 transfers.
func (s *ina226) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.write(inaConfig, ina226Set); err != nil { // and begins a conversion
		return nil, err
	}
	for i, wait := 0, ina226Time; ; i, wait = i+1, inaPoll {
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
		// Reading takes the word back that a conversion is ready (7.6.7): a start that gets lost does not leave the old one.
		mask, err := s.read(ina226Mask)
		if err != nil {
			return nil, err
		}
		if mask&ina226Ready != 0 {
			break
		}
		if i == inaPolls {
			return nil, fmt.Errorf("the chip at %#02x never ends its measurement, or has not begun it", s.Addr)
		}
	}
	drop, err := s.read(inaShunt)
	if err != nil {
		return nil, err
	}
	bus, err := s.read(inaBus)
	if err != nil {
		return nil, err
	}
	if err := s.still(ina226Set, regValue{inaShunt, drop}, regValue{inaBus, bus}); err != nil {
		return nil, err
	}
	if raw := int16(drop); raw == math.MaxInt16 || raw == math.MinInt16 { // 7.6.2: it stays at the end of its range
		return nil, inaBeyond(0.08192 / s.shunt)
	}
	return inaReadings(float64(bus)*ina226Volts, float64(int16(drop))*ina226Drop, s.shunt), nil
}
