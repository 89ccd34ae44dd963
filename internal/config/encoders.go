package config

import (
	"slices"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// encoder is a rotary encoder: two lines that are one knob.
type encoder struct {
	base
	contacts [2]wire // a and b; what they share is in the first
	steps    int
	position bool
	topic    string
	qos      byte
	retain   bool
}

// contactKeys are what the lines of its contacts are called.
var contactKeys = [2]string{"a", "b"}

var encoderKeys = slices.Concat(
	baseKeys(func(e *encoder) *base { return &e.base }),
	[]key[*encoder]{
		field("chip", "the chip that both lines are on", reference, func(e *encoder) *string { return &e.contacts[0].chip }, "header"),
		field("a", "the line of the contact that comes first when it is turned clockwise; swap a and b if it goes the wrong way", lineText,
			func(e *encoder) *string { return &e.contacts[0].line }).required(),
		field("b", "the line of the other contact", lineText, func(e *encoder) *string { return &e.contacts[1].line }).required(),
		field("active_low", "active is low, as with contacts to ground", boolean, func(e *encoder) *bool { return &e.contacts[0].ActiveLow }, true),
		field("pull", "what holds the lines while nothing drives them", pull, func(e *encoder) *gpio.Pull { return &e.contacts[0].Pull }, gpio.PullUp),
		field("debounce", "how long a line must be still before a change counts; 0: bounces are known by their way back", debounce,
			func(e *encoder) *time.Duration { return &e.contacts[0].Debounce }, 0),
		field("steps", "how often the contacts change from one detent to the next: 4, 2 or 1", oneOf(choice[int]{"4", 4}, choice[int]{"2", 2}, choice[int]{"1", 1}),
			func(e *encoder) *int { return &e.steps }, bridge.DefaultSteps),
		field("position", "whether steps clockwise less those the other way are published as its state", boolean, func(e *encoder) *bool { return &e.position }, false),
		field("topic", "where its position is published", topic, func(e *encoder) *string { return &e.topic }),
	},
	deliveryKeys(func(e *encoder) *byte { return &e.qos }, func(e *encoder) *bool { return &e.retain }),
)

var encoderList = pointList("encoders", "encoder", "rotary encoders: knobs that tell their steps", func() *encoder { return new(encoder) }, encoderKeys)

func (e *encoder) connect(d *draft) {
	e.contacts[1].chip, e.contacts[1].LineConfig = e.contacts[0].chip, e.contacts[0].LineConfig
	made := e.bridge()
	for i := range e.contacts {
		d.connectWire(&e.base, &e.contacts[i], contactKeys[i])
		e.contacts[i].Name = made.Contacts()[i]
	}
	together := e.contacts[0].line + " " + e.contacts[1].line // what it is called may change
	for i := range e.contacts {
		e.contacts[i].Together = together
	}
}

func (e *encoder) bridge() bridge.Encoder {
	return bridge.Encoder{Name: e.name, Label: e.label, Steps: e.steps, Position: e.position, Topic: e.topic, QoS: e.qos, Retain: e.retain, Entity: e.home.Entity}
}

func (e *encoder) join(c *bridge.Config) { c.Encoders = append(c.Encoders, e.bridge()) }

func (e *encoder) shown(*bridge.Config) (bridge.Entity, []string) {
	made := e.bridge()
	return made.Shown(), bridge.EncoderComponents
}

func (e *encoder) topics(t *bridge.Topics) []string {
	e.topic = t.State(e.name)
	if !e.position {
		return nil
	}
	return []string{e.topic}
}

func (e *encoder) install(c *Config) {
	for i := range e.contacts {
		e.contacts[i].install(c)
	}
}
