package config

import (
	"math"
	"testing"
	"time"

	"gatewayd/bridge"
)

// What a meter makes of its pulses, against what its plate says.
func TestMeters(t *testing.T) {
	for _, test := range []struct {
		keys      string
		total     float64 // of 100 pulses
		unit      string
		decimals  int
		rate      float64 // of one pulse in a second
		rateUnit  string
		zeroAfter time.Duration
	}{
		{"type: meter, measures: energy, per_unit: 1000", 0.1, "kWh", 3, 3600, "W", 30 * time.Minute}, // 1 Wh in a second
		{"type: meter, measures: energy, per_unit: 75", 100.0 / 75, "kWh", 3, 48000, "W", 30 * time.Minute},
		{"type: meter, measures: energy, per_unit: 1, unit: Wh", 100, "Wh", 0, 3600, "W", 30 * time.Minute},
		{"type: meter, measures: energy, per_unit: 1000000, unit: MWh", 1e-4, "MWh", 6, 3600, "W", 30 * time.Minute},
		{"type: meter, measures: water, per_unit: 1000", 0.1, "m³", 3, 60, "L/min", 5 * time.Minute}, // a litre in a second
		{"type: meter, measures: water, per_unit: 1, unit: l", 100, "L", 0, 60, "L/min", 5 * time.Minute},
		{"type: meter, measures: gas, per_unit: 100", 1, "m³", 2, 36, "m³/h", 5 * time.Minute},
		{"type: meter, measures: gas, per_unit: 0.1, unit: L", 1000, "L", 0, 36, "m³/h", 5 * time.Minute},
		{"type: meter, measures: volume, per_unit: 450", 100.0 / 450, "L", 4, 60.0 / 450, "L/min", 5 * time.Minute}, // YF-S201
		{"type: meter, measures: volume, per_unit: 10, unit: m3", 10, "m³", 1, 6000, "L/min", 5 * time.Minute},
		{"type: meter, measures: rain, per_unit: 3.58", 100 / 3.58, "mm", 2, 3600 / 3.58, "mm/h", 5 * time.Minute},
		{"type: meter, measures: wind, factor: 2.4", 0, "", 0, 2.4, "km/h", 30 * time.Second},
		{"type: meter, measures: wind, factor: 0.667, unit: m/s, zero_after: 10s", 0, "", 0, 0.667, "m/s", 10 * time.Second},
		{"type: frequency", 0, "", 0, 1, "Hz", 30 * time.Second},
		{"type: frequency, every: 1m", 0, "", 0, 1, "Hz", time.Minute},
		{"type: counter", 100, "", 0, 0, "", 0},
	} {
		cfg, _, err := Parse("c.yaml", []byte("device: a\ncounters: [{name: c, line: 4, "+test.keys+"}]\n"))
		if err != nil {
			t.Errorf("%s: %v", test.keys, err)
			continue
		}
		c := &cfg.Bridge.Counters[0]
		if c.Total == nil {
			if test.total != 0 {
				t.Errorf("%s: no total", test.keys)
			}
		} else if got := 100 / c.PerUnit; math.Abs(got-test.total) > 1e-9 || c.Total.Unit != test.unit || c.Total.Precision != test.decimals {
			t.Errorf("%s: 100 pulses are %v %s with %d decimals, want %v %s with %d", test.keys, got, c.Total.Unit, c.Total.Precision, test.total, test.unit, test.decimals)
		}
		if c.Rate == nil {
			if test.rate != 0 {
				t.Errorf("%s: no rate", test.keys)
			}
		} else if math.Abs(c.Factor/test.rate-1) > 1e-9 || c.Rate.Unit != test.rateUnit {
			t.Errorf("%s: a pulse in a second is %v %s, want %v %s", test.keys, c.Factor, c.Rate.Unit, test.rate, test.rateUnit)
		}
		shown := c.Sensor()
		for _, q := range shown.Quantities {
			if q.Class != "" && !bridge.ClassFits(q.Class, q.Unit) {
				t.Errorf("%s: Home Assistant has no %s in %s", test.keys, q.Class, q.Unit)
			}
		}
		if c.ZeroAfter != test.zeroAfter {
			t.Errorf("%s: zero after %v, want %v", test.keys, c.ZeroAfter, test.zeroAfter)
		}
	}
}
