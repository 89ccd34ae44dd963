package bus

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// env is what a chip sees of the bus.
type env struct {
	bus  *Bus
	slot *slot
}

func (e *env) Now() time.Time { return time.Now() }

func (e *env) After(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		e.bus.mu.Lock()
		defer e.bus.unlock()
		if !e.slot.gone {
			f()
		}
	})
}

func (e *env) Pin(name string, high bool) {
	if old, ok := e.slot.pins[name]; ok && old == high {
		return
	}
	e.slot.pins[name] = high
	for _, n := range e.slot.nets[name] {
		e.bus.settle(n)
	}
	c := Change{Time: time.Now(), Chip: e.slot.name, Pin: name, High: high}
	for ch, lost := range e.bus.watch {
		c.Lost = lost
		select {
		case ch <- c:
			e.bus.watch[ch] = 0
		default: // it hears of it with the next change
			e.bus.watch[ch]++
		}
	}
}

// Pin is an output pin of a chip.
type Pin struct {
	Addr uint16
	Name string // as the chip's model has it: inta
}

// net is what pins are wired to, and somebody who follows its level. Several pins on one net pull it low together, as open
// drains with a pull-up do.
type net struct {
	ends  []end
	tell  func(high bool)
	path  string // of a file that follows
	close func()
	high  bool
	cut   bool // nobody follows any more
}

type end struct {
	slot *slot
	pin  string
}

// notice is a level that a net's follower is still to be told; with end it is the last.
type notice struct {
	net       *net
	high, end bool
}

// settle works out a net's level and notes a change for its follower.
func (b *Bus) settle(n *net) {
	high := n.level()
	if high == n.high {
		return
	}
	n.high = high
	b.note(notice{net: n, high: high})
}

func (n *net) level() bool {
	for _, e := range n.ends {
		if !e.slot.pins[e.pin] {
			return false
		}
	}
	return true
}

func (b *Bus) note(n notice) { b.due, b.fresh = append(b.due, n), true }

// unlock gives mu back. If pins have changed since it was taken, it returns when their followers know.
func (b *Bus) unlock() {
	fresh := b.fresh
	b.fresh = false
	b.mu.Unlock()
	if !fresh {
		return
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	for {
		b.mu.Lock()
		if len(b.due) == 0 {
			b.mu.Unlock()
			return
		}
		n := b.due[0]
		b.due = slices.Delete(b.due, 0, 1)
		cut := n.net.cut
		b.mu.Unlock()
		switch {
		case n.end && n.net.close != nil:
			n.net.close()
		case !n.end && !cut:
			n.net.tell(n.high)
		}
	}
}

// OnPin lets f follow an output pin of a chip: it is told the level now, before OnPin returns, and then every change. See
// OnLine, of which this is the case of one pin.
func (b *Bus) OnPin(addr uint16, pin string, f func(high bool)) (stop func(), err error) {
	return b.OnLine(f, Pin{addr, pin})
}

// OnLine lets f follow a line that output pins are wired to, one or several: it is low while one of them is. That is how open
// drains share an interrupt line; a chip that is removed lets go of it.
//
// F is told the level now, before OnLine returns, and then every change, in order, one call at a time, and before the call
// that caused the change returns. No lock that keeps chips from being looked at is held meanwhile, so that f may call Do,
// List and the like to look. It must not call what can change a pin (Transfer, or Do to set something), nor block, nor wait
// for a lock whose holder does so: it is the place to set a level elsewhere or to wake somebody, as an interrupt is.
//
// Stop ends it; a call that has begun may outlast it.
func (b *Bus) OnLine(f func(high bool), pins ...Pin) (stop func(), err error) {
	b.mu.Lock()
	defer b.unlock()
	n := &net{tell: f}
	if err := b.join(n, pins...); err != nil {
		return nil, err
	}
	n.high = n.level()
	b.note(notice{net: n, high: n.high})
	return func() {
		b.mu.Lock()
		defer b.unlock()
		n.cut = true
		for _, e := range slices.Clone(n.ends) {
			e.slot.nets[e.pin] = slices.DeleteFunc(e.slot.nets[e.pin], func(o *net) bool { return o == n })
			b.leave(n, e)
		}
	}, nil
}

// join wires pins to a net, all or none.
func (b *Bus) join(n *net, pins ...Pin) error {
	var ends []end
	for _, p := range pins {
		s := b.slots[p.Addr]
		if s == nil {
			return fmt.Errorf("no chip at 0x%02x", p.Addr)
		}
		if _, ok := s.pins[p.Name]; !ok {
			return fmt.Errorf("%s has no pin %q (it has: %s)", s.name, p.Name, strings.Join(slices.Sorted(maps.Keys(s.pins)), " "))
		}
		if e := (end{s, p.Name}); !slices.Contains(n.ends, e) {
			ends = append(ends, e)
		}
	}
	for _, e := range ends {
		n.ends = append(n.ends, e)
		e.slot.nets[e.pin] = append(e.slot.nets[e.pin], n)
	}
	return nil
}

// leave unwires a pin from a net, whose level then is that of the others. With the last one it ends.
func (b *Bus) leave(n *net, e end) {
	n.ends = slices.DeleteFunc(n.ends, func(o end) bool { return o == e })
	if len(n.ends) > 0 {
		b.settle(n)
		return
	}
	n.cut = true
	delete(b.files, n.path)
	b.note(notice{net: n, end: true})
}

// Wire makes a file follow a pin of a chip. A file named pull is that of a gpio-sim line and takes pull-up or pull-down;
// others take 1 or 0. Pins wired to the same path share a line, see OnLine.
func (b *Bus) Wire(addr uint16, pin, path string) error {
	b.mu.Lock()
	defer b.unlock()
	if n := b.files[path]; n != nil {
		if err := b.join(n, Pin{addr, pin}); err != nil {
			return err
		}
		b.settle(n)
		return nil
	}
	n := &net{path: path}
	if err := b.join(n, Pin{addr, pin}); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		s := b.slots[addr]
		s.nets[pin] = slices.DeleteFunc(s.nets[pin], func(o *net) bool { return o == n })
		return err
	}
	low, high := "0\n", "1\n"
	if filepath.Base(path) == "pull" {
		low, high = "pull-down", "pull-up"
	}
	failing := false
	n.tell = func(up bool) {
		s := low
		if up {
			s = high
		}
		_, err := f.WriteAt([]byte(s), 0)
		if err != nil && !failing && b.Log != nil {
			b.Log.Warn("a wired file does not follow", "file", path, "err", err)
		}
		failing = err != nil
	}
	n.close = func() { f.Close() }
	n.high = n.level()
	b.files[path] = n
	b.note(notice{net: n, high: n.high})
	return nil
}

// Watch reports pin changes until the returned function is called. Who does not keep up loses changes, and is told how many.
func (b *Bus) Watch(ch chan<- Change) (stop func()) {
	b.mu.Lock()
	defer b.unlock()
	b.watch[ch] = 0
	return func() {
		b.mu.Lock()
		defer b.unlock()
		delete(b.watch, ch)
	}
}

// Pins gives the level of every output pin, in the order of the chips' addresses and the pins' names.
func (b *Bus) Pins() (all []Change) {
	b.mu.Lock()
	defer b.unlock()
	now := time.Now()
	for _, a := range slices.Sorted(maps.Keys(b.slots)) {
		s := b.slots[a]
		for _, p := range slices.Sorted(maps.Keys(s.pins)) {
			all = append(all, Change{Time: now, Chip: s.name, Pin: p, High: s.pins[p]})
		}
	}
	return all
}
