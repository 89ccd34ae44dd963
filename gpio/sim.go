package gpio

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// simEdges is how many edges a Sim keeps while nobody takes them; then the oldest go, as in the kernel.
const simEdges = 1024

// Sim is a chip in memory, with a world around it that presses buttons and looks at outputs. It behaves as the kernel's chips do:
// a line's pull decides while nothing drives it, an output stays as it is after Close, a chip that was gone must be opened again.
//
// The Chip methods keep to Chip's rules; all others may be called by anyone at any time and do not block.
type Sim struct {
	wake chan struct{} // capacity 1: Watch should look

	mu     sync.Mutex // guards the following
	lines  []simLine
	err    error // why the chip is gone
	dead   error // why the chip as it was opened is of no use any more; Open begins anew
	open   bool
	opened int // how often; tells a Watch that its chip was closed
	queue  []Edge
	output func(offset uint32, high bool)
}

type simLine struct {
	claimed bool
	cfg     LineConfig
	err     error // the line cannot be claimed
	pull    Pull
	world   worldLevel
	driven  bool // by the chip; stays over Close
	high    bool // what the chip drives
	lost    uint32
}

type worldLevel uint8

const (
	worldFloats worldLevel = iota
	worldLow
	worldHigh
)

// level is what a meter at the pin shows. The world is stronger than the chip, and anything is stronger than a pull.
func (l *simLine) level() bool {
	switch {
	case l.world != worldFloats:
		return l.world == worldHigh
	case l.driven:
		return l.high
	}
	return l.pull == PullUp
}

// NewSim gives a chip of that many lines, at most MaxLines, which float. It is a Chip right away; after Close, or after Fail and
// Recover, Open gives it again.
func NewSim(lines int) *Sim {
	return &Sim{lines: make([]simLine, min(lines, MaxLines)), wake: make(chan struct{}, 1)}
}

// Open opens the chip, for BankConfig. The chip is s itself. It fails while the chip is gone, and while it is open.
func (s *Sim) Open() (Chip, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.open {
		return nil, fmt.Errorf("the simulated chip is open already: close it first")
	}
	s.open, s.dead = true, nil
	s.opened++
	return s, nil
}

// Claim implements Chip.
func (s *Sim) Claim(lines []LineConfig) []error {
	s.mu.Lock()
	var told []Edge // what outputs drive now
	defer s.tell(&told)
	defer s.mu.Unlock()
	var errs []error
	fail := func(i int, err error) {
		if errs == nil {
			errs = make([]error, len(lines))
		}
		errs[i] = err
	}
	if s.dead == nil {
		s.open = true
	}
	var wanted Lines
	for i := range lines {
		c := &lines[i]
		switch {
		case s.dead != nil:
			fail(i, s.dead)
			continue
		case int(c.Offset) >= len(s.lines):
			fail(i, fmt.Errorf("no line %d: the simulated chip has lines 0 to %d", c.Offset, len(s.lines)-1))
			continue
		case wanted.Has(c.Offset):
			fail(i, fmt.Errorf("line %d is asked for twice", c.Offset))
			continue
		}
		wanted.Set(c.Offset, true)
		l := &s.lines[c.Offset]
		if l.err != nil {
			fail(i, l.err)
			continue
		}
		was, before := *l, l.level()
		l.claimed, l.cfg = true, *c
		if c.Output {
			if wasOutput := was.claimed && was.cfg.Output; !wasOutput {
				if !l.driven || !c.Initial.Keeps() {
					l.high = c.Level(c.Initial.Undriven())
				}
				l.driven = true
			}
			if !was.driven || was.high != l.high {
				told = append(told, Edge{Offset: c.Offset, High: l.high})
			}
			continue
		}
		l.driven = false
		if c.Pull != PullAsIs {
			l.pull = c.Pull
		}
		if was.claimed && !was.cfg.Output {
			s.changed(c.Offset, before)
		}
	}
	for o := range s.lines {
		if l := &s.lines[o]; l.claimed && !wanted.Has(uint32(o)) {
			l.claimed = false
		}
	}
	return errs
}

// Read implements Chip.
func (s *Sim) Read(mask Lines) (Levels, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var v Levels
	if s.dead != nil {
		return v, s.dead
	}
	for o := range mask.All() {
		if int(o) >= len(s.lines) || !s.lines[o].claimed {
			continue
		}
		l := &s.lines[o]
		v.Valid.Set(o, true)
		if l.cfg.Output {
			v.High.Set(o, l.high)
			v.Fault.Set(o, l.high != l.level())
		} else {
			v.High.Set(o, l.level())
		}
	}
	return v, nil
}

// Write implements Chip.
func (s *Sim) Write(mask, levels Lines) error {
	s.mu.Lock()
	var told []Edge
	defer s.tell(&told)
	defer s.mu.Unlock()
	if s.dead != nil {
		return s.dead
	}
	for o := range mask.All() {
		if int(o) >= len(s.lines) || !s.lines[o].claimed || !s.lines[o].cfg.Output {
			continue
		}
		if l := &s.lines[o]; l.high != levels.Has(o) {
			l.high = levels.Has(o)
			told = append(told, Edge{Offset: o, High: l.high})
		}
	}
	return nil
}

// Watch implements Chip.
func (s *Sim) Watch(ctx context.Context, edges chan<- Edge) error {
	s.mu.Lock()
	opened := s.opened
	s.mu.Unlock()
	for {
		s.mu.Lock()
		err := s.dead
		if err == nil && s.opened != opened {
			err = os.ErrClosed
		}
		var e Edge
		any := err == nil && len(s.queue) > 0
		if any {
			e = s.queue[0]
			s.queue = s.queue[1:]
		}
		s.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.poke() // the signal may have been a later Watch's
			return err
		case any:
			select {
			case edges <- e:
			case <-ctx.Done():
				return nil
			}
		default:
			select {
			case <-s.wake:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// Close implements Chip. What outputs drive stays as it is.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	s.opened++
	s.giveBack()
	return nil
}

// giveBack ends all claims. s.mu is held.
func (s *Sim) giveBack() {
	for o := range s.lines {
		s.lines[o].claimed, s.lines[o].lost = false, 0
	}
	s.queue = nil
	s.poke()
}

// Press drives a line to its active level, as a finger does. Before its first claim a line counts as active-high.
func (s *Sim) Press(offset uint32) { s.push(offset, true) }

// Release drives a line to its inactive level. Before its first claim a line counts as active-high.
func (s *Sim) Release(offset uint32) { s.push(offset, false) }

func (s *Sim) push(offset uint32, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lines[offset]
	s.drive(offset, worldOf(l.cfg.Level(active)))
}

// Drive drives a line from outside. Against an output this is a short circuit: its pin no longer follows the chip, which is
// a fault in Levels.
func (s *Sim) Drive(offset uint32, high bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drive(offset, worldOf(high))
}

// Float ends Drive, Press and Release: the line is left to its pull, or to the chip.
func (s *Sim) Float(offset uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drive(offset, worldFloats)
}

func worldOf(high bool) worldLevel {
	if high {
		return worldHigh
	}
	return worldLow
}

// drive sets what the world does with a line. s.mu is held.
func (s *Sim) drive(offset uint32, w worldLevel) {
	l := &s.lines[offset]
	before := l.level()
	l.world = w
	s.changed(offset, before)
}

// changed keeps an edge of a claimed input if its level is not what it was before. s.mu is held.
func (s *Sim) changed(offset uint32, before bool) {
	l := &s.lines[offset]
	if !l.claimed || l.cfg.Output || l.level() == before || s.dead != nil {
		return
	}
	if len(s.queue) == simEdges {
		old := s.queue[0]
		s.queue = s.queue[1:]
		lost := &s.lines[old.Offset].lost
		for i := range s.queue {
			if s.queue[i].Offset == old.Offset {
				lost = &s.queue[i].Lost
				break
			}
		}
		*lost += 1 + old.Lost
	}
	s.queue = append(s.queue, Edge{Offset: offset, High: !before, At: time.Now(), Lost: l.lost})
	l.lost = 0
	s.poke()
}

// Level tells whether a line's pin is high.
func (s *Sim) Level(offset uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[offset].level()
}

// Driven tells whether the chip drives a line, which may outlive Close, and to which level.
func (s *Sim) Driven(offset uint32) (driven, high bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[offset].driven, s.lines[offset].driven && s.lines[offset].high
}

// OnOutput has f called whenever an output begins to drive, or drives another level. It is called by the goroutine that writes,
// after the fact and without a lock, and should return soon; nil ends it.
func (s *Sim) OnOutput(f func(offset uint32, high bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output = f
}

// tell calls the hook. s.mu is not held.
func (s *Sim) tell(told *[]Edge) {
	if len(*told) == 0 {
		return
	}
	s.mu.Lock()
	f := s.output
	s.mu.Unlock()
	if f == nil {
		return
	}
	for _, e := range *told {
		f(e.Offset, e.High)
	}
}

// Fail makes the chip disappear: every call and a Watch under way answer err, until Recover and Open. Outputs go on driving.
func (s *Sim) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.dead = err, err
	s.giveBack()
}

// Recover brings the chip back, to be opened again. A chip that nobody has open works right away.
func (s *Sim) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = nil
	if !s.open {
		s.dead = nil
	}
}

// FailLine makes a line one that Claim refuses with err, as if someone else held it; a claim that it has is lost. With nil it can
// be claimed again.
func (s *Sim) FailLine(offset uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lines[offset]
	l.err = err
	if err != nil {
		l.claimed = false
	}
}

// poke wakes Watch.
func (s *Sim) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
