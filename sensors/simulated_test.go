package sensors

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A day's values are those of a room, and none jumps.
func TestSimulated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Lookup("simulated").Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		last := map[string]float64{}
		for range 24 * 60 * 2 {
			readings, err := s.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range readings {
				limits := map[string][3]float64{"temperature": {19, 24, 0.3}, "humidity": {35, 60, 1.5}, "pressure": {1000, 1025, 0.5}}[r.Quantity]
				if r.Value < limits[0] || r.Value > limits[1] {
					t.Errorf("%s: %v", r.Quantity, r.Value)
				}
				if before, ok := last[r.Quantity]; ok && math.Abs(r.Value-before) > limits[2] {
					t.Errorf("%s jumps from %v to %v", r.Quantity, before, r.Value)
				}
				last[r.Quantity] = r.Value
			}
			time.Sleep(30 * time.Second)
		}
	})
}
