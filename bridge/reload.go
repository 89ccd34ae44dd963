package bridge

import (
	"context"
	"errors"
	"time"
)

// Next is what a reload changes to.
type Next struct {
	Config *Config // checked, and not to be changed afterwards
	About  About
	// Fresh are the points of Config, by name, whose hardware is not that of the point which had their name before or, where none had,
	// their id: they begin as not read yet. Whether points are in here that had neither name nor id before makes no difference.
	Fresh map[string]bool
	// Mute is called by the loop first of all. From its return on nothing comes from the points in Fresh, until their new hardware tells of
	// them, nor from what is gone: what it does at its end would be taken for the state of the new points. It must not block; may be nil.
	Mute func()
	// Swap is called by the loop between the last step of the old configuration and the first of the new one, when all writes and messages
	// of the old one have been handed out, and so have the messages that clear what is gone. From its return on the loop hands out writes
	// for the new points. It must not block; nil: there is nothing to swap.
	Swap func()
}

// errStopping is why a reload is refused at the end.
var errStopping = errors.New("the gateway stops")

// reload is a reload on its way to the loop.
type reload struct {
	next *state
	how  *Next
	done chan error // of capacity 1
}

// Reload goes over to another configuration while Run runs, between two steps. What both configurations have in common is not touched:
// nothing is written or published of it, and what goes on goes on. Outputs that are gone, or are in Fresh, do what they would do at the
// end. It blocks until that is done, ctx ends, or Run has returned; on an error nothing has changed.
func (b *Bridge) Reload(ctx context.Context, next Next) error {
	b.parts.knows(&next.About)
	s, err := newState(next.Config, next.About)
	if err != nil {
		return err
	}
	r := &reload{next: s, how: &next, done: make(chan error, 1)}
	select {
	case b.reloads <- r:
		return <-r.done
	case <-b.over:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// knows completes what the program knows of itself.
func (p *Parts) knows(a *About) {
	a.restarts, a.reloads = p.Restart != nil, p.Reload != nil
}

// swap goes over to another state. What is here already was meant for the old one.
func (b *Bridge) swap(r *reload, now time.Time) {
	if r.how.Mute != nil {
		r.how.Mute()
	}
	for range factsMost / batch {
		b.more(now)
	}
	for len(b.samples) > 0 {
		b.step(<-b.samples, now)
	}
	b.commands(now)
	a := newAdoption(b.state, r.next, r.how.Fresh)
	b.step(a.leaving(), now)
	b.state = r.next
	do, send, next := b.state.step(a, now)
	b.publish(send[:a.cleared])
	b.queue.change(b.state)
	if r.how.Swap != nil {
		r.how.Swap()
	}
	b.carry(do, send[a.cleared:], next, now)
	r.done <- nil
}
