package bridge

import (
	"bytes"
	"maps"
	"slices"
)

// announce has the announcer go on with what the broker has already. While it is away that is not known: the next connection tells, as
// after a start.
func (a *adoption) announce(s *state) {
	is, was := s.announcer, a.was.announcer
	is.spread, is.known, is.full = was.spread, was.known, was.full
	if len(is.books) > 0 { // else the next time is a new one
		is.silent = was.silent
	}
	is.again, is.restate, is.news = was.again, was.restate, was.news && len(is.books) > 0
	may := maps.Clone(was.may)
	for topic := range was.sent {
		may[topic] = true
	}
	for topic := range was.known {
		may[topic] = true
	}
	for _, topic := range slices.Sorted(maps.Keys(may)) {
		if !s.topics.discovers(topic) { // no connection to come asks for it
			is.clear(s, topic)
			delete(was.sent, topic)
			delete(is.known, topic)
		} else if !s.linked {
			is.may[topic] = true
			s.drop = append(s.drop, topic)
		}
	}
	if !s.linked {
		is.schedule(s)
		return
	}
	is.sent, is.partial = was.sent, true
	if is.restate.IsZero() || was.some != nil {
		is.some = map[string]bool{}
		maps.Copy(is.some, was.some)
	}
	if !was.finish.IsZero() { // what is to go has no time yet
		is.late, is.held = was.finish, was.held
		is.schedule(s)
		return
	}
	is.reconcile(s)
}

// differs tells whether a document with these components is not as it was published last, and notes of which points it tells anything
// new.
func (a *announcer) differs(topic string, components []component, document []byte) bool {
	if bytes.Equal(a.sent[topic], document) {
		return false
	}
	if a.some == nil {
		return true
	}
	known := map[string]*component{}
	before := a.known[topic].components
	for i := range before {
		known[before[i].key] = &before[i]
	}
	for i := range components {
		c := &components[i]
		if old := known[c.key]; old == nil || a.held[c.point] || !bytes.Equal(old.json(), c.json()) {
			a.some[c.point] = true
		}
	}
	return true
}

// retellSome tells the states of those points again whose components are new to Home Assistant.
func (a *announcer) retellSome(s *state) {
	for _, name := range slices.Sorted(maps.Keys(a.some)) {
		if p := s.points[name]; p != nil {
			p.retell(s)
		}
	}
	clear(a.some)
}
