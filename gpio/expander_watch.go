package gpio

import (
	"context"
	"errors"
	"time"
)

const (
	expanderFailures = 4           // failed rounds in a row after which Watch gives up, 0.2 s apart at 10 ms poll
	expanderPatience = time.Second // or after this long, where each takes the bus's timeout
	expanderAgain    = 16          // rounds without a pause while our interrupt stays: each line may have one of its own
	expanderHeld     = time.Second // how long others may hold a shared interrupt line before it is told
)

// expanderWatch is one run of Watch.
type expanderWatch struct {
	*expander
	looked   time.Time // when the last round began
	scanAt   time.Time
	verifyAt time.Time
	again    int       // rounds without a pause
	unsures  int       // rounds in a row that were to settle a doubt
	failures int       // in a row
	failed   time.Time // when the first of them was
	held     time.Time // since when others hold the interrupt line; zero: they do not
	toldHeld bool
	blind    bool // the interrupt line is not available
	toldDark bool // and that was told
}

// Watch is Chip's. The edges of one scan have one time stamp, taken before its transaction. Without an interrupt it scans every
// Poll; with one, when the line says so and every Safety, and falls back to Poll while the line is held or not available.
// A chip that has outputs only is scanned every Safety.
func (e *expander) Watch(ctx context.Context, edges chan<- Edge) error {
	e.mu.Lock()
	e.watching = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.watching = false
		e.mu.Unlock()
	}()
	var signal <-chan struct{}
	if e.cfg.Interrupt != nil {
		sub, cancel := context.WithCancel(ctx)
		defer cancel()
		signal = e.cfg.Interrupt.Subscribe(sub)
	}
	now := time.Now()
	w := expanderWatch{expander: e, scanAt: now, verifyAt: now.Add(e.cfg.Verify)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		burst := false
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-signal:
			if !open {
				signal = nil // Asserted tells why
			}
			burst = w.failures == 0 // else the chip is tried again in its own time
		case <-e.wake:
		case <-timer.C:
		}
		if err := e.send(ctx, edges); err != nil {
			return nil
		}
		looked, flagged, err := w.round(burst)
		if err != nil {
			return e.failed(err)
		}
		if err := e.send(ctx, edges); err != nil { // before the interrupt line is asked, which may take a while
			return nil
		}
		if looked {
			w.plan(flagged)
		}
		timer.Reset(time.Until(w.next()))
	}
}

// round does what is due, if anything. It tells whether it looked at the lines, and whether an interrupt was ours. An error is final.
func (w *expanderWatch) round(burst bool) (looked, flagged bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.failures == 0 { // Claim may have given the chip its first input, or switched on a pull-up
		at := now.Add(w.pace())
		switch {
		case w.settling != 0:
			at = w.settled
		case w.unsure() && w.unsures < expanderReads:
			at = now
		}
		if at.Before(w.scanAt) {
			w.scanAt = at
		}
	}
	w.every = 0
	if w.pace() == w.cfg.Poll {
		w.every = w.cfg.Poll
	}
	sure := !w.unsure()
	burst = burst && w.inputs() != 0 // without inputs it was another chip on the same interrupt line
	full := !now.Before(w.verifyAt)
	if !burst && !full && now.Before(w.scanAt) {
		return false, false, nil
	}
	repairs := w.repairs
	s, err := w.look(now, full, sure && (burst || w.again > 0)) // what is to settle a doubt has the latches with it
	if err != nil {
		return false, false, w.failure(now, err)
	}
	if w.unsures++; sure {
		w.unsures = 0
	}
	w.failures = 0
	if w.bad >= expanderBad {
		return false, false, errExpanderForgets
	}
	switch {
	case w.repairs != repairs:
		w.verifyAt = now.Add(w.cfg.Poll) // did it hold?
	case full:
		w.verifyAt = now.Add(w.cfg.Verify)
	}
	w.looked = now
	return true, s.flagged != 0 || !w.kind.captures && w.doubt != 0, nil
}

// look reads the lines and queues what changed.
func (e *expander) look(at time.Time, full, burst bool) (s expanderSample, err error) {
	switch {
	case full:
		if s, err = e.verify(); err == nil && e.kind.latchOut {
			s, err = e.refresh(s)
		}
	case burst:
		s, err = e.chip.burst()
	default:
		s, err = e.sample(false)
	}
	if err != nil {
		return s, err
	}
	if !full && e.suspicious(s) {
		repairs := e.repairs
		after, err := e.verify()
		if err != nil {
			return s, err
		}
		if e.repairs == repairs && (e.kind.captures || s.pins != 0 || after.pins == 0) { // it was true; zeros that are gone were a bus that was held
			e.observe(s, at)
		}
		s = after
	}
	e.observe(s, at)
	return s, nil
}

// failure plans the next try after longer and longer, as a bus that is stuck for a moment is no reason to give up a chip.
func (w *expanderWatch) failure(now time.Time, err error) error {
	w.doubt = 0 // what was read meanwhile did not come to settle it
	if w.failures++; w.failures == 1 {
		w.failed = now
	}
	if w.failures >= expanderFailures || time.Since(w.failed) >= expanderPatience {
		return err
	}
	w.again = 0
	w.verifyAt = time.Now().Add(w.cfg.Poll << (2 * (w.failures - 1))) // it may come back reset: compare before anything is believed
	w.scanAt = w.verifyAt
	return nil
}

// pace is how often to scan when all is well.
func (w *expanderWatch) pace() time.Duration {
	if w.inputs() == 0 || w.cfg.Interrupt != nil && !w.blind && w.held.IsZero() {
		return w.cfg.Safety
	}
	return w.cfg.Poll
}

// plan sets the time of the next scan after one in which an interrupt was ours if flagged. While the interrupt line stays active no
// edge of it will come: another line of ours may have changed meanwhile, then the next scan follows at once; else another chip
// holds it, or a short circuit does.
func (w *expanderWatch) plan(flagged bool) {
	again := w.cfg.Interrupt != nil && w.stillHeld(flagged)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scanAt = w.looked
	if !again && (!w.unsure() || w.unsures >= expanderReads) {
		w.scanAt = w.looked.Add(w.pace())
	}
}

// stillHeld looks at the interrupt line, and tells whether to scan again without a pause.
func (w *expanderWatch) stillHeld(flagged bool) bool {
	active, err := w.cfg.Interrupt.Asserted()
	w.blind = err != nil
	switch {
	case !w.blind && w.toldDark:
		w.toldDark = false
		w.log.Info("interrupt line is available again")
	case w.blind && !w.toldDark && !passing(err):
		w.toldDark = true
		w.log.Warn("interrupt line is not available, polling", "every", w.cfg.Poll, "error", err)
	}
	if !active || w.blind {
		if w.toldHeld {
			w.log.Info("interrupt line is free again")
		}
		w.held, w.toldHeld, w.again = time.Time{}, false, 0
		return false
	}
	if flagged && w.again < expanderAgain {
		w.again++
		return true
	}
	switch {
	case w.held.IsZero():
		w.held = w.looked
	case !w.toldHeld && w.looked.Sub(w.held) >= expanderHeld:
		w.toldHeld = true
		if flagged {
			w.log.Warn("interrupt line stays active because this chip's inputs never rest, polling: a loose wire, or an input that nothing "+
				"pulls?", "every", w.cfg.Poll)
		} else {
			w.log.Warn("interrupt line stays active though this chip has nothing to say, polling: another chip on it that is not "+
				"configured, or a short circuit?", "every", w.cfg.Poll)
		}
	}
	return false
}

// passing tells that an interrupt line is not available only because its bank or this chip's begins later, or ends sooner.
func passing(err error) bool {
	return errors.Is(err, errNotOpen) || errors.Is(err, errLeft) || errors.Is(err, context.Canceled)
}

// next is when to look without a signal.
func (w *expanderWatch) next() time.Time {
	if w.verifyAt.Before(w.scanAt) {
		return w.verifyAt
	}
	return w.scanAt
}
