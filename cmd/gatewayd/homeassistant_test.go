package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/config"
	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// home is a house in which a gateway and Home Assistant meet at a real broker.
type home struct {
	t      *testing.T
	broker string // where the gateway finds it
	ha     *hatest.Core
	cfg    *config.Config
	g      *gateway
	house  *house
	log    *screen
	forget bool   // the gateway leaves nothing behind, as the demo
	stop   func() // the gateway, as its service does

	mu    sync.Mutex // guards sent
	sent  map[string]int
	asked int // to restart
}

const homeConfig = `
device: shed
mqtt: {broker: "tcp://BROKER"}
home_assistant: {name: Shed, identify: l01}
chips:
  - {name: io, type: iopiplus, bus: 1, interrupt: GPIO4}
inputs:
  - {name: l01_button, label: Kitchen button, chip: io, line: bus2-1, pull: up, active_low: true, topic: light/l01/button}
  - {name: door, label: Front door, line: GPIO17, pull: up, debounce: 20ms, payload_on: open, payload_off: closed}
outputs:
  - {name: l01, label: Kitchen light, chip: io, line: bus1-1, topic: light/l01}
  - {name: pump, label: Pump, chip: io, line: bus1-2, payload_on: "1", payload_off: "0"}
  - {name: garden, label: Garden valve, chip: io, line: bus1-3}
  - {name: alarm, label: Siren, chip: io, line: bus1-4}
  - {name: strike, label: Door strike, chip: io, line: bus1-5, pulse: 300ms}
  - {name: bell, label: Door bell, line: GPIO27, pulse: 200ms}
groups:
  - {name: everything, label: Everything, outputs: [l01, pump]}
sensors:
  - {name: attic, label: Attic, type: bme280, bus: 1, address: 0x76, every: 1s}
`

// What can happen between a gateway and Home Assistant. All of it goes on at the same time, as most of it is waiting for timers.
func TestHomeAssistant(t *testing.T) {
	scenes := map[string]func(*testing.T){
		"entities": entitiesAppear, "commands": commandsReturn, "restarts": homeAssistantRestarts, "restarts alone": homeAssistantAlone,
		"elsewhere": homeAssistantElsewhere, "gateway restarts": gatewayRestarts, "gateway killed": gatewayKilled, "chip fails": chipFails,
		"broker restarts": brokerRestarts, "deleted": deviceDeleted, "area deleted": areaDeleted, "off": discoveryOff, "forgotten": gatewayForgotten, "demo": demoEnds, "identify": gatewayBlinks, "restart": gatewayAsked, "gestures": buttonPressed,
		"own words": ownWords, "nothing retained": nothingRetained, "disabled": pointDisabled, "changed meanwhile": changedMeanwhile, "large": largeHouse, "busy start": busyStart, "reload": gatewayReloads,
	}
	for _, c := range changes {
		scenes["change/"+c.name] = func(t *testing.T) { c.happens(t, func(h *home) { h.stop(); h.start(c.is...) }) }
		scenes["reload/"+c.name] = func(t *testing.T) {
			c := c
			if c.reloaded != nil {
				c.states = c.reloaded
			}
			c.happens(t, func(h *home) { h.reload(c.is...) })
		}
	}
	var all sync.WaitGroup
	for name, scene := range scenes {
		all.Go(func() { t.Run(name, scene) })
	}
	all.Wait()
}

var starting sync.Mutex // one broker at a time looks for a free port

// newHome starts a broker and Home Assistant; opt may be empty.
func newHome(t *testing.T, opt hatest.Options) *home {
	t.Helper()
	starting.Lock()
	defer starting.Unlock()
	m := mqtttest.StartMosquitto(t, nil)
	h := &home{t: t, broker: m.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, m.Addr(), opt)
	return h
}

// configured gives the configuration, with pairs of what is replaced in it.
func (h *home) configured(replace []string) *config.Config {
	h.t.Helper()
	text := strings.NewReplacer("BROKER", h.broker).Replace(homeConfig)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			h.t.Fatalf("the configuration lacks %q", replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	cfg, _, err := config.Parse("home.yaml", []byte(text))
	if err != nil {
		h.t.Fatal(err)
	}
	return cfg
}

// start runs a gateway, with pairs of what is to be replaced in its configuration.
func (h *home) start(replace ...string) {
	h.t.Helper()
	cfg := h.configured(replace)
	var err error
	h.cfg = cfg
	if h.house, err = newHouse(cfg); err != nil {
		h.t.Fatal(err)
	}
	h.log = new(screen)
	log := slog.New(&lines{mu: new(sync.Mutex), out: h.log, front: func(_ time.Time, l slog.Level) string { return word(l) }})
	g, err := newGateway(cfg, h.house, log, manner{forget: func() bool { return h.forget }, restart: h.restarts, watch: func(m bridge.Message) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent[m.Topic]++
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.g = g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Error(err)
			}
			g := h.house
			g.close()
		})
	}
	h.stop = stop
	h.t.Cleanup(func() {
		stop()
		if h.t.Failed() {
			h.t.Logf("gateway:\n%s\nHome Assistant:\n%s", h.log, h.ha.Dump())
		}
	})
}

func (h *home) restarts() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
}

// published is how often something was published on a topic.
func (h *home) published(topic string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent[topic]
}

// put moves what an input is connected to.
func (h *home) put(name string, active bool) {
	h.t.Helper()
	all := slices.Concat(h.house.buttons, h.house.meters)
	i := slices.IndexFunc(all, func(b button) bool { return b.line.Name == name })
	if err := h.house.put(&all[i], active); err != nil {
		h.t.Fatal(err)
	}
}

// settled waits until all entities are available with a state, and Home Assistant has nothing to say against any.
func (h *home) settled(entities ...string) {
	h.t.Helper()
	for _, id := range entities {
		h.ha.Await(15*time.Second, id+" is there", func() bool { e, ok := h.ha.Find(id); return ok && !e.Restored })
	}
	h.ha.Await(15*time.Second, "all entities have states", func() bool {
		all := h.ha.Entities()
		return len(all) > 0 && !slices.ContainsFunc(all, func(e hatest.Entity) bool { return !e.Disabled && !e.Available || unsaid(&e) })
	})
	h.ha.Clean()
}

// unsaid tells whether an entity lacks a state that it should have: buttons and events have none before the first time.
func unsaid(e *hatest.Entity) bool {
	return e.State == "unknown" && e.Platform != "button" && e.Platform != "event" && !mayBeUnknown[e.EntityID]
}

// mayBeUnknown are those of the gateway's own that the simulated board has nothing to say about.
var mayBeUnknown = map[string]bool{"sensor.shed_last_error": true, "binary_sensor.shed_under_voltage": true}

// Every entity appears as a person would want it, with its state.
func entitiesAppear(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	want := map[string][2]string{ // name, state
		"binary_sensor.shed_l01_button": {"Shed Kitchen button", "off"},
		"binary_sensor.shed_door":       {"Shed Front door", "off"},
		"light.shed_l01":                {"Shed Kitchen light", "off"},
		"switch.shed_pump":              {"Shed Pump", "off"},
		"valve.shed_garden":             {"Shed Garden valve", "closed"},
		"siren.shed_alarm":              {"Shed Siren", "off"},
		"lock.shed_strike":              {"Shed Door strike", "locked"},
		"button.shed_bell":              {"Shed Door bell", "unknown"},
		"switch.shed_everything":        {"Shed Everything", "off"},
		"sensor.shed_attic_temperature": {"Shed Attic temperature", ""},
		"sensor.shed_attic_humidity":    {"Shed Attic humidity", ""},
		"binary_sensor.shed_connection": {"Shed Connectivity", "on"},
		"binary_sensor.shed_problem":    {"Shed Problem", "off"},
		"sensor.shed_version":           {"Shed Version", ""},
		"sensor.shed_uptime":            {"Shed Uptime", ""},
		"button.shed_restart":           {"Shed Restart", "unknown"},
		"button.shed_identify":          {"Shed Identify", "unknown"},
	}
	for id, w := range want {
		if w[1] != "" {
			h.ha.AwaitState(id, w[1]) // health has a problem until all has been read
		}
		e := h.ha.Entity(id)
		if e.Name != w[0] {
			t.Errorf("%s: got %q, want %q", id, e.Name, w[0])
		}
		if !strings.HasPrefix(e.UniqueID, "gatewayd_shed.") {
			t.Errorf("%s: unique id %s", id, e.UniqueID)
		}
		if e.Config["retain"] == true || e.Config["optimistic"] == true {
			t.Errorf("%s: Home Assistant retains its commands, or believes them", id)
		}
	}
	if got := h.ha.Entity("binary_sensor.shed_door").Config["device_class"]; got != "door" {
		t.Errorf("the door's device_class: %v", got)
	}
	if all := h.ha.Devices(); len(all) != 1 || !slices.Equal(all[0].Identifiers, []string{"gatewayd_shed"}) || all[0].Name != "Shed" {
		t.Errorf("got devices %+v, want the gateway alone", all)
	}
	for _, m := range []struct {
		active bool
		state  string
	}{{true, "on"}, {false, "off"}} {
		h.put("door", m.active)
		h.ha.AwaitState("binary_sensor.shed_door", m.state)
	}
	if err := h.house.play("0x76 temperature -3.5"); err != nil {
		t.Fatal(err)
	}
	h.ha.Await(10*time.Second, "-3.5 °C", func() bool {
		return strings.HasPrefix(h.ha.Entity("sensor.shed_attic_temperature").State, "-3.")
	})
	h.ha.Clean()
}

// Every command is carried out, and its state comes back.
func commandsReturn(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	for _, c := range []struct {
		do        func(id string)
		id, state string
	}{
		{h.ha.TurnOn, "light.shed_l01", "on"},
		{h.ha.TurnOff, "light.shed_l01", "off"},
		{h.ha.Toggle, "light.shed_l01", "on"},
		{h.ha.Toggle, "light.shed_l01", "off"},
		{h.ha.TurnOn, "switch.shed_pump", "on"},
		{h.ha.TurnOff, "switch.shed_pump", "off"},
		{h.ha.Open, "valve.shed_garden", "open"},
		{h.ha.Close, "valve.shed_garden", "closed"},
		{h.ha.TurnOn, "siren.shed_alarm", "on"},
		{h.ha.TurnOff, "siren.shed_alarm", "off"},
		{h.ha.Unlock, "lock.shed_strike", "unlocked"},
		{func(string) {}, "lock.shed_strike", "locked"}, // by itself
		{h.ha.TurnOn, "switch.shed_everything", "on"},
		{func(string) {}, "light.shed_l01", "on"},
		{func(string) {}, "switch.shed_pump", "on"},
		{h.ha.TurnOff, "switch.shed_everything", "off"},
		{func(string) {}, "light.shed_l01", "off"},
		{func(id string) { h.ha.SirenOn(id, time.Second) }, "siren.shed_alarm", "on"},
		{func(string) {}, "siren.shed_alarm", "off"}, // by itself
	} {
		c.do(c.id)
		h.ha.AwaitState(c.id, c.state)
	}
	before := h.published("gatewayd/shed/bell")
	h.ha.Press("button.shed_bell")
	h.ha.Await(10*time.Second, "the bell rings, and stops", func() bool { return h.published("gatewayd/shed/bell") == before+2 })
	was := h.published("light/l01")
	h.ha.TurnOff("light.shed_l01") // it is off: the state is told nevertheless
	h.ha.Await(10*time.Second, "a state", func() bool { return h.published("light/l01") > was })
	h.ha.Clean()
}
