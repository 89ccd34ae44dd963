package bridge

import "time"

// Trigger is what an input does: what fires a rule, and what is told on the input's event topic. None comes from a first read or a
// resync.
type Trigger uint8

const (
	Pressed  Trigger = iota // became active; "on" in the configuration means the same
	Released                // became inactive; "off" means the same
	Changed                 // either; for rules only
	Click                   // pressed and released, once; told at once unless more than one click is asked for
	Double                  // two clicks
	Triple                  // three
	Long                    // held for Gestures.Long; told while it is held
	Hold                    // still held: again and again, after Long
)

// String gives the word that the event topic has for it.
func (t Trigger) String() string {
	return [...]string{"press", "release", "change", "click", "double", "triple", "long", "hold"}[t]
}

// Gestures is what is made of an input's edges.
type Gestures struct {
	Told  []Trigger     // those that go to the event topic; rules know all
	Long  time.Duration // held for that long; 0: 500 ms
	Gap   time.Duration // between the clicks of a double or triple one at most; 0: 300 ms
	Every time.Duration // between two Holds; 0: 200 ms
}
