package gpio

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSimChip(t *testing.T) {
	var s *Sim
	testChip(t, chipHarness{
		fresh:    func(*testing.T) { s = NewSim(8) },
		open:     func() (Chip, error) { return s.Open() },
		drive:    func(o uint32, high bool) { s.Drive(o, high) },
		float:    func(o uint32) { s.Float(o) },
		level:    func(o uint32) bool { return s.Level(o) },
		inputs:   []uint32{0, 3},
		outputs:  []uint32{1, 2, 7},
		refused:  8,
		pulls:    []Pull{PullUp, PullDown},
		vanish:   func() { s.Fail(errors.New("gone")) },
		comeBack: func() { s.Recover() },
	})
}

func TestSimPress(t *testing.T) {
	s := NewSim(4)
	suiteClaim(t, s, LineConfig{Name: "a", Offset: 0, Pull: PullUp, ActiveLow: true}, LineConfig{Name: "b", Offset: 1})
	s.Press(0)
	s.Press(1)
	if s.Level(0) || !s.Level(1) {
		t.Errorf("pressed: high %v, %v, want false (active-low), true", s.Level(0), s.Level(1))
	}
	s.Release(0)
	s.Release(1)
	if !s.Level(0) || s.Level(1) {
		t.Errorf("released: high %v, %v, want true (active-low), false", s.Level(0), s.Level(1))
	}
}

func TestSimLosesOldestEdges(t *testing.T) {
	s := NewSim(2)
	suiteClaim(t, s, LineConfig{Name: "a", Offset: 0}, LineConfig{Name: "b", Offset: 1})
	s.Press(1)
	high := false
	for range simEdges + 4 {
		high = !high
		s.Drive(0, high)
	}
	s.Release(1)
	ctx, cancel := context.WithCancel(t.Context())
	edges := make(chan Edge)
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, edges) }()
	var seen, lost [2]int
	for range simEdges {
		e := <-edges
		seen[e.Offset]++
		lost[e.Offset] += int(e.Lost)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Watch: %v", err)
	}
	if got, want := [2]int{seen[0] + lost[0], seen[1] + lost[1]}, [2]int{simEdges + 4, 2}; got != want {
		t.Errorf("seen %v + lost %v = %v, want %v", seen, lost, got, want)
	}
}

func TestSimShortCircuit(t *testing.T) {
	s := NewSim(2)
	suiteClaim(t, s, LineConfig{Name: "out", Offset: 0, Output: true, Initial: On})
	s.Drive(0, false)
	if v, err := s.Read(LinesOf(0)); err != nil || !v.High.Has(0) || !v.Fault.Has(0) {
		t.Errorf("Read of a shorted output: %+v, %v, want high with a fault", v, err)
	}
	s.Float(0)
	if v, err := s.Read(LinesOf(0)); err != nil || !v.High.Has(0) || v.Fault.Has(0) {
		t.Errorf("Read afterwards: %+v, %v, want high and no fault", v, err)
	}
}

func TestSimHookAndFailures(t *testing.T) {
	s := NewSim(2)
	var told []bool
	s.OnOutput(func(o uint32, high bool) { told = append(told, high) })
	c, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(); err == nil {
		t.Error("a second Open of an open chip: no error")
	}
	line := LineConfig{Name: "out", Offset: 0, Output: true, Initial: Off}
	suiteClaim(t, c, line)
	for _, high := range []bool{false, true, true, false} {
		l := Lines{}
		l.Set(0, high)
		if err := c.Write(LinesOf(0), l); err != nil {
			t.Fatal(err)
		}
	}
	if want := []bool{false, true, false}; len(told) != 3 || told[0] != want[0] || told[1] != want[1] || told[2] != want[2] {
		t.Errorf("told %v, want %v", told, want)
	}
	busy := errors.New(`in use by "spi0 CS0"`)
	s.FailLine(0, busy)
	if errs := c.Claim([]LineConfig{line}); len(errs) != 1 || errs[0] != busy {
		t.Errorf("Claim of a held line: %v", errs)
	}
	s.FailLine(0, nil)
	suiteClaim(t, c, line)
	gone := errors.New("gone")
	s.Fail(gone)
	if errs := c.Claim([]LineConfig{line}); len(errs) != 1 || errs[0] != gone {
		t.Errorf("Claim of a chip that is gone: %v", errs)
	}
	s.Recover()
	if _, err := c.Read(LinesOf(0)); err != gone {
		t.Errorf("Read before Open: %v, want %v", err, gone)
	}
	c.Close()
	if _, err := s.Open(); err != nil {
		t.Errorf("Open after Recover: %v", err)
	}
}

func TestSimWatchEndsWithClose(t *testing.T) {
	s := NewSim(1)
	c, _ := s.Open()
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(t.Context(), make(chan Edge)) }()
	time.Sleep(10 * time.Millisecond)
	c.Close()
	select {
	case <-ended:
	case <-time.After(suiteWait):
		t.Error("Watch did not return after Close")
	}
}
