package bridge

import (
	"errors"
	"fmt"
	"time"
)

const (
	blinkFor  = 5 * time.Second        // a whole number of pairs of
	blinkEach = 500 * time.Millisecond // so that it ends as it began
)

// blink is an output that shows where the gateway is. Its wishes pass the guards as all do. A wish of anybody else for the output
// that is taken ends it and wins.
type blink struct {
	output *output
	was    bool      // on, before
	end    time.Time // from when on it is as it was
	timer  timer
}

// identify lets the configured output blink, or go on with it.
func (s *state) identify() error {
	name := s.cfg.HomeAssistant.Identify
	if name == "" {
		return errors.New("no output is given for it: name one that may blink, home_assistant: {identify: OUTPUT}")
	}
	o := s.outputs[name]
	if o == nil {
		return fmt.Errorf("there is no output %q", name)
	}
	if b := o.blink; b != nil {
		for until := s.now.Add(blinkFor); b.end.Before(until); {
			b.end = b.end.Add(2 * blinkEach)
		}
		return nil
	}
	switch {
	case o.err != nil:
		return fmt.Errorf("%s is not available: %w", name, o.err)
	case o.pending || o.waiting != nil || o.late != nil:
		return fmt.Errorf("the last command to %s is not carried out yet: try again", name)
	case o.early(s):
		return fmt.Errorf("%s was switched a moment ago: try again", name)
	case o.wished && !o.off.at.IsZero():
		return fmt.Errorf("%s is on for a time that blinking would change: wait until it is off", name)
	}
	b := &blink{output: o, was: o.wished, end: s.now.Add(blinkFor)}
	b.timer = newTimer(b.next)
	if err := b.put(s, !b.was); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	o.blink = b
	s.timers.set(&b.timer, s.now.Add(blinkEach))
	return nil
}

// put makes a wish as any command does, and does not wait for an interlock.
func (b *blink) put(s *state, on bool) error {
	if !on {
		b.output.turnOff(s, "identify")
		return nil
	}
	err := b.output.turnOn(s, Command{Point: b.output.cfg.Name, Verb: VerbOn, Source: "identify"})
	if b.output.waiting != nil && !b.output.waitEnd.IsZero() && !b.was {
		b.output.waiting = nil
		b.output.schedule(s)
		err = fmt.Errorf("interlock %q: the other output was on a moment ago: try again", b.output.interlock.cfg.Name)
	}
	return err
}

// next is called when the output is to change again.
func (b *blink) next(s *state) {
	at := b.timer.due
	if !s.now.Before(b.end) || b.output.err != nil {
		b.stop(s)
		return
	}
	if err := b.put(s, !b.output.latest()); err != nil {
		if !b.was { // else that it stays off is told
			s.refuse(b.output.cfg.Name, Command{Source: "identify"}, err)
		}
		b.stop(s)
		return
	}
	if at = at.Add(blinkEach); !at.After(s.now) { // we were late
		at = s.now.Add(blinkEach)
	}
	s.timers.set(&b.timer, at)
}

// stop ends it, and the output becomes what it was.
func (b *blink) stop(s *state) {
	b.drop(s)
	if b.output.latest() == b.was {
		return
	}
	if err := b.put(s, b.was); err != nil {
		s.refuse(b.output.cfg.Name, Command{Source: "identify"}, fmt.Errorf("it was on and stays off: %w", err))
	}
}

// drop ends it with the output as it is. Nil blinks are none.
func (b *blink) drop(s *state) {
	if b == nil {
		return
	}
	b.output.blink = nil
	s.timers.set(&b.timer, time.Time{})
}
