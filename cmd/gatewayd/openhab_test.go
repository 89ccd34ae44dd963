package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/config"
	"gatewayd/internal/mqtttest"
	"gatewayd/internal/openhab"
	"gatewayd/internal/openhabtest"
)

// openhabHouse is for the demo's hardware, with payloads and topics of its own here and there.
const openhabHouse = `
device: villa
home_assistant: {discovery: false, name: Villa Kunterbunt, area: House}
chips:
  - {name: io, type: iopiplus, bus: 1, interrupt: GPIO4}
inputs:
  - {name: l01_button, label: Kitchen button, chip: io, line: bus2-1, pull: up, active_low: true, topic: light/l01/button,
     gestures: [click, double], multi_click: 1500ms}
  - {name: pir, label: Motion, chip: io, line: bus2-2, payload_on: moves, payload_off: rests}
  - {name: door, label: Front door, line: GPIO17, pull: up, payload_on: open, payload_off: "it's \"shut\""}
outputs:
  - {name: l01, label: Kitchen light, chip: io, line: bus1-1, topic: light/l01, command_topic: light/l01/command, home_assistant: {area: Kitchen}}
  - {name: l02, label: Hall light, chip: io, line: bus1-2, payload_on: "1", payload_off: "0", id: hall}
  - {name: valve, label: Garden valve, chip: io, line: bus1-3, payload_on: 'say "flow"', payload_off: '\stop%'}
  - {name: spare, chip: io, line: bus1-4, home_assistant: {enabled: false}}
  - {name: hidden, chip: io, line: bus1-5, home_assistant: false}
  - {name: strike, label: Door opener, line: GPIO22, pulse: 300ms}
groups:
  - {name: lights, label: All lights, outputs: [l01, l02], payload_on: hell, payload_off: dunkel}
sensors:
  - {name: attic, label: Attic, type: bme280, bus: 1, address: 0x76, every: 1s}
  - {name: cellar, label: Cellar, type: simulated, every: 1s, format: json}
rules:
  - {when: l01_button, is: pressed, do: toggle, output: l01}
`

// player is openHAB with the generated files: it knows what stands in them, and nothing else.
type player struct {
	*client
	thing *openhabtest.Thing
	items []openhabtest.Item
}

// newPlayer makes the files of a configuration, and reads them.
func newPlayer(t *testing.T, cfg *config.Config) *player {
	t.Helper()
	thingsFile, itemsFile := openhab.Things(&cfg.Bridge, brokerOf(&cfg.MQTT, "")), openhab.Items(&cfg.Bridge)
	things, err := openhabtest.ParseThings(thingsFile)
	if err != nil {
		t.Fatalf("%v:\n%s", err, thingsFile)
	}
	items, err := openhabtest.ParseItems(itemsFile)
	if err == nil {
		err = openhabtest.Check(things, items)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, itemsFile)
	}
	broker := &things[0]
	if !broker.Bridge || things[1].BridgeUID != broker.UID || broker.Params["secure"].Text != "false" {
		t.Fatalf("got %+v", things)
	}
	return &player{newClient(t, "tcp://"+broker.Params["host"].Text+":"+broker.Params["port"].Text), &things[1], items}
}

// online tells what the Thing's availability says.
func (p *player) online() bool { return p.available("payloadAvailable") }

// offline tells the same of the other payload; neither leaves the Thing as it is.
func (p *player) offline() bool { return p.available("payloadNotAvailable") }

func (p *player) available(payload string) bool {
	return p.saw(p.thing.Params["availabilityTopic"].Text) == p.thing.Params[payload].Text
}

// channel gives the channel that an Item is linked to.
func (p *player) channel(t *testing.T, item string) *openhabtest.Channel {
	t.Helper()
	for _, it := range p.items {
		if it.Name != item || len(it.Channels) == 0 {
			continue
		}
		n := slices.IndexFunc(p.thing.Channels, func(ch openhabtest.Channel) bool { return ch.UID == it.Channels[0] })
		return &p.thing.Channels[n] // Check has seen that it is there
	}
	t.Fatalf("no Item %s with a channel", item)
	return nil
}

// state waits for an Item's state.
func (p *player) state(t *testing.T, item, want string) {
	t.Helper()
	ch := p.channel(t, item)
	soon(t, item+" "+want, func() bool {
		s, err := ch.State(p.saw(ch.StateTopic()))
		return err == nil && s == want
	})
}

// triggered waits for what a trigger channel tells rules.
func (p *player) triggered(t *testing.T, channel, want string) {
	t.Helper()
	n := slices.IndexFunc(p.thing.Channels, func(ch openhabtest.Channel) bool { return ch.UID == p.thing.UID+":"+channel })
	if n < 0 || p.thing.Channels[n].Type != "trigger" {
		t.Fatalf("no trigger channel %s", channel)
	}
	ch := &p.thing.Channels[n]
	soon(t, channel+" "+want, func() bool {
		event, err := ch.State(p.saw(ch.StateTopic()))
		return err == nil && event == want
	})
}

// command sends what openHAB sends for an Item's command: never retained.
func (p *player) command(t *testing.T, item, command string) {
	t.Helper()
	ch := p.channel(t, item)
	payload, err := ch.Command(command)
	if err != nil {
		t.Fatal(err)
	}
	if token := p.Publish(ch.CommandTopic(), ch.QoS(), false, payload); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// openHAB's part, played from the files alone over a real mosquitto.
func TestOpenHAB(t *testing.T) {
	m := mqtttest.StartMosquitto(t, nil)
	cfg, _, err := config.Parse("config.yaml", []byte("mqtt: {broker: \"tcp://"+m.Addr()+"\"}"+openhabHouse))
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHouse(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	g, err := newGateway(cfg, h, slog.New(slog.DiscardHandler), manner{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t, cfg)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	soon(t, "the Thing is ONLINE", p.online)

	hand := func(label string, active bool) {
		t.Helper()
		n := slices.IndexFunc(h.buttons, func(b button) bool { return b.label == label })
		if err := h.put(&h.buttons[n], active); err != nil {
			t.Fatal(err)
		}
	}
	commanded := 0
	for _, it := range p.items {
		if len(it.Channels) == 0 || p.channel(t, it.Name).CommandTopic() == "" {
			continue
		}
		commanded++
		p.state(t, it.Name, "OFF")
		p.command(t, it.Name, "ON")
		p.state(t, it.Name, "ON")
		if it.Name != "Villa_strike" { // it falls back by itself
			p.command(t, it.Name, "OFF")
		}
		p.state(t, it.Name, "OFF")
	}
	if commanded != 5 {
		t.Errorf("%d Items take commands, want 5", commanded)
	}

	p.command(t, "Villa_lights", "ON")
	p.state(t, "Villa_l01", "ON")
	p.state(t, "Villa_hall", "ON")
	press := func() {
		t.Helper()
		hand("Kitchen button", true)
		p.state(t, "Villa_l01_button", "ON")
		hand("Kitchen button", false)
		p.state(t, "Villa_l01_button", "OFF")
	}
	press()
	p.state(t, "Villa_l01", "OFF") // by the gateway's own rule
	p.state(t, "Villa_lights", "ON")
	p.triggered(t, "l01_button-event", "click")
	press()
	press()
	p.triggered(t, "l01_button-event", "double")

	for range 2 {
		p.state(t, "Villa_door", "CLOSED")
		hand("Front door", true)
		p.state(t, "Villa_door", "OPEN")
		hand("Front door", false)
	}
	hand("Motion", true)
	p.state(t, "Villa_pir", "ON")
	hand("Motion", false)
	p.state(t, "Villa_pir", "OFF")

	p.state(t, "Villa_Gateway_Level", "ok")
	p.state(t, "Villa_attic_Humidity", "48.0 %")
	if err := h.play("0x76 temperature 12.34"); err != nil {
		t.Fatal(err)
	}
	cellar := p.channel(t, "Villa_cellar_Temperature")
	soon(t, "a temperature of the cellar", func() bool {
		s, err := cellar.State(p.saw(cellar.StateTopic()))
		return err == nil && strings.HasSuffix(s, " °C")
	})
	ch := p.channel(t, "Villa_attic_Temperature")
	soon(t, "12.3 °C", func() bool { s, _ := ch.State(p.saw(ch.StateTopic())); return strings.HasPrefix(s, "12.3") })

	if p.offline() {
		t.Error("OFFLINE while the gateway runs")
	}
	stop()
	soon(t, "the Thing is OFFLINE", p.offline)
}

// written is what the command writes for a configuration.
func written(t *testing.T, file string, o openhabFiles) string {
	t.Helper()
	o.path = file
	var out bytes.Buffer
	if err := o.write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOpenHABCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(openhabHouse), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(o openhabFiles) string { return written(t, file, o) }
	both, things, items := write(openhabFiles{}), write(openhabFiles{things: true}), write(openhabFiles{items: true})
	if both != things+"\n"+items || both != write(openhabFiles{things: true, items: true}) {
		t.Errorf("got\n%s\nof\n%s\nand\n%s", both, things, items)
	}
	if s := write(openhabFiles{things: true, broker: "home"}); strings.Contains(s, "Bridge ") || !strings.Contains(s, "(mqtt:broker:home)") {
		t.Errorf("--broker-uid: got\n%s", s)
	}
	for _, uid := range []string{"a b", "mqtt:topic:x", `"`, "mqtt:broker:", "a:b"} {
		if _, ok := (&openhabFiles{path: file, broker: uid}).write(new(bytes.Buffer)).(usageError); !ok {
			t.Errorf("--broker-uid %q is taken", uid)
		}
	}
}

func TestBrokerOf(t *testing.T) {
	b := brokerOf(&config.MQTT{Broker: "wss://broker.example:443/mqtt", CA: "ca.pem", Username: "u", PasswordFile: "p"}, "")
	if b.Host != "broker.example" || b.Port != "443" || !b.Secure || !b.WebSocket || b.WebSocketPath != "/mqtt" || !b.Authority || !b.PasswordWanted {
		t.Errorf("got %+v", b)
	}
	if b := brokerOf(&config.MQTT{Broker: "tcp://[::1]:1883"}, "x"); b.Host != "::1" || b.Port != "1883" || b.Secure || b.WebSocket || b.UID != "x" {
		t.Errorf("got %+v", b)
	}
}
