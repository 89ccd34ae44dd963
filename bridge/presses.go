package bridge

import "time"

// holdMost is how long Hold is told of one press: a button that is stuck must not flood the broker.
const holdMost = time.Minute

// presses makes gestures of one input's edges. It knows no clock: the times are those of the edges, and of whoever calls pass. At
// a moment that an edge and a gesture share, the gesture comes first.
type presses struct {
	asked            triggers
	long, gap, every time.Duration
	most             int // clicks that are counted together

	pressesLife

	found []Trigger // what the current call gives, reused by the next
}

// pressesLife is how far they have come. A reload leaves it as it is.
type pressesLife struct {
	down   bool      // a press was seen, and no release since
	slow   bool      // it is no click any more
	since  time.Time // when it began
	clicks int       // that wait for more
	due    time.Time // when the next thing happens though no edge comes; zero: nothing does
}

func (p *presses) ask(t Trigger) {
	p.asked.add(t)
	if t >= Click && t <= Triple {
		p.most = max(p.most, int(t-Click)+1)
	}
}

// edge takes the next edge and gives all that is certain now, in order: first what had to happen before it, then the edge itself,
// and what it completes.
func (p *presses) edge(active bool, at time.Time) []Trigger {
	p.pass(at)
	if active {
		p.found = append(p.found, Pressed)
		p.press(at)
	} else {
		p.found = append(p.found, Released)
		p.release(at)
	}
	return p.found
}

func (p *presses) press(at time.Time) {
	if p.down {
		p.clicks = 0 // a release went missing, and who knows what else
	}
	p.down, p.slow, p.since, p.due = true, false, at, time.Time{}
	if p.asked.has(Long) || p.asked.has(Hold) {
		p.due = at.Add(p.long)
	}
}

func (p *presses) release(at time.Time) {
	seen := p.down
	p.down, p.due = false, time.Time{}
	switch {
	case !seen:
		p.clicks = 0
	case p.slow:
	case p.clicks+1 < p.most:
		p.clicks++
		p.due = at.Add(p.gap)
	default:
		p.clicks++
		p.count()
	}
}

// pass gives what happens until a time without an edge.
func (p *presses) pass(until time.Time) []Trigger {
	p.found = p.found[:0]
	for !p.due.IsZero() && !p.due.After(until) {
		switch {
		case !p.down:
			p.due = time.Time{}
			p.count()
		case !p.slow:
			p.slow = true
			p.count()
			p.tell(Long)
			p.again(p.every)
		default:
			p.tell(Hold)
			p.again(p.every * (until.Sub(p.due)/p.every + 1)) // what was missed is left out
		}
	}
	return p.found
}

// again has Hold told after a while, if anybody wants it.
func (p *presses) again(after time.Duration) {
	p.due = p.due.Add(after)
	if !p.asked.has(Hold) || p.due.Sub(p.since) > p.long+holdMost {
		p.due = time.Time{}
	}
}

// count tells the clicks that belong together.
func (p *presses) count() {
	switch n := p.clicks; {
	case n == 3:
		p.tell(Triple)
	case n == 2 && p.asked.has(Double):
		p.tell(Double)
	default:
		for range n {
			p.tell(Click)
		}
	}
	p.clicks = 0
}

func (p *presses) tell(t Trigger) {
	if p.asked.has(t) {
		p.found = append(p.found, t)
	}
}

// lose forgets what has begun: something was not seen.
func (p *presses) lose() {
	p.down, p.clicks, p.due = false, 0, time.Time{}
}
