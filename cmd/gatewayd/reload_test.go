package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
	"gatewayd/internal/mqtttest"
)

// bench is simulated hardware: the header, chips of the kernel that are called k1 and k2, and on bus 1 expanders at 0x20 and 0x21 and
// a climate sensor at 0x76. It notes each change of a pin that an output drives.
type bench struct {
	sims  map[string]*gpio.Sim // by the chip's label; header
	wires *bus.Bus

	mu    sync.Mutex // guards the following
	moved []string
	wraps map[string]func(gpio.Chip) gpio.Chip
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{sims: map[string]*gpio.Sim{}, wires: bus.New(bus.Profiles["bcm2835"], nil), wraps: map[string]func(gpio.Chip) gpio.Chip{}}
	t.Cleanup(func() { b.wires.Close() })
	b.wires.SetSpeed(400_000)
	for name, lines := range map[string]int{"header": 28, "k1": 16, "k2": 16} {
		b.sims[name] = gpio.NewSim(lines)
		b.sims[name].OnOutput(func(offset uint32, high bool) { b.move(fmt.Sprintf("%s %d %v", name, offset, high)) })
	}
	b.play(t, "chip mcp23017@0x20", "chip mcp23017@0x21", "chip bme280@0x76")
	for _, addr := range []uint16{0x20, 0x21} {
		for pin := range 16 {
			name := fmt.Sprintf("%c%d", "ab"[pin/8], pin%8)
			if _, err := b.wires.OnPin(addr, name, func(high bool) { b.move(fmt.Sprintf("0x%02x %d %v", addr, pin, high)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

func (b *bench) move(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moved = append(b.moved, what)
}

// moves gives the changes of pins since it was called last.
func (b *bench) moves() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, b.moved = b.moved, nil
	return all
}

func (b *bench) play(t testing.TB, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if _, err := control.Exec(b.wires, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

func (b *bench) opened(name string) (gpio.Chip, error) {
	chip, err := b.sims[name].Open()
	b.mu.Lock()
	defer b.mu.Unlock()
	if wrap := b.wraps[name]; wrap != nil && err == nil {
		chip = wrap(chip)
	}
	return chip, err
}

func (b *bench) header() (gpio.Chip, error) { return b.opened("header") }

func (b *bench) gpiochip(label, device string) (gpio.Chip, error) {
	if b.sims[label] == nil {
		return nil, fmt.Errorf("no chip %s%s here", label, device)
	}
	return b.opened(label)
}

func (b *bench) bus(number int) i2c.Bus {
	if number != 1 {
		return nowhere{number}
	}
	return i2csim.New(b.wires, "/dev/i2c-1 (simulated)")
}

func (b *bench) buses() map[string]bridge.Bus { return nil }
func (b *bench) sys() string                  { return "" }

// nowhere is a bus that is not there.
type nowhere struct{ number int }

func (n nowhere) String() string                  { return fmt.Sprint("bus ", n.number) }
func (n nowhere) Tx(uint16, []byte, []byte) error { return errors.New("there is no such bus") }
func (nowhere) SetSpeed(physic.Frequency) error   { return nil }

// alive is a gateway on a bench, with a broker.
type alive struct {
	t      testing.TB
	bench  *bench
	broker *mqtttest.Embedded
	g      *gateway
	out    *screen
	stop   func()
	hasty  bool // it does not settle

	mu   sync.Mutex // guards sent
	sent []bridge.Message
}

// configured gives a configuration for the broker of a test.
func configured(t testing.TB, broker, text string) *config.Config {
	t.Helper()
	if !strings.Contains(text, "mqtt:") {
		text = "mqtt: {broker: \"tcp://BROKER\"}\n" + text
	}
	if !strings.Contains(text, "device:") {
		text = "device: shed\n" + text
	}
	cfg, _, err := config.Parse("c.yaml", []byte(strings.ReplaceAll(text, "BROKER", broker)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return cfg
}

// run starts a gateway; how may be changed before.
func newAlive(t testing.TB, b *bench, text string, how manner) *alive {
	t.Helper()
	a := &alive{t: t, bench: b, broker: mqtttest.StartEmbedded(t, ""), out: new(screen)}
	a.begin(text, how)
	return a
}

func (a *alive) begin(text string, how manner) {
	a.t.Helper()
	log := slog.New(&lines{mu: new(sync.Mutex), out: a.out, front: func(_ time.Time, l slog.Level) string { return word(l) }})
	how.watch = func(m bridge.Message) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sent = append(a.sent, m)
	}
	cfg := configured(a.t, a.broker.Addr(), text)
	g, err := newGateway(cfg, a.bench, log, how)
	if err != nil {
		a.t.Fatal(err)
	}
	a.g = g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Error(err)
		}
	})
	a.t.Cleanup(func() {
		a.stop()
		if a.t.Failed() {
			a.t.Logf("gateway:\n%s", a.out)
		}
	})
	if !a.hasty {
		a.settled()
	}
}

// reload has it go on with another configuration, and gives what it says of that.
func (a *alive) reload(text string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	what, err := a.g.reload(ctx, configured(a.t, a.broker.Addr(), text))
	if err != nil {
		a.t.Fatal(err)
	}
	return what
}

// published gives what was published since it was called last, but for what is of the gateway as a whole.
func (a *alive) published() (all []bridge.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.sent {
		if !strings.Contains(m.Topic, "/gateway/") && !strings.HasPrefix(m.Topic, "homeassistant/") {
			all = append(all, m)
		}
	}
	a.sent = nil
	return all
}

// retained is what the broker keeps, but for what is of the gateway as a whole and for readings.
func (a *alive) retained() map[string]string {
	all := map[string]string{}
	for topic, p := range a.broker.Topics.Retained.GetAll() {
		if !strings.Contains(topic, "/gateway/health") && !strings.HasPrefix(topic, "$SYS") {
			all[topic] = string(p.Payload)
		}
	}
	return all
}

// subscriptions are what the broker would send to the gateway.
func (a *alive) subscriptions(client string) []string {
	c, ok := a.broker.Clients.Get(client)
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(c.State.Subscriptions.GetAll()))
}

// settled waits until every point of the configuration that runs has been read, and the broker has all.
func (a *alive) settled() {
	a.t.Helper()
	cfg := a.g.cfg
	topics := bridge.NewTopics(&cfg.Bridge)
	var names []string
	for name := range places(cfg) {
		names = append(names, name)
	}
	missing := ""
	defer func() {
		if a.t.Failed() {
			a.t.Logf("not settled: %s", missing)
		}
	}()
	await(a.t, 30*time.Second, "all is read", func() bool {
		kept := a.retained()
		if kept[topics.StatusOf(cfg.Bridge.Status).Topic] != topics.StatusOf(cfg.Bridge.Status).Online {
			missing = "status"
			return false
		}
		for _, name := range names {
			if kept[topics.Availability(name)] != "online" {
				missing = name
				return false
			}
		}
		if len(a.subscriptions(cfg.MQTT.ClientID)) == 0 { // this broker may forget a client that has left and is back at once: the session notices
			missing = "subscriptions"
			return false
		}
		s := a.g.session.Stats()
		missing = "messages on their way"
		return s.Queued+s.InFlight == 0
	})
}

func await(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// state waits for what is retained on a topic.
func (a *alive) wants(topic, payload string) {
	a.t.Helper()
	await(a.t, 10*time.Second, topic+" "+payload, func() bool { return a.retained()[topic] == payload })
}

func (a *alive) send(topic, payload string) {
	a.t.Helper()
	if err := a.broker.Publish(topic, []byte(payload), false, 1); err != nil {
		a.t.Fatal(err)
	}
}

const reloadConfig = `
home_assistant: {discovery: false}
chips:
  - {name: relays, type: mcp23017, address: 0x20, interrupt: GPIO4}
  - {name: more, type: gpiochip, label: k1}
inputs:
  - {name: door, line: GPIO5}
  - {name: button, chip: relays, line: GPB0, pull: up, active_low: true}
outputs:
  - {name: lamp, line: GPIO22}
  - {name: fan, chip: relays, line: GPA0}
  - {name: bulb, chip: more, line: 0}
  - {name: other, chip: more, line: 1}
sensors:
  - {name: attic, type: simulated, every: 1h}
  - {name: cellar, type: bme280, address: 0x76, every: 1h}
rules:
  - {when: button, do: toggle, output: other}
`

// What a reload changes, in words and in deeds: what is not named is not touched.
func TestReload(t *testing.T) {
	for _, c := range []struct {
		name string
		is   []string // replaced
		what string   // the words
		pins []string // that change
		told []string // topics with something new
	}{
		{name: "nothing"},
		{name: "input new", is: []string{"outputs:", "  - {name: bell, line: GPIO6}\noutputs:"}, what: "1 input new", told: []string{"bell"}},
		{name: "output new", is: []string{"sensors:", "  - {name: new, line: GPIO6, initial: on}\nsensors:"}, what: "1 output new", pins: []string{"header 6 true"}, told: []string{"new"}},
		{name: "output gone", is: []string{"  - {name: lamp, line: GPIO22}\n", ""}, what: "1 output gone", told: []string{"lamp"}},
		{name: "output gone, with on_exit", is: []string{"  - {name: lamp, line: GPIO22}\n", ""}, what: "1 output gone", told: []string{"lamp"}},
		{name: "output moved", is: []string{"name: lamp, line: GPIO22", "name: lamp, line: GPIO23"}, what: "1 output changed", pins: []string{"header 23 false"}, told: []string{"lamp"}},
		{name: "output to another chip", is: []string{"name: lamp, line: GPIO22", "name: lamp, chip: relays, line: GPA5"}, what: "1 output changed", told: []string{"lamp"}},
		{name: "output's name", is: []string{"name: lamp, line: GPIO22", "name: light, line: GPIO22"}, what: "1 output new, 1 output gone", told: []string{"lamp", "light"}},
		{name: "output's name, with id", is: []string{"name: lamp, line: GPIO22", "name: light, id: lamp, line: GPIO22"}, what: "1 output changed", told: []string{"lamp", "light"}},
		{name: "topic", is: []string{"name: lamp, line: GPIO22", "name: lamp, line: GPIO22, topic: light/l01"}, what: "1 output changed", told: []string{"lamp", "light/l01"}},
		{name: "two change places", is: []string{"name: bulb, chip: more, line: 0", "name: other, chip: more, line: 0", "name: other, chip: more, line: 1", "name: bulb, chip: more, line: 1"},
			what: "2 outputs changed", told: []string{"bulb", "other"}},
		{name: "chip's name", is: []string{"name: more", "name: less", "chip: more", "chip: less"}, what: "1 chip new, 1 chip gone, 2 outputs changed", told: []string{"bulb", "other"}}, // read again, and confirmed
		{name: "chip's address", is: []string{"0x20", "0x21"}, what: "1 chip changed", pins: []string{"0x21 8 true"}, told: []string{"button", "fan"}},                                   // a pull-up
		{name: "chip elsewhere", is: []string{"label: k1", "label: k2"}, what: "1 chip changed", pins: []string{"k2 0 false", "k2 1 false"}, told: []string{"bulb", "other"}},
		{name: "interrupt's line", is: []string{"interrupt: GPIO4", "interrupt: GPIO6"}, what: "1 chip changed", told: []string{"fan"}},
		{name: "no interrupt", is: []string{", interrupt: GPIO4", ""}, what: "1 chip changed", told: []string{"fan"}},
		{name: "header gone", is: []string{", interrupt: GPIO4", "", "  - {name: lamp, line: GPIO22}\n", "", "  - {name: door, line: GPIO5}\n", ""},
			what: "1 chip changed, 1 input gone, 1 output gone", told: []string{"door", "fan", "lamp"}},
		{name: "chip gone", is: []string{"  - {name: more, type: gpiochip, label: k1}\n", "", "  - {name: bulb, chip: more, line: 0}\n", "", "  - {name: other, chip: more, line: 1}\n", "", "rules:\n  - {when: button, do: toggle, output: other}\n", ""},
			what: "1 chip gone, 2 outputs gone, 1 rule gone", told: []string{"bulb", "other"}},
		{name: "rules", is: []string{"do: toggle", "do: on"}, what: "1 rule new, 1 rule gone"},
		{name: "group", is: []string{"rules:", "groups:\n  - {name: all, outputs: [lamp, fan]}\nrules:"}, what: "1 group new", told: []string{"all"}},
		{name: "interlock", is: []string{"rules:", "interlocks:\n  - {name: one, outputs: [bulb, other]}\nrules:"}, what: "1 interlock new", pins: []string{"k1 0 false", "k1 1 false"}, told: []string{"bulb", "other"}},
		{name: "sensor gone", is: []string{"  - {name: attic, type: simulated, every: 1h}\n", ""}, what: "1 sensor gone", told: []string{"attic"}},
		{name: "sensor of another kind", is: []string{"name: attic, type: simulated", "name: attic, type: bme280, address: 0x77", "0x77", "0x76", "name: cellar, type: bme280, address: 0x76", "name: cellar, type: simulated"},
			what: "2 sensors changed", told: []string{"attic", "cellar"}},
		{name: "sensor more often", is: []string{"type: simulated, every: 1h", "type: simulated, every: 1s"}, what: "1 sensor changed", told: []string{"attic"}},
		{name: "home assistant", is: []string{"discovery: false", "discovery: false, name: Barn"}, what: "what Home Assistant is told changed"},
		{name: "status", is: []string{"\nchips:", "\nmqtt: {broker: \"tcp://BROKER\", status: {topic: alive}}\nchips:"}, what: "the status changed"},
		{name: "client", is: []string{"\nchips:", "\nmqtt: {broker: \"tcp://BROKER\", client_id: somebody}\nchips:"}, what: "how the broker is reached changed"},
		{name: "device", is: []string{"\nchips:", "\ndevice: barn\nchips:"}, what: "the device's name changed", told: []string{"*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			a := newAlive(t, b, reloadConfig, manner{})
			on := []string{"lamp", "fan", "bulb", "other"}
			for _, name := range on {
				a.send("gatewayd/shed/"+name+"/set", "ON")
			}
			for _, name := range on {
				a.wants("gatewayd/shed/"+name, "ON")
			}
			a.settled()
			b.moves()
			a.published()
			connects := a.g.session.Stats().Connects
			text := reloadConfig
			for i := 0; i < len(c.is); i += 2 {
				if !strings.Contains(text, c.is[i]) {
					t.Fatalf("the configuration lacks %q", c.is[i])
				}
				text = strings.ReplaceAll(text, c.is[i], c.is[i+1])
			}
			if got := a.reload(text); got != c.what {
				t.Errorf("says %q, want %q", got, c.what)
			}
			a.settled()
			time.Sleep(1200 * time.Millisecond) // what should not happen would now
			if got := b.moves(); !slices.Equal(slices.Sorted(slices.Values(got)), c.pins) {
				t.Errorf("pins that change: %q, want %q", got, c.pins)
			}
			var told []string
			for _, m := range a.published() {
				name := strings.TrimPrefix(m.Topic, "gatewayd/shed/")
				if strings.HasPrefix(m.Topic, "gatewayd/") {
					name, _, _ = strings.Cut(name, "/")
				}
				if !slices.Contains(told, name) {
					told = append(told, name)
				}
			}
			slices.Sort(told)
			if !slices.Equal(told, c.told) && !slices.Equal(c.told, []string{"*"}) {
				t.Errorf("told: %q, want %q", told, c.told)
			}
			again := strings.Contains(c.what, "broker") || strings.Contains(c.what, "device") || strings.Contains(c.what, "status")
			if got := a.g.session.Stats().Connects - connects; (got > 0) != again {
				t.Errorf("connected %d times anew, want %v", got, again)
			}
			a.asStarted(text, manner{})
		})
	}
}
