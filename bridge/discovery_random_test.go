package bridge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// dice makes random configurations, as wild as the configuration file allows.
type dice struct {
	*rand.Rand
	names int
}

func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

// maybe is often nothing.
func (d *dice) maybe(from ...string) string {
	if d.IntN(2) == 0 {
		return ""
	}
	return pick(d, from...)
}

func (d *dice) name() string {
	d.names++
	return pick(d, "door", "light_", "l", "valve", "siren", "strike", "_", "x__y_", "7", "door_button", "leck") + strconv.Itoa(d.names) + pick(d, "", "_", "_lamp")
}

func (d *dice) label() string {
	return d.maybe("Shed", "Shed door", "shed  -  lamp", "Küche", "Küchenlampe", `"`, "{{ x }}", "🚪", "Türöffner", "a\tb", `\`, "Door", "Door", "Temperature", "Shed!", "Shed '", "ｆ")
}

func (d *dice) channel(name string) Channel {
	c := Channel{QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0}
	if d.IntN(3) == 0 {
		c.Topic = pick(d, "light/", "a b/", "ü/", `"/`, "{{/", "x/light/") + name
	}
	words := []string{"1", "0", `"`, "{", "o'n", `\`, "an", "aus", "{{ x }}", "}}", "ON", "OFF", "on", "🙂", "a\nb", "true"}
	d.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	if d.IntN(2) == 0 {
		c.PayloadOn, c.PayloadOff = words[0], words[1]
	}
	return c
}

func (d *dice) entity(can []string) Entity {
	e := Entity{
		Component: d.maybe(can...),
		Icon:      d.maybe("mdi:lamp"),
		Name:      d.maybe("Shed", "Big 'one'", "Lampe"),
		Category:  d.maybe("config", "diagnostic"),
		Area:      d.maybe("Küche", "Kueche", "küche", "kitchen", "Room 1", "room-1", "Room1", "🙂", "☃", "寝室", "Shed", "more", "Garden", `"`),
		Disabled:  d.IntN(5) == 0,
	}
	if e.Component != "" && e.Component != "sensor" {
		e.DeviceClass = d.maybe(append([]string{"none"}, DeviceClasses(e.Component)...)...)
	}
	if d.IntN(4) == 0 {
		d.names++
		e.ID = "id_" + strconv.Itoa(d.names)
	}
	return e
}

func (d *dice) config() (*Config, *About) {
	cfg := &Config{
		Device: pick(d, "shed", "garden-pi", "x", "-", "a--b_"),
		ID:     d.maybe("old", "shed-1"),
		Status: pick(d, Status{}, Status{Topic: "home/shed", Online: "on'line", Offline: `off"`, Stopped: `sto\p`},
			Status{Online: "1", Offline: "0"}, Status{Stopped: "bye"}, Status{Online: "}}", Offline: "{%", Stopped: "{{"}),
		HomeAssistant: HomeAssistant{Discovery: true, Name: d.maybe("Shed", "Das Haus"), Area: d.maybe("Küche", "Garden", "more"),
			Diagnostics: d.IntN(2) == 0},
	}
	for range d.IntN(8) {
		p := Input{Name: d.name(), Label: d.label(), Entity: d.entity(InputComponents)}
		p.Channel = d.channel(p.Name)
		for range d.IntN(4) {
			p.Gestures.Told = append(p.Gestures.Told, pick(d, Pressed, Released, Click, Double, Triple, Long, Hold))
		}
		cfg.Inputs = append(cfg.Inputs, p)
	}
	for range d.IntN(8) {
		p := Output{Name: d.name(), Label: d.label(), Entity: d.entity(OutputComponents), Pulse: pick(d, 0, 0, time.Second)}
		p.Channel = d.channel(p.Name)
		if d.IntN(4) == 0 {
			p.CommandTopic = "do/" + p.Name
		}
		cfg.Outputs = append(cfg.Outputs, p)
	}
	if len(cfg.Outputs) > 0 {
		cfg.HomeAssistant.Identify = d.maybe(cfg.Outputs[0].Name)
		for range d.IntN(3) {
			p := Group{Name: d.name(), Label: d.label(), Entity: d.entity(OutputComponents), Outputs: []string{cfg.Outputs[0].Name}}
			if last := cfg.Outputs[len(cfg.Outputs)-1].Name; last != p.Outputs[0] {
				p.Outputs = append(p.Outputs, last)
			}
			p.Channel = d.channel(p.Name)
			cfg.Groups = append(cfg.Groups, p)
		}
	}
	quantities := []sensors.Quantity{
		{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2},
		{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1},
		{Name: "lux_2", Precision: 0},
		{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3},
	}
	for range d.IntN(4) {
		p := Sensor{Name: d.name(), Label: d.label(), Entity: d.entity(SensorComponents), QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0,
			Every: pick(d, 0, time.Second, 5*time.Minute), Quantities: quantities[d.IntN(4):]}
		if len(p.Quantities) == 4 {
			p.Quantities = p.Quantities[:1]
		}
		p.Entity.DeviceClass = d.maybe("none", "pressure", "temperature_delta")
		if d.IntN(3) == 0 {
			p.Topic = "readings/" + p.Name
		}
		cfg.Sensors = append(cfg.Sensors, p)
	}
	return cfg, &About{Version: d.maybe("1.0"), Model: d.maybe("Raspberry Pi 5", "Board"), Serial: d.maybe("abc"),
		Chips: []string{"header", "a.b", "a-b", `o'x"`, `\`}[:d.IntN(6)], CPUTemperature: d.IntN(2) == 0, UnderVoltage: d.IntN(2) == 0, Throttled: d.IntN(2) == 0}
}

// broker is what the gateway has said, driven through all that its hardware can do.
type broker struct {
	t    *testing.T
	s    *state
	now  time.Time
	next time.Time
	last map[string]string   // per topic
	told map[string][]string // per topic
}

func (b *broker) step(in any) (do []Write) {
	do, send, next := b.s.step(in, b.now)
	b.next = next
	for _, m := range send {
		b.last[m.Topic] = string(m.Payload)
		b.told[m.Topic] = append(b.told[m.Topic], string(m.Payload))
	}
	return slices.Clone(do)
}

// wait lets time pass, and the hardware do what is wished meanwhile.
func (b *broker) wait(d time.Duration) {
	until := b.now.Add(d)
	for n := 0; !b.next.IsZero() && !b.next.After(until); n++ {
		if n > 1000 {
			b.t.Fatal("step asks for one tick after the other")
		}
		if b.next.After(b.now) {
			b.now = b.next
		}
		b.obey(b.step(tick{}))
	}
	b.now = until
}

// obey confirms writes as chips do.
func (b *broker) obey(do []Write) {
	for _, w := range do {
		b.obey(b.step(&gpio.Event{Chip: "relays", Line: w.Point, Active: w.Value > 0, At: b.now}))
	}
}

func (b *broker) edge(line string, active, edge bool) {
	b.obey(b.step(&gpio.Event{Chip: "header", Line: line, Active: active, Edge: edge, At: b.now}))
}

// live drives everything once: start, first reads, presses of all kinds, samples, health.
func (b *broker) live(cfg *Config, about *About) {
	b.step(start{})
	b.step(Link{Up: true})
	for _, chip := range about.Chips {
		b.step(&gpio.Event{Chip: chip, At: b.now})
	}
	for i := range cfg.Outputs {
		b.edge(cfg.Outputs[i].Name, false, false)
	}
	for i := range cfg.Inputs {
		name := cfg.Inputs[i].Name
		b.edge(name, false, false)
		for _, press := range []struct {
			n    int
			hold time.Duration
		}{{1, 50 * time.Millisecond}, {2, 50 * time.Millisecond}, {3, 50 * time.Millisecond}, {1, 3 * time.Second}} {
			for range press.n {
				b.edge(name, true, true)
				b.wait(press.hold)
				b.edge(name, false, true)
				b.wait(100 * time.Millisecond)
			}
			b.wait(2 * time.Second)
		}
	}
	for i := range cfg.Sensors {
		sample := sensors.Sample{Sensor: cfg.Sensors[i].Name, At: b.now}
		for _, q := range cfg.Sensors[i].Quantities {
			sample.Readings = append(sample.Readings, sensors.Reading{Quantity: q.Name, Value: 21.5})
		}
		b.step(sample)
	}
	b.step(Vitals{Uptime: time.Hour})
	b.wait(10 * time.Second)
}

// TestDiscoveryRandom sees of random configurations that their documents are in order, and that the gateway serves all that they
// promise: it understands every command, and tells everything that is waited for, in the words that are waited for.
func TestDiscoveryRandom(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 30
	}
	for seed := range uint64(runs) {
		d := &dice{Rand: rand.New(rand.NewPCG(seed, 1))}
		cfg, about := d.config()
		for _, problem := range promises(t, cfg, about) {
			t.Errorf("seed %d: %s", seed, problem)
		}
		if t.Failed() {
			return
		}
	}
}

func TestDiscoveryKept(t *testing.T) {
	cfg, about := mansion()
	for _, problem := range promises(t, cfg, about) {
		t.Error(problem)
	}
}

// promises looks for what a configuration's documents promise and the gateway does not do.
func promises(t *testing.T, cfg *Config, about *About) (problems []string) {
	topics := NewTopics(cfg)
	books := discover(cfg, topics, about)
	var documents [][]byte
	for _, b := range books {
		documents = append(documents, b.document(b.Components))
	}
	problems = checkDocuments(documents...)
	problems = append(problems, checkBooks(books)...)
	s, err := newState(cfg, *about)
	if err != nil {
		t.Fatal(err)
	}
	s.restarts = true
	b := &broker{t: t, s: s, now: time.Now(), last: map[string]string{}, told: map[string][]string{}}
	b.live(cfg, about)
	problems = append(problems, b.announced(len(documents))...)
	status := topics.StatusOf(cfg.Status)
	b.told[status.Topic] = []string{status.Online, status.Offline, status.Stopped} // by the session
	b.last[status.Topic] = status.Online
	for _, book := range books {
		for i := range book.Components {
			c := &book.Components[i]
			available := c.Available
			if available == nil {
				available = book.Available
			}
			for _, err := range []error{b.hears(cfg, c), b.watched(c), b.available(available)} {
				if err != nil && !awaited(c, err) {
					problems = append(problems, fmt.Sprintf("%s: %v", c.key, err))
				}
			}
		}
	}
	return problems
}

// awaited tells of promises that the state does not keep yet.
func awaited(c *component, err error) bool {
	return strings.Contains(err.Error(), "/event\": never told") || c.Platform == "button" && strings.Contains(err.Error(), "gateway/set")
}

// announced sees that the documents that went out are in order, and on topics that Home Assistant takes.
func (b *broker) announced(least int) []string {
	var documents [][]byte
	var problems []string
	for topic, payload := range b.last {
		if rest, is := strings.CutPrefix(topic, "homeassistant/device/"); is {
			documents = append(documents, []byte(payload))
			if !regexp.MustCompile(`^([a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config$`).MatchString(rest) {
				problems = append(problems, "illegal discovery topic "+topic)
			}
		}
	}
	if len(documents) < least {
		problems = append(problems, fmt.Sprintf("%d documents announced, want %d at least", len(documents), least))
	}
	return append(problems, checkDocuments(documents...)...)
}

// checkBooks looks at what documents are put together by.
func checkBooks(books []*book) (problems []string) {
	seen := map[string]bool{}
	for i, b := range books {
		if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(b.name) && i > 0 || b.name != "" && i == 0 {
			problems = append(problems, fmt.Sprintf("book %q: not a topic level", b.name))
		}
		for _, once := range []string{"name " + b.name, "identifier " + b.Device.Identifiers[0], "area " + sameArea(b.Device.Area)} {
			if seen[once] && once != "area " {
				problems = append(problems, "books: twice: "+once)
			}
			seen[once] = true
		}
		if i > 0 && len(b.Components) == 0 {
			problems = append(problems, "an empty book "+b.name)
		}
	}
	return problems
}

// rendered gives what Home Assistant makes of a payload by the two templates that decide between words; any other gives the payload.
func rendered(template, payload string) string {
	if m := regexp.MustCompile(`(?s)^\{\{ '(\w+)' if value == ('.*') else '(\w+)' \}\}$`).FindStringSubmatch(template); m != nil {
		if unescape(m[2][1:len(m[2])-1]) == payload {
			return m[1]
		}
		return m[3]
	}
	return payload
}

// available sees that everything an availability can be told is understood, and that it is available now.
func (b *broker) available(list []availability) error {
	for _, a := range list {
		yes, no := unless("", a.Yes), unless("", a.No)
		if yes == "" {
			yes = "online"
		}
		if no == "" {
			no = "offline"
		}
		if len(b.told[a.Topic]) == 0 {
			return fmt.Errorf("availability %q: never told", a.Topic)
		}
		for _, payload := range b.told[a.Topic] {
			if got := rendered(a.Template, payload); got != yes && got != no {
				return fmt.Errorf("availability %q: %q means %q, want %q or %q", a.Topic, payload, got, yes, no)
			}
		}
		if got := rendered(a.Template, b.last[a.Topic]); got != yes {
			return fmt.Errorf("availability %q: got %q at last, want %q", a.Topic, got, yes)
		}
	}
	return nil
}

// watched sees that what a component waits for has been told, in words that it knows.
func (b *broker) watched(c *component) error {
	for _, topic := range []string{c.StateTopic, c.AttributesTopic, c.Topic} {
		if topic != "" && len(b.told[topic]) == 0 {
			return fmt.Errorf("topic %q: never told", topic)
		}
	}
	words := map[string][]string{
		"binary_sensor": {c.PayloadOn, c.PayloadOff}, "switch": {c.PayloadOn, c.PayloadOff}, "light": {c.PayloadOn, c.PayloadOff},
		"siren": {c.PayloadOn, c.PayloadOff}, "valve": {c.StateOpen, c.StateClosed}, "lock": {c.StateUnlocked, c.StateLocked},
	}[c.Platform]
	for i, usual := range []string{"ON", "OFF"} {
		if words != nil && words[i] == "" {
			words[i] = usual
		}
	}
	for _, payload := range b.told[c.StateTopic] {
		switch {
		case strings.Contains(c.ValueTemplate, "value_json"):
		case words != nil:
			if got := rendered(c.ValueTemplate, payload); !slices.Contains(words, got) {
				return fmt.Errorf("state %q: want one of %q", got, words)
			}
		case c.Platform == "sensor":
			if _, err := strconv.ParseFloat(payload, 64); err != nil {
				return err
			}
		}
	}
	if c.Platform == "event" || c.Platform == "device_automation" {
		return b.gestured(c)
	}
	return nil
}

// gestured sees that every gesture that is announced has been told, and that no other has.
func (b *broker) gestured(c *component) error {
	types, topic := c.EventTypes, c.StateTopic
	if c.Topic != "" {
		types, topic = []string{c.Payload}, c.Topic
	}
	for _, word := range types {
		if !slices.Contains(b.told[topic], fmt.Sprintf(`{"event_type":"%s"}`, word)) {
			return fmt.Errorf("%s: never told; told were %q", word, b.told[topic])
		}
	}
	for _, payload := range b.told[topic] {
		word, _ := strings.CutSuffix(strings.TrimPrefix(payload, `{"event_type":"`), `"}`)
		if c.Topic == "" && !slices.Contains(types, word) {
			return fmt.Errorf("told %s: want one of %q", payload, types)
		}
	}
	return nil
}

// hears sees that the gateway takes all commands that a component has, and that its state is the one that goes with them.
func (b *broker) hears(cfg *Config, c *component) error {
	if c.CommandTopic == "" {
		return nil
	}
	if !slices.ContainsFunc(b.s.topics.Subscriptions(cfg), func(filter string) bool { return Matches(filter, c.CommandTopic) }) {
		return fmt.Errorf("commands on %q: not subscribed", c.CommandTopic)
	}
	type command struct{ payload, state string }
	or := func(word, usual string) string {
		if word == "" {
			return usual
		}
		return word
	}
	var commands []command
	switch c.Platform {
	case "switch", "light":
		commands = []command{{or(c.PayloadOn, "ON"), or(c.PayloadOn, "ON")}, {or(c.PayloadOff, "OFF"), or(c.PayloadOff, "OFF")}}
	case "siren":
		on, off := or(c.PayloadOn, "ON"), or(c.PayloadOff, "OFF")
		commands = []command{{on, on}, {off, off}, {string(marshal(map[string]any{"state": on, "for": 5})), on}}
	case "valve":
		commands = []command{{c.PayloadOpen, c.StateOpen}, {c.PayloadClose, c.StateClosed}}
	case "lock":
		commands = []command{{c.PayloadUnlock, c.StateUnlocked}, {c.PayloadLock, c.StateLocked}}
	case "button":
		commands = []command{{or(c.PayloadPress, "PRESS"), ""}}
	default:
		return errors.New("commands to a " + c.Platform)
	}
	for _, want := range commands {
		refusals := len(b.told[b.s.topics.Gateway("error")])
		do := b.step(Inbound{Topic: c.CommandTopic, Payload: []byte(want.payload)})
		if said := b.told[b.s.topics.Gateway("error")]; len(said) > refusals {
			return fmt.Errorf("command %q: got %q", want.payload, said[refusals:])
		}
		if len(do) == 0 {
			if c.CommandTopic == b.s.topics.Gateway("set") {
				continue
			}
			return fmt.Errorf("command %q: nothing done, told %q", want.payload, b.last[b.s.topics.Error(b.s.topics.Target(c.CommandTopic))])
		}
		b.obey(do)
		if c.StateTopic != "" && b.last[c.StateTopic] != want.state {
			return fmt.Errorf("command %q: got state %q, want %q", want.payload, b.last[c.StateTopic], want.state)
		}
		b.wait(time.Minute)
	}
	return nil
}
