package gpio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// assertedWait bounds how long Asserted waits for the bank. It may be busy: with a bus, or with a full channel of events. It is less
// than recheckAfter, as an expander that waits here does not send its edges meanwhile.
const assertedWait = 30 * time.Millisecond

const _ = uint(recheckAfter - assertedWait) // does not compile where it is not

// interrupt is a line of a bank that serves expanders. Its methods may be called by any goroutine.
type interrupt struct {
	bank *Bank
	cfg  LineConfig // its name may be an earlier one

	mu     sync.Mutex // guards the following
	subs   []chan struct{}
	active bool
	err    error // why the line cannot be read
	left   bool  // it cannot be read any more
}

// question is Asserted's to the bank's goroutine.
type question struct {
	of     *interrupt
	answer chan struct{} // capacity 1; gets a value when of is up to date
}

// Interrupt gives the interrupt line of that name in BankConfig.Interrupts, or as Change has it, and panics if there is none. It may
// be used by any goroutine, before and after Run too: then it is not available, and so it is once Change took it away. A line that
// Change merely renamed stays the same one.
func (b *Bank) Interrupt(name string) Interrupt {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := b.irqs[name]
	if !ok {
		panic(fmt.Sprintf("gpio: chip %q has no interrupt line %q", b.cfg.Chip, name))
	}
	return i
}

// Subscribe implements Interrupt. A line that is active already, or is so again when its chip returns, signals as well.
func (i *interrupt) Subscribe(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	i.mu.Lock()
	i.subs = append(i.subs, ch)
	if i.active && i.err == nil {
		ch <- struct{}{}
	}
	i.mu.Unlock()
	context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.subs = slices.DeleteFunc(i.subs, func(c chan struct{}) bool { return c == ch })
	})
	return ch
}

// Asserted implements Interrupt. It waits until the bank has read the line, at most assertedWait; then the level of the last edge
// is the answer.
func (i *interrupt) Asserted() (bool, error) {
	if _, err := i.last(); err != nil {
		return false, err
	}
	q := question{of: i, answer: make(chan struct{}, 1)}
	limit := time.NewTimer(assertedWait)
	defer limit.Stop()
	select {
	case i.bank.asks <- q:
		select {
		case <-q.answer:
		case <-limit.C:
		}
	case <-limit.C:
	}
	return i.last()
}

func (i *interrupt) last() (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.active, i.err
}

// saw takes the line's state, as an edge or a reading tells it, and signals if it is active.
func (i *interrupt) saw(active, signal bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.left {
		return
	}
	i.active, i.err = active, nil
	if !active || !signal {
		return
	}
	for _, ch := range i.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// failed takes note that the line cannot be read.
func (i *interrupt) failed(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.left {
		i.err = err
	}
}

// end takes note that the line can never be read again.
func (i *interrupt) end(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err, i.left = err, true
}

var errNotOpen = errors.New("it is not in use yet")
