//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// input is gpio-sim's pull file of a line: the world that drives it.
type input struct{ *os.File }

func openInput(path string) (input, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	return input{f}, err
}

func (i input) set(high bool) error {
	s := "pull-down"
	if high {
		s = "pull-up"
	}
	_, err := i.WriteAt([]byte(s), 0)
	return err
}

// watchPin is gpio-sim's value file of an output, and the times until it changed.
//
// The file can only be polled, and each look takes CPU from the daemon that is to make the change. So there is none until
// shortly before the soonest time at which a change has been seen so far (nothing is lost by that: a change that comes sooner
// is seen then and brings that time down), and afterwards one every twentieth of the time waited, or -look: what is measured
// is at most that much too long, for every program alike.
type watchPin struct {
	*os.File
	times
	soonest time.Duration
}

func openPin(path string) (*watchPin, error) {
	f, err := os.Open(path)
	return &watchPin{File: f}, err
}

func (p *watchPin) high() (bool, error) {
	var b [1]byte
	if _, err := unix.Pread(int(p.Fd()), b[:], 0); err != nil {
		return false, fmt.Errorf("%s: %w", p.Name(), err)
	}
	return b[0] == '1', nil
}

// wait notes how long after start the pin is as wanted, or that it is not within the limit.
func (p *watchPin) wait(start time.Time, want func(high bool) bool) error {
	sleep(time.Until(start.Add(p.soonest * 3 / 4)))
	for {
		high, err := p.high()
		if err != nil {
			return err
		}
		d := time.Since(start)
		switch {
		case want(high):
			p.add(d)
			if p.soonest == 0 || d < p.soonest {
				p.soonest = d
			}
			return nil
		case d > *limit:
			p.lost++
			return nil
		}
		sleep(max(*look, d/20))
	}
}

// sleep is more precise than time.Sleep, which counts in milliseconds where nothing else runs.
func sleep(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) {
		ts := unix.NsecToTimespec(d.Nanoseconds())
		unix.Nanosleep(&ts, nil)
	}
}

// times gathers round trips.
type times struct {
	d    []time.Duration
	lost int
}

func (t *times) add(d time.Duration) { t.d = append(t.d, d) }

// Times are round trips in numbers, in microseconds.
type Times struct {
	N    int   `json:"n"`
	Lost int   `json:"lost"`
	Min  int64 `json:"min"`
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	Max  int64 `json:"max"`
}

func (t *times) sum() *Times {
	s := &Times{N: len(t.d), Lost: t.lost}
	if s.N == 0 {
		return s
	}
	slices.Sort(t.d)
	q := func(p float64) int64 { return t.d[int(p*float64(s.N-1))].Microseconds() }
	s.Min, s.P50, s.P90, s.P99, s.Max = q(0), q(.5), q(.9), q(.99), q(1)
	return s
}

func (t *Times) String() string {
	if t.N == 0 {
		return fmt.Sprintf("nothing arrived, lost=%d", t.Lost)
	}
	ms := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	return fmt.Sprintf("n=%d lost=%d min=%v p50=%v p90=%v p99=%v max=%v", t.N, t.Lost, ms(t.Min), ms(t.P50), ms(t.P90), ms(t.P99), ms(t.Max))
}
