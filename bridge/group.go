package bridge

import (
	"fmt"
	"strings"
	"time"
)

// Group is several outputs that take commands together, and have a state: on as long as one of them is.
type Group struct {
	Name         string
	Label        string
	Outputs      []string
	CommandTopic string // empty: <state topic>/set
	Channel
	Entity Entity
}

// settleWithin is how long a group waits for more members to come or go: those of one chip do so one after the other, and what it
// would tell between would not be so.
const settleWithin = 100 * time.Millisecond

// group is one group's state. A command goes to its members as wishes of their own; what it tells comes of what they have confirmed.
type group struct {
	cfg     *Group
	topic   string
	words   wordings
	members []*output
	timer   timer

	groupLife
}

// groupLife is what a group has become. A reload leaves it as it is.
type groupLife struct {
	working   int  // members that work
	available bool // as last told
	seen      bool // a state has been told, ever
	on        bool // as last told

	settle time.Time // when members have come or gone for long enough; zero: nothing is waited for
	owed   time.Time // until when the state is told after a command, changed or not; zero: it has been
}

func newGroup(cfg *Group, s *state) (*group, error) {
	g := &group{cfg: cfg, topic: s.topics.State(cfg.Name), words: newWordings(cfg.PayloadOn, cfg.PayloadOff)}
	g.timer = newTimer(g.look)
	for _, name := range cfg.Outputs {
		o := s.outputs[name]
		if o == nil {
			return nil, fmt.Errorf("bridge: group %q: no output %q", cfg.Name, name)
		}
		o.groups = append(o.groups, g)
		g.members = append(g.members, o)
	}
	return g, nil
}

func (g *group) wording() *wordings { return &g.words }

func (g *group) retell(s *state) {
	if g.seen {
		g.publish(s)
	}
}

// command hands a wish to every member. Those that refuse tell so themselves; the group tells of all of them at once.
func (g *group) command(s *state, c Command) error {
	if c.Retained {
		return errRetained
	}
	if c.Verb == VerbToggle {
		c.Verb = VerbOn
		for _, o := range g.members {
			if o.wanted() {
				c.Verb = VerbOff
			}
		}
	}
	wish, refused := c, []string(nil)
	wish.Source = fmt.Sprintf("%s to %q", c.Source, g.cfg.Name)
	for _, o := range g.members {
		wish.Point = o.cfg.Name
		if err := o.command(s, wish); err != nil {
			s.refuse(wish.Point, wish, err)
			refused = append(refused, fmt.Sprintf("%s: %v", wish.Point, err))
		}
	}
	if n := len(refused); n > 0 {
		const most = 10
		if n > most {
			refused = append(refused[:most], fmt.Sprintf("and %d more", n-most))
		}
		text := fmt.Sprintf("%s: %s refused by %d of %d: %s", g.cfg.Name, c.Source, n, len(g.members), strings.Join(refused, "; "))
		s.send = append(s.send, Message{Topic: s.topics.Error(g.cfg.Name), Payload: []byte(text), QoS: 1}) // the log has each already
	}
	g.owed = s.now.Add(confirmWithin)
	g.look(s)
	return nil
}

// look tells what has changed: of a confirmation at once, of members that come or go when all of them have, or after a moment.
// After a command it tells the state when every member has answered, or after the time that they have for it.
func (g *group) look(s *state) {
	working, on, busy := 0, false, false
	for _, o := range g.members {
		if o.works() {
			working++
			on = on || o.on
			busy = busy || o.pending || o.waiting != nil || o.late != nil
		}
	}
	switch {
	case working == 0, working == len(g.members), reached(g.settle, s.now):
		g.settle = time.Time{}
	case working != g.working && g.settle.IsZero():
		g.settle = s.now.Add(settleWithin)
	}
	g.working = working
	if g.settle.IsZero() {
		g.tell(s, on)
	}
	due := g.settle
	if due.IsZero() {
		if !g.owed.IsZero() && (!busy || reached(g.owed, s.now)) {
			g.owed = time.Time{}
			g.retell(s)
		}
		due = g.owed
	}
	s.timers.set(&g.timer, due)
}

// tell publishes what is not as it was told last. Without a member that works the state stays what it was.
func (g *group) tell(s *state, on bool) {
	came := g.working > 0 && !g.available
	if available := g.working > 0; available != g.available {
		g.available = available
		s.available(g.cfg.Name, available)
	}
	if g.available && (came || on != g.on) {
		g.on, g.seen, g.owed = on, true, time.Time{}
		g.publish(s)
	}
}

func (g *group) publish(s *state) {
	s.publish(g.topic, g.words.state(g.on), g.cfg.QoS, g.cfg.Retain)
}
