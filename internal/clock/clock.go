// Package clock is the program's own time, which nobody can set, and what it is on the wall, once that is known.
//
// A Raspberry Pi has no clock that runs while it is off. It starts with a time that is wrong, by years perhaps, and jumps when the
// network has told it better. So nothing in the program is decided by the time on the wall: [Now] is for all that is compared,
// waited for or kept for later, and [Wall] gives what is shown to people. time.Now does as well for what takes seconds; but the
// clock that it compares by stands still while the machine sleeps, and this one does not.
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Now gives the time, for comparing with other times of Now alone: whatever happens to the clock on the wall, and however long the
// machine sleeps, the difference of two is how long it took. Its date is of no use: see [Wall]. That the machine has slept is known
// a second after it woke at the latest, and as soon as somebody asks for [Slept].
func Now() time.Time { return time.Now().Add(state.Load().look(lookEvery).slept) }

// Since gives how long t, of [Now], is ago.
func Since(t time.Time) time.Duration { return Now().Sub(t) }

// Slept gives how long the machine has slept since the program started. It never becomes less. It asks the system, which costs some
// system calls where there is no vDSO: so it is for who comes once in a while, such as with a timer.
func Slept() time.Duration { return state.Load().look(0).slept }

// Synchronised tells whether the clock on the wall is right: whether something, such as NTP, has set it and keeps it. It looks once
// a second. Without Linux it is taken for right.
func Synchronised() bool { return state.Load().look(lookEvery).synchronised }

// Wall gives the time on the wall when it was t, a time of [Now]; false: nobody knows, since the clock is not synchronised (yet).
// What happened before the clock was right has its right time as soon as the clock has. So keep t, and ask when it is told:
//
//	if at, ok := clock.Wall(reading.At); ok {
//		payload.Time = at.UTC().Format(time.RFC3339)
//	}
//
// A t that was not made in this run of the program has no meaning: a file is to hold [SinceBoot].
func Wall(t time.Time) (time.Time, bool) {
	now := state.Load().look(lookEvery)
	at := time.Now()
	ago := at.Add(now.slept).Sub(t)
	return at.Round(0).Add(-ago), now.synchronised // Round(0) takes away what Sub compares by
}

// SinceBoot gives how long after the machine's start t, of [Now], is. That goes on when the program is started anew, which [Now] does
// not: it is for files that are read in the same boot.
func SinceBoot(t time.Time) time.Duration {
	c := state.Load()
	return c.boot + t.Sub(c.made)
}

// FromBoot gives the time of [Now] that is that long after the machine's start.
func FromBoot(d time.Duration) time.Time {
	c := state.Load()
	return c.made.Add(d - c.boot)
}

// lookEvery is how often the system is asked.
const lookEvery = time.Second

// sleepLeast is the shortest sleep: less is how far apart two clocks were looked at.
const sleepLeast = 100 * time.Millisecond

// Source is what the system tells. Tests have their own.
type Source struct {
	Boot         func() time.Duration         // since the machine started, sleep included
	Slept        func() (time.Duration, bool) // of that; false: not known now
	Synchronised func() bool
}

// clock is a source, and what it said last.
type clock struct {
	source Source
	made   time.Time     // when the program started
	boot   time.Duration // and how long after the machine that was
	before time.Duration // slept before the program started
	mu     sync.Mutex    // held by the one who looks
	last   atomic.Pointer[answer]
}

// answer is what the system said, and when.
type answer struct {
	at           time.Duration // since clock.made
	slept        time.Duration
	synchronised bool
}

var state atomic.Pointer[clock]

func init() { Use(System) }

// Use has the package look at another source, and gives the function that undoes that. It is for tests.
func Use(s Source) (undo func()) {
	c := &clock{source: s}
	for range 10 {
		if c.made, c.boot = time.Now(), s.Boot(); time.Since(c.made) < time.Millisecond { // else something came between
			break
		}
	}
	c.before, _ = s.Slept()
	c.last.Store(&answer{synchronised: s.Synchronised()})
	old := state.Swap(c)
	return func() { state.Store(old) }
}

// look gives what the system says, or has said in the last while.
func (c *clock) look(while time.Duration) *answer {
	fresh := func(last *answer) bool {
		age := time.Since(c.made) - last.at
		return age >= 0 && age < while
	}
	last := c.last.Load()
	if fresh(last) {
		return last
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last = c.last.Load(); fresh(last) { // somebody has looked meanwhile
		return last
	}
	next := &answer{at: time.Since(c.made), slept: last.slept, synchronised: c.source.Synchronised()}
	if slept, ok := c.source.Slept(); ok && slept-c.before-last.slept >= sleepLeast {
		next.slept = slept - c.before
	}
	c.last.Store(next)
	return next
}
