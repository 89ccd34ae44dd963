package bridge

// input has an input go on, or begin. Rules and gestures are those of the new configuration; a press that goes on is counted further
// where it is counted in the same way.
func (a *adoption) input(s *state, p *pair[*input]) {
	is, was := p.is, p.was
	switch {
	case is == nil:
		a.channel(s, told{}, was.told(), nil)
		a.goes(s, was.cfg.Name)
		return
	case was == nil:
		a.available(s, is.cfg.Name, false, nil)
		return
	case p.same:
		is.inputLife = was.inputLife
		if g := &is.gestures; g.presses.alike(was.gestures.presses) {
			g.presses.pressesLife = was.gestures.presses.pressesLife
			s.timers.set(&g.timer, was.gestures.timer.due)
		}
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
	a.channel(s, is.told(), was.told(), is)
}

// told is what is told of its state; without a payload nothing is.
func (i *input) told() told {
	t := told{topic: i.topic, qos: i.cfg.QoS, retain: i.cfg.Retain}
	if i.seen {
		t.payload = i.words.state(i.active)
	}
	return t
}

// alike tells whether two inputs make the same gestures of the same edges; nil ones make none.
func (p *presses) alike(other *presses) bool {
	if p == nil || other == nil {
		return false
	}
	return p.asked == other.asked && p.long == other.long && p.gap == other.gap && p.every == other.every
}
