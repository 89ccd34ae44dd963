package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/hatest"
)

// Parts of homeConfig.
const (
	theDoor = `{name: door, label: Front door, line: GPIO17, pull: up, debounce: 20ms, payload_on: open, payload_off: closed}`
	thePump = `name: pump, label: Pump, chip: io, line: bus1-2,`
)

// change is what a changed configuration makes of the registry: the entities of the points, and nothing left behind, nothing refused.
type change struct {
	name       string
	was, is    []string          // replaced in the configuration
	gone, come []string          // of the registry's entity ids
	states     map[string]string // after a start, with new hardware
	reloaded   map[string]string // after a reload, where that differs
	before     func(h *home)
	check      func(t *testing.T, h *home)
}

var changes = []change{
	{name: "point removed", is: []string{"  - " + theDoor + "\n", ""}, gone: []string{"binary_sensor.shed_door"}},
	{name: "point added", was: []string{"  - " + theDoor + "\n", ""}, come: []string{"binary_sensor.shed_door"}},
	{name: "other component", is: []string{thePump, thePump + " home_assistant: {component: light},"},
		gone: []string{"switch.shed_pump", "switch.shed_everything"}, // a group of lights alone is a light
		come: []string{"light.shed_pump", "light.shed_everything"}, states: map[string]string{"light.shed_pump": "off"}},
	{name: "not announced any more", is: []string{thePump, thePump + " home_assistant: false,"}, gone: []string{"switch.shed_pump"}},
	{name: "renamed, with id", is: []string{thePump, "name: fountain, id: pump, label: Fountain, chip: io, line: bus1-2,", "[l01, pump]", "[l01, fountain]"},
		check: func(t *testing.T, h *home) {
			if e := h.ha.Entity("switch.shed_pump"); e.Name != "Shed Fountain" || e.State != "off" {
				t.Errorf("got %q, %s", e.Name, e.State)
			}
			h.ha.TurnOn("switch.shed_pump")
			h.ha.AwaitState("switch.shed_pump", "on")
		}},
	{name: "renamed, without id", is: []string{thePump, "name: fountain, label: Fountain, chip: io, line: bus1-2,", "[l01, pump]", "[l01, fountain]"},
		gone: []string{"switch.shed_pump"}, come: []string{"switch.shed_fountain"}},
	{name: "other device name, with id", is: []string{"device: shed", "device: barn\nid: shed"}, states: map[string]string{"light.shed_l01": "off"},
		check: func(t *testing.T, h *home) { h.nothingKept("gatewayd/shed/") }},
	{name: "other name of the gateway", is: []string{"name: Shed", "name: Barn"}, check: func(t *testing.T, h *home) {
		h.ha.Await(10*time.Second, "the new name", func() bool { return h.ha.Entity("light.shed_l01").Name == "Barn Kitchen light" })
	}},
	{name: "moved to an area", is: []string{thePump, thePump + " home_assistant: {area: Garden},"}, states: map[string]string{"switch.shed_pump": "off"},
		check: func(t *testing.T, h *home) {
			d := h.ha.Entity("switch.shed_pump").Device
			if d.Area != "Garden" || d.Name != "Garden" || d.Via != "gatewayd_shed" || len(h.ha.Devices()) != 2 {
				t.Errorf("got %+v of %d devices", d, len(h.ha.Devices()))
			}
			h.ha.TurnOn("switch.shed_pump")
			h.ha.AwaitState("switch.shed_pump", "on")
		}},
	{name: "away from an area", was: []string{thePump, thePump + " home_assistant: {area: Garden},"}, states: map[string]string{"switch.shed_pump": "off"},
		check: func(t *testing.T, h *home) {
			if got := h.ha.Devices(); len(got) != 1 {
				t.Errorf("got devices %+v, want the gateway alone", got)
			}
		}},
	{name: "other words", before: func(h *home) { h.ha.TurnOn("switch.shed_pump"); h.ha.AwaitState("switch.shed_pump", "on") }, is: []string{`payload_on: "1", payload_off: "0"`, `payload_on: go, payload_off: halt`}, states: map[string]string{"switch.shed_pump": "off"}, reloaded: map[string]string{"switch.shed_pump": "on"}},
	{name: "readings in JSON", is: inJSON, check: func(t *testing.T, h *home) { h.measures("gatewayd/shed/attic", "gatewayd/shed/attic/temperature") }},
	{name: "readings on topics of their own", was: inJSON, check: func(t *testing.T, h *home) { h.measures("gatewayd/shed/attic/temperature", "gatewayd/shed/attic") }},
	{name: "other icon", is: []string{thePump, thePump + " home_assistant: {icon: mdi:pump},"}, check: func(t *testing.T, h *home) {
		h.ha.Await(10*time.Second, "the icon", func() bool { return h.ha.Entity("switch.shed_pump").Config["icon"] == "mdi:pump" })
	}},
}

var inJSON = []string{"every: 1s", "every: 1s, format: json"}

// measures waits until Home Assistant has a number of each reading, and sees which topic has something.
func (h *home) measures(has, empty string) {
	h.t.Helper()
	for _, quantity := range []string{"temperature", "humidity", "pressure"} {
		h.ha.Await(15*time.Second, "a number of the "+quantity, func() bool {
			_, err := strconv.ParseFloat(h.ha.Entity("sensor.shed_attic_"+quantity).State, 64)
			return err == nil
		})
	}
	late := newClient(h.t, "tcp://"+h.broker) // it gets what is retained
	late.Publish("end", 1, false, "end")
	late.wants(h.t, "end", "end")
	if got := late.saw(has); got == "" {
		h.t.Errorf("nothing on %s", has)
	}
	if got := late.saw(empty); got != "" {
		h.t.Errorf("left behind: %s %s", empty, got)
	}
}

// happens plays a change, which do brings about.
func (tt *change) happens(t *testing.T, do func(*home)) {
	h := newHome(t, hatest.Options{})
	h.start(tt.was...)
	h.settled("light.shed_l01")
	if tt.before != nil {
		tt.before(h)
	}
	before, since := h.entityIDs(), len(h.ha.History())
	do(h)
	var want []string
	for _, id := range append(before, tt.come...) {
		if !slices.Contains(tt.gone, id) {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	time.Sleep(6 * time.Second) // what goes is given time before what comes
	h.ha.Await(10*time.Second, fmt.Sprintf("gone %v, come %v", tt.gone, tt.come), func() bool { return slices.Equal(h.entityIDs(), want) })
	h.ha.Excuse(`"halt" matches nothing`) // the state may come before the document that explains it; it comes again
	h.settled(want...)
	for id, state := range tt.states {
		h.ha.AwaitState(id, state)
	}
	if tt.check != nil {
		tt.check(t, h)
	}
	for _, change := range h.ha.History()[since:] {
		id := change[strings.LastIndex(change, " ")+1:]
		if strings.Contains(id, ".") && !slices.Contains(tt.gone, id) && !slices.Contains(tt.come, id) && !strings.Contains(tt.name, "area") {
			t.Errorf("the registry flickers: %s", change)
		}
	}
	h.ha.Clean()
}

// entityIDs are all of the registry, sorted.
func (h *home) entityIDs() (all []string) {
	for _, e := range h.ha.Entities() {
		all = append(all, e.EntityID)
	}
	return all
}

// same demands that nothing came or went in the registry since its history had this length. Triggers are not kept there: a Home
// Assistant that is new gets them anew.
func (h *home) same(what string, since int) {
	h.t.Helper()
	got := h.ha.History()[since:]
	if since == 0 {
		got = slices.DeleteFunc(got, func(change string) bool { return strings.HasPrefix(change, "add trigger ") })
	}
	if len(got) > 0 {
		h.t.Errorf("%s: the registry changed: %s", what, fmt.Sprint(got))
	}
}
