package gpio

import (
	"fmt"
	"time"
)

// Claim is Chip's. It reads the chip's registers and writes those that differ, so that a chip that runs as it should sees no write.
// It waits 5 ms when a pull-up was switched on. A line that is released stays as it is, and an output that is claimed again in
// another way keeps its level.
func (e *expander) Claim(lines []LineConfig) []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	errs := make([]error, len(lines))
	var keep, fresh uint16
	var at [16]int // index into lines
	for i := range lines {
		l := &lines[i]
		if l.Offset >= uint32(e.kind.Lines) {
			errs[i] = fmt.Errorf("%s has no line %d: its lines are 0 to %d", e.name, l.Offset, e.kind.Lines-1)
			continue
		}
		bit := uint16(1) << l.Offset
		switch err := e.kind.check(l); {
		case (keep|fresh)&bit != 0:
			errs[i] = fmt.Errorf("%s: line %d is in use by %q: choose another line", e.name, l.Offset, lines[at[l.Offset]].Name)
		case err != nil:
			errs[i] = e.failed(err)
		case e.claimed&bit != 0 && sameWiring(&e.lines[l.Offset], l):
			e.lines[l.Offset] = *l
			keep |= bit
			at[l.Offset] = i
		default:
			fresh |= bit
			at[l.Offset] = i
		}
	}
	gone := e.claimed &^ (keep | fresh)
	e.release(gone) // even if the chip does not answer: the next comparison then ends the interrupt
	defer e.nudge()
	if gone|fresh == 0 {
		return anyError(errs)
	}
	err := e.claim(fresh, gone, lines, &at)
	e.refused = e.failed(err)
	if err != nil {
		for i := range 16 {
			if fresh>>i&1 != 0 {
				errs[at[i]] = e.failed(err)
			}
		}
	}
	return anyError(errs)
}

// sameWiring tells whether the chip sees no difference between two configurations of a claimed line.
func sameWiring(a, b *LineConfig) bool {
	return a.Output == b.Output && (a.Output || a.Pull == b.Pull && (a.Debounce == 0) == (b.Debounce == 0))
}

func anyError(errs []error) []error {
	for _, err := range errs {
		if err != nil {
			return errs
		}
	}
	return nil
}

// claim sets up fresh lines. On an error they are as they were before: not claimed, or claimed with their old configuration.
func (e *expander) claim(fresh, gone uint16, lines []LineConfig, at *[16]int) error {
	if _, err := e.chip.attach(); err != nil {
		return err
	}
	at0 := time.Now()
	have, s, err := e.loadSure()
	if err != nil {
		return err
	}
	e.adopt(have) // taking over hides that the mode was lost
	if !e.inMode(have) {
		if have, err = e.takeOver(have); err != nil {
			return err
		}
	}
	e.adopt(have)
	found := have
	found[exAlert] &^= gone // as it was told
	if e.claimed != 0 && e.wrong(found) {
		e.repaired(have, false)
	} else {
		s.flagged &^= gone
		e.observe(s, at0) // that reading ended interrupts
	}
	next := e.expanderTable // taken over when the chip has it
	for i := range 16 {
		bit := uint16(1) << i
		if fresh&bit == 0 {
			continue
		}
		l := lines[at[i]]
		wasOutput := e.outputs&bit != 0
		next.release(bit)
		next.claimed |= bit
		next.lines[i] = l
		set := func(reg int, on bool) {
			next.want[reg] &^= bit
			if on {
				next.want[reg] |= bit
			}
		}
		set(exInvert, false)
		set(exDriven, l.Output)
		if l.Output {
			next.outputs |= bit
			switch driven := e.want[exDriven]&bit != 0; { // as it was found, and not as a Claim that failed has left it
			case wasOutput: // keeps what it was told last
			case !driven || !l.Initial.Keeps():
				set(exLatch, l.Level(l.Initial.Undriven()))
			}
			continue
		}
		// The latch of an input drives nothing. Set, it tells that the chip was reset in every scan that reads the latches.
		set(exLatch, true)
		if l.Pull != PullAsIs {
			set(exPull, l.Pull == PullUp)
		}
		set(exCompare, false)
		set(exAlert, e.cfg.Interrupt != nil)
		if l.Debounce == 0 {
			next.quick |= bit
		}
	}
	wrote := have != next.want
	if err := e.store(have, next.want); err != nil {
		return err
	}
	next.settling |= e.settling & next.inputs() // from store
	before := e.expanderTable
	e.expanderTable = next
	if e.settling != 0 {
		e.awaitSettled()
	}
	if !wrote && fresh&e.inputs() == 0 {
		e.taken = true
		return nil
	}
	// Edges count from here. This also ends interrupts that the new configuration caused.
	at0 = time.Now()
	s, err = e.verify()
	if err != nil {
		e.expanderTable = before
		return err
	}
	e.observe(s, at0)
	e.taken = true
	return nil
}

// takeOver brings a chip into our mode that was not in it, as after power-on: what takes that, and is otherwise as before, is a chip
// and not a bus that has lost its senses.
func (e *expander) takeOver(was expanderRegs) (have expanderRegs, err error) {
	mode, mask := e.chip.mode(e.cfg.Interrupt != nil)
	was[exMode] = was[exMode]&^mask | mode
	if err := e.chip.put(exMode, was[exMode]); err != nil {
		return was, err
	}
	have, _, err = e.loadSure()
	if err == nil && have != was {
		err = errExpanderForgets
	}
	return have, err
}
