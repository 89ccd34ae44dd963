package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// A restart of Home Assistant: it hears what is retained, and the gateway announces once more, once for several births.
func homeAssistantRestarts(t *testing.T) {
	h := newHome(t, hatest.Options{NoBirth: true})
	h.start()
	h.settled("light.shed_l01")
	h.ha.TurnOn("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "on")
	registry := h.ha.Stop()
	const document = "homeassistant/device/gatewayd_shed/config"
	before := h.published(document)
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: registry, NoBirth: true})
	h.settled("light.shed_l01")
	for range 5 {
		h.ha.SayBirth()
	}
	h.ha.Await(10*time.Second, "announced again", func() bool { return h.published(document) > before })
	time.Sleep(time.Second) // a second one would come now
	if got := h.published(document) - before; got != 1 {
		t.Errorf("announced %d times after a burst of births, want once", got)
	}
	h.settled("light.shed_l01")
	if got := h.ha.Entity("light.shed_l01").State; got != "on" {
		t.Errorf("got %s, want on", got)
	}
	h.same("restart of Home Assistant", 0)
}

// A Home Assistant with other topics for discovery and birth.
func homeAssistantElsewhere(t *testing.T) {
	h := newHome(t, hatest.Options{Prefix: "ha/discovery", BirthTopic: "ha/alive", Birth: "hello"})
	h.start("identify: l01", `identify: l01, prefix: ha/discovery, birth: {topic: ha/alive, payload: hello}`)
	h.settled("light.shed_l01")
	const document = "ha/discovery/device/gatewayd_shed/config"
	before := h.published(document)
	h.ha.SayBirth()
	h.ha.Await(10*time.Second, "announced again", func() bool { return h.published(document) > before })
}

// unavailableAll waits until nothing is available but the connection, which is off.
func (h *home) unavailableAll(what string) {
	h.t.Helper()
	h.ha.Await(15*time.Second, what+": all but the connection unavailable", func() bool {
		for _, e := range h.ha.Entities() {
			want := "unavailable"
			if e.EntityID == "binary_sensor.shed_connection" {
				want = "off"
			}
			if e.State != want {
				return false
			}
		}
		return true
	})
}

// The gateway stops, and comes back: nothing changes in the registry.
func gatewayRestarts(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	since := len(h.ha.History())
	h.stop()
	h.unavailableAll("stopped")
	h.start()
	h.settled("light.shed_l01")
	time.Sleep(6 * time.Second) // longer than the gateway takes to put things right
	h.settled()
	h.same("restart of the gateway", since)
	for _, s := range h.ha.Entity("light.shed_l01").States {
		if s != "unavailable" && s != "off" && s != "unknown" {
			t.Errorf("the light showed %s", s)
		}
	}
}

// The gateway is killed: its last will says so.
func gatewayKilled(t *testing.T) {
	h := newHome(t, hatest.Options{})
	proxy := mqtttest.StartProxy(t, h.broker)
	h.broker = proxy.Addr()
	h.start()
	h.settled("light.shed_l01")
	since := len(h.ha.History())
	proxy.Closed.Store(true)
	proxy.Kill()
	h.unavailableAll("killed")
	proxy.Closed.Store(false)
	h.settled("light.shed_l01")
	h.same("killed", since)
}

// A chip fails: its points alone are unavailable.
func chipFails(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	play := func(line string) {
		t.Helper()
		if err := h.house.play(line); err != nil {
			t.Fatal(err)
		}
	}
	play("absent 0x20")
	for _, id := range []string{"light.shed_l01", "switch.shed_pump", "lock.shed_strike", "switch.shed_everything"} {
		h.ha.AwaitState(id, "unavailable")
	}
	h.ha.AwaitState("binary_sensor.shed_problem", "on")
	if reasons := fmt.Sprint(h.ha.Entity("binary_sensor.shed_problem").Attributes); !strings.Contains(reasons, "io") {
		t.Errorf("the reasons: %s", reasons)
	}
	if got := h.ha.Entity("binary_sensor.shed_door").State; got != "off" {
		t.Errorf("the door: got %s, want off", got)
	}
	play("present 0x20")
	h.settled("light.shed_l01")
}

// A broker that keeps nothing is restarted: all is back.
func brokerRestarts(t *testing.T) {
	starting.Lock()
	port := mqtttest.FreePort(t)
	conf := func(_ string, other int) string {
		return fmt.Sprintf("listener %d 127.0.0.1\nlistener %d 127.0.0.1\nallow_anonymous true\n", port, other)
	}
	m := mqtttest.StartMosquitto(t, conf)
	starting.Unlock()
	h := &home{t: t, broker: fmt.Sprintf("127.0.0.1:%d", port), sent: map[string]int{}}
	h.ha = hatest.Start(t, h.broker, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	h.ha.TurnOn("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "on")
	since := len(h.ha.History())
	m.Stop()
	h.ha.AwaitState("light.shed_l01", "unavailable")
	mqtttest.StartMosquitto(t, conf)
	h.ha.AwaitState("light.shed_l01", "on")
	h.settled("light.shed_l01")
	h.same("restart of the broker", since)
}

// A user deletes the device in Home Assistant: the gateway does not bring it back in this run, and tells.
func deviceDeleted(t *testing.T) {
	h := newHome(t, hatest.Options{})
	c := newClient(t, "tcp://"+h.broker)
	h.start()
	h.settled("light.shed_l01")
	time.Sleep(3 * time.Second) // until the answer to the birth is over
	h.ha.DeleteDevice("gatewayd_shed")
	h.ha.SayBirth()
	soon(t, "it is told", func() bool { return strings.Contains(c.saw("gatewayd/shed/gateway/error"), "Home Assistant") })
	time.Sleep(6 * time.Second)
	if all := h.entityIDs(); len(all) > 0 {
		t.Errorf("came back: %v", all)
	}
	if got := c.saw("homeassistant/device/gatewayd_shed/config"); got != "" {
		t.Errorf("announced again: %.100s", got)
	}
	h.ha.Clean()
	h.stop()
	h.start()
	h.settled("light.shed_l01")
}

// Discovery is switched off: what was announced goes, and nothing comes.
func discoveryOff(t *testing.T) {
	h := newHome(t, hatest.Options{})
	c := newClient(t, "tcp://"+h.broker)
	h.start()
	h.settled("light.shed_l01")
	h.stop()
	h.start("home_assistant: {name: Shed, identify: l01}", "home_assistant: {discovery: false}")
	gone := func() bool { // but what is disabled: Home Assistant keeps that until 2026.5
		return !slices.ContainsFunc(h.ha.Entities(), func(e hatest.Entity) bool { return !e.Disabled })
	}
	h.ha.Await(10*time.Second, "all entities are gone", gone)
	h.ha.SayBirth()
	time.Sleep(6 * time.Second)
	if !gone() {
		t.Errorf("came back: %v", h.entityIDs())
	}
	if got := c.saw("homeassistant/device/gatewayd_shed/config"); got != "" {
		t.Errorf("still announced: %.100s", got)
	}
	h.ha.Clean()
}

// A restart of Home Assistant while the gateway is away: what is retained tells all of it.
func homeAssistantAlone(t *testing.T) {
	h := newHome(t, hatest.Options{})
	h.start()
	h.settled("light.shed_l01")
	h.stop()
	registry := h.ha.Stop()
	h.ha = hatest.Start(t, h.broker, hatest.Options{Registry: registry})
	h.unavailableAll("the gateway is away")
	h.start()
	h.settled("light.shed_l01")
	h.same("restart of Home Assistant", 0)
}

// Home Assistant takes its time to load, with births in between, while the gateway starts: in the end all is there.
func busyStart(t *testing.T) {
	h := newHome(t, hatest.Options{LoadAfter: 2 * time.Second, BirthAfter: time.Second})
	h.start()
	h.ha.SayBirth()
	h.settled("light.shed_l01", "sensor.shed_attic_temperature")
}

// A house so large that it comes in several documents.
func largeHouse(t *testing.T) {
	const n = 120
	h := newHome(t, hatest.Options{})
	var more strings.Builder
	for i := range n {
		fmt.Fprintf(&more, "  - {name: s%d, type: simulated, every: 1h, label: Sensor %d with a name of some length}\n", i, i)
	}
	h.start("sensors:\n", "sensors:\n"+more.String())
	h.settled("light.shed_l01")
	found := 0
	for _, e := range h.ha.Entities() {
		if strings.HasPrefix(e.EntityID, "sensor.shed_s") {
			found++
		}
	}
	documents := 0
	h.mu.Lock()
	for topic := range h.sent {
		if strings.HasPrefix(topic, "homeassistant/") {
			documents++
		}
	}
	h.mu.Unlock()
	if found < n || documents < 2 || len(h.ha.Devices()) != 1 {
		t.Errorf("got %d sensors in %d documents and %d devices, want %d in several and one", found, documents, len(h.ha.Devices()), n)
	}
}
