package gpio

import "time"

// Read is Chip's. It costs one transaction where the mask has inputs only, a second one for the directions where it has outputs and
// these can be read, a third for the latches of a PCA95xx, and more only when something is not as it should be: then the chip is compared, repaired and read once more. An input that reads
// differently from before is read twice.
func (e *expander) Read(mask Lines) (Levels, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := lowWord(mask) & e.claimed
	if m == 0 {
		return Levels{}, e.refused
	}
	out := m & e.outputs
	for try := range expanderReads {
		if e.settling&m != 0 {
			e.awaitSettled()
		}
		at := time.Now()
		s, driven, err := e.readBack(out)
		if err != nil {
			return Levels{}, e.failed(err)
		}
		if out&^driven != 0 || e.lost(s) || try == 0 && e.suspicious(s) {
			if s, err = e.verify(); err != nil {
				return Levels{}, e.failed(err)
			}
			e.observe(s, at)
			continue
		}
		e.observe(s, at)
		if (e.doubt|e.settling)&m != 0 && try < expanderReads-1 {
			continue
		}
		valid := out&^s.stuck | e.inputs()&^e.settling
		high := s.latch&e.outputs | (s.pins&^e.doubt|e.known&e.doubt)&^e.outputs
		return Levels{Valid: lowLines(valid), High: lowLines(high & valid), Fault: lowLines((s.pins ^ s.latch) & out &^ s.stuck)}, nil
	}
	return Levels{}, e.failed(errExpanderNoise)
}

// readBack scans, and tells which of the outputs in out are driven. A bit that flips in a write may have hit any register, and a bus
// that hangs on to SDA reads as zeros: then the scan is one of all registers, which are compared.
func (e *expander) readBack(out uint16) (s expanderSample, driven uint16, err error) {
	if out != 0 && e.written {
		s, err = e.verify()
		return s, e.want[exDriven], err
	}
	if s, err = e.sample(out != 0); err != nil || out == 0 {
		return s, 0, err
	}
	if s.latched && s.pins|s.latch|s.flagged|s.captured == 0 {
		s, err = e.verify()
		return s, e.want[exDriven], err
	}
	driven, err = e.chip.driven() // after the latches: a reset in between then shows
	return s, driven, err
}

func lowWord(l Lines) uint16  { return uint16(l[0]) }
func lowLines(w uint16) Lines { return Lines{uint64(w)} }

// Write is Chip's: one transaction. On an error the wish stays, and a repair may carry it out before it is written again.
func (e *expander) Write(mask, levels Lines) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := lowWord(mask) & e.outputs
	if m == 0 {
		return nil
	}
	e.want[exLatch] = e.want[exLatch]&^m | lowWord(levels)&m
	e.written = true
	return e.failed(e.chip.put(exLatch, e.want[exLatch])) // even if it is nothing new: the chip may have been reset
}
