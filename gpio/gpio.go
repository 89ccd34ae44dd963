// Package gpio watches and drives digital lines: those of a Raspberry Pi's header, of I2C port expanders, and simulated ones.
//
// A [Chip] speaks in offsets and physical levels. A [Bank] puts the configured names, active-low, settling and supervision over
// one chip, and turns what the chip says into [Event]s. Nothing here knows of MQTT, of YAML or of sensors.
package gpio

import (
	"context"
	"iter"
	"math/bits"
	"time"
)

// MaxLines is how many lines a chip can have here. The largest chips known have fewer than 400.
const MaxLines = 512

// Lines is a set of a chip's lines, by offset. The zero value is the empty set; sets compare with ==.
type Lines [MaxLines / 64]uint64

// LinesOf gives the set of the given offsets. It panics on one that is not below MaxLines.
func LinesOf(offsets ...uint32) (l Lines) {
	for _, o := range offsets {
		l.Set(o, true)
	}
	return l
}

// Has tells whether the line is in the set.
func (l *Lines) Has(offset uint32) bool { return l[offset/64]>>(offset%64)&1 != 0 }

// Set puts the line into the set, or takes it out.
func (l *Lines) Set(offset uint32, in bool) {
	if in {
		l[offset/64] |= 1 << (offset % 64)
	} else {
		l[offset/64] &^= 1 << (offset % 64)
	}
}

// Empty tells whether no line is in the set.
func (l *Lines) Empty() bool { return *l == Lines{} }

// All yields the offsets in ascending order.
func (l Lines) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, w := range l {
			for ; w != 0; w &= w - 1 {
				if !yield(uint32(64*i + bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// Levels are the physical levels of lines, as read.
type Levels struct {
	Valid Lines // the lines that were read; of the others nothing is known
	High  Lines // of the valid ones
	Fault Lines // of the valid ones: outputs whose pin does not follow what the chip drives; High is then what is driven
}

// Pull is what holds an input while nothing drives it.
type Pull uint8

const (
	PullAsIs Pull = iota // whatever the line has now
	PullUp
	PullDown
	PullNone
)

// Initial is the state that an output gets when it is claimed.
type Initial uint8

const (
	// Keep leaves a line that is driven at its level. A line that is not driven becomes off: its level is its pull, never a state.
	Keep Initial = iota
	Off
	On
	// KeepOrOn is Keep for a line that is driven. One that is not becomes on: it lost its level with the supply, and was on before.
	KeepOrOn
)

// Undriven gives the state that a line gets that is not driven yet.
func (i Initial) Undriven() (active bool) { return i == On || i == KeepOrOn }

// Keeps tells whether a line that is driven keeps its level.
func (i Initial) Keeps() bool { return i == Keep || i == KeepOrOn }

// Count is which edges of an input are counted. Those of a line that counts are not told one by one.
type Count uint8

const (
	CountNone     Count = iota // it is no counter: each edge is told
	CountActive                // becoming active
	CountInactive              // becoming inactive
	CountBoth
)

// counts gives how many of n edges in a row count, of which the last one made the line active, or inactive: edges of one line alternate.
func (c Count) counts(n uint64, active bool) uint64 {
	switch {
	case c == CountBoth:
		return n
	case c == CountNone:
		return 0
	case active == (c == CountActive):
		return n - n/2
	}
	return n / 2
}

// LineConfig is how one line is used.
type LineConfig struct {
	Name      string // the point's; the kernel shows it to others as the line's consumer
	Offset    uint32 // below MaxLines
	Output    bool
	Pull      Pull // of an input
	ActiveLow bool // active is low; a chip needs it only to know which level is off
	Debounce  time.Duration
	Initial   Initial // of an output
	Count     Count   // of an input
	// Together is the same text for the two inputs of a rotary encoder: their edges come in the order in which they happened, which a
	// chip need not keep otherwise. They have the same Pull and Debounce.
	Together string
}

// Level gives the physical level (true: high) that stands for active, or for not.
func (c *LineConfig) Level(active bool) bool { return active != c.ActiveLow }

// Chip is a set of lines that are read and driven together. Its methods are called by one goroutine at a time,
// but for Watch, which runs beside the others.
type Chip interface {
	// Claim makes lines the chip's claimed ones, by difference to those claimed before: it requests new ones, changes changed
	// ones, releases missing ones and leaves the rest untouched, so that calling it again retries what failed. The answer has
	// one error per line, nil for those that work; it is nil when all do. An output's level is set together with its direction.
	Claim(lines []LineConfig) []error
	// Read gives those of the lines in mask that are claimed, and may give others that came with them: an expander reads all
	// in one transaction. An output reads as what the chip drives, and is valid only while the chip drives it. The error is
	// for the whole chip: it is gone, or does not answer.
	Read(mask Lines) (Levels, error)
	// Write drives the lines in mask to levels (set: high), in one transaction where the chip has one. Lines that are not
	// claimed outputs are left out.
	Write(mask, levels Lines) error
	// Watch sends every edge of the claimed inputs, each line's in order, until ctx ends, which is no error, or the chip fails.
	// It follows later calls of Claim.
	Watch(ctx context.Context, edges chan<- Edge) error
	// Close gives everything back and leaves outputs as they are. Watch has returned, or returns soon.
	Close() error
}

// Edge is a line's change of level, as a chip saw it.
type Edge struct {
	Offset  uint32
	High    bool      // the level after it
	At      time.Time // wall time that carries the monotonic stamp
	Lost    uint32    // edges of this line that the chip or the kernel dropped before this one
	Settled bool      // the chip has debounced it
	// Count is how many edges this one stands for, itself included, where the chip itself sees to it that only those arrive that the
	// line's Count wants. 0: it stands for itself, and the bank decides whether it counts.
	Count uint64
	// Every is how far apart the line is read where it is not watched but polled: a level that was read once alone may be a
	// disturbance, and settles only when it is read again. 0: the line is watched.
	Every  time.Duration
	Resync bool // not an edge that was seen: the line was read again after others were lost
}

// Event is what a Bank says of a line, or of its chip.
type Event struct {
	Chip   string // the chip's configured name
	Line   string // the point's name; empty where the event is about the chip as a whole
	Active bool   // of a line; for an output this is confirmed by the chip
	Edge   bool   // a change that was seen; false for a first read, a resync or a confirmation: fires no rule, counts nothing
	At     time.Time
	Lost   uint32 // edges of this line that went missing before this event
	Count  uint64 // of a line that counts: edges since its last event, the last of them at At; its Active and Edge say nothing
	Err    error  // the line, or the chip, is not available, and why; Active says nothing then
	Fault  error  // the output's pin does not follow what the chip drives; Active is what is driven
}

// Interrupt is a line that an expander pulls when one of its inputs changes. Several expanders may share one.
type Interrupt interface {
	// Subscribe gives a channel of capacity 1 that gets a value when the line becomes active, until ctx ends.
	Subscribe(ctx context.Context) <-chan struct{}
	// Asserted tells whether the line is active now; an error says that it cannot be read.
	Asserted() (bool, error)
}
