package bridge

import (
	"fmt"
	"maps"

	"gatewayd/internal/near"
)

// restate tells states again, for somebody who has just begun to listen: all, or only those that the broker does not keep.
func (s *state) restate(all bool) {
	for i := range s.cfg.Inputs {
		if p := s.inputs[s.cfg.Inputs[i].Name]; p.err == nil && (all || !p.cfg.Retain) {
			p.retell(s)
		}
	}
	for _, o := range s.order {
		if o.err == nil && (all || !o.cfg.Retain) {
			o.publish(s)
		}
	}
	for i := range s.cfg.Counters {
		if p := s.counters[s.cfg.Counters[i].Name]; p.err == nil && (all || !p.cfg.Retain) {
			p.retell(s)
		}
	}
	for i := range s.cfg.Encoders {
		if p := s.encoders[s.cfg.Encoders[i].Name]; p.err() == nil && (all || !p.cfg.Retain) {
			p.retell(s)
		}
	}
	for i := range s.cfg.Sensors { // others measure soon, and tell it
		if p := s.sensors[s.cfg.Sensors[i].Name]; p.err == nil && (all || !p.cfg.Retain) && p.cfg.holdsBack() {
			p.retell(s)
		}
	}
	for i := range s.cfg.Groups {
		if g := &s.cfg.Groups[i]; all || !g.Retain {
			s.targets[g.Name].retell(s)
		}
	}
}

// refuse tells why a command changed nothing.
func (s *state) refuse(name string, c Command, reason error) {
	s.health.refused++
	s.answer(s.topics.Error(name), fmt.Sprintf("%s: %s refused: %v", name, c.Source, reason))
	if p := s.targets[name]; p != nil {
		p.retell(s)
	}
}

// unknown answers a command that is for no point.
func (s *state) unknown(topic, name string) {
	s.health.refused++
	text := fmt.Sprintf("command on %q: no such point", cut(topic))
	if meant := near.Of(name, maps.Keys(s.targets)); meant != "" {
		text += fmt.Sprintf(", did you mean %q?", meant)
	}
	s.answer(s.topics.Gateway("error"), text)
}

// overflow tells of commands that found the queue full.
func (s *state) overflow(in overflow) {
	s.health.commands += uint64(in.n)
	s.health.refused += uint64(in.n)
	text := fmt.Sprintf("%d commands refused: they came faster than they can be carried out", in.n)
	topic := s.topics.Gateway("error")
	if name := s.topics.Target(in.topic); s.points[name] != nil {
		topic = s.topics.Error(name)
		text = name + ": " + text
	}
	s.answer(topic, text)
}

// note is a line for the log.
type note struct {
	text    string
	outside bool // somebody out there causes it, and may cause many
}

// complain publishes what went wrong, and has it logged.
func (s *state) complain(topic, text string) { s.explain(topic, note{text: text}) }

// answer publishes why a command was refused, and has it logged.
func (s *state) answer(topic, text string) { s.explain(topic, note{text: text, outside: true}) }

func (s *state) explain(topic string, n note) {
	s.notes = append(s.notes, n)
	s.wrong(n.text)
	s.send = append(s.send, Message{Topic: topic, Payload: []byte(n.text), QoS: 1})
}

// ails publishes why a point is not available, each reason once, and has health say the same. Whoever found it has logged it.
func (s *state) ails(name string, was, err error) {
	if err == nil && was == nil || err != nil && was != nil && err.Error() == was.Error() {
		return
	}
	s.health.changed = true
	if err != nil {
		s.wrong(err.Error())
		s.send = append(s.send, Message{Topic: s.topics.Error(name), Payload: []byte(err.Error()), QoS: 1})
	}
}

// publish sends a point's state.
func (s *state) publish(topic string, payload []byte, qos byte, retain bool) {
	s.send = append(s.send, Message{Topic: topic, Payload: payload, QoS: qos, Retain: retain, State: true})
}

var online, offline = []byte("online"), []byte("offline")

// available says whether a point works.
func (s *state) available(name string, yes bool) {
	payload := offline
	if yes {
		payload = online
	}
	s.publish(s.topics.Availability(name), payload, 1, true)
}
