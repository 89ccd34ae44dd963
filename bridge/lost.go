package bridge

import (
	"fmt"
	"time"
)

// BrokerLost is what becomes of an output when the broker has been away for long.
type BrokerLost struct {
	After time.Duration // away for that long without a break; 0: nothing is done
	Do    Verb          // VerbOff or VerbOn
}

// link takes a change of the connection. At the start there is none, and the time counts from then.
func (s *state) link(up bool) {
	if s.linked = up; up {
		s.away = time.Time{}
		s.health.changed = true
	} else if s.away.IsZero() { // else it is the next attempt that has failed
		s.away = s.now
		s.offline()
	} else {
		return
	}
	for _, o := range s.order {
		o.lost = time.Time{}
		if after := o.cfg.OnLost.After; after > 0 && !up {
			o.lost = s.away.Add(after)
		}
	}
	s.awaitBroker()
}

// awaitBroker sets when the broker has been away for too long for one of the outputs.
func (s *state) awaitBroker() {
	due := time.Time{}
	for _, o := range s.order {
		due = earliest(due, o.lost)
	}
	s.timers.set(&s.lost, due)
}

// brokerLost does what is due: OFF comes first, in case an interlock makes ON depend on it.
func (s *state) brokerLost() {
	for _, verb := range []Verb{VerbOff, VerbOn} {
		for _, o := range s.order {
			if o.cfg.OnLost.Do == verb && reached(o.lost, s.now) {
				o.lost = time.Time{}
				o.brokerLost(s)
			}
		}
	}
	s.awaitBroker()
}

// brokerLost makes the wish for it, once for each time that the broker goes. It is a wish like any other: whoever wishes after it
// has his way, and nothing is taken back when the broker returns. What it changes is told: somebody will wonder.
func (o *output) brokerLost(s *state) {
	if s.stopping {
		return
	}
	c := Command{Point: o.cfg.Name, Verb: o.cfg.OnLost.Do, Source: "broker lost"}
	news := o.wanted() != (c.Verb == VerbOn)
	if err := o.command(s, c); err != nil {
		s.refuse(c.Point, c, err)
	} else if news {
		s.complain(s.topics.Error(c.Point), fmt.Sprintf("%s: %v, since the broker has been away for %s", c.Point, c.Verb, Hours(o.cfg.OnLost.After)))
	}
}
