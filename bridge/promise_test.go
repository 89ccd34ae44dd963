package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

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
	for i := range cfg.Counters {
		name := cfg.Counters[i].Name
		b.edge(name, false, false)
		for range 3 {
			b.step(&gpio.Event{Chip: "header", Line: name, Count: 5, At: b.now})
			b.wait(time.Second)
		}
		b.wait(cfg.Counters[i].Every)
	}
	for i := range cfg.Encoders {
		lines := cfg.Encoders[i].Contacts()
		for _, first := range []int{0, 1} {
			b.edge(lines[first], false, false)
			b.edge(lines[1-first], false, false)
			for _, active := range []bool{true, false} {
				b.edge(lines[first], active, true)
				b.edge(lines[1-first], active, true)
			}
		}
	}
	b.step(Vitals{Uptime: time.Hour, CPUTemperature: new(41.5), UnderVoltage: new(false), Throttled: new(true)})
	b.wait(10 * time.Second)
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

// member is what a template takes of a JSON object.
var member = regexp.MustCompile(`value_json(?:\.(\w+)|\['(\w+)'\])`)

// watched sees that what a component waits for has been told, in words that it knows.
func (b *broker) watched(c *component) error {
	for _, topic := range []string{c.StateTopic, c.AttributesTopic, c.Topic} {
		if topic != "" && len(b.told[topic]) == 0 {
			return fmt.Errorf("topic %q: never told", topic)
		}
	}
	for _, of := range []struct{ template, topic string }{{c.ValueTemplate, c.StateTopic}, {c.AttributesTemplate, c.AttributesTopic}} {
		for _, m := range member.FindAllStringSubmatch(of.template, -1) {
			if of.topic == "" { // of a trigger, which is told below
				continue
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(b.last[of.topic]), &object); err != nil {
				return err
			}
			if _, has := object[m[1]+m[2]]; !has {
				return fmt.Errorf("%s has no %s: %s", of.topic, m[1]+m[2], b.last[of.topic])
			}
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
			if want.payload == "RESTART" && b.s.restart {
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
