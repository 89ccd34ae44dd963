package gpio

import "time"

// countEvery is how often a line that counts has an event, at most: the first edge after a pause is told at once.
const countEvery = 100 * time.Millisecond

// counting is what a line that counts has counted, and nobody was told of yet.
type counting struct {
	counted uint64
	last    time.Time // of these edges
	toldAt  time.Time // when there was an event
}

// take puts what was counted into an event.
func (c *counting) take(e *Event) {
	if c.counted == 0 {
		return
	}
	e.Count, e.At = c.counted, c.last
	c.counted, c.toldAt = 0, time.Now()
}

// count takes an edge of a line that counts. Whether the line is available at the moment makes no difference: what its chip has seen did
// happen. Edges from before the first reading, and those that may be a pull's doing, are none. After a resync it is not known which
// edges there were: they are told as lost.
func (b *Bank) count(l *bankLine, e *Edge, active bool) {
	switch {
	case l.fresh, b.early(l, e):
		l.settle.set(active)
	case e.Count > 0:
		b.add(l, e.Count, e.At)
	case e.Resync:
		if active != l.settle.level {
			l.lost++
			l.settle.set(active)
		}
	case l.settle.period > 0 && !e.Settled:
		l.lost += e.Lost // they may have been bounces
		b.settled(l, e.At)
		l.settle.least = e.Every + e.Every/2
		l.settle.edge(active, true, e.At)
		if l.settle.pending {
			b.settleAt = earlier(b.settleAt, l.settle.due)
		}
	default:
		b.add(l, l.cfg.Count.counts(uint64(e.Lost)+1, active), e.At)
		l.settle.set(active)
	}
}

// add counts edges, and tells them now or soon.
func (b *Bank) add(l *bankLine, n uint64, at time.Time) {
	if n == 0 {
		return
	}
	l.counted += n
	l.last = at
	if due := l.toldAt.Add(countEvery); b.countAt.IsZero() || due.Before(b.countAt) {
		b.countAt = due
	}
}

// tellCounts tells what was counted where that is due.
func (b *Bank) tellCounts(now time.Time) {
	b.countAt = time.Time{}
	for i := range b.lines {
		l := &b.lines[i]
		if l.counted == 0 {
			continue
		}
		if due := l.toldAt.Add(countEvery); now.Before(due) {
			b.countAt = earlier(b.countAt, due)
		} else if l.ok {
			b.tell(l, l.active, false, l.last)
		} // else with the event that tells that it is available, or why it is not any more
	}
}

// edges is which edges of an input its chip is asked for, by physical level: both, or one of them.
func (c *LineConfig) edges() Count {
	if c.ActiveLow && c.Count == CountActive {
		return CountInactive
	} else if c.ActiveLow && c.Count == CountInactive {
		return CountActive
	}
	return c.Count
}
