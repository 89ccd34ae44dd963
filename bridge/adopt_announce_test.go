package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Of documents only those are published that differ, and states are told again only where Home Assistant may have had other words.
func TestReloadAnnounces(t *testing.T) {
	cfg := estateOf(20)
	for i := range cfg.Outputs {
		cfg.Outputs[i].Retain = i%2 == 0
	}
	p := &plan{cfg: cfg, place: map[string]int{}}
	for i := range cfg.Inputs {
		p.place[cfg.Inputs[i].Name], p.place[cfg.Outputs[i].Name] = i, 1000+i
	}
	for i := range cfg.Sensors {
		p.place[cfg.Sensors[i].Name] = 2000 + i
	}
	w := newEstate(t, p)
	w.start()
	w.link(true)
	w.pass(time.Minute)
	reload := func(change func(*Config)) (topics []string) {
		next := &plan{cfg: cloned(w.plan.cfg), place: p.place}
		change(next.cfg)
		w.sent = nil
		w.reload(next)
		w.pass(time.Minute)
		for _, m := range w.sent {
			topics = append(topics, strings.TrimPrefix(m.Topic, "homeassistant/device/gatewayd_big/"))
		}
		return topics
	}
	for _, tt := range []struct {
		what   string
		change func(*Config)
		want   []string
	}{
		{"nothing", func(*Config) {}, nil},
		{"one", func(c *Config) { c.Outputs[3].Label = "Fan" }, []string{"room3/config", "gatewayd/big/out3"}},
		{"nothing again", func(*Config) {}, nil},
		{"into another room", func(c *Config) { c.Outputs[3].Entity.Area = "room 4" },
			[]string{"room3/config", "room3/config", "room4/config", "gatewayd/big/out3"}},
		{"a light by now", func(c *Config) { c.Outputs[3].Label = "Lamp" }, []string{"room4/config", "room4/config", "gatewayd/big/out3"}},
		{"hidden", func(c *Config) { c.Outputs[3].Entity.Component = NoComponent }, []string{"room4/config", "room4/config"}},
	} {
		if got := reload(tt.change); !slices.Equal(got, tt.want) {
			t.Errorf("%s: told on %q, want %q", tt.what, got, tt.want)
		}
	}
	// What waits until the same is gone elsewhere waits as long, though it is to go to yet another room by then.
	for _, room := range []string{"room 5", "room 6"} {
		next := &plan{cfg: cloned(w.plan.cfg), place: p.place}
		next.cfg.Outputs[7].Entity.Area = room
		w.sent = nil
		w.reload(next)
		w.pass(2 * time.Second)
	}
	if len(w.sent) > 0 {
		t.Errorf("told %v", w.sent)
	}
	w.pass(time.Minute)
	if last := w.retained["homeassistant/device/gatewayd_big/room6/config"]; !strings.Contains(string(last), `"out7"`) {
		t.Errorf("it is not where it is to be: %s", last)
	}
	// Where all is told again anyway, what is new is among it.
	w.link(false)
	w.link(true)
	got := reload(func(c *Config) { c.Outputs[5].Label = "Fan" })
	for i := range cfg.Outputs {
		if topic := fmt.Sprint("gatewayd/big/out", i); !slices.Contains(got, topic) {
			t.Errorf("%s is not told: %q", topic, got)
		}
	}
}
