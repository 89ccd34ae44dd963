package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/mqtttest"
)

// world is all of a gateway that can be seen from outside.
type world struct {
	kept          map[string]string // retained
	subscriptions []string
	lines         map[string]string // by the point's place
}

func (a *alive) world() world {
	w := world{kept: a.retained(), subscriptions: a.subscriptions(a.g.cfg.MQTT.ClientID), lines: map[string]string{}}
	ends := ending(a.g.cfg)
	for topic := range w.kept {
		if excused(topic, a.g.cfg, ends) {
			delete(w.kept, topic)
		}
	}
	for name, at := range places(a.g.cfg) {
		if at.output && !ends[name] {
			w.lines[name] = a.bench.level(at)
		}
	}
	return w
}

// level tells what drives a line, and to what.
func (b *bench) level(at place) string {
	if at.addr != 0 {
		return "" // looked at by its pins' changes
	}
	driven, high := b.sim(at).Driven(at.offset)
	return fmt.Sprintf("driven %v, high %v", driven, high)
}

// sim gives the chip of a place that is on no bus.
func (b *bench) sim(at place) *gpio.Sim { return b.sims[cmp.Or(at.label, "header")] }

// ending gives the outputs that a stop or a start changes.
func ending(cfg *config.Config) map[string]bool {
	all := map[string]bool{}
	for _, c := range cfg.Chips {
		for _, l := range c.Lines {
			all[l.Name] = l.Initial != gpio.Keep
		}
	}
	for _, o := range cfg.Bridge.Outputs {
		all[o.Name] = all[o.Name] || o.OnExit != bridge.ExitKeep || o.Pulse > 0
	}
	for _, l := range cfg.Bridge.Interlocks {
		for _, name := range l.Outputs {
			all[name] = true
		}
	}
	for _, g := range cfg.Bridge.Groups {
		for _, name := range g.Outputs {
			all[g.Name] = all[g.Name] || all[name]
		}
	}
	return all
}

// excused tells whether a topic may have something else after a start: readings, and what a stop or a start changes.
func excused(topic string, cfg *config.Config, ends map[string]bool) bool {
	t := bridge.NewTopics(&cfg.Bridge)
	for _, s := range cfg.Bridge.Sensors {
		if strings.HasPrefix(topic, t.State(s.Name)+"/") && topic != t.Availability(s.Name) {
			return true
		}
	}
	for name, ends := range ends {
		if ends && topic == t.State(name) {
			return true
		}
	}
	return false
}

// asStarted proves that the broker and the lines are as a start with the configuration that runs would leave them, by one. The
// gateway that ran is stopped, and the new one goes on.
func (a *alive) asStarted(text string, how manner) {
	a.t.Helper()
	a.settled()
	got, since := a.world(), time.Now()
	await(a.t, 15*time.Second, "nothing changes any more", func() bool { // a pull-up may take a while to be seen
		if now := a.world(); !reflect.DeepEqual(got, now) {
			got, since = now, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
	a.stop()
	a.broker.Stop()
	cfg := a.g.cfg
	a.broker = mqtttest.StartEmbedded(a.t, "")
	a.begin(text, how)
	want := a.world()
	diff(a.t, "retained", got.kept, want.kept)
	diff(a.t, "lines", got.lines, want.lines)
	if !slices.Equal(got.subscriptions, want.subscriptions) {
		a.t.Errorf("subscribed to %q, want %q", got.subscriptions, want.subscriptions)
	}
	if got, want := len(a.g.wiring.Load().chips), len(uses(cfg.Chips)); got != want {
		a.t.Errorf("%d banks, want %d", got, want)
	}
}

// diff tells of what differs.
func diff(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if v, there := want[key]; !there {
			t.Errorf("%s: %s is left: %.200q", what, key, got[key])
		} else if v != got[key] {
			t.Errorf("%s: %s:\n got %.600q\nwant %.600q", what, key, got[key], v)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if _, there := got[key]; !there {
			t.Errorf("%s: %s is missing, want %.200q", what, key, want[key])
		}
	}
}
