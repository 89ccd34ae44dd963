package bridge

import (
	"fmt"
	"time"

	"gatewayd/gpio"
)

// event is what the chip says of the line.
func (o *output) event(s *state, e *gpio.Event) {
	o.chip = e.Chip
	if e.Err != nil {
		was := o.err
		o.err = e.Err
		o.fault.drop(s)
		o.tellAvailable(s)
		s.ails(o.cfg.Name, was, e.Err)
		o.release(s)
		return
	}
	returned := o.err != nil
	if returned {
		o.err = nil
		s.health.changed = true
	}
	o.fault.set(s, e.Fault)
	o.tellAvailable(s)
	if !e.Active && (o.on || returned || o.maybe) {
		o.since = s.now
		o.maybe = o.wished
	}
	if returned || o.on != e.Active {
		o.switched = s.now
	}
	o.seen, o.on = true, e.Active
	o.publish(s)
	switch {
	case o.pending && o.wished == o.on:
		o.confirmed(s)
	case !o.pending && (returned || o.source == "" && o.on != o.wished):
		o.found(s)
	}
	o.schedule(s)
	o.interlock.recheck(s)
}

// confirmed ends a wish: the time that an ON lasts begins.
func (o *output) confirmed(s *state) {
	o.pending, o.limit = false, time.Time{}
	o.followed()
	if o.on && o.length > 0 {
		o.off.sooner(s.now.Add(o.length), "its time is over")
	}
	o.length = 0
}

// found looks at an output that is on without a wish of this run, or again after its chip was away. As long as nobody has wished, what is
// heard last is what it is: after a reload the first may be what the line where it was before said at its end.
func (o *output) found(s *state) {
	o.wished = o.on
	switch {
	case !o.on || !o.off.at.IsZero():
	case o.resume():
	case o.cfg.Pulse > 0:
		o.cut(s, "found on, and it only pulses")
	}
	if o.wished && o.off.from.IsZero() {
		o.off.from = s.now
	}
	if o.wished && o.cfg.MaxOn > 0 {
		o.off.sooner(s.now.Add(o.cfg.MaxOn), "max_on")
	}
	if o.wished {
		o.interlock.found(s)
	}
}

// withdraw gives up a wish that was not confirmed in time, and wishes what was confirmed last.
func (o *output) withdraw(s *state) {
	s.health.refused++
	s.complain(s.topics.Error(o.cfg.Name), fmt.Sprintf("%s: %s: ON was not confirmed within %v and is withdrawn%s",
		o.cfg.Name, o.source, confirmWithin, because(o.err)))
	if !o.seen || !o.on {
		o.cut(s, "withdrawn")
	} else {
		if o.length > 0 {
			o.off.sooner(s.now.Add(o.length), "its time is over")
			o.length = 0
		}
		if !o.before.at.IsZero() {
			o.off.sooner(o.before.at, o.before.by)
			o.off.timed = o.off.timed || o.before.timed
		}
		o.off.from = o.before.from
		o.drive(s, true, "withdrawn")
	}
	if o.seen {
		o.publish(s)
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
