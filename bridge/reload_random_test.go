package bridge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A reload leads to what a start with the new configuration would lead to, but that it does not touch what is unchanged.
func TestReloadRandom(t *testing.T) {
	runs := 500
	if testing.Short() {
		runs = 60
	}
	for seed := range uint64(runs) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { reloadAsStart(t, &dice{Rand: rand.New(rand.NewPCG(seed, 7))}) })
		if t.Failed() {
			return
		}
	}
}

func reloadAsStart(t *testing.T, d *dice) {
	plan := d.plan()
	w := newEstate(t, plan)
	w.start()
	w.link(true)
	for range 1 + d.IntN(3) {
		for range d.IntN(30) {
			w.life(d.Rand)
			w.guarded()
		}
		still := d.IntN(2) == 0
		if still {
			w.rest()
		}
		plan = plan.changed(d)
		unchangedUntouched(t, w, plan, func() { w.reload(plan) })
		w.guarded()
		if !still || t.Failed() {
			continue
		}
		begun := startedBeside(t, w)
		for _, s := range []*estate{w, begun} {
			s.link(true)
			s.pass(3 * time.Hour)
		}
		same(t, begun, w)
		if t.Failed() {
			return
		}
		// What comes then has the same effects.
		more := d.Uint64()
		for _, s := range []*estate{w, begun} {
			s.writes, s.sent = nil, nil
			r := rand.New(rand.NewPCG(more, 1))
			for range 20 {
				if s.life(r); r.IntN(2) == 0 {
					s.pass(time.Minute)
				}
			}
		}
		if !slices.Equal(w.writes, begun.writes) {
			t.Errorf("writes %v\nas after a start %v", w.writes, begun.writes)
		}
		if got, want := events(w), events(begun); !slices.Equal(got, want) {
			t.Errorf("told\n%s", difference(strings.Join(got, "\n"), strings.Join(want, "\n")))
		}
		same(t, begun, w)
		w.link(true)
	}
}

// startedBeside starts a gateway with what another one has left: its hardware and its disk, but no broker.
func startedBeside(t *testing.T, w *estate) *estate {
	s := newEstate(t, w.plan)
	s.now = w.now
	s.on, s.broken, s.disk = maps.Clone(w.on), maps.Clone(w.broken), maps.Clone(w.disk)
	s.totals, s.made = maps.Clone(w.totals), maps.Clone(w.made)
	s.start()
	return s
}

// same compares what the brokers have, and the lines.
func same(t *testing.T, want, got *estate) {
	t.Helper()
	text := func(s *estate) string {
		var lines []string
		for topic, payload := range s.retained {
			lines = append(lines, fmt.Sprintf("retained %s %s", topic, payload))
		}
		for id, unique := range s.ha.ids {
			lines = append(lines, "entity "+id+" "+unique)
		}
		for name, at := range s.plan.place {
			lines = append(lines, fmt.Sprintf("line %s %v", name, s.on[at]))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	for _, r := range got.ha.refusals {
		if !strings.Contains(r, "device_automation") { // they have none
			t.Error(r)
		}
	}
	if g, w := text(got), text(want); g != w {
		t.Errorf("got\n%s", difference(g, w))
	}
}

// events are what was told, without what counts.
func events(s *estate) (all []string) {
	for _, m := range s.sent {
		all = append(all, fmt.Sprintf("%s %s %v", m.Topic, m.Payload, m.Retain))
	}
	return all
}

// unchangedUntouched sees that a reload tells nothing of what it does not change, and drives nothing of it.
func unchangedUntouched(t *testing.T, w *estate, next *plan, reload func()) {
	was, fresh := w.plan, next.fresh(w.plan)
	w.writes, w.sent = nil, nil
	before, had := w.s, maps.Clone(w.retained)
	off := map[string]time.Time{}
	for _, o := range before.order {
		off[o.cfg.Name] = o.off.at
	}
	reload()
	if was.cfg.Device != next.cfg.Device || was.cfg.ID != next.cfg.ID {
		return
	}
	unchanged := map[string]bool{}
	for name := range w.s.outputs {
		unchanged[name] = before.outputs[name] != nil && !fresh[name] && reflect.DeepEqual(before.outputs[name].cfg, w.s.outputs[name].cfg) &&
			before.outputs[name].interlock.equal(w.s.outputs[name].interlock) && before.outputs[name].waiting == nil
	}
	for name := range w.s.inputs {
		unchanged[name] = before.inputs[name] != nil && !fresh[name] && reflect.DeepEqual(before.inputs[name].cfg, w.s.inputs[name].cfg)
	}
	for name := range w.s.sensors {
		unchanged[name] = before.sensors[name] != nil && !fresh[name] && reflect.DeepEqual(before.sensors[name].cfg, w.s.sensors[name].cfg)
	}
	for name := range w.s.counters {
		unchanged[name] = before.counters[name] != nil && !fresh[name] && reflect.DeepEqual(before.counters[name].cfg, w.s.counters[name].cfg)
	}
	for name := range w.s.encoders {
		unchanged[name] = before.encoders[name] != nil && !fresh[name] && reflect.DeepEqual(before.encoders[name].cfg, w.s.encoders[name].cfg)
	}
	for name, g := range w.s.groups {
		unchanged[name] = before.groups[name] != nil && reflect.DeepEqual(before.groups[name].cfg, g.cfg) && !slices.ContainsFunc(g.cfg.Outputs,
			func(o string) bool { return !unchanged[o] })
	}
	for _, d := range w.writes {
		if unchanged[d.Point] {
			t.Errorf("%v is driven", d)
		}
	}
	owners := map[string]string{}
	for name, is := range unchanged {
		if is {
			owners[w.s.topics.State(name)], owners[w.s.topics.Availability(name)] = name, name
		}
		if p := w.s.sensors[name]; is && p != nil {
			for _, topic := range p.topics {
				owners[topic] = name
			}
		}
	}
	for name, c := range w.s.counters {
		if unchanged[name] {
			owners[c.total.topic] = name
			if c.rate.Quantity != nil {
				owners[c.rate.topic] = name
			}
		}
	}
	for _, m := range w.sent {
		if w.linked && w.s.topics.discovers(m.Topic) && len(m.Payload) > 0 && string(m.Payload) == string(had[m.Topic]) {
			t.Errorf("%s is published again", m.Topic)
		}
		if name := owners[m.Topic]; name != "" {
			t.Errorf("%s is told on %s: %s", name, m.Topic, m.Payload)
		}
	}
	for name, o := range w.s.outputs {
		if unchanged[name] && !o.off.at.Equal(off[name]) {
			t.Errorf("%s ends at %v, not at %v", name, o.off.at, off[name])
		}
	}
}
