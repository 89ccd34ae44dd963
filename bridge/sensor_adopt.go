package bridge

import "time"

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
	for n := range is.last {
		if m := was.find(is.cfg.Quantities[n].Name); p.same && m >= 0 {
			is.last[n], is.at = was.last[m], was.at
		}
	}
	for n := range was.topics {
		if m := is.counterpart(was, n); m < 0 {
			a.channel(s, told{}, was.told(n), nil)
		} else {
			a.channel(s, is.told(m), was.told(n), is)
		}
	}
	for n := range is.topics {
		if was.counterpart(is, n) < 0 {
			a.channel(s, is.told(n), told{}, is)
		}
	}
}

// counterpart gives the place of a topic for what another sensor tells on one of its own, or -1.
func (p *sensor) counterpart(other *sensor, n int) int {
	switch {
	case p.cfg.JSON != other.cfg.JSON:
		return -1
	case p.cfg.JSON:
		return 0
	}
	return p.find(other.cfg.Quantities[n].Name)
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

// told is what is told on one of the topics; without a payload nothing is.
func (p *sensor) told(n int) told {
	if p.cfg.JSON {
		return told{p.topics[0], p.object(), p.cfg.QoS, p.cfg.Retain, p.at}
	}
	return told{p.topics[n], p.last[n], p.cfg.QoS, p.cfg.Retain, time.Time{}}
}
