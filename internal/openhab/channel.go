package openhab

import (
	"cmp"
	"strconv"
	"time"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// channel is a channel of the gateway's Thing, with the Item that shows it.
type channel struct {
	id, kind, name string // kind: switch, contact, number, string or trigger
	params         []param
	area           string // empty: where the gateway is
	set            *set   // what it is a part of; nil: of the gateway
	item           *item  // nil: none
}

// param is one parameter, with its value as the grammar has it.
type param struct{ key, value string }

// set is a piece of equipment: what shows several channels as one, or says what one channel is of.
type set struct{ name, label, icon, tag string }

// item is what a channel has an Item for.
type item struct {
	kind     string // Switch, Contact, String, Number or Number:Temperature
	name     string // without the gateway's
	icon     string
	tags     []string // Point, and Property where there is one
	format   string   // of the state; empty: openHAB's own
	metadata []param
}

func text(key, value string) param        { return param{key, quote(value)} }
func number(key string, value byte) param { return param{key, strconv.Itoa(int(value))} }

// channels gives all channels of a gateway in the configuration's order.
func channels(c *bridge.Config) []channel {
	t := bridge.NewTopics(c)
	var all []channel
	for i := range c.Inputs {
		all = append(all, inputChannels(&c.Inputs[i], t)...)
	}
	for i := range c.Outputs {
		p := &c.Outputs[i]
		all = append(all, commanded(p.Name, &p.Channel, p.Shown(), t, true)...)
	}
	for i := range c.Groups {
		p := &c.Groups[i]
		all = append(all, commanded(p.Name, &p.Channel, p.Shown(c.Outputs), t, false)...)
	}
	for i := range c.Sensors {
		all = append(all, sensorChannels(&c.Sensors[i], t)...)
	}
	for i := range c.Counters {
		p := c.Counters[i].Sensor()
		all = append(all, sensorChannels(&p, t)...)
	}
	for i := range c.Encoders {
		all = append(all, encoderChannels(&c.Encoders[i], t)...)
	}
	if c.HomeAssistant.Diagnostics {
		all = append(all, diagnostics(t)...)
	}
	return all
}

// shown completes a channel by what is said of its point.
func shown(e *bridge.Entity, ch channel) channel {
	ch.area = e.Area
	if e.Disabled { // a channel without an Item does nothing until somebody links one
		ch.item = nil
	}
	return ch
}

// words are the parameters by which a channel reads ON and OFF, and writes them. A switch knows these two; a contact's would be OPEN
// and CLOSED.
func words(kind string, c *bridge.Channel) []param {
	on, off := cmp.Or(c.PayloadOn, "ON"), cmp.Or(c.PayloadOff, "OFF")
	if kind == "switch" && on == "ON" && off == "OFF" {
		return nil
	}
	return []param{text("on", on), text("off", off)}
}

func inputChannels(p *bridge.Input, t *bridge.Topics) []channel {
	e := p.Shown()
	if e.Component == bridge.NoComponent {
		return nil
	}
	k := watchedKind(&e, len(p.Gestures.Told) > 0)
	state := channel{
		id: channelID(e.ID), kind: k.channel, name: e.Name,
		params: append([]param{text("stateTopic", t.State(p.Name))}, words(k.channel, &p.Channel)...),
		set:    k.set(&e), item: k.item(&e),
	}
	all := []channel{shown(&e, state)}
	if len(p.Gestures.Told) > 0 {
		all = append(all, channel{id: e.ID + "-event", kind: "trigger", name: e.Name + ", gestures",
			params: []param{text("stateTopic", t.Event(p.Name)), text("transformationPattern", "JSONPATH:$.event_type")}})
	}
	return all
}

// encoderChannels are the steps of an encoder, and its position where that is told.
func encoderChannels(p *bridge.Encoder, t *bridge.Topics) []channel {
	e := p.Shown()
	if e.Component == bridge.NoComponent {
		return nil
	}
	all := []channel{{id: e.ID + "-event", kind: "trigger", name: e.Name + ", steps",
		params: []param{text("stateTopic", t.Event(p.Name)), text("transformationPattern", "JSONPATH:$.event_type")}}}
	if p.Position {
		all = append(all, shown(&e, channel{id: e.ID + "-position", kind: "number", name: e.Name + " position", params: []param{text("stateTopic", t.State(p.Name))},
			item: &item{kind: "Number", name: e.ID + "_Position", tags: tags("Measurement"), format: "%.0f"}}))
	}
	return all
}

// commanded is an output, or a group of them. A group is no piece of equipment.
func commanded(name string, c *bridge.Channel, e bridge.Entity, t *bridge.Topics, equipment bool) []channel {
	if e.Component == bridge.NoComponent {
		return nil
	}
	k := drivenKind(&e)
	if !equipment {
		k.equipment = ""
	}
	ch := channel{
		id: channelID(e.ID), kind: "switch", name: e.Name,
		params: append([]param{text("stateTopic", t.State(name)), text("commandTopic", t.Command(name))}, words("switch", c)...),
		set:    k.set(&e), item: k.item(&e),
	}
	ch.params = append(ch.params, number("qos", c.QoS))
	// What openHAB shows is then what the gateway has confirmed, and never what was only asked for.
	ch.item.metadata = []param{text("autoupdate", "false")}
	return []channel{shown(&e, ch)}
}

func sensorChannels(p *bridge.Sensor, t *bridge.Topics) []channel {
	e := p.Shown()
	if e.Component == bridge.NoComponent {
		return nil
	}
	whole := &set{name: e.ID, label: e.Name, tag: "Sensor"}
	var all []channel
	for i := range p.Quantities {
		q := &p.Quantities[i]
		r := p.ShownReading(q)
		k := measuredKind(r.DeviceClass)
		if q.Flag {
			k = watchedKind(&r, false)
		}
		whole.icon = cmp.Or(whole.icon, k.icon)
		all = append(all, shown(&e, reading(p, q, &r, &k, t, whole)))
	}
	return all
}

func reading(p *bridge.Sensor, q *sensors.Quantity, e *bridge.Entity, k *kind, t *bridge.Topics, whole *set) channel {
	unit, dimension := unitOf(q.Unit)
	ch := channel{id: e.ID + "-" + q.Name, kind: "number", name: e.Name, set: whole,
		params: []param{text("stateTopic", t.ReadingOf(p, q.Name))},
		item:   &item{kind: "Number", name: e.ID + "_" + part(q.Name), icon: k.icon, tags: k.tags, format: format(q, dimension)}}
	if p.JSON {
		ch.params = append(ch.params, text("transformationPattern", "JSONPATH:$."+q.Name))
	}
	if q.Flag {
		ch.kind, ch.item.kind, ch.item.format = k.channel, capital(k.channel), ""
		ch.params = append(ch.params, words(k.channel, &bridge.Channel{})...)
	}
	if dimension != "" {
		ch.params = append(ch.params, text("unit", unit))
		ch.item.kind += ":" + dimension
		ch.item.metadata = append(ch.item.metadata, text("unit", unit))
	}
	if d := p.Expires(q); d > 0 { // after that long without a reading the state is UNDEF
		ch.item.metadata = append(ch.item.metadata, text("expire", bridge.Hours(d.Round(time.Second))))
	}
	return ch
}

// diagnostics are of the gateway itself.
func diagnostics(t *bridge.Topics) []channel {
	health := text("stateTopic", t.Gateway("health"))
	return []channel{
		{id: "gateway-level", kind: "string", name: "Health", params: []param{health, text("transformationPattern", "JSONPATH:$.level")},
			item: &item{kind: "String", name: "Gateway_Level", icon: "qualityofservice", tags: []string{"Status"}}},
		{id: "gateway-uptime", kind: "number", name: "Uptime",
			params: []param{health, text("transformationPattern", "JSONPATH:$.uptime_s"), text("unit", "s")},
			item: &item{kind: "Number:Time", name: "Gateway_Uptime", icon: "time", tags: []string{"Measurement", "Duration"}, format: "%.1f %unit%",
				metadata: []param{text("unit", "h")}}},
	}
}
