package bridge

import (
	"cmp"
	"time"

	"gatewayd/gpio"
)

// Trigger is what an input does: what fires a rule, and what is told on the input's event topic. None comes from a first read or a
// resync.
type Trigger uint8

const (
	Pressed   Trigger = iota // became active; "on" in the configuration means the same
	Released                 // became inactive; "off" means the same
	Changed                  // either; for rules only
	Click                    // pressed and released, once; told at once unless more than one click is asked for
	Double                   // two clicks
	Triple                   // three
	Long                     // held for Gestures.Long; told while it is held
	Hold                     // still held: again and again, after Long
	Clockwise                // of an encoder: a step
	Counterclockwise
)

var triggerWords = [...]string{"press", "release", "change", "click", "double", "triple", "long", "hold", "clockwise", "counterclockwise"}

// String gives the word that the event topic has for it.
func (t Trigger) String() string { return triggerWords[t] }

// payloads are the messages on event topics, made once.
var payloads = func() (p [len(triggerWords)][]byte) {
	for i, word := range triggerWords {
		p[i] = []byte(`{"event_type":"` + word + `"}`)
	}
	return p
}()

// Gestures is what is made of an input's edges.
//
// A press shorter than Long is a click; where neither [Long] nor [Hold] is asked for, by Told or by a rule, one of any length is.
// Clicks are counted until the next press does not come within Gap of the release, or as many are together as somebody asks for;
// without [Double] and [Triple] nothing waits. Two clicks where only [Triple] and [Click] are asked for are two Clicks.
type Gestures struct {
	Told  []Trigger     // those that go to the event topic; rules know all
	Long  time.Duration // held for that long; 0: 500 ms
	Gap   time.Duration // a release and the next press are less apart in a double or triple click; 0: 300 ms
	Every time.Duration // between two Holds; 0: 200 ms
}

// Gestures' defaults.
const (
	DefaultLong  = 500 * time.Millisecond
	DefaultGap   = 300 * time.Millisecond
	DefaultEvery = 200 * time.Millisecond
)

// pushButtons are the words for what people press and let go.
var pushButtons = vocabulary{"button": "button", "-button": "button", "-taster": "button", "-knopf": "button", "push": "button", "btn": "button"}

// PushButton tells whether the input's names say that it is one: a wall button is, and a switch, which stays where it is put, is not.
// Its topic counts only where it was given.
func (p *Input) PushButton() bool { return pushButtons.first(p.Label, p.Name, p.Topic) != "" }

// triggers is a set of them.
type triggers uint16

func (s *triggers) add(t Trigger)     { *s |= 1 << t }
func (s triggers) has(t Trigger) bool { return s&(1<<t) != 0 }

// counted are the gestures that take more than a look at an edge.
const counted triggers = 1<<Click | 1<<Double | 1<<Triple | 1<<Long | 1<<Hold

// grace is how late an edge may come and still count by its own stamp: it was read by polling, has settled, or waits in the queue.
// What is decided by the time alone is told that much later.
const grace = 30 * time.Millisecond

// gestures is an input's side of [Gestures]: what is told and where, and the presses where something has to be counted.
type gestures struct {
	told    triggers
	topic   string
	late    string   // where it is told when that was not possible in time; empty: nowhere
	presses *presses // nil: nobody asks for more than edges
	timer   timer
}

// ask makes an input count what a rule waits for, or what is told.
func (i *input) ask(t Trigger) {
	g := &i.gestures
	if !counted.has(t) {
		return
	}
	if g.presses == nil {
		c := &i.cfg.Gestures
		g.presses = &presses{
			long:  cmp.Or(c.Long, DefaultLong),
			gap:   cmp.Or(c.Gap, DefaultGap),
			every: cmp.Or(c.Every, DefaultEvery),
		}
		g.timer = newTimer(i.tick)
	}
	g.presses.ask(t)
}

// edge tells what an edge makes, at once, and has the time tell the rest.
func (i *input) edge(s *state, e *gpio.Event) {
	p := i.gestures.presses
	if p == nil {
		i.does(s, edgeTrigger(e.Active), e.At)
		return
	}
	for _, t := range p.edge(e.Active, e.At) {
		i.does(s, t, e.At)
	}
	i.wait(s)
}

func edgeTrigger(active bool) Trigger {
	if active {
		return Pressed
	}
	return Released
}

// lose forgets the press that goes on, and clicks that wait for more: what came between is not known.
func (i *input) lose(s *state) {
	if p := i.gestures.presses; p != nil {
		p.lose()
		i.wait(s)
	}
}

// tick decides what no edge has come for.
func (i *input) tick(s *state) {
	for _, t := range i.gestures.presses.pass(s.now.Add(-grace)) {
		i.does(s, t, s.now)
	}
	i.wait(s)
}

// wait sets the timer. The edges before the moment that it is for have come by then: those that are late together are in the
// queue together, which is why a moment that is over already still gets its grace.
func (i *input) wait(s *state) {
	due := i.gestures.presses.due
	switch {
	case due.IsZero():
		if i.gestures.timer.place < 0 {
			return
		}
	case due.Before(s.now):
		due = s.now.Add(grace)
	default:
		due = due.Add(grace)
	}
	s.timers.set(&i.gestures.timer, due)
}

// does tells of a gesture, and carries out the rules that wait for it. It rings no bell when it is old: it is no state.
func (i *input) does(s *state, t Trigger, at time.Time) {
	if g := &i.gestures; g.told.has(t) {
		m := Message{Topic: g.topic, Payload: payloads[t], QoS: i.cfg.QoS}
		if g.late != "" {
			m.Late = lateGesture(g.late, t, at)
		}
		s.send = append(s.send, m)
	}
	s.fire(i.rules, t)
}

// wake forgets the presses that go on, since the machine has slept: nobody has seen what became of them.
func (s *state) wake() {
	for _, i := range s.inputs {
		i.lose(s)
	}
	for _, c := range s.counters {
		c.speed.begin(s.now)
	}
	s.health.changed = true
}
