// Package bridge joins hardware to MQTT: facts of lines and sensors become messages, commands and local rules become writes.
//
// [Bridge] is the loop: it hands each fact, command, change of the connection or tick to one pure function, state.step, which
// answers with writes for the hardware, messages for the broker, and when to call it next. [Session] is the connection to the
// broker. The broker is a consumer like any other: no path from a button to a relay passes it.
package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/clock"
	"gatewayd/sensors"
)

const (
	healthEvery = time.Minute
	beatEvery   = time.Second             // the loop shows that it lives, also when nothing happens
	exitWithin  = 1500 * time.Millisecond // for the outputs' on_exit to be confirmed
	factsMost   = 1024                    // facts between the banks and the loop
	batch       = 64                      // facts taken before the loop looks at anything else
)

// Parts are what the bridge is joined to.
type Parts struct {
	Set     func(line string, active bool) // hands a wish to the line's bank; does not block
	Publish func(Message)                  // hands a message to the session; does not block
	Vitals  func() Vitals                  // asks the process; called from the loop, must be quick; nil: none
	Drop    func(topics ...string)         // has the session forget states on these topics; does not block; nil: it keeps none
	Woke    func()                         // is told that the machine has slept; does not block; nil: nobody wants to know
	Restart func()                         // ends the program so that it starts anew; does not block, may be called often; nil: nobody does
	Reload  func()                         // has the program read its configuration again; does not block, may be called often; nil: nobody does
	About   About                          // what the program knows of itself and of the board
	Kept    map[string]Kept                // what Keep was told by an earlier run
	Keep    func(id string, k *Kept)       // is told what is to be kept of an output, nil: nothing any more; does not block; nil: nothing is kept
	Totals  map[string]uint64              // what Count was told last by an earlier run, in edges, by the counter's id
	Count   func(Counted)                  // is told how far a counter has come; does not block; nil: nobody keeps it
	Log     *slog.Logger
}

// Bridge is the loop between hardware and broker.
type Bridge struct {
	parts   Parts
	state   *state
	queue   *queue
	events  chan gpio.Event
	samples chan sensors.Sample
	links   chan Link
	hangs   chan Hang
	wrong   chan complaint
	news    chan struct{} // the vitals have changed
	reloads chan *reload
	over    chan struct{} // closed when Run has returned
	made    time.Time
	beat    atomic.Int64 // since made
	notes   limiter      // of what happens here
	answers limiter      // of what others cause

	// Of Run's goroutine.
	timer   *time.Timer
	armed   time.Time     // when it fires
	next    time.Time     // when step wants a tick
	base    time.Time     // see now
	slept   time.Duration // as known at base
	current gpio.Event    // the event in step, so that none is allocated
}

// New makes the bridge of a checked configuration. It starts nothing.
func New(cfg *Config, parts Parts) (*Bridge, error) {
	parts.knows(&parts.About)
	s, err := newState(cfg, parts.About)
	if err != nil {
		return nil, err
	}
	s.recall(parts.Kept)
	s.recount(parts.Totals)
	return &Bridge{
		parts:   parts,
		state:   s,
		queue:   newQueue(s),
		events:  make(chan gpio.Event, factsMost),
		samples: make(chan sensors.Sample, factsMost),
		links:   make(chan Link, 1),
		hangs:   make(chan Hang),
		wrong:   make(chan complaint, 8),
		news:    make(chan struct{}, 1),
		reloads: make(chan *reload),
		over:    make(chan struct{}),
		made:    time.Now(),
		notes:   limiter{burst: 50, every: time.Second},
		answers: limiter{burst: 20, every: 3 * time.Second},
	}, nil
}

// Events is where banks send what they see. A bank may wait here for the loop; the loop never waits for a bank.
func (b *Bridge) Events() chan<- gpio.Event { return b.events }

// Samples is where pollers send what they measure.
func (b *Bridge) Samples() chan<- sensors.Sample { return b.samples }

// Hangs is where the program says that a call to a chip hangs, so that its bank cannot. Who sends may wait for the loop.
func (b *Bridge) Hangs() chan<- Hang { return b.hangs }

// Receive takes a message from the broker. It never blocks: what finds the queue full is refused, but for an OFF.
func (b *Bridge) Receive(m Inbound) { b.queue.put(m) }

// Link takes a change of the connection and never blocks: the latest counts. Only the session calls it.
func (b *Bridge) Link(l Link) {
	for {
		select {
		case b.links <- l:
			return
		default:
		}
		select {
		case <-b.links:
		default:
		}
	}
}

// Complain publishes on gateway/error what went wrong, and has it logged. It never blocks: of many at once some are left out.
func (b *Bridge) Complain(text string) {
	select {
	case b.wrong <- complaint(text):
	default:
	}
}

// Report has gateway/health be told soon, since the vitals have changed. It never blocks.
func (b *Bridge) Report() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// Beat tells when the loop last came round, for the watchdog; before Run, when it was made. It is a second old at most while the loop
// lives: neither a clock that is set nor a sleep of the machine changes that.
func (b *Bridge) Beat() time.Time { return b.made.Add(time.Duration(b.beat.Load())) }

// Run is the loop. When ctx ends it drives the outputs as on_exit says, waits shortly for their confirmation, and returns nil.
// The banks must still run then.
func (b *Bridge) Run(ctx context.Context) error {
	defer close(b.over)
	b.timer = time.NewTimer(beatEvery)
	defer b.timer.Stop()
	report := time.NewTicker(healthEvery)
	defer report.Stop()
	now := b.look()
	b.step(start{}, now)
	b.step(b.vitals(), now)
	done, end := ctx.Done(), time.Time{}
	for {
		b.beat.Store(int64(now.Add(-b.slept).Sub(b.made)))
		if !end.IsZero() && (b.state.settled() || !now.Before(end)) {
			return nil
		}
		b.arm(now)
		select {
		case e := <-b.events:
			now = b.now()
			b.event(e, now)
			b.more(now)
		case s := <-b.samples:
			now = b.now()
			b.more(now)
			s.At = s.At.Add(b.slept) // as with events
			b.step(s, now)
		case <-b.queue.wake:
			now = b.now()
			b.more(now)
			b.commands(now)
		case l := <-b.links:
			now = b.now()
			b.more(now)
			b.commands(now) // what the broker had came before it
			b.step(l, now)
		case h := <-b.hangs:
			now = b.now()
			b.more(now)
			b.step(h, now)
		case c := <-b.wrong:
			now = b.now()
			b.step(c, now)
		case <-b.news:
			now = b.now()
			b.step(b.vitals(), now)
		case <-b.timer.C:
			before := b.slept
			now, b.armed = b.look(), time.Time{}
			b.more(now)
			if b.slept != before {
				b.woke(b.slept-before, now)
			}
			b.step(tick{}, now)
		case <-report.C:
			now = b.now()
			b.more(now)
			b.step(b.vitals(), now)
		case r := <-b.reloads:
			now = b.now()
			if done == nil {
				r.done <- errStopping
			} else {
				b.swap(r, now)
			}
		case <-done:
			now = b.now()
			done, end = nil, now.Add(exitWithin)
			b.more(now)
			b.step(stop{}, now)
		}
		if b.state.health.changed {
			b.step(b.vitals(), now)
		}
	}
}

// now is the time, as package clock has it. Within a second only the monotonic clock is looked at: where that is a system call, one
// is cheaper than two.
func (b *Bridge) now() time.Time { return b.base.Add(time.Since(b.base) + b.slept) }

// look is now, with a look at how long the machine has slept.
func (b *Bridge) look() time.Time {
	b.base, b.slept = time.Now(), clock.Slept()
	return b.now()
}

// woke tells that the machine has slept: what came due meanwhile is done now.
func (b *Bridge) woke(slept time.Duration, now time.Time) {
	b.parts.Log.Info("the machine has slept", "for", slept.Round(time.Second))
	b.step(woke{}, now)
	if b.parts.Woke != nil {
		b.parts.Woke()
	}
}

// arm sets the timer to the next tick, or to the next sign of life. A timer that fires too soon costs less than one that is set
// again with every event.
func (b *Bridge) arm(now time.Time) {
	due := earliest(now.Add(beatEvery), b.next)
	if b.armed.IsZero() || due.Before(b.armed) {
		b.armed = due
		b.timer.Reset(max(0, due.Sub(now)))
	}
}

func (b *Bridge) event(e gpio.Event, now time.Time) {
	b.current = e
	b.current.At = e.At.Add(b.slept) // its stamp is by the clock that stands still meanwhile
	b.step(&b.current, now)
}

// more takes the events that are there already. It comes before whatever tells the time: their stamps are older, and may make a click
// of what would otherwise be held for too long.
func (b *Bridge) more(now time.Time) {
	for range batch {
		select {
		case e := <-b.events:
			b.event(e, now)
		default:
			return
		}
	}
}

func (b *Bridge) commands(now time.Time) {
	commands, refused := b.queue.take()
	for i, m := range commands {
		b.step(m, now)
		if i%16 == 15 { // a flood of commands must not hold up the buttons
			b.more(now)
		}
	}
	for _, r := range refused {
		b.step(r, now)
	}
}

func (b *Bridge) vitals() Vitals {
	var v Vitals
	if b.parts.Vitals != nil {
		v = b.parts.Vitals()
	}
	v.commands, v.facts = b.queue.depth(), len(b.events)+len(b.samples)
	return v
}

// step carries out what state.step answers: writes go first.
func (b *Bridge) step(in any, now time.Time) {
	do, send, next := b.state.step(in, now)
	b.carry(do, send, next, now)
}

func (b *Bridge) carry(do []Write, send []Message, next, now time.Time) {
	b.next = next
	for _, w := range do {
		b.parts.Set(w.Point, w.Value != 0)
	}
	if b.parts.Keep != nil {
		for _, k := range b.state.keep {
			b.parts.Keep(k.id, k.Kept)
		}
	}
	if b.parts.Count != nil {
		for _, c := range b.state.counts {
			b.parts.Count(c)
		}
	}
	if len(do) > 0 && len(send) > 0 {
		runtime.Gosched() // on a single processor the bank would otherwise wait until the session has told the broker
	}
	if len(b.state.drop) > 0 && b.parts.Drop != nil {
		b.parts.Drop(b.state.drop...)
	}
	b.publish(send)
	if b.state.restart {
		b.state.restart = false
		b.parts.Restart()
	}
	if b.state.reload {
		b.state.reload = false
		b.parts.Reload()
	}
	for _, n := range b.state.notes {
		limit := &b.notes
		if n.outside {
			limit = &b.answers
		}
		if skipped, ok := limit.allow(now); ok {
			b.parts.Log.Warn(n.text + left(skipped))
		}
	}
}

func (b *Bridge) publish(send []Message) {
	for _, m := range send {
		b.parts.Publish(m)
	}
}

func left(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d such lines were left out before this one)", n)
}

// limiter lets a burst through, and then one each while.
type limiter struct {
	burst   int
	every   time.Duration
	used    float64
	last    time.Time
	skipped int
}

// allow tells whether there is a place now, and how many found none since the last one that did.
func (l *limiter) allow(now time.Time) (skipped int, ok bool) {
	l.used = max(0, l.used-float64(now.Sub(l.last))/float64(l.every))
	l.last = now
	if l.used+1 > float64(l.burst) {
		l.skipped++
		return 0, false
	}
	l.used++
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}
