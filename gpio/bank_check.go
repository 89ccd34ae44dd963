package gpio

import (
	"fmt"
	"time"
)

// check reads all lines, and sets right what no edge and no wish explains.
func (b *Bank) check() error {
	if !b.claimAt.IsZero() && !time.Now().Before(b.claimAt) {
		b.claim()
	}
	v, err := b.chip.Read(b.claimed())
	if err != nil {
		return err
	}
	b.take(b.edges, edgesWaiting) // those that came while it was read explain what was read
	now, repair := time.Now(), false
	b.came(now)
	b.checkAt, b.recheckAt = now.Add(b.cfg.Check), time.Time{}
	for i := range b.lines {
		l := &b.lines[i]
		valid, active := v.Valid.Has(l.cfg.Offset), v.High.Has(l.cfg.Offset) != l.cfg.ActiveLow
		switch {
		case l.irq != nil:
			b.seeInterrupt(l, &v)
		case l.refused != nil:
			b.unavailable(l, l.refused, false)
		case l.cfg.Output && l.wished && !l.follows(&v):
			if !l.differs && !l.unsure {
				b.log.Warn("an output was not what it should be, and is written again", "line", l.cfg.Name)
			}
			l.wants, repair = max(l.wants, wantsRepair), true
		case l.cfg.Output, !valid, !l.ok:
			asked := l.unsure
			l.differs, l.unsure = false, false
			b.confirm(l, &v, asked)
		case active == l.active, l.settle.pending, l.cfg.Count != CountNone:
			l.suspect = 0
		case l.suspect == suspectFor: // still, and no edge came
			b.confirm(l, &v, false)
		default:
			l.suspect++
			b.recheckAt = now.Add(recheckAfter)
		}
	}
	if repair {
		return b.write()
	}
	return nil
}

// seeInterrupt takes what was read of an interrupt line. While it is active it signals at every check: an edge may have been missed.
func (b *Bank) seeInterrupt(l *bankLine, v *Levels) {
	err := l.refused
	if err == nil && !v.Valid.Has(l.cfg.Offset) {
		err = errNotValid
		b.claimAt = earlier(b.claimAt, time.Now().Add(claimEvery))
	}
	if err == nil {
		l.reason = ""
		l.irq.saw(v.High.Has(l.cfg.Offset) != l.cfg.ActiveLow, true)
		return
	}
	if reason := err.Error(); reason != l.reason {
		l.reason = reason
		err = fmt.Errorf("%s: %w", l.what, err)
		b.log.Warn("a line is not available", "err", err)
		l.irq.failed(err)
	}
}

// look reads an interrupt line because someone asks.
func (b *Bank) look(q question) {
	o := q.of.cfg.Offset
	if at := b.at[o]; at != 0 && b.lines[at-1].irq == q.of && b.lines[at-1].refused == nil {
		if v, err := b.chip.Read(LinesOf(o)); err == nil && v.Valid.Has(o) {
			q.of.saw(v.High.Has(o) != q.of.cfg.ActiveLow, false)
		} // else the last edge's level is the answer, and the next check's matter
	}
	q.answer <- struct{}{}
}
