package bridge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever the edges, the rate is no more than one edge in the time since the last one, and no more than what came between two edges
// allows; without any it is 0.
func TestSpeedBound(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		zero := time.Duration(1+r.IntN(100)) * time.Second
		var p speed
		start := time.Now()
		now := start
		p.begin(now)
		var last time.Time
		least := time.Hour // between two edges
		for range 200 {
			now = now.Add(time.Duration(r.Int64N(int64(zero) * 3 / 2)))
			if r.IntN(3) > 0 {
				n := uint64(1)
				if !last.IsZero() && now.After(last) {
					n = 1 + r.Uint64N(5)
					least = min(least, now.Sub(last)/time.Duration(n))
				}
				p.add(n, now, zero)
				last = now
			}
			now = now.Add(time.Duration(r.Int64N(int64(zero) / 2)))
			hertz, known := p.at(now, zero)
			switch since := now.Sub(last); {
			case math.IsNaN(hertz) || hertz < 0 || hertz > 1.001/least.Seconds():
				t.Fatalf("seed %d: %v Hz, of edges that are never closer than %v", seed, hertz, least)
			case !last.IsZero() && since >= onItsWay && hertz > 1/since.Seconds():
				t.Fatalf("seed %d: %v Hz %v after the last edge", seed, hertz, since)
			case !last.IsZero() && since >= zero && (hertz != 0 || !known):
				t.Fatalf("seed %d: %v Hz (known %v) %v after the last edge, 0 is after %v", seed, hertz, known, since, zero)
			}
		}
	}
}

// A steady signal has its own rate, however its edges are told.
func TestSpeedSteady(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Microsecond, 10 * time.Millisecond, 999 * time.Millisecond, 7 * time.Second, 50 * time.Second} {
		for _, told := range []time.Duration{100 * time.Millisecond, 130 * time.Millisecond} {
			start := time.Now()
			var p speed
			p.begin(start)
			n := uint64(0) // edges so far, the last at n*every
			looked := start
			for at := start.Add(told); at.Sub(start) < 5*time.Minute; at = at.Add(told) {
				if now := uint64(at.Sub(start) / every); now > n {
					p.add(now-n, start.Add(time.Duration(now)*every), 10*time.Minute)
					n = now
				}
				if at.Sub(looked) < 10*time.Second {
					continue
				}
				looked = at
				hertz, known := p.at(at, 10*time.Minute)
				want := 1 / every.Seconds()
				if n > 2 && (!known || math.Abs(hertz-want) > want/1000) {
					t.Fatalf("every %v, told every %v: after %v %v Hz (known %v), want %v", every, told, at.Sub(start), hertz, known, want)
				}
			}
		}
	}
}

// After a pause that is longer than zero_after the first edge only begins, though nobody has asked for the rate meanwhile.
func TestSpeedBegins(t *testing.T) {
	start := time.Now()
	var p speed
	p.begin(start)
	p.add(1, start.Add(time.Second), time.Minute)
	p.add(1, start.Add(2*time.Hour), time.Minute)
	if hertz, known := p.at(start.Add(2*time.Hour+100*time.Millisecond), time.Minute); known {
		t.Errorf("%v Hz of the first edge after two hours, want nothing known", hertz)
	}
	p.add(1, start.Add(2*time.Hour+500*time.Millisecond), time.Minute)
	if hertz, known := p.at(start.Add(2*time.Hour+600*time.Millisecond), time.Minute); !known || hertz != 2 {
		t.Errorf("%v Hz (known %v), want 2", hertz, known)
	}
}
