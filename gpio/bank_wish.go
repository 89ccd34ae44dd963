package gpio

import (
	"fmt"
	"time"
)

// Set wishes an output to be active, or not. It returns at once; of several wishes for one line that wait, the latest counts.
// When the wish has been written and read back, one event tells the line's state, changed or not, or why it is not available. A wish
// waits while the chip is not available, and is what the output gets when it returns. A name that is no output's is logged and ignored.
func (b *Bank) Set(line string, active bool) {
	b.mu.Lock()
	c, ok := b.outputs[line]
	if ok {
		b.waiting.Set(c.Offset, true)
		b.high.Set(c.Offset, c.Level(active))
	}
	b.mu.Unlock()
	if !ok {
		b.log.Warn("a wish for what is no output", "line", line)
		return
	}
	b.poke()
}

// poke has Run look at what was wished.
func (b *Bank) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// takeWishes fetches what Set was told; while there are other lines to come, only what the present ones are owed.
func (b *Bank) takeWishes() {
	b.mu.Lock()
	defer b.mu.Unlock()
	mask := &b.waiting
	if b.next != nil {
		mask = &b.leaving
	}
	for o := range mask.All() {
		if b.at[o] == 0 {
			continue // it came and went before it was ever claimed
		}
		if l := &b.lines[b.at[o]-1]; l.cfg.Output {
			l.wished, l.wish, l.wants = true, b.high.Has(o) != l.cfg.ActiveLow, wantsWish
		}
	}
	*mask = Lines{}
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

// write makes what Change was told true, and then what Set was told.
func (b *Bank) write() error {
	err := b.follow()
	if err == nil {
		err = b.put()
	}
	if err != nil || !b.fresh {
		return err
	}
	v, err := b.readFresh()
	if err == nil {
		b.tellFresh(&v)
	}
	return err
}

// put writes all wants in one go, reads back, and tells what the chip confirms. What fails stays wanted.
func (b *Bank) put() error {
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
		if l.wants == wantsWish && !l.follows(&v) {
			l.wants, l.unsure = wantsNothing, true
			b.recheckAt = earlier(b.recheckAt, time.Now().Add(recheckAfter))
			continue
		}
		asked := l.wants == wantsWish || l.unsure || !l.differs
		l.differs = l.wants == wantsRepair
		l.wants, l.unsure = wantsNothing, false
		b.confirm(l, &v, asked)
	}
	return nil
}

// follows tells whether an output reads as it is wished.
func (l *bankLine) follows(v *Levels) bool {
	return v.Valid.Has(l.cfg.Offset) && v.High.Has(l.cfg.Offset) == l.cfg.Level(l.wish)
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
			l.fault = l.short()
			b.log.Warn("an output's pin does not follow", "err", l.fault)
		}
	}
	if news || asked {
		l.settle.set(active)
		b.tell(l, active, false, time.Now())
	}
}

// short says that an output's pin does not follow.
func (l *bankLine) short() error {
	return fmt.Errorf("%s: the pin does not follow what the chip drives: look for a short circuit, an overload or a dead driver", l.what)
}
