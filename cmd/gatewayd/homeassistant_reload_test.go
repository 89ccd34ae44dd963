package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"gatewayd/internal/hatest"
)

// reload has the gateway go on with another configuration, with pairs of what is replaced in it.
func (h *home) reload(replace ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cfg := h.configured(replace)
	if _, err := h.g.reload(ctx, cfg); err != nil {
		h.t.Fatal(err)
	}
	h.cfg = cfg
}

// What Home Assistant sees of a reload: what is gone, what is new, and nothing else for a moment.
func gatewayReloads(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	h.ha.TurnOn("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "on")
	h.put("door", true)
	h.ha.AwaitState("binary_sensor.shed_door", "on")
	before := len(h.ha.Entity("light.shed_l01").States)
	h.reload("  - {name: garden, label: Garden valve, chip: io, line: bus1-3}\n", "  - {name: fan, label: Fan, chip: io, line: bus1-6}\n")
	h.settled("switch.shed_fan")
	h.ha.Await(15*time.Second, "the valve is gone", func() bool { _, there := h.ha.Find("valve.shed_garden"); return !there })
	h.ha.AwaitState("switch.shed_fan", "off")
	h.ha.TurnOn("switch.shed_fan")
	h.ha.AwaitState("switch.shed_fan", "on")
	h.ha.TurnOff("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "off")
	h.put("door", false)
	h.ha.AwaitState("binary_sensor.shed_door", "off")
	if states := h.ha.Entity("light.shed_l01").States[before:]; slices.Contains(states, "unavailable") || slices.Contains(states, "unknown") {
		t.Errorf("the light was %q", states)
	}
	h.settled()
}
