package gpio

import (
	"errors"
	"fmt"
)

// errLeft is why an interrupt line that Change took away cannot be read.
var errLeft = errors.New("it is not configured any more")

// Change makes lines and interrupts the bank's, as if it had been made with them, but that only what differs is touched. It returns
// at once, and may be called by any goroutine, before Run too, and while a call to the chip hangs. From then on Set and Interrupt know
// the new names alone; Run does the rest as soon as it comes round. Of several changes that wait for it only the latest is made.
//
//   - An output that keeps its offset keeps its level, whatever else is new of it, and a wish for it that waits. Initial counts only
//     for lines that were no outputs before.
//   - An input of which only the name or ActiveLow is new keeps its level, what is settling and the edges that wait.
//   - A line with a new name or meaning is told once more, without an edge; one that is otherwise new is so after its first reading.
//   - Wishes that wait for lines that leave are written before these are given back. While the chip is not available that is only
//     done for those that switch off, when it returns.
func (b *Bank) Change(lines, interrupts []LineConfig) {
	b.plan(lines, interrupts)
	b.poke()
}

// Mute ends the events of points that are elsewhere by now: none is sent any more, not even one that only comes when a call to the chip
// that hangs returns. Those that a later Change names are heard again once the bank has come to it. Without points, all events end: the bank is about to. It does not block, and
// may be called by any goroutine.
func (b *Bank) Mute(points ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.muted == nil {
		b.muted = map[string]bool{}
	}
	for _, name := range points {
		b.muted[name] = true
	}
	b.mute = b.mute || len(points) == 0
}

// offer sends an event if there is room, and reports whether that is all: what is muted is left out. It holds the lock, so that nothing is
// on its way any more when Mute returns, but for what waits for room.
func (b *Bank) offer(e Event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mute || b.muted[e.Line] {
		return true
	}
	select {
	case b.events <- e:
		return true
	default:
		return false
	}
}

// plan says what the lines are to be.
func (b *Bank) plan(lines, interrupts []LineConfig) {
	next := make([]bankLine, 0, len(lines)+len(interrupts))
	outputs, irqs := map[string]*LineConfig{}, map[string]*interrupt{}
	var driven Lines
	for _, c := range lines {
		kind := "input"
		switch {
		case c.Count != CountNone:
			kind = "counter"
		case c.Together != "":
			kind = "encoder"
		}
		if c.Output {
			kind, outputs[c.Name] = "output", &c
			driven.Set(c.Offset, true)
		}
		next = append(next, bankLine{cfg: c, what: b.what(kind, &c), settle: settling{period: c.Debounce}, fresh: true})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range interrupts {
		c.Output, c.Debounce = false, 0
		what := b.what("interrupt", &c)
		irqs[c.Name] = b.interruptOf(&c, what)
		next = append(next, bankLine{cfg: c, what: what, irq: irqs[c.Name], fresh: true})
	}
	again(next, b.next)
	for name, irq := range b.irqs {
		if !uses(next, irq) {
			irq.end(fmt.Errorf("interrupt %q of chip %q: %w", name, b.cfg.Chip, errLeft))
		}
	}
	var waiting, leaving Lines
	for _, mask := range []Lines{b.waiting, b.leaving} {
		for o := range mask.All() {
			waiting.Set(o, driven.Has(o))
			leaving.Set(o, !driven.Has(o))
		}
	}
	b.waiting, b.leaving = waiting, leaving
	b.outputs, b.irqs, b.next = outputs, irqs, next
}

// again notes which lines are not as in the change that is overtaken. Whoever listens takes them for new, though for the bank they may
// be what they were before both.
func again(next, overtaken []bankLine) {
	if overtaken == nil {
		return
	}
	was := map[string]*bankLine{}
	for i := range overtaken {
		was[overtaken[i].cfg.Name] = &overtaken[i]
	}
	for i := range next {
		l := &next[i]
		o := was[l.cfg.Name]
		if l.again = o == nil || o.again; !l.again {
			cfg := o.cfg
			cfg.Initial = l.cfg.Initial
			l.again = cfg != l.cfg
		}
	}
}

// interruptOf gives the interrupt that is that line already, under whatever name, or makes one. b.mu is held.
func (b *Bank) interruptOf(c *LineConfig, what string) *interrupt {
	for _, irq := range b.irqs {
		was := irq.cfg
		was.Name = c.Name
		if was == *c {
			return irq
		}
	}
	return &interrupt{bank: b, cfg: *c, err: fmt.Errorf("%s: %w", what, errNotOpen)}
}

func uses(lines []bankLine, irq *interrupt) bool {
	for i := range lines {
		if lines[i].irq == irq {
			return true
		}
	}
	return false
}

// follow has the chip follow Change: what is owed to lines that leave is written, then the new ones are claimed. They are not read yet.
func (b *Bank) follow() error {
	for b.behind() {
		b.take(b.edges, edgesWaiting) // they came under the old names
		if err := b.put(); err != nil {
			return err
		}
		if !b.swap() {
			continue
		}
		b.takeWishes() // a new output begins with what is wished
		b.doubt()      // they may be free now
		b.claim()
		b.doubt()
	}
	return nil
}

// doubt has the lines told that the chip refuses.
func (b *Bank) doubt() {
	for i := range b.lines {
		if l := &b.lines[i]; l.refused != nil {
			l.fresh, b.fresh = true, true
		}
	}
}

// behind tells whether there are lines to come.
func (b *Bank) behind() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next != nil
}

// replan does what Change wants where there is no chip to be told.
func (b *Bank) replan() (changed bool) {
	b.takeWishes()
	for b.swap() {
		changed = true
		b.takeWishes()
	}
	return changed
}

// swap makes what Change wants the bank's lines, and tells whether it did: not while wishes wait for lines that leave.
func (b *Bank) swap() bool {
	b.mu.Lock()
	next := b.next
	if next == nil || !b.leaving.Empty() {
		b.mu.Unlock()
		return false
	}
	b.next = nil
	for i := range next {
		delete(b.muted, next[i].cfg.Name) // from here on it is what is meant
	}
	b.mu.Unlock()
	lines, at := b.lines, b.at
	b.lines, b.at = next, [MaxLines]uint16{}
	for i := range next {
		l := &next[i]
		b.at[l.cfg.Offset] = uint16(i + 1)
		if was := at[l.cfg.Offset]; was != 0 {
			l.goOn(&lines[was-1])
		}
		b.fresh = b.fresh || l.fresh || l.anew
	}
	b.owe(lines)
	for i := range lines {
		if l := &lines[i]; l.counted > 0 { // the last that is heard of it
			b.tell(l, l.active, false, l.last)
		}
	}
	return true
}

// goOn takes over what is known of the line, if it is the same one for the chip. It has to be told anew if it is not for others.
func (l *bankLine) goOn(was *bankLine) {
	c, w := &l.cfg, &was.cfg
	if l.irq != was.irq || c.Output != w.Output || !c.Output && (c.Pull != w.Pull || c.Debounce != w.Debounce || c.Together != w.Together || c.edges() != w.edges()) {
		return
	}
	cfg, what, again := l.cfg, l.what, l.again
	*l = *was
	was.counting = counting{}
	l.cfg, l.what = cfg, what
	if w.ActiveLow != cfg.ActiveLow { // the levels stay
		l.active, l.wish, l.settle.level = !l.active, !l.wish, !l.settle.level
	}
	switch {
	case l.irq != nil, w.Name == cfg.Name && w.ActiveLow == cfg.ActiveLow && !again:
	case l.ok:
		l.anew = true
	default:
		l.fresh, l.reason = true, ""
	}
	if l.fault != nil {
		l.fault = l.short()
	}
}

// owe notes which of the former lines are to be switched off when the chip is there again.
func (b *Bank) owe(former []bankLine) {
	owed := b.owed
	b.owed = nil
	for i := range former {
		if l := &former[i]; l.cfg.Output && l.wants == wantsWish && !l.wish && b.at[l.cfg.Offset] == 0 {
			b.log.Warn("an output that is not configured any more is switched off when the chip is available", "line", l.cfg.Name)
			owed = append(owed, l.cfg)
		}
	}
	for _, c := range owed {
		if b.at[c.Offset] == 0 { // else it is another's now
			c.Initial = Off
			b.owed = append(b.owed, c)
		}
	}
}

// pay switches those off, as the first thing on a chip that was just opened. What does not work is tried again the next time.
func (b *Bank) pay() {
	if len(b.owed) == 0 {
		return
	}
	errs := b.chip.Claim(b.owed)
	owed := b.owed
	b.owed = nil
	for i, err := range errs {
		if err != nil {
			b.owed = append(b.owed, owed[i])
		}
	}
}
