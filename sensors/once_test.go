package sensors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// onceSensor answers as it is told.
type onceSensor struct {
	measure func(ctx context.Context, n int) ([]Reading, error)
	n       int
	closed  *atomic.Int32
}

func (s *onceSensor) Measure(ctx context.Context) ([]Reading, error) {
	s.n++
	return s.measure(ctx, s.n)
}

func (s *onceSensor) Close() error {
	s.closed.Add(1)
	return nil
}

func TestOnce(t *testing.T) {
	offset, low := -0.5, 10.0
	values := func(context.Context, int) ([]Reading, error) {
		return []Reading{temperature.is(20), humidity.is(40)}, nil
	}
	for _, c := range []struct {
		name    string
		measure func(ctx context.Context, n int) ([]Reading, error)
		open    error
		only    []string
		treat   Treatment
		want    string // readings, as they are told and as they were measured; or a part of the error
		took    time.Duration
		closed  int32
	}{
		{"works", values, nil, nil, Treatment{}, "[{temperature 20 false} {humidity 40 false}] [{temperature 20 false} {humidity 40 false}]", 0, 1},
		{"filters", values, nil, nil, Treatment{Name: "inside", Filters: []Filter{{Offset: &offset}, {Median: 5}}},
			"[{inside 19.5 false} {humidity 40 false}] [{temperature 20 false} {humidity 40 false}]", 0, 1},
		{"only one", values, nil, []string{"humidity"}, Treatment{}, "[{humidity 40 false}] [{humidity 40 false}]", 0, 1},
		{"not plausible", values, nil, nil, Treatment{Filters: []Filter{{Max: &low}}}, "temperature: 20 is above max: 10", 0, 1},
		{"does not open", values, errNobody, nil, Treatment{}, "nobody answers", 0, 0},
		{"fails", func(context.Context, int) ([]Reading, error) { return nil, errNobody }, nil, nil, Treatment{}, "nobody answers", 0, 1},
		{"impossible", func(context.Context, int) ([]Reading, error) {
			return []Reading{temperature.is(20), humidity.is(140)}, nil
		}, nil, nil, Treatment{}, "impossible humidity", 0, 1},
		{"not ready at first", func(ctx context.Context, n int) ([]Reading, error) {
			if n < 20 {
				return nil, fmt.Errorf("warms up: %w", ErrNotReady)
			}
			return values(ctx, n)
		}, nil, nil, Treatment{}, "[{temperature 20 false} {humidity 40 false}] [{temperature 20 false} {humidity 40 false}]", 1900 * time.Millisecond, 1},
		{"never ready", func(ctx context.Context, n int) ([]Reading, error) { return nil, ErrNotReady }, nil, nil, Treatment{}, "not ready yet", 3 * time.Second, 1},
		{"late", func(ctx context.Context, n int) ([]Reading, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil, nil, Treatment{}, "no measurement within 7s", 7 * time.Second, 1},
		{"hangs", func(ctx context.Context, n int) ([]Reading, error) {
			time.Sleep(time.Minute)
			return nil, errNobody
		}, nil, nil, Treatment{}, "it hangs, or its bus does", 7*time.Second + grace, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closed atomic.Int32
				d := &Driver{Name: "test", Measures: []Quantity{temperature, humidity}, Time: 2 * time.Second, Open: func(Options) (Sensor, error) {
					return &onceSensor{measure: c.measure, closed: &closed}, c.open
				}}
				s := Once(t.Context(), PollerConfig{Name: "attic", Driver: d, Only: c.only, Treatments: map[string]Treatment{"temperature": c.treat}})
				got := fmt.Sprint(s.Readings, " ", s.Raw)
				if s.Err != nil {
					got = s.Err.Error()
				}
				if s.Err == nil && got != c.want || !strings.Contains(got, c.want) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if s.Took != c.took || closed.Load() != c.closed {
					t.Errorf("it took %v and closed %d, want %v and %d", s.Took, closed.Load(), c.took, c.closed)
				}
				for i, r := range s.Raw {
					if s.As[i].Name != r.Quantity {
						t.Errorf("%s is described as %s", r.Quantity, s.As[i].Name)
					}
				}
				time.Sleep(time.Minute) // what hangs ends
			})
		})
	}
}

// What is asked to end does so.
func TestOnceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		d := &Driver{Name: "test", Measures: []Quantity{temperature}, Open: func(Options) (Sensor, error) {
			return &onceSensor{closed: new(atomic.Int32), measure: func(ctx context.Context, n int) ([]Reading, error) { return nil, ctx.Err() }}, nil
		}}
		if s := Once(ctx, PollerConfig{Driver: d}); !errors.Is(s.Err, context.Canceled) && !errors.Is(s.Err, context.DeadlineExceeded) {
			t.Errorf("got %v", s.Err)
		}
	})
}
