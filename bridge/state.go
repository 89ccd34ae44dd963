package bridge

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// Command is a wish: from the broker, or from a local rule. All take one path and meet the same guards.
type Command struct {
	Point    string
	Verb     Verb
	For      time.Duration // of ON, TOGGLE and PULSE: how long; 0: as the output has it
	Source   string        // who wishes, for people: "command", `rule on "door"`
	Retained bool          // the broker had kept it

	pursuit *pursuit // the rule that wishes it until it was followed; nil: it is wished once
}

// Verb is what a command asks for.
type Verb uint8

const (
	VerbOff Verb = iota
	VerbOn
	VerbToggle
	VerbPulse // on for a while
	VerbNone  // nothing at all: no command has it, but a rule may
)

func (v Verb) String() string { return [...]string{"OFF", "ON", "TOGGLE", "PULSE", "nothing"}[v] }

// Write is what step wants of the hardware: absolute, and past all guards.
type Write struct {
	Point string
	Value float64 // 0 or 1 for a line
}

// Inputs of step, besides *gpio.Event, sensors.Sample, Inbound, Link, Hang and Vitals.
type (
	start     struct{} // before anything else
	stop      struct{} // the gateway ends: outputs go as on_exit says, no wish is taken any more
	tick      struct{} // the time that step asked for has come
	woke      struct{} // the machine has slept
	complaint string   // what went wrong elsewhere in the program
	overflow  struct { // commands that found the queue full
		topic string
		n     int
	}
)

// point is what a state holds of one configured point. Its kind is its file: input.go, output.go, group.go, sensor.go.
type point interface {
	// command takes a wish, or refuses it with a reason for people.
	command(s *state, c Command) error
	// retell publishes what is known of its state, if anything is: a controller that has shown a wish already goes back to what is so.
	retell(s *state)
}

// target is a point that takes commands, and tells a state.
type target interface {
	point
	// wording gives the payloads of its commands.
	wording() *wordings
}

// state owns all that the gateway knows of its points. It does no I/O, reads no clock, has no lock and starts nothing:
// whatever happens is handed to step, whatever is to be done comes out of it.
type state struct {
	cfg         *Config
	about       About
	topics      *Topics
	points      map[string]point
	inputs      map[string]*input
	outputs     map[string]*output
	groups      map[string]*group
	sensors     map[string]*sensor
	counters    map[string]*counter
	encoders    map[string]*encoder
	contacts    map[string]*encoder // by line
	former      map[string]*counter // by the name that each had before a reload
	targets     map[string]target   // outputs and groups
	order       []*output           // as configured
	thermostats []*thermostat       // as configured
	hung        map[string]*hung    // chips, while a call to one hangs
	health      health
	announcer   *announcer
	gone        map[string]bool   // chips that were there once: what their banks still say is of no interest
	unkept      map[string]unkept // topics where the broker may keep what it is not to keep any more

	now      time.Time // as package clock has it, and so are all times here
	linked   bool
	away     time.Time // since when the broker is not connected; zero: it is
	lost     timer     // when it has been away for too long
	stopping bool
	restart  bool // it asks; whoever restarts it takes that back
	reload   bool // as restart
	timers   timers

	// what the current step gives, reused by the next
	do     []Write
	send   []Message
	notes  []note // for the log
	keep   []keepsake
	counts []Counted // how far counters have come
	drop   []string  // topics whose states the session is not to tell again

	touched []*output // in this step

	totals map[string]uint64 // how far counters had come that are not there any more, or not yet, by what these are kept by
}

// newState makes the state of a checked configuration. Rules and interlocks that name unknown points are a mistake of the caller's.
func newState(cfg *Config, about About) (*state, error) {
	s := &state{
		cfg:      cfg,
		about:    about,
		topics:   NewTopics(cfg),
		points:   map[string]point{},
		inputs:   map[string]*input{},
		outputs:  map[string]*output{},
		groups:   map[string]*group{},
		sensors:  map[string]*sensor{},
		counters: map[string]*counter{},
		encoders: map[string]*encoder{},
		contacts: map[string]*encoder{},
		former:   map[string]*counter{},
		totals:   map[string]uint64{},
		targets:  map[string]target{},
		hung:     map[string]*hung{},
		unkept:   map[string]unkept{},
		health:   newHealth(),
	}
	s.health.soon = newTimer(s.health.due)
	s.lost = newTimer((*state).brokerLost)
	for i := range cfg.Inputs {
		p := newInput(&cfg.Inputs[i], s.topics)
		s.inputs[p.cfg.Name], s.points[p.cfg.Name] = p, p
	}
	for i := range cfg.Outputs {
		p := newOutput(&cfg.Outputs[i], s.topics)
		s.outputs[p.cfg.Name], s.points[p.cfg.Name], s.targets[p.cfg.Name] = p, p, p
		s.order = append(s.order, p)
	}
	for i := range cfg.Groups {
		p, err := newGroup(&cfg.Groups[i], s)
		if err != nil {
			return nil, err
		}
		s.groups[p.cfg.Name], s.points[p.cfg.Name], s.targets[p.cfg.Name] = p, p, p
	}
	for i := range cfg.Sensors {
		p := newSensor(&cfg.Sensors[i], s.topics)
		s.sensors[p.cfg.Name], s.points[p.cfg.Name] = p, p
	}
	for i := range cfg.Counters {
		p := newCounter(&cfg.Counters[i], s.topics)
		s.counters[p.cfg.Name], s.points[p.cfg.Name] = p, p
	}
	for i := range cfg.Encoders {
		p := newEncoder(&cfg.Encoders[i], s.topics)
		s.encoders[p.cfg.Name], s.points[p.cfg.Name] = p, p
		for _, line := range p.cfg.Contacts() {
			s.contacts[line] = p
		}
	}
	for i := range cfg.Interlocks {
		if err := s.interlock(&cfg.Interlocks[i]); err != nil {
			return nil, err
		}
	}
	for i := range cfg.Rules {
		if err := s.addRule(&cfg.Rules[i]); err != nil {
			return nil, err
		}
	}
	for i := range cfg.Thermostats {
		if err := s.addThermostat(&cfg.Thermostats[i]); err != nil {
			return nil, err
		}
	}
	s.announcer = newAnnouncer(cfg, s.topics, &s.about)
	if n := len(cfg.Inputs) + len(cfg.Outputs) + len(cfg.Groups) + len(cfg.Sensors) + len(cfg.Counters) + len(cfg.Encoders); n != len(s.points) {
		return nil, errors.New("bridge: two points of one name")
	}
	return s, nil
}

// step takes one input and gives what is to be done for it: writes first, then messages, and when it wants a tick (zero: never).
// The slices are valid until the next call; payloads are shared and not to be changed.
func (s *state) step(in any, now time.Time) (do []Write, send []Message, next time.Time) {
	s.now = now
	s.do, s.send, s.notes, s.keep, s.drop, s.counts = s.do[:0], s.send[:0], s.notes[:0], s.keep[:0], s.drop[:0], s.counts[:0]
	switch in := in.(type) {
	case *gpio.Event:
		s.event(in)
	case sensors.Sample:
		s.sample(&in)
	case Inbound:
		s.receive(&in)
	case overflow:
		s.overflow(in)
	case Hang:
		s.hang(&in)
	case Link:
		s.link(in.Up)
		s.announcer.link(s, in.Up)
		s.unkeep(in.Up)
	case Vitals:
		s.report(&in)
	case start:
		s.start()
	case stop:
		s.stop()
	case leaving:
		s.leave(in)
	case *adoption:
		s.adopt(in)
	case complaint:
		s.complain(s.topics.Gateway("error"), string(in))
	case woke:
		s.wake()
	case tick:
	default:
		panic(fmt.Sprintf("bridge: step does not take a %T", in))
	}
	// An event does not tell the time: those behind it may be older than what is due, and make a click of it. Next is over then.
	if _, ok := in.(*gpio.Event); !ok {
		for len(s.timers) > 0 && !s.timers[0].due.After(now) {
			s.timers[0].fire(s)
		}
	}
	s.remember()
	if len(s.timers) > 0 {
		next = s.timers[0].due
	}
	return s.do, s.send, next
}

// start says of every point that it is not available: what an earlier run said of it holds no longer.
func (s *state) start() {
	s.link(false)
	for _, p := range s.cfg.Inputs {
		s.available(p.Name, false)
	}
	for _, p := range s.cfg.Outputs {
		s.available(p.Name, false)
	}
	for _, p := range s.cfg.Groups {
		s.available(p.Name, false)
	}
	for _, p := range s.cfg.Sensors {
		s.available(p.Name, false)
	}
	for _, p := range s.cfg.Counters {
		s.available(p.Name, false)
	}
	for _, p := range s.cfg.Encoders {
		s.available(p.Name, false)
	}
}

func (s *state) stop() {
	s.stopping = true
	for _, o := range s.order {
		if o.blink != nil {
			o.blink.stop(s)
		}
		o.exit(s)
	}
}

// settled tells whether every wish is confirmed.
func (s *state) settled() bool {
	for _, o := range s.order {
		if o.pending && o.err == nil {
			return false
		}
	}
	return true
}

func (s *state) event(e *gpio.Event) {
	if e.Lost > 0 {
		s.health.lost += uint64(e.Lost)
	}
	if e.Edge {
		s.health.edges++
	}
	if len(s.hung) > 0 {
		s.unhang(e.Chip)
	}
	s.line(e)
}

// line takes what is said of a line, or of its chip.
func (s *state) line(e *gpio.Event) {
	if e.Line == "" {
		if !s.gone[e.Chip] {
			s.health.chip(e.Chip, e.Err)
		}
	} else if o := s.outputs[e.Line]; o != nil {
		o.event(s, e)
		for _, g := range o.groups {
			g.look(s)
		}
	} else if i := s.inputs[e.Line]; i != nil {
		i.event(s, e)
	} else if c := cmp.Or(s.counters[e.Line], s.former[e.Line]); c != nil {
		c.event(s, e)
	} else if p := s.contacts[e.Line]; p != nil {
		p.event(s, e)
	}
}

// receive is a message on a topic that we subscribe to.
func (s *state) receive(m *Inbound) {
	if s.announcer.receive(s, m) {
		return
	}
	if len(m.Payload) == 0 || s.stopping {
		return // an empty payload is how retained messages are cleared: no command
	}
	s.health.commands++
	name := s.topics.Target(m.Topic)
	if name == itself {
		s.self(m)
		return
	}
	p := s.points[name]
	if p == nil {
		s.unknown(m.Topic, name)
		return
	}
	c := Command{Point: name, Source: "command", Retained: m.Retained}
	if p := s.targets[name]; p != nil {
		if own := s.topics.Command(name); own != m.Topic {
			s.refuse(name, c, fmt.Errorf("its commands come on %q", own))
			return
		}
		var err error
		if c.Verb, c.For, err = p.wording().command(m.Payload); err != nil {
			s.refuse(name, c, err)
			return
		}
	}
	if p := s.counters[name]; p != nil {
		if err := p.receive(s, m); err != nil {
			s.refuse(name, c, err)
		}
		return
	}
	s.wish(c)
}

// wish hands a command to its point.
func (s *state) wish(c Command) {
	if s.stopping {
		return
	}
	if err := s.points[c.Point].command(s, c); err != nil {
		s.refuse(c.Point, c, err)
	}
}
