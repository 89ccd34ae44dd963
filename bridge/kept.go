package bridge

import (
	"cmp"
	"time"
)

// Kept is what is kept of an output for the next run, in case this one ends before the output does.
type Kept struct {
	On    bool      // the state last confirmed, or an ON that has an end and is on its way
	End   time.Time // when the ON ends by itself, as package clock has the time; zero: it has no end
	Timed bool      // its pulse or the command's "for" ends it, and not max_on alone
}

const (
	// keptSlack is how much the end of an ON may move before it is kept anew: the time of a usual confirmation, lest each pulse
	// be kept twice.
	keptSlack = 25 * time.Millisecond
	// keptLeast is how long a pulse must last to be kept. An output that only pulses is switched off when it is found on, and no
	// restart takes less than this: bells and door openers wear no card.
	keptLeast = 2 * time.Second
)

// keepsake is a change of what is kept; without a Kept nothing is, any more.
type keepsake struct {
	id string
	*Kept
}

// key is what the output's state is kept by: it stays when the name is changed.
func (c *Output) key() string { return cmp.Or(c.Entity.ID, c.Name) }

// recall takes what an earlier run has kept, before the first step.
func (s *state) recall(kept map[string]Kept) {
	for _, o := range s.order {
		if k, ok := kept[o.cfg.key()]; ok {
			o.kept = &k
		}
	}
}

// remember notes what is to be kept of the outputs that this step has dealt with, as far as that has changed.
func (s *state) remember() {
	for _, o := range s.touched {
		o.touched = false
		k, keeps := o.keeps(s.now)
		switch {
		case keeps && (o.kept == nil || !k.like(o.kept)):
			o.kept = new(Kept)
			*o.kept = k
		case !keeps && o.kept != nil:
			o.kept = nil
		default:
			continue
		}
		s.keep = append(s.keep, keepsake{o.cfg.key(), o.kept})
	}
	s.touched = s.touched[:0]
}

// like tells whether the difference is not worth a write.
func (k *Kept) like(other *Kept) bool {
	return k.On == other.On && k.Timed == other.Timed && k.End.IsZero() == other.End.IsZero() && k.End.Sub(other.End).Abs() <= keptSlack
}

// keeps is what is to be kept of the output, if anything is.
func (o *output) keeps(now time.Time) (k Kept, ok bool) {
	k = Kept{On: true, End: o.off.at, Timed: o.off.timed}
	asItWas := func() (Kept, bool) {
		if o.kept == nil {
			return Kept{}, false
		}
		return *o.kept, true
	}
	switch {
	case o.blink != nil:
		return asItWas()
	case o.late != nil:
		k.End, k.Timed = o.ready(), true // it is as good as off
	case o.pending && o.wished:
		if o.length > 0 && !o.limit.IsZero() {
			at := o.limit.Add(o.length - confirmWithin) // if it were confirmed at once
			k.End = earliest(k.End, at)
		}
		if k.End.IsZero() {
			return asItWas() // without an end it counts once it is confirmed
		}
	case o.pending, o.err != nil:
		return asItWas() // an ON holds until it is known to be over
	case !o.on:
		k = Kept{}
	}
	switch {
	case o.cfg.Restore:
	case k.End.IsZero(), o.cfg.Pulse > 0 && k.Timed && k.End.Sub(now) < keptLeast:
		return Kept{}, false
	}
	return k, true
}

// resume goes on with the end that an earlier run gave to the ON that is found, and tells whether it had one.
func (o *output) resume() bool {
	k := o.kept
	if k == nil || !k.On || k.End.IsZero() || !k.Timed && o.cfg.MaxOn == 0 {
		return false
	}
	o.off = ending{at: k.End, by: "max_on", timed: k.Timed}
	if k.Timed {
		o.off.by = "its time is over"
	} else {
		o.off.from = k.End.Add(-o.cfg.MaxOn)
	}
	return true
}

// Restored tells which outputs of those that are to be restored have a state to restore, by name, and which: an ON that would be over
// by now is off, and so are all of an interlock of which more than one was on.
func Restored(cfg *Config, kept map[string]Kept, now time.Time) map[string]bool {
	on := map[string]bool{}
	for i := range cfg.Outputs {
		c := &cfg.Outputs[i]
		if k, ok := kept[c.key()]; ok && c.Restore {
			on[c.Name] = k.On && !reached(k.End, now)
		}
	}
	for i := range cfg.Interlocks {
		n := 0
		for _, name := range cfg.Interlocks[i].Outputs {
			if on[name] {
				n++
			}
		}
		for _, name := range cfg.Interlocks[i].Outputs {
			if n > 1 && on[name] {
				on[name] = false
			}
		}
	}
	return on
}
