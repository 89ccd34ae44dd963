package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// crew is parts that run together.
type crew struct {
	name   string
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// member is a part of a crew, which can end before the others do.
type member struct {
	leave context.CancelFunc
	gone  chan struct{} // closed when it has ended
}

func newCrew(name string, log *slog.Logger) *crew {
	ctx, cancel := context.WithCancel(context.Background()) // they outlive the signal to stop
	return &crew{name: name, log: log, ctx: ctx, cancel: cancel}
}

// add starts a part, which runs until it is to leave or the crew is ended. One that ends by itself is a mistake of ours that a
// restart may mend.
func (c *crew) add(run func(context.Context) error) *member {
	ctx, cancel := context.WithCancel(c.ctx)
	m := &member{leave: cancel, gone: make(chan struct{})}
	c.wg.Go(func() {
		defer close(m.gone)
		defer cancel()
		err := run(ctx)
		if ctx.Err() == nil {
			panic(fmt.Sprintf("a part of the %s ended: %v", c.name, err))
		}
		if err != nil {
			c.log.Error("a part did not end well", "error", err)
		}
	})
	return m
}

// end stops the parts and waits until they have ended, or not in time: then they are left behind.
func (c *crew) end(within time.Duration) {
	c.cancel()
	done := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(within):
		c.log.Error("a part does not end and is left behind", "part", c.name)
	}
}

// ended tells whether it has.
func (m *member) ended() bool {
	select {
	case <-m.gone:
		return true
	default:
		return false
	}
}
