package bridge

import (
	"fmt"
	"time"
)

// faultEvery is how often at most it is told that an output's pin does not follow, or does again: a loose contact must not flood
// the broker.
const faultEvery = time.Second

// fault is whether an output's pin follows what its chip drives. While it does not, the point is not available: its state is what
// the chip drives, and the lamp may not have it.
type fault struct {
	output *output
	now    error     // as the chip says; nil: it follows
	told   error     // as it was told
	at     time.Time // when that was
	timer  timer
}

func newFault(o *output) fault {
	return fault{output: o, timer: newTimer(func(s *state) {
		o.fault.look(s)
		for _, g := range o.groups {
			g.look(s)
		}
	})}
}

// set takes what the chip says.
func (f *fault) set(s *state, err error) {
	f.now = err
	f.look(s)
}

// look tells what has changed, or sees to it that it is told in a moment.
func (f *fault) look(s *state) {
	due := time.Time{}
	if (f.now == nil) != (f.told == nil) {
		if due = f.at.Add(faultEvery); f.at.IsZero() || !due.After(s.now) {
			due = time.Time{}
			f.tell(s)
		}
	}
	s.timers.set(&f.timer, due)
}

func (f *fault) tell(s *state) {
	f.told, f.at = f.now, s.now
	s.health.changed = true
	if o := f.output; f.told != nil {
		s.complain(s.topics.Error(o.cfg.Name), fmt.Sprintf("%s: %v", o.cfg.Name, f.told))
	}
	f.output.tellAvailable(s)
}

// drop forgets what the chip has said: it is not there any more, and says it again when it is.
func (f *fault) drop(s *state) {
	f.now, f.told = nil, nil
	s.timers.set(&f.timer, time.Time{})
}

// works tells whether an output is what it says it is.
func (o *output) works() bool { return o.err == nil && o.fault.told == nil }

// tellAvailable tells whether the output works, if that has changed.
func (o *output) tellAvailable(s *state) {
	if works := o.works(); works != o.available {
		o.available = works
		s.available(o.cfg.Name, works)
	}
}
