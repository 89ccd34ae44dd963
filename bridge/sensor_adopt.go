package bridge

// sensor has a sensor go on, or begin.
func (a *adoption) sensor(s *state, p *pair[*sensor]) {
	is, was := p.is, p.was
	switch {
	case is == nil:
		for n := range was.topics {
			a.channel(s, told{}, was.told(n), nil)
		}
		a.goes(s, was.cfg.Name)
		return
	case was == nil:
		a.available(s, is.cfg.Name, false, nil)
		return
	}
	if p.same {
		is.sensorLife = was.sensorLife
	}
	renamed := was.cfg.Name != is.cfg.Name
	if a.moved || renamed {
		a.goes(s, was.cfg.Name)
	}
	if before := was.err == nil; renamed {
		a.available(s, is.cfg.Name, is.err == nil, nil)
	} else {
		a.available(s, is.cfg.Name, is.err == nil, &before)
	}
	for n := range was.topics {
		m := is.find(was.cfg.Quantities[n].Name)
		if m < 0 {
			a.channel(s, told{}, was.told(n), nil)
			continue
		}
		if p.same {
			is.last[m] = was.last[n]
		}
		a.channel(s, is.told(m), was.told(n), is)
	}
}

// find gives the place of a quantity, or -1.
func (p *sensor) find(quantity string) int {
	for n := range p.cfg.Quantities {
		if p.cfg.Quantities[n].Name == quantity {
			return n
		}
	}
	return -1
}

// told is what is told of a quantity; without a payload nothing is.
func (p *sensor) told(n int) told {
	return told{p.topics[n], p.last[n], p.cfg.QoS, p.cfg.Retain}
}
