package gpio

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	edgesWaiting = 256                   // between Watch and the bank; behind it the kernel keeps 1024 for each line
	edgesAtOnce  = 64                    // taken before wishes have their turn
	recheckAfter = 50 * time.Millisecond // an edge that was on its way has arrived by then
)

// retryAfter are the pauses after one, two, ... failed transactions in a row. After the last the chip counts as failed.
var retryAfter = [...]time.Duration{20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}

var (
	errStoppedWatching = errors.New("the chip stopped watching its lines without saying why")
	errNotValid        = errors.New("the chip does not give its state any more; it is tried again")
)

// session is the time from opening a chip to closing it.
type session struct {
	chip     Chip
	timer    *time.Timer
	armed    time.Time // when timer fires
	failures int       // in a row
	unread   bool      // the failure was a check's, which has to be done again

	// When to do what; zero: never.
	retryAt, checkAt, recheckAt, claimAt, settleAt time.Time
}

// serve works with an open chip until ctx ends, which is no error, or the chip fails.
func (b *Bank) serve(ctx context.Context, chip Chip) error {
	b.session = session{chip: chip, timer: time.NewTimer(time.Hour)}
	defer b.timer.Stop()
	edges, ended, stop := b.start(ctx)
	defer stop()
	if err := b.begin(ctx, edges); err != nil {
		return err
	}
	for {
		b.arm()
		var err error
		select {
		case <-ctx.Done():
			b.finish()
			return nil
		case err = <-ended:
			if ctx.Err() != nil {
				continue
			}
			b.take(edges, edgesWaiting)
			if err == nil {
				err = errStoppedWatching
			}
			return err
		case <-b.wake:
			if b.retryAt.IsZero() { // else the wishes are written then
				err = b.attempt(false)
			}
		case e := <-edges:
			b.edge(&e)
			b.take(edges, edgesAtOnce)
		case now := <-b.timer.C:
			b.armed = time.Time{}
			err = b.due(now, edges)
		case q := <-b.asks:
			b.look(q)
		}
		if err != nil {
			return err
		}
	}
}

// start claims the lines, so that no edge is missed from then on, and has a goroutine watch them, which stop ends and awaits.
func (b *Bank) start(ctx context.Context) (edges chan Edge, ended chan error, stop func()) {
	b.takeWishes()
	for i := range b.lines {
		b.lines[i].ok = false
	}
	b.claim()
	ctx, cancel := context.WithCancel(ctx)
	edges, ended = make(chan Edge, edgesWaiting), make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ended <- b.chip.Watch(ctx, edges)
	}()
	return edges, ended, func() { cancel(); <-gone }
}

// begin reads all lines for the first time, and tells them.
func (b *Bank) begin(ctx context.Context, edges <-chan Edge) error {
	v, err := b.chip.Read(b.claimed())
	for _, pause := range retryAfter {
		if err == nil {
			break
		}
		select {
		case <-time.After(pause):
			v, err = b.chip.Read(b.claimed())
		case <-ctx.Done():
			return nil
		}
	}
	if err != nil {
		return err
	}
	b.up()
	for i := range b.lines {
		l := &b.lines[i]
		l.suspect, l.differs, l.faults, l.settle.pending = false, false, 0, false
		asked := l.wants == wantsWish
		switch {
		case l.irq != nil:
			b.seeInterrupt(l, &v)
		case l.refused != nil:
			b.unavailable(l, l.refused, asked)
		default:
			b.confirm(l, &v, asked)
		}
		l.wants = wantsNothing
	}
	b.checkAt = time.Now().Add(b.cfg.Check)
	return nil
}

// claim asks the chip for all lines; what works already stays as it is.
func (b *Bank) claim() {
	lines := make([]LineConfig, len(b.lines))
	for i := range b.lines {
		l := &b.lines[i]
		if l.wished && (l.refused != nil || !l.ok) { // it gets what is wished now
			l.cfg.Initial = Off
			if l.wish {
				l.cfg.Initial = On
			}
		}
		lines[i] = l.cfg
	}
	errs := b.chip.Claim(lines)
	b.claimAt = time.Time{}
	for i := range b.lines {
		l := &b.lines[i]
		l.refused = nil
		if i < len(errs) && errs[i] != nil {
			l.refused = errs[i]
			b.claimAt = time.Now().Add(claimEvery)
		}
	}
}

// claimed gives the lines that the chip has granted.
func (b *Bank) claimed() (l Lines) {
	for i := range b.lines {
		if b.lines[i].refused == nil {
			l.Set(b.lines[i].cfg.Offset, true)
		}
	}
	return l
}

// takeWishes fetches what Set was told.
func (b *Bank) takeWishes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.wishes {
		if w := &b.wishes[i]; w.waiting {
			l := &b.lines[i]
			l.wished, l.wish, l.wants = true, w.active, wantsWish
			w.waiting = false
		}
	}
}

// attempt writes what is wanted, and checks all lines if that is due. A failure is forgiven, and tried again soon, unless there
// were too many in a row.
func (b *Bank) attempt(check bool) error {
	err := b.write()
	if err == nil && check {
		err = b.check()
	}
	if err == nil {
		b.failures, b.retryAt, b.unread = 0, time.Time{}, false
		return nil
	}
	if b.failures == len(retryAfter) {
		return err
	}
	b.retryAt = time.Now().Add(retryAfter[b.failures])
	b.unread = b.unread || check
	b.failures++
	return nil
}

// write writes all wants in one go, reads back, and tells what the chip confirms. What fails stays wanted.
func (b *Bank) write() error {
	b.takeWishes()
	var mask, high Lines
	for i := range b.lines {
		l := &b.lines[i]
		switch {
		case l.wants == wantsNothing:
		case l.refused != nil:
			b.unavailable(l, l.refused, l.wants == wantsWish)
			l.wants = wantsNothing // the wish is what it gets when it is claimed
		default:
			mask.Set(l.cfg.Offset, true)
			high.Set(l.cfg.Offset, l.cfg.Level(l.wish))
		}
	}
	if mask.Empty() {
		return nil
	}
	if err := b.chip.Write(mask, high); err != nil {
		return err
	}
	v, err := b.chip.Read(mask)
	if err != nil {
		return err
	}
	for i := range b.lines {
		l := &b.lines[i]
		if l.wants == wantsNothing {
			continue
		}
		asked := l.wants == wantsWish || !l.differs
		l.differs = l.wants == wantsRepair
		l.wants = wantsNothing
		b.confirm(l, &v, asked)
	}
	return nil
}

// confirm takes what was read of a line, and tells it if it is news, or asked for.
func (b *Bank) confirm(l *bankLine, v *Levels, asked bool) {
	o := l.cfg.Offset
	if !v.Valid.Has(o) {
		b.unavailable(l, errNotValid, asked)
		b.claimAt = earlier(b.claimAt, time.Now().Add(claimEvery)) // in case the chip lost the line altogether
		return
	}
	active := v.High.Has(o) != l.cfg.ActiveLow
	if l.cfg.Output && !l.wished {
		l.wished, l.wish = true, active // what it is from now on stands for a wish
	}
	news := !l.ok || active != l.active
	switch {
	case !v.Fault.Has(o):
		if l.fault != nil {
			news = true
			b.log.Info("an output's pin follows again", "line", l.cfg.Name)
		}
		l.faults, l.fault = 0, nil
	case l.faults < 2: // one alone may be a pin that was just about to follow
		if l.faults++; l.faults == 2 {
			news = true
			l.fault = fmt.Errorf("%s: the pin does not follow what the chip drives: look for a short circuit, an overload or a dead driver", l.what)
			b.log.Warn("an output's pin does not follow", "err", l.fault)
		}
	}
	if news || asked {
		l.settle.set(active)
		b.tell(l, active, false, time.Now())
	}
}

// check reads all lines, and sets right what no edge and no wish explains.
func (b *Bank) check() error {
	if !b.claimAt.IsZero() && !time.Now().Before(b.claimAt) {
		b.claim()
	}
	v, err := b.chip.Read(b.claimed())
	if err != nil {
		return err
	}
	now, repair := time.Now(), false
	b.checkAt, b.recheckAt = now.Add(b.cfg.Check), time.Time{}
	for i := range b.lines {
		l := &b.lines[i]
		valid, active := v.Valid.Has(l.cfg.Offset), v.High.Has(l.cfg.Offset) != l.cfg.ActiveLow
		switch {
		case l.irq != nil:
			b.seeInterrupt(l, &v)
		case l.refused != nil:
			b.unavailable(l, l.refused, false)
		case l.cfg.Output && l.wished && (!valid || active != l.wish):
			if !l.differs {
				b.log.Warn("an output was not what it should be, and is written again", "line", l.cfg.Name)
			}
			l.wants, repair = max(l.wants, wantsRepair), true
		case l.cfg.Output, !valid, !l.ok:
			l.differs = false
			b.confirm(l, &v, false)
		case active == l.active, l.settle.pending:
			l.suspect = false
		case l.suspect: // still, and no edge came
			b.confirm(l, &v, false)
		default:
			l.suspect, b.recheckAt = true, now.Add(recheckAfter)
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
	if l := &b.lines[b.at[q.of.offset]-1]; l.refused == nil {
		if v, err := b.chip.Read(LinesOf(q.of.offset)); err == nil && v.Valid.Has(q.of.offset) {
			q.of.saw(v.High.Has(q.of.offset) != l.cfg.ActiveLow, false)
		} // else the last edge's level is the answer, and the next check's matter
	}
	q.answer <- struct{}{}
}

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
	l.lost += e.Lost
	if !l.ok {
		return // the line's next event tells what was lost
	}
	l.suspect = false
	if l.settle.period > 0 && !e.Settled {
		b.settled(l, e.At)
		l.settle.edge(active, !e.Resync, e.At)
		if l.settle.pending {
			b.settleAt = earlier(b.settleAt, l.settle.due)
			return
		}
		active = l.active
	} else if l.settle.period == 0 && !e.Resync {
		b.tell(l, active, true, e.At)
		return
	}
	// Settled by the chip, or read again: only a change counts. What was lost is told all the same.
	l.settle.set(active)
	if changed := active != l.active; changed || l.lost > 0 {
		b.tell(l, active, changed && !e.Resync, e.At)
	}
}

// settled tells the level that has settled by now, if there is one.
func (b *Bank) settled(l *bankLine, now time.Time) {
	if at, ok := l.settle.settle(now); ok {
		b.tell(l, l.settle.level, l.settle.seen, at)
	}
}

// due does what is due.
func (b *Bank) due(now time.Time, edges <-chan Edge) error {
	b.take(edges, edgesWaiting) // they are older than now, and decide what has settled
	is := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if is(b.settleAt) {
		b.settleAt = time.Time{}
		for i := range b.lines {
			l := &b.lines[i]
			b.settled(l, now)
			if l.settle.pending {
				b.settleAt = earlier(b.settleAt, l.settle.due)
			}
		}
	}
	switch {
	case is(b.retryAt):
		b.retryAt = time.Time{}
		return b.attempt(b.unread)
	case !b.retryAt.IsZero(): // first that
	case is(b.checkAt), is(b.recheckAt), is(b.claimAt):
		return b.attempt(true)
	}
	return nil
}

// arm sets the timer to what is due next.
func (b *Bank) arm() {
	next := b.settleAt
	if b.retryAt.IsZero() {
		next = earlier(earlier(earlier(next, b.checkAt), b.recheckAt), b.claimAt)
	} else {
		next = earlier(next, b.retryAt)
	}
	if next != b.armed {
		b.timer.Reset(time.Until(next))
		b.armed = next
	}
}

// earlier gives the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// finish writes the last wishes. Run's context has ended: nobody need listen any more, so the time for events is bounded.
func (b *Bank) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	b.quit = ctx.Done()
	err := b.write()
	for _, pause := range retryAfter {
		if err == nil {
			return
		}
		time.Sleep(pause)
		err = b.write()
	}
	if err != nil {
		b.log.Warn("the last wishes were not written", "err", err)
	}
}
