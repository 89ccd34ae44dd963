package bridge

import "time"

// speed makes edges per second of the times of edges. It knows no clock.
//
// What counts is the time between edges, and not a window of time with so many in it: at one edge in ten seconds that would jump between
// none and one. While no edge comes, the speed cannot be above one edge in the time since the last one.
type speed struct {
	base   time.Time // the last edge before the current window; zero: none is known
	first  time.Time // of the window: the time that was told first, and how many edges by then
	firstN uint64
	last   time.Time // of the window, and how many edges
	n      uint64
	begun  time.Time // when an edge would have been seen
	hertz  float64
	known  bool
}

// onItsWay is how long an edge may take until it is told: a line that counts is read, and tells, a few times a second.
const onItsWay = time.Second

// begin forgets all, and says from when on edges are seen.
func (p *speed) begin(now time.Time) { *p = speed{begun: now} }

// forget is for when it is not known any more which edges there are.
func (p *speed) forget() { *p = speed{} }

// add takes n edges, the last of them at that time.
func (p *speed) add(n uint64, at time.Time, zeroAfter time.Duration) {
	before := p.base
	if p.n > 0 {
		before = p.last
	}
	if before.IsZero() || at.Sub(before) >= zeroAfter { // it only begins
		p.base, p.n = at, 0
		return
	}
	if p.n == 0 {
		p.first, p.firstN = at, n
	}
	p.n += n
	p.last = at
}

// at gives the edges per second by now, and ends the window. Without a second edge nothing is known, until no edge has come for zeroAfter.
func (p *speed) at(now time.Time, zeroAfter time.Duration) (hertz float64, known bool) {
	if p.n > 0 {
		from, n := p.base, p.n
		if active := p.last.Sub(p.first); active > 0 && p.first.Sub(p.base) > active && p.n > p.firstN {
			from, n = p.first, p.n-p.firstN // the pause before them is none of theirs
		}
		if took := p.last.Sub(from); took > 0 {
			p.hertz, p.known = float64(n)/took.Seconds(), true
		}
		p.base, p.n = p.last, 0
	}
	switch rest := p.rests(zeroAfter); {
	case rest.IsZero():
	case !now.Before(rest):
		p.base, p.begun, p.hertz, p.known = time.Time{}, time.Time{}, 0, true
	case !p.base.IsZero():
		if since := now.Sub(p.base); since >= onItsWay {
			p.hertz = min(p.hertz, 1/since.Seconds())
		}
	}
	return p.hertz, p.known
}

// rests is when it becomes 0 unless an edge comes; zero: it is, or there is nothing to wait for.
func (p *speed) rests(zeroAfter time.Duration) time.Time {
	switch {
	case p.n > 0:
		return p.last.Add(zeroAfter)
	case !p.base.IsZero():
		return p.base.Add(zeroAfter)
	case !p.begun.IsZero():
		return p.begun.Add(zeroAfter)
	}
	return time.Time{}
}
