package bridge

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// leaving are the outputs of which this is the end, as an input of the last step of a state.
type leaving struct {
	gone    []*output // they are not in the configuration to come, or elsewhere
	renamed []*output // they are, under another name
}

func (a *adoption) leaving() (l leaving) {
	for i := range a.outputs {
		switch p := &a.outputs[i]; {
		case p.was == nil || p.same:
		case p.is == nil || a.fresh[p.is.cfg.Name]:
			l.gone = append(l.gone, p.was)
		default:
			l.renamed = append(l.renamed, p.was)
		}
	}
	return l
}

// leave does what these outputs do at the end: nothing tells of them any more.
func (s *state) leave(l leaving) {
	for _, o := range l.gone {
		o.leaves = true
		if o.blink != nil {
			o.blink.stop(s)
		}
		o.exit(s)
	}
	for _, o := range l.renamed {
		if o.blink != nil {
			o.blink.stop(s)
		}
		if c := o.waiting; c != nil {
			o.waiting = nil
			s.refuse(o.cfg.Name, *c, errors.New("it was given another name before that was carried out"))
		}
	}
}

// output has an output go on, or begin.
func (a *adoption) output(s *state, p *pair[*output]) {
	is, was := p.is, p.was
	if is == nil {
		a.channel(s, told{}, was.told(), nil)
		a.goes(s, was.cfg.Name)
		return
	}
	if !p.same {
		is.begin(s, a, p)
		return
	}
	is.outputLife = was.outputLife
	is.fault.now, is.fault.told, is.fault.at = was.fault.now, was.fault.told, was.fault.at
	s.timers.set(&is.fault.timer, was.fault.timer.due)
	s.timers.set(&is.timer, was.timer.due)
	if b := was.blink; b != nil {
		is.blink = &blink{output: is, was: b.was, end: b.end}
		is.blink.timer = newTimer(is.blink.next)
		s.timers.set(&is.blink.timer, b.timer.due)
	}
	if a.moved {
		a.goes(s, was.cfg.Name)
	}
	a.available(s, is.cfg.Name, is.available, &is.available)
	a.channel(s, is.told(), was.told(), is)
}

// begin begins an output whose hardware was not there, or goes by another name: what is kept of it holds as after a start.
func (o *output) begin(s *state, a *adoption, p *pair[*output]) {
	if after := o.cfg.OnLost.After; after > 0 && !s.linked {
		o.lost = s.now.Add(after)
	}
	if p.was == nil {
		a.available(s, o.cfg.Name, false, nil)
		return
	}
	if o.kept = p.was.kept; o.kept != nil && p.was.leaves && !p.was.wished {
		o.kept = new(Kept) // it was switched off at the end
	}
	renamed := p.was.cfg.Name != o.cfg.Name
	if a.moved || renamed {
		a.goes(s, p.was.cfg.Name)
	}
	if renamed {
		a.available(s, o.cfg.Name, false, nil)
	} else {
		a.available(s, o.cfg.Name, false, &p.was.available)
	}
	a.channel(s, o.told(), p.was.told(), o)
}

// told is what is told of its state; without a payload nothing is.
func (o *output) told() told {
	t := told{topic: o.topic, qos: o.cfg.QoS, retain: o.cfg.Retain}
	if o.seen {
		t.payload = o.words.state(o.on)
	}
	return t
}

// keeps has what is kept of outputs go by their names of now.
func (a *adoption) keeps(s *state) {
	for i := range a.outputs {
		if p := &a.outputs[i]; p.was != nil && p.was.kept != nil && (p.is == nil || p.is.cfg.key() != p.was.cfg.key()) {
			s.keep = append(s.keep, keepsake{p.was.cfg.key(), nil})
		}
	}
	for i := range a.outputs {
		if p := &a.outputs[i]; p.is != nil && p.is.kept != nil && p.is.cfg.key() != p.was.cfg.key() {
			s.keep = append(s.keep, keepsake{p.is.cfg.key(), p.is.kept})
		}
	}
}

// adapt has what is new in an output's configuration hold from now on.
func (o *output) adapt(s *state, was *output) {
	is, before := o.cfg, was.cfg
	if is.OnLost != before.OnLost {
		if o.lost = (time.Time{}); is.OnLost.After > 0 && !s.linked {
			o.lost = s.away.Add(is.OnLost.After)
		}
	}
	guarded := o.interlock.equal(was.interlock)
	if guarded && is.MaxOn == before.MaxOn && is.Pulse == before.Pulse && is.MinInterval == before.MinInterval && is.Restore == before.Restore {
		return
	}
	if o.wished {
		if is.MaxOn != before.MaxOn {
			o.off.limit(is.MaxOn, o.length > 0)
			o.before.limit(is.MaxOn, false)
		}
		if is.Pulse > 0 && before.Pulse == 0 && !o.off.timed && o.blink == nil {
			o.off.sooner(o.off.from.Add(is.Pulse), "its time is over")
			o.off.timed = true
		}
	}
	if o.waiting != nil {
		o.tick(s)
	}
	o.schedule(s)
}

// limit has an ON that was given no end of its own end by max_on, counted from its beginning; waits: its own end is not known yet.
func (e *ending) limit(most time.Duration, waits bool) {
	if e.from.IsZero() {
		return
	}
	if !e.timed || waits {
		e.at, e.by = time.Time{}, ""
	}
	if most > 0 {
		e.sooner(e.from.Add(most), "max_on")
	}
}

// equal tells whether two interlocks guard the same.
func (l *interlock) equal(other *interlock) bool {
	if l == nil || other == nil {
		return l == other
	}
	return l.cfg.DeadTime == other.cfg.DeadTime && l.cfg.Name == other.cfg.Name && slices.Equal(l.cfg.Outputs, other.cfg.Outputs)
}

// interlocks looks at those that are new or have other outputs: of what is on already, no two may be of one.
func (a *adoption) interlocks(s *state) {
	var seen []*interlock
	for i := range a.outputs {
		p := &a.outputs[i]
		if p.is == nil || p.is.interlock == nil || slices.Contains(seen, p.is.interlock) || p.was != nil && p.is.interlock.equal(p.was.interlock) {
			continue
		}
		seen = append(seen, p.is.interlock)
		p.is.interlock.adopted(s)
	}
}

// adopted switches all off when more than one is on, or is to be.
func (l *interlock) adopted(s *state) {
	n := 0
	for _, o := range l.outputs {
		if o.wished || o.seen && o.on && o.err == nil {
			n++
		}
	}
	if n < 2 {
		return
	}
	for _, o := range l.outputs {
		if !o.wished && !o.on && o.waiting == nil {
			continue
		}
		o.blink.drop(s)
		o.cut(s, "interlock")
		s.complain(s.topics.Error(o.cfg.Name), fmt.Sprintf("%s: interlock %q: more than one is on, all are switched off", o.cfg.Name, l.cfg.Name))
	}
}
