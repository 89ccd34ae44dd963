package bridge

// counter has a counter go on, or begin. Its total is its id's, wherever its line is now: it is the same meter to whoever reads it.
func (a *adoption) counter(s *state, p *pair[*counter]) {
	is, was := p.is, p.was
	switch {
	case is == nil:
		a.channel(s, told{}, was.told(&was.total), nil)
		a.channel(s, told{}, was.told(&was.rate), nil)
		a.goes(s, was.cfg.Name)
		return
	case was == nil:
		is.pulses = s.totals[is.cfg.key()]
		a.available(s, is.cfg.Name, false, nil)
		return
	}
	if p.same {
		is.counterLife = was.counterLife
		is.schedule(s)
	}
	is.pulses = is.goesOn(s, was)
	if is.cfg.key() != was.cfg.key() {
		s.counts = append(s.counts, Counted{ID: is.cfg.key(), Pulses: is.pulses})
	}
	renamed := was.cfg.Name != is.cfg.Name
	if a.moved || renamed {
		a.goes(s, was.cfg.Name)
	}
	if renamed && s.points[was.cfg.Name] == nil {
		s.former[was.cfg.Name] = is // what its bank has counted and not told yet comes under that name
	}
	if before := was.err == nil; renamed {
		a.available(s, is.cfg.Name, is.err == nil, nil)
	} else {
		a.available(s, is.cfg.Name, is.err == nil, &before)
	}
	a.reading(s, p, &is.total, &was.total, is.cfg.PerUnit == was.cfg.PerUnit && is.pulses == was.pulses)
	a.reading(s, p, &is.rate, &was.rate, is.cfg.Factor == was.cfg.Factor)
	if p.same && is.err == nil { // another number per unit is another total, and another rate
		if is.total.last == nil && was.total.last != nil {
			is.tellTotal(s)
		}
		if is.rate.last == nil && was.rate.last != nil {
			is.tellRate(s)
		}
		if is.cfg.Rate != nil && was.cfg.Rate == nil {
			is.rateIn = s.now.Add(is.cfg.Every)
		}
		is.schedule(s)
	}
}

// goesOn gives the total that a counter begins with in the place of another, as a start would: what is kept by its id. Only an id that is
// new takes over what was kept by the former one, if that is nobody's by now.
func (c *counter) goesOn(s *state, was *counter) uint64 {
	former := was.cfg.key()
	if pulses, known := s.totals[c.cfg.key()]; known {
		return pulses
	}
	for _, other := range s.counters {
		if other.cfg.key() == former {
			return 0
		}
	}
	return was.pulses
}

// reading goes on with what was told of one quantity, if that is the same one, in the same unit.
func (a *adoption) reading(s *state, p *pair[*counter], is, was *reading, same bool) {
	if is.Quantity == nil || was.Quantity == nil || is.Name != was.Name {
		a.channel(s, told{}, p.was.told(was), nil)
		return
	}
	if p.same && same && *is.Quantity == *was.Quantity {
		is.last = was.last
	}
	a.channel(s, p.is.told(is), p.was.told(was), p.is)
}

// told is what is told of a quantity; without a payload nothing is.
func (c *counter) told(r *reading) told {
	return told{topic: r.topic, payload: r.last, qos: c.cfg.QoS, retain: c.cfg.Retain}
}
