package bridge

import (
	"errors"
	"fmt"
	"time"
)

// Output is a line that is driven.
type Output struct {
	Name         string
	Label        string // free text for people
	CommandTopic string // empty: <state topic>/set
	Channel
	Entity Entity
	MaxOn  time.Duration // switched off when it has been on for that long; 0: never
	Pulse  time.Duration // every ON lasts that long; 0: until OFF
	OnExit Exit
	// OnCrash is what whoever finds the gateway crashed is to do; the gateway itself cannot.
	OnCrash Exit
	Restore bool // its state is kept for a start after a power cut: see Restored
	OnLost  BrokerLost

	MinInterval time.Duration // between two switchings; 0: none
}

// Exit is what happens to an output when the gateway stops.
type Exit uint8

const (
	ExitKeep Exit = iota // but an ON that has an end ends
	ExitOff
	ExitOn
)

// confirmWithin is how long a wish may wait for its confirmation: nothing switches ten minutes late.
const confirmWithin = 2 * time.Second

// output is one output's state. The latest wish and what the chip has confirmed are kept apart: only the latter is published.
type output struct {
	cfg       *Output
	topic     string
	words     wordings
	interlock *interlock // nil: none
	groups    []*group   // that it is in

	fault   fault    // its pin does not follow
	blink   *blink   // it shows where the gateway is; nil: it does not
	pursuit *pursuit // the rule on a reading that wished last; nil: somebody else did, or it has had its way
	touched bool     // in this step
	leaves  bool     // it is not in the configuration to come
	timer   timer

	outputLife
}

// outputLife is what an output has become. A reload leaves it as it is.
type outputLife struct {
	available bool // as last told

	chip  string
	err   error // why it is not available; its state is not known then
	seen  bool  // the chip has confirmed a state, ever
	on    bool  // the state last confirmed
	since time.Time

	wished  bool      // the latest wish; before any, what was found
	pending bool      // it is not confirmed yet
	limit   time.Time // when a pending wish is withdrawn; zero: it is kept until it succeeds
	source  string    // who wished

	length time.Duration // how long it is to stay on, counted from the confirmation to come
	off    ending        // of the latest wish for ON
	before ending        // of the ON that was confirmed before that wish: it holds again if the wish is withdrawn
	maybe  bool          // it was wished on, and no OFF has been confirmed since

	waiting *Command  // an ON that waits for another output of the interlock to be off for long enough
	waitEnd time.Time // and until when at most; zero: it waits for min_interval alone

	switched time.Time // when it was last switched, or found
	late     *Command  // an OFF that waits for min_interval

	kept *Kept     // what is kept for the next run, or was by the last; nil: nothing
	lost time.Time // when the broker has been away for too long; zero: it has not gone, or that is done
}

// ending is how an ON ends by itself.
type ending struct {
	at    time.Time // zero: never
	by    string    // what ends it
	timed bool      // its pulse or the command's "for" does, not max_on alone
	from  time.Time // max_on counts from then
}

// sooner sets when an ON ends, if it does not end sooner already.
func (e *ending) sooner(at time.Time, by string) {
	if e.at.IsZero() || at.Before(e.at) {
		e.at, e.by = at, by
	}
}

var errRetained = errors.New("it is retained, and would switch again at every start: publish commands without the retain flag")

func newOutput(cfg *Output, t *Topics) *output {
	o := &output{cfg: cfg, topic: t.State(cfg.Name), words: newWordings(cfg.PayloadOn, cfg.PayloadOff), outputLife: outputLife{err: errUnread}}
	o.timer, o.fault = newTimer(o.tick), newFault(o)
	return o
}

// command resolves a wish to ON or OFF and carries it out, or says why not.
func (o *output) command(s *state, c Command) error {
	if c.Retained {
		return errRetained
	}
	switch {
	case c.Verb != VerbToggle:
	case o.wanted():
		c.Verb, c.For = VerbOff, 0
	case !o.seen:
		return fmt.Errorf("nothing to toggle from: %w", o.err)
	default:
		c.Verb = VerbOn
	}
	held := o.held()
	if c.Verb != VerbOff {
		err := o.turnOn(s, c)
		if err == nil {
			o.taken(&c)
			o.blink.drop(s)
			o.tellHeld(s, held, c)
		}
		return err
	}
	o.taken(&c)
	o.blink.drop(s)
	o.turnOff(s, c.Source)
	o.tellHeld(s, held, c)
	if o.err != nil {
		s.complain(s.topics.Error(o.cfg.Name), fmt.Sprintf("%s: OFF by %s is kept until it succeeds: %v", o.cfg.Name, c.Source, o.err))
	}
	return nil
}

func (o *output) wording() *wordings { return &o.words }

func (o *output) retell(s *state) {
	if o.seen {
		o.publish(s)
	}
}

// wanted tells whether the latest wish was ON, but for those that let it blink.
func (o *output) wanted() bool {
	if o.blink != nil {
		return o.blink.was
	}
	return o.latest()
}

// turnOff is never refused: an OFF is kept until it succeeds.
func (o *output) turnOff(s *state, source string) {
	if o.wished && o.early(s) {
		o.waiting, o.length, o.off = nil, 0, ending{}
		o.late = &Command{Point: o.cfg.Name, Source: source}
		o.schedule(s)
		return
	}
	o.cut(s, source)
}

// cut switches off at once, however short ago it was switched on.
func (o *output) cut(s *state, source string) {
	o.waiting, o.late, o.length, o.off = nil, nil, 0, ending{}
	o.drive(s, false, source)
}

// turnOn passes the guards and begins an ON.
func (o *output) turnOn(s *state, c Command) error {
	length := c.For
	if length == 0 {
		length = o.cfg.Pulse
	}
	switch {
	case c.Verb == VerbPulse && length == 0:
		return errors.New("a pulse without a length: give the output a pulse, or the command a for")
	case o.cfg.MaxOn > 0 && length > o.cfg.MaxOn:
		return fmt.Errorf("%s is longer than its max_on of %s", Hours(length), Hours(o.cfg.MaxOn))
	case length > 0 && length < o.cfg.MinInterval:
		return fmt.Errorf("%s is shorter than its min_interval of %s", Hours(length), Hours(o.cfg.MinInterval))
	case o.err != nil:
		return fmt.Errorf("not available: %w", o.err)
	}
	o.waiting = nil
	wait, err := o.interlock.guard(o, s.now)
	if err != nil {
		o.schedule(s)
		return err
	}
	o.late = nil
	if wait {
		o.waiting, o.waitEnd = &c, o.interlock.patience(s.now)
		o.schedule(s)
		return nil
	}
	if !o.wished && o.early(s) {
		o.waiting, o.waitEnd = &c, time.Time{}
		o.schedule(s)
		return nil
	}
	if !o.pending || !o.wished {
		o.before = o.off
	}
	o.length, o.off = length, ending{timed: length > 0, from: s.now}
	if o.cfg.MaxOn > 0 {
		o.off.sooner(s.now.Add(o.cfg.MaxOn), "max_on")
	}
	o.drive(s, true, c.Source)
	o.limit = s.now.Add(confirmWithin)
	o.schedule(s)
	return nil
}

// drive makes a wish for the hardware.
func (o *output) drive(s *state, on bool, source string) {
	if on != o.wished {
		o.switched = s.now
	}
	o.wished, o.pending, o.limit, o.source = on, true, time.Time{}, source
	w := Write{Point: o.cfg.Name}
	if on {
		w.Value, o.maybe = 1, true
	}
	s.do = append(s.do, w)
	o.schedule(s)
}

// publish tells the confirmed state.
func (o *output) publish(s *state) {
	s.publish(o.topic, o.words.state(o.on), o.cfg.QoS, o.cfg.Retain)
}

// tick does what is due.
func (o *output) tick(s *state) {
	if reached(o.limit, s.now) {
		o.withdraw(s)
	}
	if reached(o.off.at, s.now) {
		o.cut(s, o.off.by) // it has been on for min_interval at least: no end can be sooner
	}
	if o.late != nil && !o.early(s) {
		o.cut(s, o.late.Source)
	}
	if c := o.waiting; c != nil {
		end := o.waitEnd
		o.waiting = nil
		err := o.turnOn(s, *c)
		if o.waiting != nil && !end.IsZero() && !o.waitEnd.IsZero() { // still not free
			if o.waitEnd = end; reached(end, s.now) {
				o.waiting = nil
				err = fmt.Errorf("interlock %q: the other output is still not off", o.interlock.cfg.Name)
			}
		}
		if err != nil {
			s.refuse(o.cfg.Name, *c, err)
		}
	}
	o.schedule(s)
}

func reached(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// schedule asks for the next tick. Whatever changes an output comes here.
func (o *output) schedule(s *state) {
	if !o.touched {
		o.touched, s.touched = true, append(s.touched, o)
	}
	due := earliest(o.limit, o.off.at)
	if o.held() != nil {
		due = earliest(due, o.ready())
	} else if o.waiting != nil {
		due = earliest(due, o.interlock.free(o, s.now))
		due = earliest(due, o.waitEnd)
	}
	s.timers.set(&o.timer, due)
}

// earliest gives the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// exit does what the configuration wants at the end.
func (o *output) exit(s *state) {
	timed := o.waiting != nil || o.late != nil || o.off.timed && o.wished
	o.waiting = nil
	exit := Command{Verb: VerbOn, Source: "on_exit"}
	switch {
	case o.cfg.OnExit == ExitOn:
		err := o.turnOn(s, exit)
		if o.waiting != nil { // there is no time to wait any more
			o.waiting = nil
			err = fmt.Errorf("interlock %q: the other output is not off yet", o.interlock.cfg.Name)
		}
		if err != nil {
			s.refuse(o.cfg.Name, exit, err)
		}
	case o.cfg.OnExit == ExitOff || timed:
		if err := o.command(s, Command{Verb: VerbOff, Source: "on_exit"}); err != nil {
			s.refuse(o.cfg.Name, exit, err)
		}
	}
}
