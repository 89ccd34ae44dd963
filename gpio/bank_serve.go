package gpio

import (
	"context"
	"errors"
	"time"
)

const (
	edgesWaiting = 256                   // between Watch and the bank; behind it the kernel keeps 1024 for each line
	edgesAtOnce  = 64                    // taken before wishes have their turn
	recheckAfter = 50 * time.Millisecond // an edge that was on its way has mostly arrived by then, and a slow pin has followed
	suspectFor   = 3                     // readings that an edge has time to come, as a busy machine may need it
	startQuiet   = 20 * time.Millisecond // a pull-up has lifted a long cable, or a capacitor, by then
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
	edges    chan Edge
	timer    *time.Timer
	armed    time.Time // when timer fires
	failures int       // in a row
	unread   bool      // the failure was a check's, which has to be done again
	fresh    bool      // some line has not been read yet, or is to be told anew

	// When to do what; zero: never.
	retryAt, checkAt, recheckAt, claimAt, settleAt, countAt time.Time
}

// serve works with an open chip until ctx ends, which is no error, or the chip fails.
func (b *Bank) serve(ctx context.Context, chip Chip) error {
	b.session = session{chip: chip, timer: time.NewTimer(time.Hour)}
	defer b.timer.Stop()
	ended, stop := b.start(ctx)
	defer stop()
	edges := b.edges
	if err := b.begin(ctx); err != nil {
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
func (b *Bank) start(ctx context.Context) (ended chan error, stop func()) {
	b.replan()
	b.pay()
	b.fresh = true
	for i := range b.lines {
		b.lines[i].ok, b.lines[i].fresh = false, true
	}
	b.claim()
	ctx, cancel := context.WithCancel(ctx)
	edges, ended := make(chan Edge, edgesWaiting), make(chan error, 1)
	b.edges = edges
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		ended <- b.chip.Watch(ctx, edges)
	}()
	return ended, func() { cancel(); <-gone }
}

// begin reads all lines for the first time, and tells them.
func (b *Bank) begin(ctx context.Context) error {
	v, err := b.readFresh()
	for _, pause := range retryAfter {
		if err == nil {
			break
		}
		select {
		case <-time.After(pause):
			v, err = b.readFresh()
		case <-ctx.Done():
			return nil
		}
	}
	if err != nil {
		return err
	}
	b.up()
	b.tellFresh(&v)
	b.checkAt = time.Now().Add(b.cfg.Check)
	return nil
}

// readFresh reads the lines that have not been read yet.
func (b *Bank) readFresh() (Levels, error) {
	var mask Lines
	any, now := false, time.Now()
	for i := range b.lines {
		if l := &b.lines[i]; l.fresh {
			any, l.since = true, now
			mask.Set(l.cfg.Offset, l.refused == nil)
		}
	}
	if !any {
		return Levels{}, nil
	}
	return b.chip.Read(mask)
}

// tellFresh tells those lines, and those that are to be told anew.
func (b *Bank) tellFresh(v *Levels) {
	for i := range b.lines {
		l := &b.lines[i]
		if l.anew && !l.fresh {
			b.tell(l, l.active, false, time.Now())
		}
		if !l.fresh {
			continue
		}
		l.fresh, l.anew, l.suspect, l.differs, l.faults, l.settle.pending = false, false, 0, false, 0, false
		asked := l.wants == wantsWish || l.unsure
		l.unsure = false
		switch {
		case l.irq != nil:
			b.seeInterrupt(l, v)
		case l.refused != nil:
			b.unavailable(l, l.refused, asked)
		default:
			b.confirm(l, v, asked)
		}
		l.wants = wantsNothing
	}
	b.fresh = false
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
	if is(b.countAt) {
		b.tellCounts(now)
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
	next := earlier(b.settleAt, b.countAt)
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
