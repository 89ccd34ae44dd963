package gpio

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	checkEvery = 2 * time.Second        // BankConfig.Check's default
	claimEvery = 2 * time.Second        // a line that someone else holds is asked for again
	backoffMin = 250 * time.Millisecond // between attempts to open a chip, doubling
	backoffMax = 30 * time.Second
	stableFor  = 30 * time.Second       // a chip that worked that long begins with backoffMin again
	lastWords  = 200 * time.Millisecond // for events after the end of Run's context
)

// BankConfig is what a Bank makes of a chip.
type BankConfig struct {
	Chip string // the configured name
	// Lines are the points. Names and offsets are unique, over Interrupts too. Bank.Change changes both.
	Lines []LineConfig
	// Interrupts are inputs that serve expanders and are no points: there are no events of them, see Bank.Interrupt.
	Interrupts []LineConfig
	// Open opens the chip. It may block for the time of some bus transactions. Bank closes what it gave.
	Open func() (Chip, error)
	// LineName gives a line's name for people, such as HeaderLineName. nil: line 17.
	LineName func(offset uint32) string
	Check    time.Duration // supervision: how often all lines are read again; 0: 2 s
	Log      *slog.Logger  // nil: none
}

// Bank is one chip under its configured names. It turns what the chip says into events and wishes into levels, and takes care that
// both go on when the chip fails and returns.
type Bank struct {
	cfg    BankConfig
	events chan<- Event
	log    *slog.Logger
	wake   chan struct{} // capacity 1: there are wishes, or other lines
	asks   chan question // of interrupts
	made   time.Time
	beat   atomic.Int64 // nanoseconds since made, by the clock that is never set

	mu      sync.Mutex             // guards the following
	outputs map[string]*LineConfig // by name
	irqs    map[string]*interrupt  // by name
	next    []bankLine             // what Change wants lines to be; nil: nothing else
	muted   map[string]bool        // points that there are no events of
	mute    bool                   // there are none at all
	waiting Lines                  // wishes for outputs
	leaving Lines                  // wishes for those that next has no more
	high    Lines                  // the level that is wished, of waiting and leaving

	// What follows belongs to Run's goroutine.
	lines []bankLine       // points, then interrupts
	at    [MaxLines]uint16 // index + 1 of lines, by offset; 0: none
	owed  []LineConfig     // outputs that left while the chip was not available, and are to be switched off
	quit  <-chan struct{}
	// reason is why the chip is not available, as it was told; empty: it is, or nothing was told yet.
	reason string
	session
}

// bankLine is a line, and what is known of it.
type bankLine struct {
	cfg    LineConfig // Initial becomes what is wished when the chip is opened again
	what   string     // for error texts
	irq    *interrupt // of an interrupt; nil: a point
	ok     bool       // its state was told, and still stands
	active bool       // the state that was told
	reason string     // why it is not available, as it was told
	logged bool       // and logged, as it is not the whole chip's
	lost   uint32     // edges that no event has told of yet
	counting

	fresh   bool      // it has not been read yet
	anew    bool      // its state is known, but was not told under this name
	again   bool      // it was another one in a change that another has overtaken
	since   time.Time // when it was read for the first time: edges that are older have nothing to say
	refused error     // by Claim
	settle  settling
	unsure  bool  // an output that did not read as it was just written; nobody was told yet
	suspect uint8 // how often in a row an input read differently from what was told, with no edge so far

	wished, wish bool // outputs: there is a wish, and which
	wants        want
	differs      bool  // the chip's state was found to differ from the wish, and that was told
	faults       uint8 // readings in a row with a fault, up to 2
	fault        error // as it was told
}

// want is why an output is to be written.
type want uint8

const (
	wantsNothing want = iota
	wantsRepair       // the chip's state is not what it was
	wantsWish         // Set was called: an event will answer
)

// NewBank gives a bank that sends to events. It does nothing until Run; Set and Interrupt may be called before.
func NewBank(cfg BankConfig, events chan<- Event) *Bank {
	b := &Bank{
		cfg: cfg, events: events, log: cfg.Log,
		wake: make(chan struct{}, 1), asks: make(chan question), made: time.Now(),
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.log = b.log.With("chip", cfg.Chip)
	if b.cfg.Check <= 0 {
		b.cfg.Check = checkEvery
	}
	b.plan(cfg.Lines, cfg.Interrupts)
	b.swap()
	return b
}

// what names a line in an error: input "door" (GPIO17, pin 11, on header).
func (b *Bank) what(kind string, c *LineConfig) string {
	name := fmt.Sprintf("line %d", c.Offset)
	if b.cfg.LineName != nil {
		name = b.cfg.LineName(c.Offset)
	}
	if n, pin, ok := strings.Cut(name, " ("); ok {
		name = n + ", " + strings.TrimSuffix(pin, ")") + ","
	}
	return fmt.Sprintf("%s %q (%s on %s)", kind, c.Name, name, b.cfg.Chip)
}

// Beat tells when Run last came round; zero: it has not begun. While it runs and no call to the chip hangs, that is never longer ago
// than BankConfig.Check or the longest pause between attempts to open the chip. A clock that is set changes nothing of that.
func (b *Bank) Beat() time.Time {
	if n := b.beat.Load(); n != 0 {
		return b.made.Add(time.Duration(n))
	}
	return time.Time{}
}

// came notes a sign of life.
func (b *Bank) came(now time.Time) { b.beat.Store(max(1, int64(now.Sub(b.made)))) }

// Chip gives the configured name.
func (b *Bank) Chip() string { return b.cfg.Chip }

// Run opens the chip and keeps it at work until ctx ends, which is no error: a chip that fails is closed and opened again, for ever.
// Wishes that were set before ctx ended are written before it returns, if the chip is there; outputs stay as they are.
// It is called once.
func (b *Bank) Run(ctx context.Context) error {
	b.quit = ctx.Done()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, irq := range b.irqs {
			irq.failed(fmt.Errorf("chip %q was closed: %w", b.cfg.Chip, context.Canceled))
		}
	}()
	for wait := backoffMin; ctx.Err() == nil; wait = min(2*wait, backoffMax) {
		began := time.Now()
		b.came(began)
		chip, err := b.cfg.Open()
		if err == nil {
			err = b.serve(ctx, chip)
			if cerr := chip.Close(); cerr != nil && err == nil {
				b.log.Warn("the chip was closed with an error", "err", cerr)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		b.down(err)
		if time.Since(began) >= stableFor {
			wait = backoffMin
		}
		// Many chips on one bus fail together, and need not return together.
		for again := time.After(wait*4/5 + rand.N(wait*2/5)); again != nil; {
			select {
			case <-again:
				again = nil
			case <-b.wake:
				if b.replan() {
					b.down(err) // for those that are new
				}
			case <-ctx.Done():
				again = nil
			}
		}
	}
	return nil
}

// down tells that the chip failed: once, and once for each line.
func (b *Bank) down(err error) {
	if reason := err.Error(); reason != b.reason {
		b.reason = reason
		b.log.Warn("the chip is not available; it is tried again", "err", err)
		b.send(Event{Chip: b.cfg.Chip, At: time.Now(), Err: fmt.Errorf("chip %q: %w", b.cfg.Chip, err)})
	}
	for i := range b.lines {
		l := &b.lines[i]
		l.refused = nil
		if l.irq == nil {
			// Whoever wished for something while the chip failed hears of it now; the wish itself waits for the chip.
			b.unavailable(l, err, false)
			continue
		}
		l.reason = ""
		l.irq.failed(fmt.Errorf("%s: %w", l.what, err))
	}
}

// up tells that the chip is there.
func (b *Bank) up() {
	if b.reason != "" {
		b.log.Info("the chip is available again")
	}
	b.reason = ""
	b.send(Event{Chip: b.cfg.Chip, At: time.Now()})
}

// unavailable tells why a line is not available, if that was not told yet, or if it was asked for.
func (b *Bank) unavailable(l *bankLine, err error, asked bool) {
	reason := err.Error()
	if changed := l.reason != reason; changed || asked {
		err = fmt.Errorf("%s: %w", l.what, err)
		if changed && b.reason == "" { // else it is the whole chip, and was logged
			l.logged = true
			b.log.Warn("a line is not available", "err", err)
		}
		e := Event{Chip: b.cfg.Chip, Line: l.cfg.Name, At: time.Now(), Lost: l.lost, Err: err}
		l.lost = 0
		l.take(&e)
		b.send(e)
	}
	l.ok, l.reason, l.unsure, l.suspect, l.settle.pending = false, reason, false, 0, false
	l.faults, l.fault = 0, nil
}

// tell tells a line's state.
func (b *Bank) tell(l *bankLine, active, edge bool, at time.Time) {
	if l.logged {
		b.log.Info("a line is available again", "line", l.cfg.Name)
	}
	l.reason, l.logged = "", false
	lost := l.lost
	l.ok, l.active, l.suspect, l.anew, l.lost = true, active, 0, false, 0
	e := Event{Chip: b.cfg.Chip, Line: l.cfg.Name, Active: active, Edge: edge, At: at, Lost: lost, Fault: l.fault}
	l.take(&e)
	b.send(e)
}

// send waits until the event is taken, or Run is to end. What is muted is left out.
func (b *Bank) send(e Event) {
	if b.offer(e) {
		return
	}
	select {
	case b.events <- e:
	case <-b.quit:
	}
}
