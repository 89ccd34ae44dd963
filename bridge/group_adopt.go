package bridge

// group has a group go on, or begin. What its members are by now, look sees later.
func (a *adoption) group(s *state, p *pair[*group]) {
	is, was := p.is, p.was
	switch {
	case is == nil:
		a.channel(s, told{}, was.told(), nil)
		a.goes(s, was.cfg.Name)
		return
	case was == nil:
		return // look tells whether it is available
	}
	if p.same = is.cfg.Name == was.cfg.Name; p.same { // it has no hardware
		is.groupLife = was.groupLife // look sets the timer
	}
	if a.moved || !p.same {
		a.goes(s, was.cfg.Name)
	}
	if p.same {
		a.available(s, is.cfg.Name, is.available, &is.available)
	}
	a.channel(s, is.told(), was.told(), is)
}

// look has a group see its members, which may be others, or not work any more.
func (a *adoption) look(s *state, p *pair[*group]) {
	p.is.look(s)
	if !p.same && !p.is.available {
		s.available(p.is.cfg.Name, false)
	}
}

// told is what is told of its state; without a payload nothing is.
func (g *group) told() told {
	t := told{topic: g.topic, qos: g.cfg.QoS, retain: g.cfg.Retain}
	if g.seen {
		t.payload = g.words.state(g.on)
	}
	return t
}
