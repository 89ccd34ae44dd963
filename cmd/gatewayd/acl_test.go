package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/bridge"
	"gatewayd/internal/config"
	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// guarded runs mosquitto with the access list that the program prints for a configuration. Home Assistant gives no user; the
// gateway is the user gateway, and admin may do everything.
func guarded(t *testing.T, text string, drop ...string) *mqtttest.Mosquitto {
	t.Helper()
	cfg, _, err := config.Parse("acl.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	list, err := (&accessList{user: "gateway", controller: "ha"}).text(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range drop {
		if !strings.Contains(list, line+"\n") {
			t.Fatalf("the list has no line %q:\n%s", line, list)
		}
		list = strings.ReplaceAll(list, line+"\n", "")
	}
	gateway, controller, found := strings.Cut(list, "user ha\n")
	if !found {
		t.Fatalf("no second user:\n%s", list)
	}
	starting.Lock()
	defer starting.Unlock()
	return mqtttest.StartMosquitto(t, func(dir string, port int) string {
		for name, text := range map[string]string{
			"acl":   controller + gateway + "user admin\ntopic readwrite #\ntopic read $SYS/#\n",
			"users": mqtttest.PasswordLine("gateway", "secret") + mqtttest.PasswordLine("admin", "secret"),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npassword_file %[2]s/users\nacl_file %[2]s/acl\nsys_interval 1\n", port, dir)
	})
}

// as gives the URL by which a user reaches a broker.
func as(user string, m *mqtttest.Mosquitto) string { return "tcp://" + user + ":secret@" + m.Addr() }

// asGateway begins the section mqtt with the gateway's user.
func asGateway(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("mqtt: {username: gateway, password_file: %q, ", file)
}

// The list suffices: with it a gateway, Home Assistant and forget do all that they do without one.
func TestAccessListSuffices(t *testing.T) {
	garden := []string{"mqtt: {", asGateway(t), "bus1-2,", "bus1-2, home_assistant: {area: Garden},"}
	m := guarded(t, strings.NewReplacer("BROKER", "localhost", garden[2], garden[3]).Replace(homeConfig))
	h := &home{t: t, broker: m.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, m.Addr(), hatest.Options{})
	h.start(garden...)
	h.settled("light.shed_l01", "switch.shed_pump", "sensor.shed_attic_temperature")
	for _, c := range []struct {
		do        func(id string)
		id, state string
	}{
		{h.ha.TurnOn, "light.shed_l01", "on"}, // on topics of its own
		{h.ha.TurnOff, "light.shed_l01", "off"},
		{h.ha.TurnOn, "switch.shed_everything", "on"},
		{func(string) {}, "switch.shed_pump", "on"},
		{h.ha.Unlock, "lock.shed_strike", "unlocked"},
	} {
		c.do(c.id)
		h.ha.AwaitState(c.id, c.state)
	}
	admin := newClient(t, as("admin", m))
	h.put("l01_button", true)
	h.ha.AwaitState("binary_sensor.shed_l01_button", "on")
	h.put("l01_button", false)
	h.ha.Await(10*time.Second, "a click", func() bool { return h.published("gatewayd/shed/l01_button/event") > 0 })
	h.ha.Press("button.shed_restart")
	h.ha.Await(10*time.Second, "a restart", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.asked > 0 })
	admin.Publish("light/l01/set", 1, false, "nonsense").Wait()
	admin.Publish("gatewayd/shed/nobody/set", 1, false, "ON").Wait()
	soon(t, "errors", func() bool {
		return admin.saw("gatewayd/shed/l01/error") != "" && strings.Contains(admin.saw("gatewayd/shed/gateway/error"), "nobody")
	})
	soon(t, "all else", func() bool {
		return admin.saw("gatewayd/shed/gateway/info") != "" && admin.saw("gatewayd/shed/gateway/health") != "" &&
			strings.Contains(admin.saw("gatewayd/shed/l01_button/event"), "click") && admin.saw("gatewayd/shed/status") == "online"
	})
	const document = "homeassistant/device/gatewayd_shed/config"
	before := h.published(document)
	h.ha.SayBirth()
	h.ha.Await(10*time.Second, "announced again", func() bool { return h.published(document) > before })
	h.ha.Clean()
	if strings.Contains(h.log.String(), "access list") {
		t.Errorf("the gateway complains:\n%s", h.log)
	}

	h.ha.DeleteDevice("gatewayd_shed")
	soon(t, "deleted", func() bool { return strings.Contains(admin.saw("gatewayd/shed/gateway/error"), "Home Assistant") })
	h.stop()
	admin.wants(t, "gatewayd/shed/status", "offline")
	session := sessionConfig(h.cfg)
	if topics, err := bridge.Forget(t.Context(), session, &h.cfg.Bridge, bridge.Forgetting{}, slog.New(slog.DiscardHandler)); err != nil || len(topics) < 20 {
		t.Fatalf("forget: got %v, %q", err, topics)
	}
	h.broker = "admin:secret@" + m.Addr()
	h.nothingKept("")
}

// Nothing more is allowed: not to the gateway, nor to the controller.
func TestAccessListForbids(t *testing.T) {
	const text = `
device: shed
inputs: [{name: door, line: 4}]
outputs:
  - {name: l01, line: 5, topic: light/l01}
  - {name: l02, line: 6, topic: light/the bath room's}
  - {name: l03, line: 12, command_topic: light/l03/do}
sensors: [{name: attic, type: simulated, topic: roof}, {name: cellar, type: simulated, topic: deep/down, format: json, while_offline: keep}]
counters: [{name: count, line: 17}, {name: meter, line: 18, topic: far/meter}]
encoders: [{name: knob, a: 19, b: 20, topic: far/knob, position: true}, {name: dial, a: 21, b: 22, topic: far/dial}]
`
	m := guarded(t, text)
	admin := newClient(t, as("admin", m))
	clients := map[string]*client{"gateway": newClient(t, as("gateway", m)), "ha": newClient(t, "tcp://"+m.Addr())}
	n := 0
	for topic, may := range map[string]string{ // what the gateway may do, then the controller: r, w
		"gatewayd/shed/door": "rw r", "gatewayd/shed/door/event": "rw r", "gatewayd/shed/status": "rw r", "gatewayd/shed/gateway/health": "rw r",
		"gatewayd/shed/l03/set": "rw rw", "gatewayd/shed/gateway/set": "rw rw", "gatewayd/shed/old/one/set": "rw r",
		"gatewayd/other/door": " ", "gatewayd/other/status": " ", "gatewayd/shed2/door": " ", "gatewayd": " ", "gatewayd/other/l01/set": " ",
		"light/l01": "rw r", "light/l01/set": "r w", "light/l01/x": " ", "light/l02": " ", "light/l02/set": " ", "light": " ",
		"light/the bath room's": "rw r", "light/the bath room's/set": "r w", "light/the": " ", "light/l03/do": "r w", "light/l03": " ",
		"roof/temperature": "rw r", "roof": " ", "roof/lightning": " ",
		"gatewayd/shed/count/count": "rw r", "gatewayd/shed/count/set": "rw rw", "far/meter/count": "rw r", "far/meter": " ", "far/meter/set": " ",
		"gatewayd/shed/meter/set": "rw rw", "far/knob": "rw r", "far/knob/event": " ", "gatewayd/shed/knob/event": "rw r", "far/dial": " ",
		"deep/down": "rw r", "deep/down/late": "rw r", "deep/down/temperature": " ",
		"homeassistant/device/gatewayd_shed/config": "rw rw", "homeassistant/device/gatewayd_shed/hall/config": "rw rw",
		"homeassistant/device/gatewayd_other/config": " ", "homeassistant/light/lamp/config": " ", "homeassistant/device/gatewayd_shed/a/b/config": " ",
		"homeassistant/status": "r w", "homeassistant/other": " ", "shellies/command": " ", "x": " ",
	} {
		gateway, ha, _ := strings.Cut(may, " ")
		for who, may := range map[string]string{"gateway": gateway, "ha": ha} {
			c := clients[who]
			n++
			said := fmt.Sprintf("%s %d", who, n)
			c.Publish(topic, 1, false, said).Wait()
			admin.Publish("gatewayd/shed/end", 1, false, said).Wait() // behind it
			admin.wants(t, "gatewayd/shed/end", said)
			if got, want := admin.saw(topic) == said, strings.Contains(may, "w"); got != want {
				t.Errorf("%s writes %s: got %v, want %v", who, topic, got, want)
			}
			said += " back"
			admin.Publish(topic, 1, false, said).Wait()
			admin.Publish("gatewayd/shed/end", 1, false, said).Wait()
			c.wants(t, "gatewayd/shed/end", said)
			if got, want := c.saw(topic) == said, strings.Contains(may, "r"); got != want {
				t.Errorf("%s reads %s: got %v, want %v", who, topic, got, want)
			}
		}
	}
	admin.also("$SYS/#")
	for who, c := range clients {
		c.also("$SYS/#")
		soon(t, "the broker's own, again", func() bool { return admin.saw("$SYS/broker/uptime") != "" })
		if got := c.saw("$SYS/broker/uptime"); got != "" {
			t.Errorf("%s reads the broker's own", who)
		}
	}
}

// also subscribes to a filter that # does not match.
func (c *client) also(filter string) {
	c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen[m.Topic()] = string(m.Payload())
	}).Wait()
}

// A broker that forbids the gateway its topics does not say so: the gateway finds out by its own status, which does not come back.
func TestAccessListForgotten(t *testing.T) {
	user := []string{"mqtt: {", asGateway(t)}
	m := guarded(t, strings.ReplaceAll(homeConfig, "BROKER", "localhost"), "topic readwrite gatewayd/shed/#")
	h := &home{t: t, broker: m.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, m.Addr(), hatest.Options{})
	h.start(user...)
	soon(t, "the gateway notices", func() bool {
		return strings.Contains(h.log.String(), "our own status does not come back") && strings.Contains(h.log.String(), "gatewayd/shed/status")
	})
}

// What mosquitto could not read is refused.
func TestAccessListNames(t *testing.T) {
	for _, text := range []string{
		`mqtt: {username: " u"}` + "\ninputs: [{name: a, line: 4}]",
		`mqtt: {username: "u\ntopic readwrite #"}` + "\ninputs: [{name: a, line: 4}]",
		`inputs: [{name: a, line: 4, topic: "light/a "}]`,
	} {
		cfg, _, err := config.Parse("acl.yaml", []byte("device: shed\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := new(accessList).text(cfg); err == nil || !strings.Contains(err.Error(), "access list") {
			t.Errorf("%s: got %v\n%s", text, err, list)
		}
	}
}
