package bridge

import (
	"errors"

	"gatewayd/gpio"
)

// Input is a line that is watched.
type Input struct {
	Name  string
	Label string // free text for people
	Channel
	Entity   Entity
	Gestures Gestures
	Keep     bool // each gesture that cannot be told in time is told late
}

// errUnread is why a point is not available before its hardware has said anything.
var errUnread = errors.New("not read yet")

type input struct {
	cfg   *Input
	topic string
	words wordings
	rules []*rule

	gestures gestures
	inputLife
}

// inputLife is what an input has become. A reload leaves it as it is.
type inputLife struct {
	chip   string
	err    error // why it is not available
	seen   bool  // a state has been told, ever
	active bool  // as last told
}

func newInput(cfg *Input, t *Topics) *input {
	i := &input{cfg: cfg, topic: t.State(cfg.Name), words: newWordings(cfg.PayloadOn, cfg.PayloadOff), inputLife: inputLife{err: errUnread}}
	i.gestures.topic = t.Event(cfg.Name)
	if cfg.Keep {
		i.gestures.late = t.Late(i.gestures.topic)
	}
	for _, g := range cfg.Gestures.Told {
		i.gestures.told.add(g)
		i.ask(g)
	}
	return i
}

func (i *input) event(s *state, e *gpio.Event) {
	i.chip = e.Chip
	if e.Err != nil || !e.Edge || e.Lost > 0 {
		i.lose(s)
	}
	if e.Err != nil {
		if i.err == nil {
			s.available(i.cfg.Name, false)
		}
		s.ails(i.cfg.Name, i.err, e.Err)
		i.err = e.Err
		return
	}
	news := e.Edge || i.err != nil || i.active != e.Active
	if i.err != nil {
		i.err = nil
		s.health.changed = true
		s.available(i.cfg.Name, true)
	}
	i.seen, i.active = true, e.Active
	if news {
		i.retell(s)
	}
	if e.Edge {
		i.edge(s, e)
	}
}

func (i *input) retell(s *state) {
	if i.seen {
		s.publish(i.topic, i.words.state(i.active), i.cfg.QoS, i.cfg.Retain)
	}
}

func (i *input) command(*state, Command) error {
	return errors.New("it is an input and takes no commands")
}
