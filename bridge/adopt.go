package bridge

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"
)

// adoption has a new state go on where an old one ends, as an input of its step. Each kind of point has its part of it beside its
// behaviour, in a file of its own.
//
// What comes of it is what a start with the new configuration would lead to, less all that the broker and the hardware have already.
type adoption struct {
	was      *state
	fresh    map[string]bool
	inputs   []pair[*input]
	outputs  []pair[*output]
	groups   []pair[*group]
	sensors  []pair[*sensor]
	counters []pair[*counter]
	encoders []pair[*encoder]

	moved   bool // the gateway has another name: everything below it is told anew
	left    []remnant
	cleared int // messages, the first of the step, that announce what is, and clear what is gone
}

// remnant is a topic that something was told on which is told there no more.
type remnant struct {
	topic  string
	retain bool // the broker keeps it
}

// pair is a point before and after. Either may be nil.
type pair[P any] struct {
	was, is P
	same    bool // its life goes on
}

func newAdoption(was, is *state, fresh map[string]bool) *adoption {
	a := &adoption{was: was, fresh: fresh, moved: was.topics.root != is.topics.root}
	a.inputs = pairs(a, was.inputs, is.inputs, was.cfg.Inputs, is.cfg.Inputs, func(c *Input) (string, string) { return c.Name, c.Entity.ID })
	a.outputs = pairs(a, was.outputs, is.outputs, was.cfg.Outputs, is.cfg.Outputs, func(c *Output) (string, string) { return c.Name, c.Entity.ID })
	a.groups = pairs(a, was.groups, is.groups, was.cfg.Groups, is.cfg.Groups, func(c *Group) (string, string) { return c.Name, c.Entity.ID })
	a.sensors = pairs(a, was.sensors, is.sensors, was.cfg.Sensors, is.cfg.Sensors, func(c *Sensor) (string, string) { return c.Name, c.Entity.ID })
	a.counters = pairs(a, was.counters, is.counters, was.cfg.Counters, is.cfg.Counters, func(c *Counter) (string, string) { return c.Name, c.Entity.ID })
	a.encoders = pairs(a, was.encoders, is.encoders, was.cfg.Encoders, is.cfg.Encoders, func(c *Encoder) (string, string) { return c.Name, c.Entity.ID })
	return a
}

// pairs joins the points of one kind that go on: by name, or else by id. Those that are gone come last.
func pairs[P, C any](a *adoption, was, is map[string]*P, before, after []C, names func(*C) (name, id string)) []pair[*P] {
	all := make([]pair[*P], 0, len(after))
	gone := map[string]*P{} // by id
	for i := range before {
		if name, id := names(&before[i]); is[name] == nil {
			gone[cmp.Or(id, name)] = was[name]
		}
	}
	renamed := map[*P]bool{}
	for i := range after {
		name, id := names(&after[i])
		p := pair[*P]{was: was[name], is: is[name], same: was[name] != nil && !a.fresh[name]}
		if old := gone[cmp.Or(id, name)]; p.was == nil && old != nil && !renamed[old] {
			p.was, renamed[old] = old, true
		}
		all = append(all, p)
	}
	for i := range before {
		if name, _ := names(&before[i]); is[name] == nil && !renamed[was[name]] {
			all = append(all, pair[*P]{was: was[name]})
		}
	}
	return all
}

// adopt goes on where another state ends.
func (s *state) adopt(a *adoption) {
	was := a.was
	s.linked, s.away = was.linked, was.away
	a.health(s)
	for i := range a.outputs {
		a.output(s, &a.outputs[i])
	}
	for i := range a.inputs {
		a.input(s, &a.inputs[i])
	}
	for i := range a.groups {
		a.group(s, &a.groups[i])
	}
	for i := range a.sensors {
		a.sensor(s, &a.sensors[i])
	}
	a.thermostats(s)
	s.totals = was.totals
	for _, c := range was.counters {
		s.totals[c.cfg.key()] = c.pulses
	}
	for i := range a.counters {
		a.counter(s, &a.counters[i])
	}
	for i := range a.encoders {
		a.encoder(s, &a.encoders[i])
	}
	a.hangs(s)
	a.keeps(s)
	a.announce(s)
	a.clear(s)
	for i := range a.outputs {
		if p := &a.outputs[i]; p.same {
			p.is.adapt(s, p.was)
		}
	}
	a.interlocks(s)
	for i := range a.groups {
		if p := &a.groups[i]; p.is != nil {
			a.look(s, p)
		}
	}
	s.awaitBroker()
	s.health.changed = s.health.changed || len(s.send) > 0 || !reflect.DeepEqual(was.about, s.about)
}

// health goes on counting. Chips that are gone are forgotten.
func (a *adoption) health(s *state) {
	soon := s.health.soon
	s.health = a.was.health
	s.health.soon = soon
	s.timers.set(&s.health.soon, a.was.health.soon.due)
	s.gone = map[string]bool{}
	for _, c := range slices.AppendSeq(slices.Clone(a.was.about.Chips), maps.Keys(a.was.gone)) {
		if !slices.Contains(s.about.Chips, c) {
			s.gone[c] = true
		}
	}
	for c := range s.gone {
		delete(s.health.chips, c)
	}
	if a.moved {
		a.leave(a.was.topics.Gateway("health"), true)
		s.health.changed = true
	}
}

// hangs goes on with chips that hang, as far as they and their points are the same.
func (a *adoption) hangs(s *state) {
	for chip, h := range a.was.hung {
		if s.gone[chip] {
			continue
		}
		still := &hung{known: h.known}
		for _, e := range h.said {
			if e.Line == "" || a.goesOn(s, e.Line) {
				still.said = append(still.said, e)
			}
		}
		s.hung[chip] = still
	}
}

// goesOn tells whether a line is the same as before.
func (a *adoption) goesOn(s *state, name string) bool {
	if was, is := a.was.contacts[name], s.contacts[name]; was != nil && is != nil {
		return !a.fresh[is.cfg.Name]
	}
	return !a.fresh[name] && (a.was.inputs[name] != nil && s.inputs[name] != nil || a.was.outputs[name] != nil && s.outputs[name] != nil ||
		a.was.counters[name] != nil && s.counters[name] != nil)
}

// available tells whether a point works, if that has changed or was told elsewhere. Was is how it was told; nil: not at all.
func (a *adoption) available(s *state, name string, is bool, was *bool) {
	if was == nil || a.moved || *was != is {
		s.available(name, is)
	}
}

// goes notes what a point leaves: a name that is no point's any more.
func (a *adoption) goes(s *state, name string) {
	if a.moved || s.points[name] == nil {
		a.leave(a.was.topics.Availability(name), true)
	}
}

// leave notes that something is not told on a topic any more; kept: the broker keeps what was told there.
func (a *adoption) leave(topic string, kept bool) { a.left = append(a.left, remnant{topic, kept}) }

// told is what was told on a topic, and how.
type told struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool
	at      time.Time // Message.At
}

// channel compares what is told of a point with what was. Either may be without a topic; without a payload nothing is known.
func (a *adoption) channel(s *state, is, was told, owner point) {
	u, kept := a.was.unkept[was.topic]
	switch {
	case was.topic == "":
	case was.topic != is.topic:
		a.leave(was.topic, was.retain || kept)
	case was.retain && !is.retain:
		a.leave(was.topic, true)
		s.unkept[is.topic] = unkept{owner: owner}
	case kept && !is.retain:
		s.unkept[is.topic] = unkept{owner, u.told}
	}
	if is.topic != "" && is.payload != nil && !is.equal(&was) {
		s.tell(&is)
	}
}

// tell publishes it.
func (s *state) tell(t *told) {
	s.publish(t.topic, t.payload, t.qos, t.retain)
	s.send[len(s.send)-1].At = t.at
}

func (t *told) equal(other *told) bool {
	return t.topic == other.topic && t.qos == other.qos && t.retain == other.retain && string(t.payload) == string(other.payload)
}

// clear has the broker forget what is gone, before anything else is told, but after Home Assistant was told not to look there any more:
// what is empty would be an error to the entities that it still has.
func (a *adoption) clear(s *state) {
	var elsewhere, documents, clears, others []Message
	now := map[string]bool{} // what is told anew, and whether the broker keeps it
	for _, m := range s.send {
		switch {
		case s.topics.discovers(m.Topic):
			documents = append(documents, m)
		case a.was.topics.discovers(m.Topic): // what is announced there cannot be announced here
			elsewhere = append(elsewhere, m)
		case m.Retain && len(m.Payload) == 0: // the announcer has found it
			clears = append(clears, m)
			now[m.Topic] = true
		default:
			others = append(others, m)
			now[m.Topic] = m.Retain
		}
	}
	for _, r := range a.left {
		keeps, again := now[r.topic]
		switch {
		case keeps:
		case r.retain:
			clears = append(clears, cleared(r.topic))
			if u, ok := s.unkept[r.topic]; ok && s.linked {
				s.unkept[r.topic] = unkept{u.owner, s.now}
			}
		case !again:
			s.drop = append(s.drop, r.topic)
		}
	}
	s.send = slices.Concat(elsewhere, documents, clears, others)
	a.cleared = len(s.send) - len(others)
}
