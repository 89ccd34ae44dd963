package gpio

import (
	"context"
	"math/bits"
	"time"
)

// observe compares a sample with what is known and queues the edges for Watch. Before Watch runs, nobody waits for edges.
//
// I2C has no check sum, so that no reading counts alone: a change counts when the interrupt's registers say the same, or the next
// reading. Its time is that of the first.
func (e *expander) observe(s expanderSample, at time.Time) {
	if e.lost(s) {
		return
	}
	e.missed.flagged &= e.seen // a new line's are its pull-up's doing
	s, e.missed = s.after(e.missed), expanderSample{}
	if e.settling != 0 && !time.Now().Before(e.settled) {
		e.settling = 0
	}
	live := e.inputs() &^ e.settling
	first := live &^ e.seen
	e.known = e.known&^first | s.pins&first
	e.seen |= live
	changed := (s.pins ^ e.known) & live
	flagged := s.flagged & live &^ e.resync
	caught := flagged & (s.captured ^ e.known) // at the level that is not known
	again := e.doubt | e.pulse
	counts := changed & (again | caught)
	// It was away when it was read, and the interrupt says that it came back: a pulse, which began while another line's interrupt was on.
	came := e.doubt & flagged &^ caught & e.quick
	pulses := (e.pulse | came) &^ changed & live
	fresh := (changed | caught&e.quick) &^ counts
	e.doubt, e.pulse = fresh&changed, fresh&^changed
	for w := fresh &^ again; w != 0; w &= w - 1 {
		e.since[bits.TrailingZeros16(w)] = at
	}
	for w := counts | pulses; w != 0; w &= w - 1 {
		i := bits.TrailingZeros16(w)
		bit := uint16(1) << i
		if e.watching && len(e.pending)+2 > expanderPending {
			break // known stays, so that the next sample finds the difference again
		}
		edge := Edge{Offset: uint32(i), High: s.pins&bit != 0, At: at, Every: e.every}
		if again&bit != 0 {
			edge.At = e.since[i]
		}
		if !e.watching {
		} else if pulses&bit != 0 {
			away := edge
			away.High = !edge.High
			e.pending = append(e.pending, away, edge)
		} else {
			edge.Resync = e.resync&bit != 0 || e.mates(i)&(counts|pulses) != 0 // which of two came first nobody has seen
			e.pending = append(e.pending, edge)
		}
		e.known = e.known&^bit | s.pins&bit
	}
	e.resync &= ^live | e.doubt
	if len(e.pending) > 0 || e.unsure() {
		e.nudge()
	}
}

// unsure tells that the next reading should come at once. Where lines are polled that somebody debounces it is soon enough.
func (e *expander) unsure() bool {
	if e.every != 0 {
		return (e.doubt|e.pulse)&e.quick != 0
	}
	return e.doubt|e.pulse != 0
}

// mates gives the lines that are together with a line, as the other contact of an encoder is.
func (t *expanderTable) mates(line int) (mates uint16) {
	together := t.lines[line].Together
	if together == "" {
		return 0
	}
	for w := t.inputs() &^ (1 << line); w != 0; w &= w - 1 {
		if i := bits.TrailingZeros16(w); t.lines[i].Together == together {
			mates |= 1 << i
		}
	}
	return mates
}

func (e *expander) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// send hands the queued edges over, with the lock free.
func (e *expander) send(ctx context.Context, edges chan<- Edge) error {
	for {
		e.mu.Lock()
		queue := e.pending
		e.pending = nil
		e.mu.Unlock()
		if len(queue) == 0 {
			return nil
		}
		for _, edge := range queue {
			select {
			case edges <- edge:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
