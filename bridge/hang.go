package bridge

import (
	"fmt"

	"gatewayd/gpio"
)

// Hang says that a call to a chip does not return, or, without an Err, that it has.
type Hang struct {
	Chip  string
	Lines []string // its points
	Err   error
}

// hung is a chip that its bank cannot speak of, and what the bank said last of it and of its lines.
type hung struct {
	said  []gpio.Event
	known bool // it had said something of the chip
}

// hang has the points of a chip fail while a call to it hangs. Its bank, which alone may speak of them otherwise, is silent then:
// whatever it says is the proof that it is back, and holds.
func (s *state) hang(h *Hang) {
	if h.Err == nil {
		s.unhang(h.Chip)
		return
	}
	if s.hung[h.Chip] != nil || s.gone[h.Chip] { // gone: it was said before a reload, and nobody would say that it is over
		return
	}
	was := new(hung)
	if err, known := s.health.chips[h.Chip]; known {
		was.known, was.said = true, append(was.said, gpio.Event{Chip: h.Chip, Err: err})
	}
	var fails []gpio.Event
	for _, name := range h.Lines {
		said := gpio.Event{Chip: h.Chip, Line: name}
		p := s.points[name]
		if e := s.contacts[name]; e != nil {
			p = e
		}
		switch p := p.(type) {
		case *output:
			said.Active, said.Err, said.Fault = p.on, p.err, p.fault.now
		case *input:
			said.Active, said.Err = p.active, p.err
		case *counter:
			said.Err = p.err
		case *encoder:
			said.Active, said.Err = p.said(name)
		default:
			continue
		}
		was.said = append(was.said, said)
		fails = append(fails, gpio.Event{Chip: h.Chip, Line: name, At: s.now, Err: fmt.Errorf("%s: %w", name, h.Err)})
	}
	s.health.chip(h.Chip, h.Err)
	s.notes = append(s.notes, note{text: h.Err.Error()})
	for i := range fails {
		s.line(&fails[i])
	}
	s.hung[h.Chip] = was
}

// unhang has what the bank said last hold again.
func (s *state) unhang(chip string) {
	was := s.hung[chip]
	if was == nil {
		return
	}
	delete(s.hung, chip)
	s.health.changed = true
	s.notes = append(s.notes, note{text: fmt.Sprintf("chip %q: the call to it has returned", chip)})
	if !was.known {
		delete(s.health.chips, chip)
	}
	for i := range was.said {
		e := &was.said[i]
		e.At = s.now
		if e.Err != errUnread {
			s.line(e)
		} else if o := s.outputs[e.Line]; o != nil {
			o.err = e.Err
		} else if i := s.inputs[e.Line]; i != nil {
			i.err = e.Err
		} else if c := s.counters[e.Line]; c != nil {
			c.err = e.Err
		} else {
			p := s.contacts[e.Line]
			p.errs[p.contact(e.Line)] = e.Err
		}
	}
}
