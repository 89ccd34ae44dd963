package config

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// wire is where a point's line is, and how it is used.
type wire struct {
	chip, line string // as in the file; completed when the chip is known
	gpio.LineConfig
	on   *chip // nil: not known
	part int
}

// wireKeys are the keys of every point that is one line.
func wireKeys[T any](at func(T) *wire) []key[T] {
	return []key[T]{
		field("chip", "the chip that the line is on", reference, func(t T) *string { return &at(t).chip }, "header"),
		field("line", "the line on its chip", lineText, func(t T) *string { return &at(t).line }).required(),
		field("active_low", "active is low, as with a button to ground", boolean, func(t T) *bool { return &at(t).ActiveLow }, false),
	}
}

// connectLine finds the chip and the line of a point, and tells when the chip cannot do what is wanted, or another has the line.
func (d *draft) connectLine(b *base, w *wire) { d.connectWire(b, w, "line") }

// connectWire does it for a point that has its line, or one of its lines, in that key.
func (d *draft) connectWire(b *base, w *wire, in string) {
	w.Name = b.name
	if b.bad["chip"] || b.bad[in] {
		return
	}
	c := d.findChip(b, w.chip)
	if c == nil || c.broken() {
		return
	}
	part, offset, err := c.kind.line(w.line)
	if err != nil {
		on := "the header"
		if c != d.header {
			on = fmt.Sprintf("chip %q (%s)", c.name, c.kind.name)
		}
		hint := ""
		if c == d.header && len(d.chips) > 0 && !b.has("chip") {
			hint = "; a line of another chip needs chip: too"
		}
		b.errorf(&d.notes, in, "on %s: %v%s", on, err, hint)
		return
	}
	w.Offset, w.part, w.line = offset, part, c.kind.lineName(part, offset)
	if key, msg := c.kind.refuse(&w.LineConfig, w.line); msg != "" {
		b.errorf(&d.notes, key, "%s", msg)
	}
	p := pin{c.chipOf(&c.parts[part]), offset}
	if user := d.taken[p]; user != "" {
		b.errorf(&d.notes, in, "%s is taken already, by %s", w.line, user)
		return
	}
	d.taken[p] = b.String()
	if p.chip == string(Header) {
		n, path := b.at(in)
		d.useHeaderPin(n, path, offset)
	}
	w.on = c
}

// findChip gives the chip that a point names; nil if there is none, which is told, or if that cannot be known.
func (d *draft) findChip(b *base, name string) *chip {
	if name == d.header.name {
		return d.header
	}
	var known []string
	for _, c := range d.chips {
		if n := c.given["name"]; n != nil && n.Value == name {
			return c
		}
		known = append(known, c.name)
	}
	if d.readable("chips") {
		hint := didYouMean(name, append(known, d.header.name))
		if len(known) == 0 {
			hint = ": there is no list chips; a line of the header needs no chip"
		}
		b.errorf(&d.notes, "chip", "no chip is called %s%s", quote(name), hint)
	}
	return nil
}

// install adds the line to its chip.
func (w *wire) install(*Config) {
	part := &w.on.parts[w.part]
	part.Lines = append(part.Lines, w.LineConfig)
}

// channelKeys are how every point with two states speaks with the broker.
func channelKeys[T any](at func(T) *bridge.Channel) []key[T] {
	return append([]key[T]{
		field("topic", "where its state is published", topic, func(t T) *string { return &at(t).Topic }),
		field("payload_on", "the payload for on", payload, func(t T) *string { return &at(t).PayloadOn }, "ON"),
		field("payload_off", "the payload for off", payload, func(t T) *string { return &at(t).PayloadOff }, "OFF"),
	}, deliveryKeys(func(t T) *byte { return &at(t).QoS }, func(t T) *bool { return &at(t).Retain })...)
}

// qosLevel is how surely messages arrive.
var qosLevel = func() value[byte] {
	v := integer[byte]("MQTT's quality of service", 0, 1)
	parse := v.parse
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (byte, bool) {
		return parse(n, func(at *yaml.Node, msg string) {
			if n.Value == "2" {
				msg = "2 (exactly once) is not supported: a state may arrive twice without harm, so that it would only be slower: write 1 (at least once)"
			}
			complain(at, msg)
		})
	}
	return v
}()

// deliveryKeys are how messages are sent.
func deliveryKeys[T any](qos func(T) *byte, retain func(T) *bool) []key[T] {
	return []key[T]{
		field("qos", "0: at most once, 1: at least once", qosLevel, qos, 1),
		field("retain", "the broker keeps the latest for who comes later", boolean, retain, true),
	}
}

// checkPayloads tells of payloads that nobody could tell apart.
func checkPayloads(r *notes, b *base, c *bridge.Channel) {
	if b.bad["payload_on"] || b.bad["payload_off"] || !strings.EqualFold(c.PayloadOn, c.PayloadOff) {
		return
	}
	key := "payload_off"
	if !b.has(key) {
		key = "payload_on"
	}
	b.errorf(r, key, "payload_on %s and payload_off %s are the same: nobody could tell on from off", quote(c.PayloadOn), quote(c.PayloadOff))
}

var debounce = durationOr0(100*time.Microsecond, 10*time.Second)
