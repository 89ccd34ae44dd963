package bridge

import (
	"fmt"
	"time"
)

// Interlock is a group of outputs of which one at most may be on.
type Interlock struct {
	Name     string
	Outputs  []string
	DeadTime time.Duration // between one's confirmed OFF and another's ON
}

// interlock is a group of outputs; a nil interlock guards nothing.
type interlock struct {
	cfg     *Interlock
	outputs []*output
}

func (s *state) interlock(cfg *Interlock) error {
	l := &interlock{cfg: cfg}
	for _, name := range cfg.Outputs {
		o := s.outputs[name]
		if o == nil || o.interlock != nil {
			return fmt.Errorf("bridge: interlock %q: %q is no output, or is in two interlocks", cfg.Name, name)
		}
		o.interlock = l
		l.outputs = append(l.outputs, o)
	}
	return nil
}

// guard tells whether an output may be switched on: at once, or after a wait until another one has been off for the dead time.
// An output counts as on from the wish for ON until its OFF is confirmed, and while its state is not known,
// or its pin does not follow.
func (l *interlock) guard(o *output, now time.Time) (wait bool, err error) {
	if l == nil {
		return false, nil
	}
	for _, other := range l.outputs {
		switch {
		case other == o:
		case other.err != nil:
			return false, fmt.Errorf("interlock %q: whether %q is on is not known: %w", l.cfg.Name, other.cfg.Name, other.err)
		case other.fault.now != nil: // OFF is driven, but its pin may be on
			return false, fmt.Errorf("interlock %q: whether %q is on is not known: %w", l.cfg.Name, other.cfg.Name, other.fault.now)
		case other.late != nil:
			wait = true
		case other.wished || other.waiting != nil || other.on && !other.pending:
			return false, fmt.Errorf("interlock %q: %q is on", l.cfg.Name, other.cfg.Name)
		case other.pending || other.since.Add(l.cfg.DeadTime).After(now):
			wait = true
		}
	}
	return wait, nil
}

// free tells when the dead time of the others will be over; zero: not yet known.
func (l *interlock) free(o *output, now time.Time) (at time.Time) {
	for _, other := range l.outputs {
		if other == o {
			continue
		}
		if other.pending || other.late != nil {
			return time.Time{}
		}
		if end := other.since.Add(l.cfg.DeadTime); end.After(now) && end.After(at) {
			at = end
		}
	}
	return at
}

// patience tells how long an ON waits at most: the others have their time to confirm OFF, once they may be switched, and the dead time.
func (l *interlock) patience(now time.Time) time.Time {
	end := now
	for _, other := range l.outputs {
		if other.late != nil && other.ready().After(end) {
			end = other.ready()
		}
	}
	return end.Add(confirmWithin + l.cfg.DeadTime)
}

// recheck lets a waiting output see whether its time has come.
func (l *interlock) recheck(s *state) {
	if l == nil {
		return
	}
	for _, o := range l.outputs {
		if o.waiting != nil {
			o.tick(s)
		}
	}
}

// found switches all off when more than one is found on.
func (l *interlock) found(s *state) {
	if l == nil {
		return
	}
	n := 0
	for _, o := range l.outputs {
		if o.seen && o.on && o.err == nil {
			n++
		}
	}
	if n < 2 {
		return
	}
	for _, o := range l.outputs {
		o.blink.drop(s)
		o.cut(s, "interlock")
		s.complain(s.topics.Error(o.cfg.Name), fmt.Sprintf("%s: interlock %q: more than one is on, all are switched off", o.cfg.Name, l.cfg.Name))
	}
}
