package sensors

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFilters(t *testing.T) {
	at := []time.Duration{0}
	for range 20 {
		at = append(at, at[len(at)-1]+time.Minute)
	}
	const refused, quiet = -1e9, 1e6 // a refused reading; a quiet one is its value and quiet
	for _, tt := range []struct {
		name    string
		filters []Filter
		in, out []float64
	}{
		{"none", nil, []float64{1.5, -2}, []float64{1.5, -2}},
		{"offset", []Filter{{Offset: new(-0.5)}}, []float64{1.5, -2}, []float64{1, -2.5}},
		{"scale", []Filter{{Scale: new(10.0)}}, []float64{1.5, -2}, []float64{15, -20}},
		{"in order", []Filter{{Offset: new(1.0)}, {Scale: new(2.0)}}, []float64{1}, []float64{4}},
		{"in the other order", []Filter{{Scale: new(2.0)}, {Offset: new(1.0)}}, []float64{1}, []float64{3}},
		{"calibrate", []Filter{{Calibrate: [][2]float64{{1, 0}, {2, 100}, {3, 110}}}}, []float64{0.5, 1, 1.5, 2, 2.5, 3, 4}, []float64{-50, 0, 50, 100, 105, 110, 120}},
		{"calibrate, falling", []Filter{{Calibrate: [][2]float64{{1.2, 100}, {2.8, 0}}}}, []float64{1.2, 2, 2.8, 3.6}, []float64{100, 50, 0, -50}},
		{"median", []Filter{{Median: 3}}, []float64{1, 100, 2, 3, -50, 4}, []float64{1, 50.5, 2, 3, 2, 3}},
		{"average", []Filter{{Average: 2}}, []float64{1, 3, 5, 5}, []float64{1, 2, 4, 5}},
		{"round", []Filter{{Round: new(1)}}, []float64{1.25, -1.25, 21.04}, []float64{1.3, -1.3, 21}},
		{"round to tens", []Filter{{Round: new(-1)}}, []float64{1234, 1235}, []float64{1230, 1240}},
		{"plausible", []Filter{{Min: new(-10.0)}, {Max: new(40.0)}}, []float64{-10, 40, -10.1, 40.1, 5}, []float64{-10, 40, refused, refused, 5}},
		{"refused before the median", []Filter{{Max: new(40.0)}, {Median: 3}}, []float64{1, 85, 2, 3}, []float64{1, refused, 1.5, 2}},
		{"delta", []Filter{{Delta: &Delta{1, 5 * time.Minute}}}, []float64{10, 10.9, 11, 10.1, 9.9}, []float64{10, quiet + 10.9, 11, quiet + 10.1, 9.9}},
		{"the first is told", []Filter{{Delta: &Delta{1, time.Hour}}}, []float64{0.2, 0.3}, []float64{0.2, quiet + 0.3}},
		{"heartbeat", []Filter{{Delta: &Delta{1, 3 * time.Minute}}}, []float64{10, 10, 10, 10, 10, 10, 10}, []float64{10, quiet + 10, quiet + 10, 10, quiet + 10, quiet + 10, 10}},
		{"round and delta", []Filter{{Round: new(0)}, {Delta: &Delta{1, time.Hour}}}, []float64{10.4, 9.6, 10.6}, []float64{10, quiet + 10, 11}},
		{"beyond all numbers", []Filter{{Scale: new(1e300)}, {Scale: new(1e300)}}, []float64{1, 0}, []float64{refused, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newChains(map[string]Treatment{"level": {Filters: tt.filters}})["level"]
			for i, v := range tt.in {
				r := Reading{Quantity: "level", Value: v}
				err := c.pass(&r, time.Unix(0, 0).Add(at[i]))
				if err == nil {
					c.tell(&r, time.Unix(0, 0).Add(at[i]))
				}
				got := r.Value
				switch {
				case err != nil:
					got = refused
				case r.Quiet:
					got += quiet
				}
				if math.Abs(got-tt.out[i]) > 1e-6 {
					t.Errorf("reading %d: %v becomes %v (%v), want %v", i, v, got, err, tt.out[i])
				}
			}
		})
	}
}

// What is told of a sensor that some of its quantities are chosen of, and renamed; an implausible one is a failure of them all.
func TestPollerTreats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := []float64{20, 20.04, 85, 20.2, 20.2}
		p := &part{}
		p.measure = func(_ context.Context, n int) ([]Reading, error) {
			return []Reading{temperature.is(values[min(n, len(values))-1]), humidity.is(50)}, nil
		}
		samples, _, _ := poll(t, PollerConfig{
			Name: "attic", Driver: p.driver(), Every: 10 * time.Second, Only: []string{"temperature"},
			Treatments: map[string]Treatment{"temperature": {Name: "roof", Filters: []Filter{{Max: new(60.0)}, {Delta: &Delta{0.1, time.Hour}}}}},
		}, 45*time.Second)
		var got []Reading
		for _, s := range samples {
			if s.Err != nil {
				t.Error(s.Err) // the second try has another value
			}
			got = append(got, s.Readings...)
		}
		want := []Reading{{"roof", 20, false}, {"roof", 20.04, true}, {"roof", 20.2, false}, {"roof", 20.2, true}, {"roof", 20.2, true}}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A measurement that is refused because of another quantity was not told, so what delta compares with is still the one before it.
func TestPollerRefusedNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{}
		p.measure = func(_ context.Context, n int) ([]Reading, error) {
			switch n {
			case 1:
				return []Reading{temperature.is(20), humidity.is(50)}, nil
			case 2:
				return []Reading{temperature.is(25), humidity.is(99)}, nil
			}
			return []Reading{temperature.is(25), humidity.is(50)}, nil
		}
		samples, _, _ := poll(t, PollerConfig{
			Name: "attic", Driver: p.driver(), Every: 10 * time.Second,
			Treatments: map[string]Treatment{"temperature": {Filters: []Filter{{Delta: &Delta{0.5, time.Hour}}}}, "humidity": {Filters: []Filter{{Max: new(90.0)}}}},
		}, 15*time.Second)
		if want := (Reading{"temperature", 25, false}); len(samples) != 2 || samples[1].Readings[0] != want {
			t.Errorf("got %+v, want %+v as the second sample's", samples, want)
		}
	})
}

// A sensor that has worked may miss some measurements; what its filters remember from before a longer gap is forgotten.
func TestPollerMisses(t *testing.T) {
	for misses, want := range map[int]string{0: "ok ok -3 ok ok", 1: "ok ok -1 -2 -3 ok ok", 5: "ok ok ok ok"} {
		synctest.Test(t, func(t *testing.T) {
			down := 0 // failures in a row
			p := &part{}
			fails := func(n int) bool { return n > 2 && down < 3 }
			p.open = func(n int) error { return nil }
			p.measure = func(_ context.Context, n int) ([]Reading, error) {
				if fails(n) {
					if p.opened > 1 || n == 4 { // the second try of the first is no failure of its own
						down++
					}
					return nil, errNobody
				}
				if n <= 2 {
					return []Reading{temperature.is(100), humidity.is(50)}, nil
				}
				return []Reading{temperature.is(10), humidity.is(50)}, nil
			}
			samples, _, _ := poll(t, PollerConfig{
				Name: "attic", Driver: p.driver(), Every: 10 * time.Second, Misses: misses,
				Treatments: map[string]Treatment{"temperature": {Filters: []Filter{{Average: 10}}}},
			}, 35*time.Second)
			got := ""
			for _, s := range samples {
				if s.Err != nil {
					got += " -" + string(rune('0'+down))
				} else {
					got += " ok"
				}
			}
			if got = strings.TrimSpace(got); strings.Count(got, "ok") != strings.Count(want, "ok") || strings.Count(got, "-") != strings.Count(want, "-") {
				t.Errorf("misses %d: got %s, want %s", misses, got, want)
			}
			last := samples[len(samples)-1].Readings[0].Value
			if forgets := strings.Contains(want, "-"); (last == 10) != forgets {
				t.Errorf("misses %d: the average is %v", misses, last)
			}
		})
	}
}

// A device that is not ready is not opened anew, and not tried sooner; one that is so for too long is not available.
func TestPollerNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{}
		p.measure = func(_ context.Context, n int) ([]Reading, error) {
			if n < 3 || n >= 5 && n < 7 || n >= 10 {
				return nil, ErrNotReady
			}
			return good, nil
		}
		samples, log, _ := poll(t, PollerConfig{Name: "air", Driver: p.driver(), Every: 10 * time.Second}, 135*time.Second)
		got := ""
		for _, s := range samples {
			if s.Err != nil {
				got += "-"
			} else {
				got += "+"
			}
		}
		// 1, 2: it warms up. 3, 4: good. 5, 6: missed. 7 to 9: good. 10, 11: missed. 12 and later: not available.
		if want := "--+++++--"; !strings.HasPrefix(got, want) || strings.Contains(got[len(want):], "+") {
			t.Errorf("got %s, want %s and no other +", got, want)
		}
		if p.opened != 1 || p.measured < 13 || p.measured > 14 {
			t.Errorf("opened %d times, measured %d times", p.opened, p.measured)
		}
		if strings.Count(log, "not ready yet") != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Before it has measured anything, a device that is not ready is asked again as soon as its driver allows.
func TestPollerNotReadySoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := &part{}, time.Now()
		p.measure = func(_ context.Context, n int) ([]Reading, error) {
			if n < 3 || n == 4 {
				return nil, ErrNotReady
			}
			return good, nil
		}
		d := p.driver()
		d.Every = 5 * time.Second
		var at []time.Duration
		samples, _, _ := poll(t, PollerConfig{Name: "air", Driver: d, Every: 10 * time.Minute}, 25*time.Minute)
		for _, s := range samples {
			at = append(at, s.At.Sub(start).Truncate(time.Second))
		}
		// 1, 2: it warms up. 3: good. 4: missed, on time. 5: good, on time.
		if want := []time.Duration{0, 5 * time.Second, 10 * time.Second, 20 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("got samples after %v, want %v", at, want)
		}
	})
}

// Where the device decides what it measures, that is asked at each opening, and told when it is new.
func TestPollerOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, told := &part{}, 0
		d := p.driver()
		d.Measures = nil
		d.Offers = func(Options) ([]Quantity, error) {
			if p.opened < 2 {
				return []Quantity{temperature}, nil
			}
			return []Quantity{temperature, humidity}, nil
		}
		p.measure = func(_ context.Context, n int) ([]Reading, error) {
			switch {
			case n == 2 || n == 3 || n == 5 || n == 6:
				return nil, errNobody
			case p.opened < 3:
				return good[:1], nil
			}
			return good, nil
		}
		samples, _, _ := poll(t, PollerConfig{Name: "air", Driver: d, Every: 10 * time.Second, Offered: func() { told++ }}, time.Minute)
		if told != 2 || p.opened != 3 || len(samples[len(samples)-1].Readings) != 2 {
			t.Errorf("told %d times, opened %d times, the last %+v", told, p.opened, samples[len(samples)-1])
		}
	})
}

func TestKeys(t *testing.T) {
	number := numberKey("shunt", "the shunt", "a resistance in ohms", "0.1", 0.0001, 10)
	word := wordKey("range", "full scale", "", "2V", "4V")
	span := durationKey("wait", "how long", "", time.Second, time.Minute)
	for _, tt := range []struct {
		key  Key
		text string
		good bool
	}{
		{number, "0.1", true}, {number, "10", true}, {number, "11", false}, {number, "0", false}, {number, "NaN", false}, {number, "x", false}, {number, "", false},
		{word, "2V", true}, {word, "3V", false}, {span, "1s", true}, {span, "1", false}, {span, "2m", false}, {textKey("a", "b", "c"), "anything", true},
	} {
		if err := tt.key.Check(tt.text); (err == nil) != tt.good {
			t.Errorf("%s: %q: got %v", tt.key.Name, tt.text, err)
		} else if err != nil && !strings.Contains(err.Error(), "wanted ") {
			t.Errorf("%s: %q: %v does not say what was wanted", tt.key.Name, tt.text, err)
		}
	}
	s := Settings{"shunt": {"0.5"}, "inputs": {"a0", "a1"}, "wait": {"2s"}}
	if s.Number("shunt") != 0.5 || s.Text("inputs") != "a0" || len(s.All("inputs")) != 2 || s.Duration("wait") != 2*time.Second || s.Has("none") || s.Text("none") != "" {
		t.Errorf("settings %v", s)
	}
}
