package sensors

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Texas Instruments SBOS448G, INA219.
//
// Current and power are computed here, from the voltage at the shunt. The part could do so itself with a calibration register, which a
// power cycle clears, rounding twice; and would tell of an overflow only then.
func init() {
	Register(Driver{
		Name:    "ina219",
		Doc:     "TI INA219: voltage, current and power, up to 26 V",
		Addrs:   inaAddrs,
		Keys:    inaKeys,
		Offers:  func(o Options) ([]Quantity, error) { return inaOffers(o, 0.32, 26) },
		Time:    ina219Time,
		Example: "shunt: 0.1",
		Open:    openINA219,
	})
}

// inaAddrs are those of A0 and A1 to GND, VS+, SDA and SCL: SBOS448G table 1, SBOS547A 7.5.5.
var inaAddrs = []uint16{0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F}

var inaKeys = []Key{
	numberKey("shunt", "the resistor that the current flows through; R100 on a board says 0.1", "a resistance in ohms, such as 0.1", "", 0.0001, 100).required(),
	numberKey("max_current", "more than that, in either direction, is a failed measurement; what the shunt allows unless said", "a current in amperes, such as 3.2", "", 0.001, 10000),
}

// inaOffers gives the quantities of a part with that full scale of the shunt's voltage, and that highest voltage.
func inaOffers(o Options, scale, volts float64) ([]Quantity, error) {
	most := scale / o.Settings.Number("shunt")
	if o.Settings.Has("max_current") {
		wanted := o.Settings.Number("max_current")
		if wanted > most*(1+1e-9) {
			return nil, &WrongSetting{"max_current", fmt.Sprintf("with a shunt of %v ohms it can measure %.4g A", o.Settings.Number("shunt"), most)}
		}
		most = wanted
	}
	return []Quantity{voltage.within(0, volts), current.within(-most, most), power}, nil
}

// inaReadings computes: volts are those of the bus, drop those at the shunt.
func inaReadings(volts, drop, shunt float64) []Reading {
	amps := drop / shunt
	return []Reading{voltage.is(volts), current.is(amps), power.is(volts * amps)}
}

// Registers, SBOS448G table 2, and bits of the configuration, figure 19.
const (
	inaConfig   byte = 0
	inaShunt    byte = 1
	inaBus      byte = 2
	ina219Power byte = 3

	inaReset        uint16 = 1 << 15
	ina219Default   uint16 = 0x399F   // after a reset
	ina219Bus32     uint16 = 1 << 13  // 32 V full scale
	ina219Gain      int    = 11       // table 4: 40 mV, 80 mV, 160 mV, 320 mV
	ina219Samples16 uint16 = 0xC      // table 5: 8.51 ms, of either
	inaTriggered    uint16 = 3        // table 6: shunt and bus, once
	ina219Ready     uint16 = 1 << 1   // figure 23: CNVR
	ina219Volts            = 0.004    // of a bit, 8.6.3.2
	ina219Drop             = 0.000010 // of a bit, 8.6.3.1

	ina219Time = 18800 * time.Microsecond // table 5, and 7.5: a conversion takes 10 % more at worst
	inaPolls   = 5
	inaPoll    = 3 * time.Millisecond
)

// inaNames are parts at the same addresses, by their configuration after a reset.
var inaNames = map[uint16]string{
	ina219Default: "it is an INA219 or INA220: use type: ina219",
	ina226Default: "it is an INA226 or INA230: use type: ina226",
	0x7127:        "it is an INA3221",
	0x6127:        "it is an INA260",
	0x0000:        "nothing answers sensibly: check the wiring",
	0xFFFF:        "nothing answers sensibly: check the wiring",
}

// inaStart resets the part, and looks whether it has come up as parts of its type do. It costs 3 transfers.
func inaStart(d *reg16, want uint16) error {
	if err := d.write(inaConfig, inaReset); err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	got, err := d.readSure(inaConfig)
	if err != nil {
		return err
	}
	if got != want {
		what, known := inaNames[got]
		if !known {
			what = "it is no part of this family"
		}
		return fmt.Errorf("the chip at %#02x has the settings %#04x after a reset, want %#04x: %s", d.Addr, got, want, what)
	}
	return nil
}

type ina219 struct {
	reg16
	shunt    float64
	settings uint16
	limit    int16 // where the shunt's register stops
}

func openINA219(o Options) (Sensor, error) {
	s := &ina219{reg16: reg16{i2c.Dev{Bus: o.Bus, Addr: o.Addr}}, shunt: o.Settings.Number("shunt")}
	most := 0.32 // volts at the shunt
	if o.Settings.Has("max_current") {
		most = o.Settings.Number("max_current") * s.shunt
	}
	gain, scale := uint16(0), 0.04
	for ; gain < 3 && most >= scale; gain++ {
		scale *= 2
	}
	s.limit = int16(math.Round(scale / ina219Drop))
	s.settings = ina219Bus32 | gain<<ina219Gain | ina219Samples16<<7 | ina219Samples16<<3 | inaTriggered
	return s, inaStart(&s.reg16, ina219Default)
}

// Measure costs 7 transfers.
func (s *ina219) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// This takes the word back that a conversion is ready (8.6.3.2): a start that gets lost does not leave the old one.
	if _, err := s.read(ina219Power); err != nil {
		return nil, err
	}
	if err := s.write(inaConfig, s.settings); err != nil { // and begins a conversion
		return nil, err
	}
	var bus uint16
	for i, wait := 0, ina219Time; ; i, wait = i+1, inaPoll {
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
		var err error
		if bus, err = s.read(inaBus); err != nil {
			return nil, err
		}
		if bus&ina219Ready != 0 {
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
	if err := s.still(s.settings, regValue{inaShunt, drop}, regValue{inaBus, bus}); err != nil {
		return nil, err
	}
	if raw := int16(drop); raw >= s.limit || raw <= -s.limit { // 8.6.3.1: it stays at the end of its range
		return nil, inaBeyond(float64(s.limit) * ina219Drop / s.shunt)
	}
	return inaReadings(float64(bus>>3)*ina219Volts, float64(int16(drop))*ina219Drop, s.shunt), nil
}

func inaBeyond(amps float64) error {
	return fmt.Errorf("the current is beyond range: more than %.4g A; a smaller shunt measures more", amps)
}
