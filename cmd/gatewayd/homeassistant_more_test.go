package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/hatest"
)

// A status with words of its own, one of them for a clean stop, which Home Assistant would ignore as neither of two.
func ownWords(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start("mqtt: {broker", "mqtt: {status: {topic: alive/it's, online: 1, offline: 0, stopped: gone}, broker")
	h.settled("light.shed_l01")
	h.stop()
	h.unavailableAll("stopped")
	h.start("mqtt: {broker", "mqtt: {status: {topic: alive/it's, online: 1, offline: 0, stopped: gone}, broker")
	h.settled("light.shed_l01")
	h.ha.Clean()
}

// States that the broker does not keep are told again, once Home Assistant listens.
func nothingRetained(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start("bus1-1,", "bus1-1, retain: false,", "bus1-2,", "bus1-2, retain: false,", "type: bme280,", "type: bme280, retain: false,")
	h.settled("light.shed_l01")
	h.ha.TurnOn("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "on")
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: h.ha.Stop()})
	h.settled("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "on")
}

// A point that is known, but off until somebody enables it.
func pointDisabled(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start("bus1-2,", "bus1-2, home_assistant: {enabled: false},")
	h.settled("light.shed_l01")
	if e := h.ha.Entity("switch.shed_pump"); !e.Disabled || e.Name != "Shed Pump" {
		t.Errorf("got %+v, want it disabled", e)
	}
	registry := h.ha.Stop()
	registry.Enable("switch.shed_pump", true)
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: registry})
	h.settled("switch.shed_pump")
	h.ha.TurnOn("switch.shed_pump")
	h.ha.AwaitState("switch.shed_pump", "on")
}

// The configuration is changed while Home Assistant is away: it finds what is new; what it was never told to remove stays in its
// registry, as with any device, for a user to delete.
func changedMeanwhile(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	h.stop()
	registry := h.ha.Stop()
	h.start("name: pump, label: Pump, chip: io, line: bus1-2,", "name: pump, label: Fountain, chip: io, line: bus1-2, home_assistant: {component: light},")
	time.Sleep(7 * time.Second) // the gateway has put its document right
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: registry})
	for _, id := range []string{"light.shed_pump", "light.shed_l01", "sensor.shed_attic_humidity"} {
		h.ha.Await(10*time.Second, id, func() bool { e, ok := h.ha.Find(id); return ok && e.Available && e.State != "unknown" })
	}
	if e := h.ha.Entity("switch.shed_pump"); !e.Restored {
		t.Errorf("got %+v, want it restored, not announced", e)
	}
	if e := h.ha.Entity("light.shed_pump"); e.Name != "Shed Fountain" {
		t.Errorf("got the name %q", e.Name)
	}
	h.ha.Clean()
}

// The gateway is decommissioned: nothing is left at the broker, nor in Home Assistant but what is disabled.
func gatewayForgotten(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start("bus1-2,", "bus1-2, home_assistant: {area: Garden},")
	h.settled("switch.shed_pump")
	h.stop()
	if _, err := bridge.Forget(t.Context(), sessionConfig(h.cfg), &h.cfg.Bridge, bridge.Forgetting{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	h.nothingLeft()
}

// A demo at somebody's broker ends, and leaves nothing.
func demoEnds(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.forget = true
	h.start("bus1-2,", "bus1-2, home_assistant: {area: Garden},")
	h.settled("switch.shed_pump")
	h.stop()
	h.nothingLeft()
}

// nothingLeft demands that Home Assistant has no entity left but what is disabled, and the broker nothing that is retained.
func (h *home) nothingLeft() {
	h.t.Helper()
	h.ha.Await(10*time.Second, "all entities are gone", func() bool {
		for _, e := range h.ha.Entities() {
			if !e.Disabled {
				return false
			}
		}
		return true
	})
	h.nothingKept("")
	h.ha.Clean()
}

// Gestures arrive as events and as triggers, once, and never from what is kept.
func buttonPressed(t *testing.T) {
	h := newHome(t, hatest.Options{})
	// Times that a busy machine can keep; how long a press lasts is as long as it takes to be seen.
	h.start("bus2-1,", "bus2-1, gestures: [press, release, click, double, long], long_press: 4s, multi_click: 3s,")
	h.settled("event.shed_l01_button")
	h.ha.Await(10*time.Second, "five triggers", func() bool { return len(h.ha.DeviceTriggers()) == 5 })
	await := func(what string, n int) {
		h.ha.Await(30*time.Second, what, func() bool {
			seen := 0
			for _, e := range h.ha.Events() {
				if e.Type == what {
					seen++
				}
			}
			return seen >= n
		})
	}
	var events, fired []string
	presses := 0
	for _, g := range []struct {
		presses       int
		last          string // of its events, before it is let go where that is long
		events, fired string
	}{
		{1, "click", "press release click", "press release button_short_press"},
		{2, "double", "press release press release double", "press release press release button_double_press"},
		{1, "long", "press long release", "press button_long_press release"},
	} {
		events, fired = append(events, strings.Fields(g.events)...), append(fired, strings.Fields(g.fired)...)
		for range g.presses {
			presses++
			h.put("l01_button", true)
			await("press", presses)
			if g.last == "long" {
				await("long", 1)
			}
			h.put("l01_button", false)
			await("release", presses)
		}
		h.ha.Await(30*time.Second, g.events, func() bool { return len(h.ha.Events()) >= len(events) && len(h.ha.Triggers()) >= len(fired) })
	}
	var gotEvents, gotFired []string
	for _, e := range h.ha.Events() {
		gotEvents = append(gotEvents, e.Type)
	}
	for _, f := range h.ha.Triggers() {
		gotFired = append(gotFired, f.Type)
		if f.Subtype != "Kitchen button" || f.Device != "Shed" {
			t.Errorf("trigger %+v", f)
		}
	}
	if !slices.Equal(gotEvents, events) || !slices.Equal(gotFired, fired) {
		t.Errorf("got events %q and triggers %q, want %q and %q", gotEvents, gotFired, events, fired)
	}
	h.ha.Clean()
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: h.ha.Stop()})
	h.settled("event.shed_l01_button")
	time.Sleep(time.Second)
	if all := h.ha.Events(); len(all) > 0 || len(h.ha.Triggers()) > 0 {
		t.Errorf("after a restart of Home Assistant: %v, %v", all, h.ha.Triggers())
	}
}

// The gateway shows itself, and is as before.
func gatewayBlinks(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("button.shed_identify")
	before := len(h.ha.Entity("light.shed_l01").States)
	h.ha.Press("button.shed_identify")
	h.ha.Await(time.Minute, "it has blinked", func() bool { // ten changes; a busy machine makes fewer of them
		e := h.ha.Entity("light.shed_l01")
		return e.State == "off" && len(e.States) >= before+4
	})
	h.ha.Clean()
}

// The restart button asks the program to end, once.
func gatewayAsked(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("button.shed_restart")
	h.ha.Press("button.shed_restart")
	h.ha.Await(10*time.Second, "it is asked", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.asked == 1
	})
	h.ha.Clean()
}

// nothingKept demands that the broker has nothing that is retained on topics that begin so.
func (h *home) nothingKept(begin string) {
	h.t.Helper()
	late := newClient(h.t, "tcp://"+h.broker) // it gets what is retained
	late.Publish("end", 1, false, "end")
	late.wants(h.t, "end", "end")
	late.mu.Lock()
	defer late.mu.Unlock()
	for topic, payload := range late.seen {
		if topic != "end" && payload != "" && strings.HasPrefix(topic, begin) {
			h.t.Errorf("left behind: %s %s", topic, payload)
		}
	}
}

// A user deletes an area's device: that alone stays away, until the gateway starts anew.
func areaDeleted(t *testing.T) {
	h := newHome(t, hatest.Options{})
	garden := []string{"bus1-2,", "bus1-2, home_assistant: {area: Garden},"}
	h.start(garden...)
	h.settled("switch.shed_pump", "light.shed_l01")
	time.Sleep(6 * time.Second) // until the answer to the birth is over
	h.ha.DeleteDevice(h.ha.Entity("switch.shed_pump").Device.Identifiers[0])
	h.ha.SayBirth()
	time.Sleep(6 * time.Second)
	if e, back := h.ha.Find("switch.shed_pump"); back {
		t.Errorf("came back: %+v", e)
	}
	h.settled("light.shed_l01")
	if got := h.ha.Devices(); len(got) != 1 {
		t.Errorf("got devices %+v, want the gateway alone", got)
	}
	h.stop()
	h.start(garden...)
	h.settled("switch.shed_pump", "light.shed_l01")
	h.ha.TurnOn("switch.shed_pump")
	h.ha.AwaitState("switch.shed_pump", "on")
}
