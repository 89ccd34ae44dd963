package bridge

import (
	"cmp"
	"errors"
	"strconv"

	"gatewayd/gpio"
)

// Encoder is a rotary encoder: a knob that tells its steps. Its two contacts are lines of their own, see Contacts.
type Encoder struct {
	Name     string
	Label    string // free text for people
	Steps    int    // changes of its contacts from one detent to the next: 4, 2 or 1
	Position bool   // steps clockwise less those the other way are told as its state
	Topic    string // of the position; empty: <prefix>/<device>/<name>
	QoS      byte
	Retain   bool // the position
	Entity   Entity
}

// DefaultSteps is what most encoders have: a whole round of their contacts from one detent to the next.
const DefaultSteps = 4

// Contacts gives what the lines of the two contacts are called.
func (c *Encoder) Contacts() [2]string { return [2]string{c.Name + "/a", c.Name + "/b"} }

// encoder is an Encoder at work.
type encoder struct {
	cfg   *Encoder
	topic string
	turns string // the topic of its steps
	rules []*rule
	encoderLife
}

// encoderLife is what an encoder has become. A reload leaves it as it is.
type encoderLife struct {
	chip     string
	errs     [2]error // why a contact is not available
	contacts quadrature
	position int
	told     bool // the position was told, ever
}

func newEncoder(cfg *Encoder, t *Topics) *encoder {
	return &encoder{cfg: cfg, topic: t.State(cfg.Name), turns: t.Event(cfg.Name),
		encoderLife: encoderLife{errs: [2]error{errUnread, errUnread}, contacts: quadrature{perStep: cmp.Or(cfg.Steps, DefaultSteps)}}}
}

// err is why it is not available.
func (p *encoder) err() error {
	if p.errs[0] != nil {
		return p.errs[0]
	}
	return p.errs[1]
}

func (p *encoder) event(s *state, e *gpio.Event) {
	contact, was := p.contact(e.Line), p.err()
	p.chip, p.errs[contact] = e.Chip, e.Err
	if is := p.err(); is != was {
		if (is == nil) != (was == nil) {
			s.available(p.cfg.Name, is == nil)
			s.health.changed = true
		}
		s.ails(p.cfg.Name, was, is)
		if is == nil {
			p.retell(s)
		}
	}
	switch {
	case e.Err != nil:
		p.contacts.forget(contact)
	case e.Edge && e.Lost == 0:
		if step := p.contacts.edge(contact, e.Active); step != 0 && p.err() == nil {
			p.turn(s, step)
		}
	case p.contacts.read(contact, e.Active) && e.Lost == 0:
		s.health.lost++ // which way it went nobody knows
	}
}

// contact tells which of the contacts a line is.
func (p *encoder) contact(line string) int {
	if line == p.cfg.Contacts()[1] {
		return 1
	}
	return 0
}

// said gives what was told of one of its lines.
func (p *encoder) said(line string) (active bool, err error) {
	n := p.contact(line)
	return p.contacts.active[n], p.errs[n]
}

// turn tells a step, and carries out the rules that wait for it.
func (p *encoder) turn(s *state, step int) {
	did := Clockwise
	if step < 0 {
		did = Counterclockwise
	}
	p.position += step
	s.send = append(s.send, Message{Topic: p.turns, Payload: payloads[did], QoS: p.cfg.QoS})
	if p.cfg.Position {
		p.retell(s)
	}
	s.fire(p.rules, did)
}

func (p *encoder) retell(s *state) {
	if p.cfg.Position {
		p.told = true
		s.publish(p.topic, p.payload(), p.cfg.QoS, p.cfg.Retain)
	}
}

func (p *encoder) payload() []byte { return strconv.AppendInt(nil, int64(p.position), 10) }

func (p *encoder) command(*state, Command) error {
	return errors.New("it is a rotary encoder and takes no commands")
}
