package sensors

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Sensirion, Datasheet SGP40, version 1.2 of February 2022 ("DS").
func init() {
	Register(Driver{
		Name:  "sgp40",
		Doc:   "Sensirion SGP40: volatile organic compounds, as an index: 100 is what is usual there, 500 is worst",
		Addrs: []uint16{0x59}, // DS 3.3, fixed
		Keys: []Key{
			numberKey("humidity", "of the air there, on average: it changes the signal", "a humidity in %", "50", 0, 100),
			numberKey("temperature", "of the air there, on average", "a temperature in °C", "25", -45, 130),
		},
		Measures: []Quantity{sgpIndex, sgpRaw},
		Every:    sgpPeriod,
		Most:     sgpPeriod, // the index is made for that, and the part is hot as long as it is measured
		Time:     sgpTime,
		Example:  "humidity: 45, temperature: 21",
		Open:     openSGP40,
	})
}

var (
	sgpIndex = func() Quantity {
		q := vocIndex.within(1, 500)
		q.Heartbeat = sgpTold
		return q
	}()
	sgpRaw = Quantity{Name: "voc_raw", StateClass: "measurement", Low: 1, High: sgpMost, Heartbeat: sgpTold}
)

// Commands, DS table 8. That which switches the heater off is never sent: to an SCD4x it would mean to write its memory.
const (
	sgpMeasure  uint16 = 0x260F
	sgpSelfTest uint16 = 0x280E
	sgpSerial   uint16 = 0x3682
	sgpFeatures uint16 = 0x202F

	sgpIs     uint16 = 0x3220 // its features
	sgpPasses uint16 = 0xD400 // DS 4.4

	sgpTime     = 30 * time.Millisecond  // DS table 8: each command's longest
	sgpTestTime = 320 * time.Millisecond // of a self test
	sgpAnswer   = time.Millisecond

	sgpPeriod = time.Second
	sgpMost   = 64999 // what the algorithm takes

	// It is told that often, and when the index has changed by that much.
	sgpTold   = 10 * time.Second
	sgpChange = 5
)

type sgp40 struct {
	sensirion
	humidity, celsius uint16 // in ticks
	voc               vocAlgorithm
	told              float64 // the index, and when
	toldAt            time.Time
}

// openSGP40 costs 6 transfers.
func openSGP40(o Options) (Sensor, error) {
	s := &sgp40{
		sensirion: sensirion{i2c.Dev{Bus: o.Bus, Addr: o.Addr}},
		humidity:  uint16(math.Round(o.Settings.Number("humidity") / 100 * 65535)), // DS table 10
		celsius:   uint16(math.Round((o.Settings.Number("temperature") + 45) / 175 * 65535)),
	}
	ctx := context.Background()
	if _, err := s.ask(ctx, 3, sgpAnswer, sgpSerial); err != nil {
		return nil, fmt.Errorf("the chip at %#02x does not tell its serial number: is it an SGP40? %w", o.Addr, err)
	}
	features, err := s.ask(ctx, 1, sgpAnswer, sgpFeatures)
	if err != nil {
		return nil, err
	}
	if features[0] != sgpIs {
		return nil, fmt.Errorf("the chip at %#02x has the features %#04x, want %#04x: it is another of Sensirion's", o.Addr, features[0], sgpIs)
	}
	test, err := s.ask(ctx, 1, sgpTestTime, sgpSelfTest)
	if err != nil {
		return nil, err
	}
	if test[0] != sgpPasses {
		return nil, fmt.Errorf("the chip at %#02x fails its self test (%#04x, want %#04x): it is broken", o.Addr, test[0], sgpPasses)
	}
	return s, nil
}

// Measure costs 2 transfers. What a measurement gave can be read once.
func (s *sgp40) Measure(ctx context.Context) ([]Reading, error) {
	got, err := s.ask(ctx, 1, sgpTime, sgpMeasure, s.humidity, s.celsius)
	if err != nil {
		return nil, err
	}
	raw := float64(got[0])
	if err := sgpRaw.check(raw); err != nil {
		return nil, err
	}
	index := s.voc.process(raw)
	if index == 0 {
		return nil, fmt.Errorf("%w: it warms up for %d s", ErrNotReady, vocBlackout)
	}
	now := time.Now()
	quiet := now.Sub(s.toldAt) < sgpTold && math.Abs(index-s.told) < sgpChange
	if !quiet {
		s.told, s.toldAt = index, now
	}
	return []Reading{{sgpIndex.Name, index, quiet}, {sgpRaw.Name, raw, quiet}}, nil
}
