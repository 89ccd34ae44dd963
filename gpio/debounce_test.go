package gpio

import (
	"slices"
	"testing"
	"time"
)

func TestSettling(t *testing.T) {
	const ms = time.Millisecond
	type edge struct {
		at   time.Duration
		high bool
	}
	type told struct {
		at   time.Duration
		high bool
	}
	for _, c := range []struct {
		name   string
		period time.Duration
		edges  []edge
		want   []told
	}{
		{"clean press", 10 * ms, []edge{{5 * ms, true}}, []told{{15 * ms, true}}},
		{"pulse shorter than the period", 10 * ms, []edge{{5 * ms, true}, {14 * ms, false}}, nil},
		{"pulse of exactly the period", 10 * ms, []edge{{5 * ms, true}, {15 * ms, false}}, []told{{15 * ms, true}, {25 * ms, false}}},
		{"press and release", 10 * ms, []edge{{0, true}, {100 * ms, false}}, []told{{10 * ms, true}, {110 * ms, false}}},
		// A bouncing wall switch: 11 edges within 3.9 ms on the way in, 7 on the way out.
		{"wall switch", 10 * ms, []edge{
			{0, true}, {120 * time.Microsecond, false}, {180 * time.Microsecond, true}, {610 * time.Microsecond, false},
			{700 * time.Microsecond, true}, {1500 * time.Microsecond, false}, {1540 * time.Microsecond, true},
			{2100 * time.Microsecond, false}, {2900 * time.Microsecond, true}, {3700 * time.Microsecond, false}, {3900 * time.Microsecond, true},
			{200 * ms, false}, {200*ms + 90*time.Microsecond, true}, {201 * ms, false}, {203 * ms, true}, {203500 * time.Microsecond, false},
			{207 * ms, true}, {208 * ms, false},
		}, []told{{13900 * time.Microsecond, true}, {218 * ms, false}}},
		{"bounces longer apart than the period are presses", 2 * ms, []edge{{0, true}, {3 * ms, false}, {6 * ms, true}},
			[]told{{2 * ms, true}, {5 * ms, false}, {8 * ms, true}}},
		{"an edge in between went missing", 10 * ms, []edge{{0, true}, {8 * ms, true}}, []told{{18 * ms, true}}},
		{"the level that is there already", 10 * ms, []edge{{0, false}, {3 * ms, false}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := time.Now()
			s := settling{period: c.period}
			var got []told
			settle := func(now time.Time) {
				if at, ok := s.settle(now); ok {
					got = append(got, told{at.Sub(base), s.level})
				}
			}
			for _, e := range c.edges {
				settle(base.Add(e.at))
				s.edge(e.high, true, base.Add(e.at))
			}
			settle(base.Add(time.Hour))
			if !slices.Equal(got, c.want) {
				t.Errorf("told %v, want %v", got, c.want)
			}
		})
	}
}

func TestSettlingSeen(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		seen []bool // of edges to the same new level
		want bool
	}{{"edge", []bool{true}, true}, {"read again", []bool{false}, false}, {"both", []bool{false, true}, true}, {"both, the other way", []bool{true, false}, true}} {
		s := settling{period: time.Millisecond}
		for _, seen := range c.seen {
			s.edge(true, seen, now)
		}
		if _, ok := s.settle(now.Add(time.Second)); !ok || s.seen != c.want {
			t.Errorf("%s: settled %v, seen %v, want %v", c.name, ok, s.seen, c.want)
		}
	}
	s := settling{period: time.Millisecond}
	s.edge(true, true, now)
	s.edge(false, true, now)
	s.edge(true, false, now)
	if s.seen {
		t.Error("a bounce that came to nothing counts as an edge of the next level")
	}
}
