package gpio

import "time"

// take takes up to n edges that wait.
func (b *Bank) take(edges <-chan Edge, n int) {
	for range n {
		select {
		case e := <-edges:
			b.edge(&e)
		default:
			return
		}
	}
}

// edge takes one edge. This is the way from a button to everything else: no allocation, no map, no timer where nothing settles.
func (b *Bank) edge(e *Edge) {
	if e.Offset >= MaxLines || b.at[e.Offset] == 0 {
		return
	}
	l := &b.lines[b.at[e.Offset]-1]
	active := e.High != l.cfg.ActiveLow
	if l.irq != nil {
		l.irq.saw(active, true)
		return
	}
	if l.cfg.Output {
		return
	}
	if l.cfg.Count != CountNone {
		b.count(l, e, active)
		return
	}
	l.lost += e.Lost
	if !l.ok {
		return // the line's next event tells what was lost
	}
	l.suspect = 0
	seen := !e.Resync && !b.early(l, e)
	if l.settle.period > 0 && !e.Settled {
		b.settled(l, e.At)
		l.settle.least = e.Every + e.Every/2 // the next reading has come by then
		l.settle.edge(active, seen, e.At)
		if l.settle.pending {
			b.settleAt = earlier(b.settleAt, l.settle.due)
			return
		}
		active = l.active
	} else if l.settle.period == 0 && seen {
		b.tell(l, active, true, e.At)
		return
	}
	// Settled by the chip, or read again: only a change counts. What was lost is told all the same.
	l.settle.set(active)
	if changed := active != l.active; changed || l.lost > 0 {
		b.tell(l, active, changed && seen, e.At)
	}
}

// early tells that an edge is older than the line's first reading, which has told what it did; or, of a line with a pull, that it came so
// soon that it may be the pull's doing. It is no press then.
func (b *Bank) early(l *bankLine, e *Edge) bool {
	quiet := time.Duration(0)
	if l.cfg.Pull == PullUp || l.cfg.Pull == PullDown {
		quiet = startQuiet + l.cfg.Debounce
	}
	return e.At.Before(l.since.Add(quiet))
}

// settled tells the level that has settled by now, if there is one.
func (b *Bank) settled(l *bankLine, now time.Time) {
	if at, ok := l.settle.settle(now); ok && l.cfg.Count != CountNone {
		b.add(l, l.cfg.Count.counts(1, l.settle.level), at)
	} else if ok {
		b.tell(l, l.settle.level, l.settle.seen, at)
	}
}
