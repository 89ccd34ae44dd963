package gpio

import (
	"errors"
	"math/bits"
	"time"
)

// ours are the bits that we choose. Of lines that are not claimed only the interrupt is: it would hold a line that chips share.
func (e *expander) ours() (m expanderRegs) {
	for i := range m {
		m[i] = e.claimed
	}
	m[exPull], m[exAlert] = e.inputs(), 0xffff
	m[exCompare] = 0
	if e.cfg.Interrupt != nil {
		m[exCompare] = e.inputs()
	}
	_, m[exMode] = e.chip.mode(e.cfg.Interrupt != nil)
	return m
}

// adopt takes what is not ours as it was found, until the first Claim: in a chip that is in our mode, or as after power-on. Anything else
// may be a bus that has lost its senses, twice in the same way. From then on the chip is ours, and what others' lines are set to is
// known: what has changed there a spoilt write has changed, so that it is repaired. Only a reset makes inputs of them.
func (e *expander) adopt(have expanderRegs) {
	mode, mask := e.chip.mode(e.cfg.Interrupt != nil)
	e.want[exMode] = e.want[exMode]&^mask | mode
	ours := e.ours()
	switch _, reset := e.chip.tell(have); {
	case reset, !e.taken && e.inMode(have):
		e.want = e.want.merge(ours, have)
	case e.taken && e.forgot(have):
		for i := range have {
			if i != exLatch { // drives nothing where the direction is gone
				e.want[i] &= have[i] | ours[i]
			}
		}
	}
}

// forgot tells that a chip was reset, though some registers have been written since, as where a repair broke off: the mode is gone, or all
// directions are. What is found as it was known to be may stay all the same.
func (e *expander) forgot(have expanderRegs) bool {
	mode, mask := e.chip.mode(e.cfg.Interrupt != nil)
	return mode != 0 && have[exMode]&mask == 0 || have[exDriven] == 0 && e.want[exDriven] != 0
}

// inMode tells whether the interrupt pins are set as we have them.
func (e *expander) inMode(have expanderRegs) bool {
	mode, mask := e.chip.mode(e.cfg.Interrupt != nil)
	return (have[exMode]^mode)&mask == 0
}

// wrong tells that registers are not as they are to be: before the first Claim ours alone, and then all.
func (e *expander) wrong(have expanderRegs) bool {
	if !e.taken {
		have = have.merge(e.ours(), e.want)
	}
	return have != e.want
}

// lost tells that a sample is not our chip's: the latches are not what they were, or lines are flagged that cannot have pulled the
// interrupt. It was reset, or something else answered.
func (e *expander) lost(s expanderSample) bool {
	return s.latched && s.latch != e.want[exLatch] || s.flagged&^e.want[exAlert] != 0
}

// suspicious tells that a sample may come from a chip that was reset, which shows wrong levels: they are not to be believed before
// the registers have been compared.
func (e *expander) suspicious(s expanderSample) bool {
	changed := (s.pins ^ e.known) & e.seen & e.inputs() &^ e.settling
	if e.lost(s) || e.unsound || e.written && changed != 0 { // what was written may have gone into any register
		return true
	}
	if !s.latched && !e.kind.captures {
		s.latch = e.want[exLatch] // as far as is known: an output that floats shows
	}
	if odd := (s.pins ^ s.latch) & e.outputs; (s.latched || !e.kind.captures) && odd != e.odd {
		if e.odd = odd; odd != 0 {
			return true // perhaps they are outputs no more
		}
	}
	if e.kind.captures && bits.OnesCount16(changed&e.known&e.want[exPull]) > 1 {
		return true // several at once went low: the pull-ups may be gone
	}
	switch {
	case s.flagged != 0:
		return false // it had its interrupts, so it has the rest
	case s.alerts && changed&e.want[exAlert] != 0:
		return true // a change without an interrupt
	case !e.kind.captures:
		return s.pins == 0 && changed != 0 || bits.OnesCount16(changed&e.known) > 1 // perhaps nothing was heard at all
	}
	return false
}

// verify compares the chip's registers with ours and repairs them. The sample is from afterwards, and of a chip that is as it should be.
func (e *expander) verify() (expanderSample, error) {
	err := e.insist()
	if err != nil {
		return expanderSample{}, err
	}
	load := e.chip.load
	if e.kind.latchOut && e.written { // the pins alone say that it was heard
		load = e.loadSure
	}
	have, s, err := load()
	if err != nil && !errors.Is(err, errExpanderNoise) && !errors.Is(err, errExpanderOther) {
		return s, err
	}
	if err == nil && have == e.want && e.fell(s) {
		if s, err = e.refresh(s); err != nil {
			return s, err
		}
		if e.lost(s) {
			have[exLatch] = s.latch
		}
	}
	if err == nil && have == e.want {
		e.bad, e.written, e.unsound = 0, false, false
		return s, nil
	}
	e.unsound = true
	// Once more before anything is written or taken over: a bit may have flipped on the wire, and in a layout that somebody else has
	// chosen the registers cannot be told apart.
	moved, err := e.chip.attach()
	if err != nil {
		return s, err
	}
	if have, s, err = e.loadSure(); err != nil {
		return s, err
	}
	e.adopt(have)
	if e.wrong(have) || moved {
		if err := e.store(have, e.want); err != nil {
			return s, err
		}
		bad := e.bad
		e.repaired(have, moved)
		if have, s, err = e.chip.load(); err == nil && have != e.want {
			have, s, err = e.loadSure()
		}
		if err == nil && e.wrong(have) { // what answers does not take what it is told
			err = errExpanderForgets
		}
		if err != nil {
			e.bad = bad // it counts as a failure, and not as a repair that did not last
			return s, err
		}
	}
	e.written, e.unsound = false, false
	return s, nil
}

// fell tells that lines of a write-only chip read low that were written high: outputs, or inputs that are not known to be low. It may have heard
// wrong what it was told, or was told what was meant for another one.
func (e *expander) fell(s expanderSample) bool { return e.fallen(s) != 0 }

func (e *expander) fallen(s expanderSample) uint16 {
	if !e.kind.latchOut {
		return 0
	}
	return (e.want[exLatch]&e.outputs | (e.known|^e.seen)&e.inputs()&^e.settling) &^ s.pins
}

// refresh writes what cannot be read back once more, and then reads: writing ends an interrupt. A line that was high before may have been
// pulled low by that very write, so that it is written again.
func (e *expander) refresh(s expanderSample) (expanderSample, error) {
	for range expanderReads {
		before := s.pins
		if err := e.chip.put(exLatch, e.want[exLatch]); err != nil {
			return s, err
		}
		var err error
		if s, err = e.chip.scan(false, true); err != nil || e.fallen(s)&before == 0 {
			return s, err
		}
	}
	return s, errExpanderNoise
}

// insist writes a write-only chip once more before a line that fell is believed, as fell says.
func (e *expander) insist() error {
	if !e.kind.latchOut || e.doubt&e.known == 0 {
		return nil
	}
	return e.chip.put(exLatch, e.want[exLatch])
}

// loadSure reads the registers until they read the same twice, as I2C has no check sum and writes are to follow from them. Of a write-only
// chip the pins of outputs are what is read.
func (e *expander) loadSure() (expanderRegs, expanderSample, error) {
	have, s, err := e.chip.load()
	for range 4 {
		before, earlier := have, s
		if err != nil {
			break
		}
		if have, s, err = e.chip.load(); err == nil && have == before && (!e.kind.latchOut || (s.pins^earlier.pins)&e.outputs == 0) {
			return have, s.after(earlier), nil
		}
	}
	if err == nil {
		err = errExpanderNoise
	}
	return have, s, err
}

// repaired counts and tells a repair, a repeated one once a minute. What was of others' lines alone says nothing against the chip, as
// another program may set them again and again, and nothing of our inputs.
func (e *expander) repaired(have expanderRegs, moved bool) {
	e.repairs++
	text, reset := e.chip.tell(have)
	what := "configuration lost, repaired"
	ours := moved || have.merge(e.ours(), e.want) != e.want
	if ours {
		e.bad++
		e.resync |= e.inputs()
		e.odd = 0
	}
	switch {
	case !ours:
		what = "lines that are not configured were changed, set back"
	case reset:
		what = "chip was reset, repaired"
	case moved:
		what = "register layout was changed, repaired"
	}
	if now := time.Now(); what+text != e.told || now.Sub(e.toldAt) > time.Minute {
		e.told, e.toldAt = what+text, now
		e.log.Warn(what, "found", text, "repairs", e.repairs)
	}
}
