package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// plan is a configuration together with where its points are wired to.
type plan struct {
	cfg   *Config
	place map[string]int
}

// fresh gives the points that are wired elsewhere than before, under the same name or id.
func (p *plan) fresh(was *plan) map[string]bool {
	fresh, ids, before := map[string]bool{}, map[string]string{}, keysOfPoints(was.cfg)
	for name, id := range before {
		ids[id] = name
	}
	for name, id := range keysOfPoints(p.cfg) {
		old := name
		if before[name] == "" {
			old = ids[id]
		}
		if at, there := was.place[old]; there && at != p.place[name] {
			fresh[name] = true
		}
	}
	return fresh
}

func keysOfPoints(c *Config) map[string]string {
	ids := map[string]string{}
	for _, p := range c.Inputs {
		ids[p.Name] = (&Output{Name: p.Name, Entity: p.Entity}).key()
	}
	for i := range c.Outputs {
		ids[c.Outputs[i].Name] = c.Outputs[i].key()
	}
	for i := range c.Counters {
		ids[c.Counters[i].Name] = c.Counters[i].key()
	}
	for _, p := range c.Encoders {
		ids[p.Name] = (&Output{Name: p.Name, Entity: p.Entity}).key()
	}
	for _, p := range c.Sensors {
		ids[p.Name] = (&Output{Name: p.Name, Entity: p.Entity}).key()
	}
	return ids
}

// estate plays all around a state: hardware, whose levels stay over a reload, a broker that keeps what is retained and loses the
// connection, a session that tells states again, Home Assistant, and a disk for what is kept.
type estate struct {
	t    *testing.T
	plan *plan
	s    *state
	now  time.Time
	next time.Time

	on       map[int]bool
	broken   map[int]bool
	wishes   map[int]bool // that wait for what is broken, as a bank has them
	facts    []any        // that are on their way to the state
	retained map[string][]byte
	states   map[string]Message // the session's
	linked   bool
	ha       registry
	disk     map[string]Kept
	totals   map[string]uint64 // on the disk, too
	made     map[string]uint64 // edges, by what the counter is kept by
	writes   []Write           // since somebody looked
	sent     []Message         // as well
}

func newEstate(t *testing.T, p *plan) *estate {
	return &estate{t: t, plan: p, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), on: map[int]bool{}, broken: map[int]bool{}, wishes: map[int]bool{},
		retained: map[string][]byte{}, states: map[string]Message{}, disk: map[string]Kept{}, totals: map[string]uint64{}, made: map[string]uint64{}, ha: registry{ids: map[string]string{}}}
}

// start starts a gateway.
func (w *estate) start() {
	var err error
	if w.s, err = newState(w.plan.cfg, About{Version: "1"}); err != nil {
		w.t.Fatal(err)
	}
	w.s.announcer.spread = func() time.Duration { return time.Second }
	w.s.recall(w.disk)
	w.s.recount(w.totals)
	w.step(start{})
	w.read(func(string) bool { return true })
}

// read has the banks and pollers tell what they have not told yet.
func (w *estate) read(which func(name string) bool) {
	for _, p := range w.plan.cfg.Inputs {
		if which(p.Name) {
			w.facts = append(w.facts, w.event(p.Name, false))
		}
	}
	for _, p := range w.plan.cfg.Outputs {
		if which(p.Name) {
			w.facts = append(w.facts, w.event(p.Name, false))
		}
	}
	for _, p := range w.plan.cfg.Counters {
		if which(p.Name) {
			w.facts = append(w.facts, w.event(p.Name, false))
		}
	}
	for _, p := range w.plan.cfg.Encoders {
		if which(p.Name) {
			for _, line := range p.Contacts() {
				e := w.event(p.Name, false)
				e.Line = line
				w.facts = append(w.facts, e)
			}
		}
	}
	for _, p := range w.plan.cfg.Sensors {
		if which(p.Name) {
			w.facts = append(w.facts, w.sample(&p))
		}
	}
	w.settle()
}

func (w *estate) event(name string, edge bool) *gpio.Event {
	at := w.plan.place[name]
	e := &gpio.Event{Chip: "c", Line: name, Active: w.on[at], Edge: edge, At: w.now}
	if w.broken[at] {
		e.Edge, e.Err = false, errors.New(name+": broken")
	}
	return e
}

func (w *estate) sample(p *Sensor) sensors.Sample {
	s := sensors.Sample{Sensor: p.Name, At: w.now}
	if w.broken[w.plan.place[p.Name]] {
		s.Err = errors.New(p.Name + ": broken")
		return s
	}
	for i, q := range p.Quantities {
		s.Readings = append(s.Readings, sensors.Reading{Quantity: q.Name, Value: float64(w.plan.place[p.Name] + i)})
	}
	return s
}

// settle hands over the facts that are on their way.
func (w *estate) settle() {
	for n := 0; len(w.facts) > 0; n++ {
		if n > 1000 {
			w.t.Fatal("facts without an end")
		}
		f := w.facts[0]
		w.facts = w.facts[1:]
		w.step(f)
	}
}

func (w *estate) step(in any) {
	do, send, next := w.s.step(in, w.now)
	w.took(do, send, next)
}

// took carries out what a step answers.
func (w *estate) took(do []Write, send []Message, next time.Time) {
	w.next = next
	w.writes = append(w.writes, do...)
	for _, d := range do {
		if at := w.plan.place[d.Point]; w.broken[at] {
			w.wishes[at] = d.Value != 0
		} else {
			w.on[at] = d.Value != 0
			w.facts = append(w.facts, &gpio.Event{Chip: "c", Line: d.Point, Active: d.Value != 0, At: w.now})
		}
	}
	for _, k := range w.s.keep {
		if k.Kept == nil {
			delete(w.disk, k.id)
		} else {
			w.disk[k.id] = *k.Kept
		}
	}
	for _, c := range w.s.counts {
		w.totals[c.ID] = c.Pulses
	}
	for _, topic := range w.s.drop {
		delete(w.states, topic)
	}
	var echo []Inbound
	for _, m := range send {
		m.Payload = bytes.Clone(m.Payload)
		w.sent = append(w.sent, m)
		if m.State {
			w.states[m.Topic] = m
		}
		if w.linked && w.arrives(m) {
			echo = append(echo, Inbound{Topic: m.Topic, Payload: m.Payload})
		}
	}
	for _, m := range echo {
		w.step(m)
	}
}

// arrives has the broker take a message, and tells whether we hear it ourselves.
func (w *estate) arrives(m Message) bool {
	switch {
	case m.clears():
		delete(w.retained, m.Topic)
		delete(w.states, m.Topic)
	case m.Retain:
		w.retained[m.Topic] = m.Payload
	}
	if strings.HasSuffix(m.Topic, "/config") {
		w.ha.take(m.Topic, m.Payload)
	}
	return w.s.topics.discovers(m.Topic)
}

// link makes or breaks the connection.
func (w *estate) link(up bool) {
	if w.linked == up {
		return
	}
	if !up {
		w.linked = false
		w.step(Link{})
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(w.retained)) {
		if w.s.topics.discovers(topic) {
			w.step(Inbound{Topic: topic, Payload: w.retained[topic], Retained: true})
		}
	}
	w.linked = true
	for _, topic := range slices.Sorted(maps.Keys(w.states)) {
		if w.arrives(w.states[topic]) {
			w.step(Inbound{Topic: topic, Payload: w.retained[topic]})
		}
	}
	w.step(Link{Up: true})
}

// pass lets time go by.
func (w *estate) pass(d time.Duration) {
	untilThen(w.t, &w.now, &w.next, w.now.Add(d), func() {
		w.step(tick{})
		w.settle()
	})
}

// reload goes over to another plan, as the program does.
func (w *estate) reload(p *plan) {
	was, old := w.plan, w.s
	next, err := newState(p.cfg, old.about)
	if err != nil {
		w.t.Fatal(err)
	}
	fresh := p.fresh(was)
	a := newAdoption(old, next, fresh)
	w.step(a.leaving())
	w.facts = nil // of what comes now nobody is told
	do, send, at := next.step(a, w.now)
	for _, m := range send[:a.cleared] {
		if m.clears() && slices.ContainsFunc(send, func(other Message) bool { return other.Topic == m.Topic && other.Retain && !other.clears() }) {
			w.t.Errorf("%s is cleared, and told on again", m.Topic)
		}
	}
	w.s, w.plan = next, p
	w.took(do, send, at)
	if was.cfg.Device != p.cfg.Device || was.cfg.ID != p.cfg.ID {
		w.link(false)
		w.link(true)
	} else if w.linked && old.topics.announce != next.topics.announce {
		for _, topic := range slices.Sorted(maps.Keys(w.retained)) {
			if w.s.topics.discovers(topic) {
				w.step(Inbound{Topic: topic, Payload: w.retained[topic], Retained: true})
			}
		}
	}
	w.settle()
	w.read(func(name string) bool {
		_, there := was.place[name]
		return !there || fresh[name] || (old.inputs[name] != nil) != (next.inputs[name] != nil)
	})
}

// life does something that happens in the life of a gateway.
func (w *estate) life(r *rand.Rand) string {
	cfg := w.plan.cfg
	switch r.IntN(14) {
	case 12, 13:
		if n := len(cfg.Encoders); n > 0 && r.IntN(4) == 0 {
			p := &cfg.Encoders[r.IntN(n)]
			lines := p.Contacts()
			first := r.IntN(2)
			for i, line := range []string{lines[first], lines[1-first], lines[first], lines[1-first]} {
				if e := w.event(p.Name, true); e.Err == nil {
					e.Line, e.Active = line, i < 2
					w.step(e)
				}
			}
			w.settle()
			return "turn " + p.Name
		}
		if len(cfg.Counters) == 0 {
			return "nothing"
		}
		c := &cfg.Counters[r.IntN(len(cfg.Counters))]
		n := 1 + r.Uint64N(9)
		if w.broken[w.plan.place[c.Name]] {
			return "nothing"
		}
		e := w.event(c.Name, false)
		e.Count = n
		w.made[c.key()] += n
		w.step(e)
		w.settle()
		return fmt.Sprint("count ", c.Name, n)
	case 0, 1, 2, 3:
		targets := slices.Sorted(maps.Keys(w.s.targets))
		if len(targets) == 0 {
			return "nothing"
		}
		name := targets[r.IntN(len(targets))]
		payload := []string{"ON", "ON", "OFF", "TOGGLE", `{"state":"ON","for":"7s"}`, `{"state":"ON","for":1.5}`}[r.IntN(6)]
		w.step(Inbound{Topic: w.s.topics.Command(name), Payload: []byte(payload)})
		w.settle()
		return name + " " + payload
	case 4, 5:
		if len(cfg.Inputs) == 0 {
			return "nothing"
		}
		name := cfg.Inputs[r.IntN(len(cfg.Inputs))].Name
		at := w.plan.place[name]
		w.on[at] = !w.on[at]
		w.step(w.event(name, true))
		w.settle()
		return fmt.Sprint("edge ", name, w.on[at])
	case 6:
		names := slices.Sorted(maps.Keys(w.plan.place))
		if len(names) == 0 {
			return "nothing"
		}
		name := names[r.IntN(len(names))]
		at := w.plan.place[name]
		if w.broken[at] = !w.broken[at]; !w.broken[at] {
			w.mend(at)
		}
		w.read(func(n string) bool { return n == name })
		return fmt.Sprint("broken ", name, w.broken[at])
	case 7:
		w.link(!w.linked)
		return fmt.Sprint("link ", w.linked)
	case 8:
		if cfg.HomeAssistant.Identify != "" {
			w.step(Inbound{Topic: w.s.topics.Gateway("set"), Payload: []byte("IDENTIFY")})
			w.settle()
			return "identify"
		}
	case 10:
		if !w.linked { // the computer of broker and controller has lost everything
			clear(w.retained)
			w.ha = registry{ids: map[string]string{}}
			return "amnesia"
		}
	case 9:
		w.step(Inbound{Topic: w.s.topics.birth, Payload: []byte("online")})
		return "birth"
	}
	d := time.Duration(r.IntN(8000)) * time.Millisecond
	w.pass(d)
	return fmt.Sprint("wait ", d)
}

// mend has a line work again: what was wished last is written.
func (w *estate) mend(at int) {
	if on, waits := w.wishes[at]; waits {
		w.on[at] = on
		delete(w.wishes, at)
	}
}

// guarded sees that of an interlock no two are on, and that nothing is kept of outputs that are not there.
func (w *estate) guarded() {
	ids := map[string]bool{}
	for i := range w.plan.cfg.Outputs {
		ids[w.plan.cfg.Outputs[i].key()] = true
	}
	for id := range w.disk {
		if !ids[id] {
			w.t.Errorf("%s is kept, and is no output", id)
		}
	}
	for name, c := range w.s.counters {
		if key := c.cfg.key(); c.pulses != w.made[key] || c.pulses != w.totals[key] {
			w.t.Errorf("%s has counted %d, of %d; %d are kept", name, c.pulses, w.made[key], w.totals[key])
		}
	}
	for _, l := range w.plan.cfg.Interlocks {
		n := 0
		for _, name := range l.Outputs {
			if at := w.plan.place[name]; w.on[at] && !w.broken[at] { // what was on when it broke is switched off when it returns
				n++
			}
		}
		if n > 1 {
			w.t.Errorf("%d of %v are on", n, l.Outputs)
		}
	}
}

// rest has all that goes on come to its end: nobody presses anything, nothing is broken, and the broker is there.
func (w *estate) rest() {
	for _, p := range w.plan.cfg.Inputs {
		if at := w.plan.place[p.Name]; w.on[at] && !w.broken[at] {
			w.on[at] = false
			w.step(w.event(p.Name, true))
			w.settle()
		}
	}
	clear(w.broken)
	for at := range w.wishes {
		w.mend(at)
	}
	w.read(func(string) bool { return true })
	w.link(true)
	w.pass(20 * time.Second)
}
