package bridge

import (
	"fmt"
	"time"
)

// An output with a min_interval is switched at most that often: relays wear out, compressors break, and a controller that has gone
// mad must not make one rattle. No wish is refused for it: one that comes too early waits, and the latest of them is carried out.
// What only prolongs an ON switches nothing and does not wait.

// ready tells when the output may be switched again.
func (o *output) ready() time.Time { return o.switched.Add(o.cfg.MinInterval) }

// early tells whether it is too early to be switched. It never is at the end, nor while the chip is away: what it finds when it
// returns must be the latest wish, if that is OFF, and any other is refused.
func (o *output) early(s *state) bool {
	return o.cfg.MinInterval > 0 && o.err == nil && !s.stopping && !o.leaves && s.now.Before(o.ready())
}

// latest is the latest wish, carried out or not.
func (o *output) latest() bool { return o.wished && o.late == nil || o.waiting != nil }

// held gives the wish that came too early and waits, if there is one.
func (o *output) held() *Command {
	if o.late == nil && o.waitEnd.IsZero() {
		return o.waiting
	}
	return o.late
}

// tellHeld tells of a wish that gave way to a later one before its time had come, and of one that waits for longer than anybody
// waits for an answer.
func (o *output) tellHeld(s *state, before *Command, c Command) {
	if before != nil && (before.Verb == VerbOff) != (c.Verb == VerbOff) {
		s.refuse(o.cfg.Name, *before, fmt.Errorf("%v by %s came before it was carried out: min_interval is %s", c.Verb, c.Source, Hours(o.cfg.MinInterval)))
	}
	if wait := o.ready().Sub(s.now); o.held() != nil && wait > confirmWithin {
		text := fmt.Sprintf("%s: %v by %s waits for %s: min_interval is %s",
			o.cfg.Name, c.Verb, c.Source, Hours(wait.Round(time.Second)), Hours(o.cfg.MinInterval))
		s.send = append(s.send, Message{Topic: s.topics.Error(o.cfg.Name), Payload: []byte(text), QoS: 1}) // it is no failure
		o.retell(s)
	}
}

// release gives up what waits, since the chip is away: an OFF is what it must find when it returns, an ON is refused.
func (o *output) release(s *state) {
	c := o.held()
	switch {
	case c == nil:
	case c.Verb == VerbOff:
		o.command(s, *c)
	default:
		o.waiting = nil
		o.schedule(s)
		s.refuse(o.cfg.Name, *c, fmt.Errorf("not available: %w", o.err))
	}
}
