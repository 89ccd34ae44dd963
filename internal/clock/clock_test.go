package clock

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// made is a source whose answers a test gives.
type made struct {
	slept, boot  time.Duration
	unknown      bool
	synchronised bool
	looks        int
}

func (m *made) source() Source {
	start := time.Now()
	return Source{
		Slept:        func() (time.Duration, bool) { m.looks++; return m.slept, !m.unknown },
		Boot:         func() time.Duration { return m.boot + m.slept + time.Since(start) },
		Synchronised: func() bool { return m.synchronised },
	}
}

func TestSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := made{slept: 3 * time.Hour} // before the program started
		defer Use(m.source())()
		step := func(after, slept time.Duration, unknown bool, want time.Duration) {
			t.Helper()
			m.slept, m.unknown = 3*time.Hour+slept, unknown
			time.Sleep(after)
			if got := time.Until(Now()); got != want {
				t.Errorf("slept %v, want %v", got, want)
			}
		}
		start := Now()
		step(lookEvery, 0, false, 0)
		step(lookEvery/2, time.Hour, false, 0) // it has looked a moment ago
		step(lookEvery/2, time.Hour, false, time.Hour)
		step(lookEvery, time.Hour+sleepLeast/2, false, time.Hour) // two clocks that were not looked at at once
		step(lookEvery, time.Hour+10*time.Second, true, time.Hour)
		step(lookEvery, time.Hour+10*time.Second, false, time.Hour+10*time.Second)
		step(lookEvery, 0, false, time.Hour+10*time.Second) // never less
		if got, want := Since(start), time.Hour+10*time.Second+6*lookEvery; got != want {
			t.Errorf("since the start %v, want %v", got, want)
		}
		m.slept = 3*time.Hour + 2*time.Hour
		if got := Slept(); got != 2*time.Hour { // it asks at once
			t.Errorf("slept %v, want 2h", got)
		}
	})
}

// The system is asked once a second, by whoever comes first, however many ask.
func TestLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m made
		defer Use(m.source())()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 1000 {
					Now()
					Synchronised()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if m.looks < 9 || m.looks > 12 {
			t.Errorf("looked %d times in 10 s, want about 10", m.looks)
		}
	})
}

func TestWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m made
		defer Use(m.source())()
		before := Now()
		wall := time.Now().Round(0)
		time.Sleep(time.Minute)
		if _, ok := Wall(before); ok {
			t.Error("known, want unknown: the clock is not synchronised")
		}
		m.synchronised = true
		time.Sleep(lookEvery)
		if at, ok := Wall(before); !ok || !at.Equal(wall) {
			t.Errorf("%v, %v, want %v", at, ok, wall)
		}
		m.slept = 5 * time.Hour // the time on the wall goes on meanwhile, in this test it does not
		time.Sleep(lookEvery)
		if at, _ := Wall(before); !at.Equal(wall.Add(-5 * time.Hour)) {
			t.Errorf("after a sleep %v, want %v", at, wall.Add(-5*time.Hour))
		}
		after := Now()
		if at, _ := Wall(after); !at.Equal(time.Now()) {
			t.Errorf("now is %v, want %v", at, time.Now())
		}
		m.synchronised = false
		time.Sleep(lookEvery)
		if _, ok := Wall(before); ok {
			t.Error("known, want unknown: the clock is not kept any more")
		}
	})
}

func TestBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := made{boot: time.Hour}
		defer Use(m.source())()
		at := Now().Add(10 * time.Minute)
		if got := SinceBoot(at); got != 70*time.Minute {
			t.Errorf("%v after the boot, want 70m", got)
		}
		m.slept = 2 * time.Hour
		time.Sleep(lookEvery)
		if got := SinceBoot(at); got != 70*time.Minute {
			t.Errorf("after a sleep %v after the boot, want 70m", got)
		}
		if got := FromBoot(70 * time.Minute); !got.Equal(at) {
			t.Errorf("70m after the boot is %v, want %v", got, at)
		}
	})
}

// The system's own clocks make sense: they move, and agree with each other.
func TestSystem(t *testing.T) {
	boot, at := System.Boot(), Now()
	for Since(at) < 20*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	if took, boots := Since(at), System.Boot()-boot; (took - boots).Abs() > time.Second {
		t.Errorf("%v went by, and %v since the boot", took, boots)
	}
	if wall, _ := Wall(at); time.Since(wall).Abs() > time.Minute {
		t.Errorf("%v on the wall, want about %v", wall, time.Now())
	}
	if got := SinceBoot(Now()); (got - System.Boot()).Abs() > time.Second {
		t.Errorf("%v since the boot, want %v", got, System.Boot())
	}
	t.Logf("boot %v ago, slept %v, synchronised %v", System.Boot(), Slept(), Synchronised())
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}
