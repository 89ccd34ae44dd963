package bridge

import "cmp"

// encoder has an encoder go on, or begin.
func (a *adoption) encoder(s *state, p *pair[*encoder]) {
	is, was := p.is, p.was
	switch {
	case is == nil:
		a.channel(s, told{}, was.state(), nil)
		a.goes(s, was.cfg.Name)
		return
	case was == nil:
		a.available(s, is.cfg.Name, false, nil)
		return
	case p.same:
		is.encoderLife = was.encoderLife
		if is.cfg.Steps != was.cfg.Steps {
			is.contacts.perStep = cmp.Or(is.cfg.Steps, DefaultSteps)
			is.contacts.begin()
		}
	default:
		is.position = was.position
	}
	renamed := was.cfg.Name != is.cfg.Name
	if a.moved || renamed {
		a.goes(s, was.cfg.Name)
	}
	if before := was.err() == nil; renamed {
		a.available(s, is.cfg.Name, is.err() == nil, nil)
	} else {
		a.available(s, is.cfg.Name, is.err() == nil, &before)
	}
	is.told = is.told || p.same && is.err() == nil
	a.channel(s, is.state(), was.state(), is)
}

// state is what is told of its position; without a payload nothing is.
func (p *encoder) state() told {
	if !p.cfg.Position {
		return told{}
	}
	t := told{topic: p.topic, qos: p.cfg.QoS, retain: p.cfg.Retain}
	if p.told {
		t.payload = p.payload()
	}
	return t
}
