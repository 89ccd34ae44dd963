package sensors

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

func init() {
	Register(Driver{
		Name:     "simulated",
		Doc:      "a climate sensor that is not there: values that drift as in a room, to try things without parts",
		Measures: []Quantity{temperature, humidity, pressure},
		Open: func(o Options) (Sensor, error) {
			return &simulated{start: time.Now(), phase: float64(o.Addr)}, nil
		},
	})
}

// simulated is a room: slow waves, and a little noise as a real part has it.
type simulated struct {
	start time.Time
	phase float64 // makes two of them differ
}

// Measure gives plausible values at once.
func (s *simulated) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := time.Since(s.start)
	warm := s.wave(t, time.Hour) + s.wave(t, 15*time.Minute)/4
	return []Reading{
		temperature.is(21.5 + 1.2*warm + noise(0.01)),
		humidity.is(48 - 4*warm + 3*s.wave(t, 2*time.Hour) + noise(0.1)),
		pressure.is(1013 + 6*s.wave(t, 11*time.Hour) + noise(0.03)),
	}, nil
}

// wave goes between -1 and 1.
func (s *simulated) wave(t, period time.Duration) float64 {
	return math.Sin(s.phase + 2*math.Pi*t.Seconds()/period.Seconds())
}

// noise is normally distributed.
func noise(sigma float64) float64 { return sigma * rand.NormFloat64() }
