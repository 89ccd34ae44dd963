package sensors

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Sensirion, Datasheet SCD4x, version 1.6 of February 2025 ("DS").
func init() {
	Register(Driver{
		Name:  "scd4x",
		Doc:   "Sensirion SCD40, SCD41 and SCD43: carbon dioxide, temperature and humidity",
		Addrs: []uint16{0x62}, // DS 3.3, fixed
		Keys: []Key{
			wordKey("mode", "periodic measures every 5 s; low_power every 30 s, with a fifth of the current", "periodic", "periodic", "low_power"),
			numberKey("altitude", "where it is, above the sea: the air's pressure counts; as the part has it unless said", "a height in metres", "", 0, 3000),
			numberKey("temperature_offset", "by how much it is warmer than the air, by itself and what is around; as the part has it unless said", "degrees Celsius", "", 0, 20),
			wordKey("self_calibration", "off for what never sees fresh air, such as a greenhouse; as the part has it unless said", "", "on", "off"),
		},
		// DS 1: what it can say of CO2 begins at 0, which is what it says when it has none to tell.
		Measures: []Quantity{co2.within(1, 40000), temperature.within(-10, 60), humidity},
		Every:    scdPeriod,
		Check: func(o Options) error {
			if o.Settings.Text("mode") == "low_power" && o.Every < scdLowPeriod {
				return &WrongSetting{"mode", fmt.Sprintf("low_power measures every %v: every must not be less", scdLowPeriod)}
			}
			return nil
		},
		Example: "altitude: 450",
		Open:    openSCD4x,
	})
}

// Commands, DS table 9. What they set is lost with the power: the part's memory, which wears out, is never written.
const (
	scdStart     uint16 = 0x21B1
	scdStartLow  uint16 = 0x21AC
	scdStop      uint16 = 0x3F86
	scdRead      uint16 = 0xEC05
	scdReady     uint16 = 0xE4B8
	scdReinit    uint16 = 0x3646
	scdSerial    uint16 = 0x3682
	scdSetOffset uint16 = 0x241D
	scdOffset    uint16 = 0x2318
	scdSetHeight uint16 = 0x2427
	scdHeight    uint16 = 0x2322
	scdSetSelf   uint16 = 0x2416
	scdSelf      uint16 = 0x2313

	scdAnswer    = time.Millisecond       // until it answers a command
	scdStopTime  = 500 * time.Millisecond // until it takes another one
	scdInitTime  = 30 * time.Millisecond
	scdReadyMask = 0x7FF // DS 3.9.2: any of these bits

	scdPeriod    = 5 * time.Second // DS 3.6.1
	scdLowPeriod = 30 * time.Second
)

type scd4x struct {
	sensirion
	period  time.Duration
	started time.Time
	last    time.Time // it measured, or was started
	settled bool      // its first measurement was thrown away
}

// openSCD4x costs 5 transfers, and 3 more for each setting.
func openSCD4x(o Options) (Sensor, error) {
	s := &scd4x{sensirion: sensirion{i2c.Dev{Bus: o.Bus, Addr: o.Addr}}, period: scdPeriod}
	// While it measures, it takes no settings.
	if err := s.order(scdStop); err != nil {
		return nil, err
	}
	time.Sleep(scdStopTime)
	// Settings that another program has left are those of the part's memory again.
	if err := s.order(scdReinit); err != nil {
		return nil, err
	}
	time.Sleep(scdInitTime)
	if _, err := s.ask(context.Background(), 3, scdAnswer, scdSerial); err != nil {
		return nil, fmt.Errorf("the chip at %#02x does not tell its serial number: is it an SCD4x? %w", o.Addr, err)
	}
	for _, set := range []struct {
		key     string
		command uint16
		asked   uint16
		value   uint16
	}{
		{"temperature_offset", scdSetOffset, scdOffset, uint16(math.Round(o.Settings.Number("temperature_offset") * 65535 / 175))}, // DS 3.7.1
		{"altitude", scdSetHeight, scdHeight, uint16(math.Round(o.Settings.Number("altitude")))},
		{"self_calibration", scdSetSelf, scdSelf, map[string]uint16{"on": 1}[o.Settings.Text("self_calibration")]},
	} {
		if o.Settings.Has(set.key) {
			if err := s.set(set.command, set.asked, set.value); err != nil {
				return nil, fmt.Errorf("%s: %w", set.key, err)
			}
		}
	}
	start := scdStart
	if o.Settings.Text("mode") == "low_power" {
		start, s.period = scdStartLow, scdLowPeriod
	}
	if err := s.order(start); err != nil {
		return nil, err
	}
	s.started = time.Now()
	s.last = s.started
	return s, nil
}

// set changes a setting and reads it back.
func (s *scd4x) set(command, asked, value uint16) error {
	if err := s.order(command, value); err != nil {
		return err
	}
	time.Sleep(scdAnswer)
	got, err := s.ask(context.Background(), 1, scdAnswer, asked)
	if err == nil && got[0] != value {
		err = fmt.Errorf("the chip at %#02x does not take its settings (it has %#04x, want %#04x)", s.dev.Addr, got[0], value)
	}
	return err
}

// Measure costs 4 transfers. A measurement can be read once (DS 3.6.2): nothing old is read again. After a power cycle the part does
// not measure.
func (s *scd4x) Measure(ctx context.Context) ([]Reading, error) {
	ready, err := s.ask(ctx, 1, scdAnswer, scdReady)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if ready[0]&scdReadyMask == 0 {
		if since := now.Sub(s.last); since > 5*s.period/2 {
			return nil, fmt.Errorf("the chip at %#02x has measured nothing for %v: it is started again; check its power", s.dev.Addr, since.Round(time.Second))
		}
		return nil, fmt.Errorf("%w: it measures every %v", ErrNotReady, s.period)
	}
	got, err := s.ask(ctx, 3, scdAnswer, scdRead)
	if err != nil {
		return nil, err
	}
	s.last = now
	// The first one after a start is not settled yet (DS 3.10.2 says so of single ones).
	if first := !s.settled && now.Sub(s.started) < 2*s.period; first {
		s.settled = true
		return nil, fmt.Errorf("%w: its first measurement does not count", ErrNotReady)
	}
	s.settled = true
	return []Reading{ // DS 3.6.2
		co2.is(float64(got[0])),
		temperature.is(-45 + 175*float64(got[1])/65535),
		humidity.is(100 * float64(got[2]) / 65535),
	}, nil
}
