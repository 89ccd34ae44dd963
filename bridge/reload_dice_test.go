package bridge

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gatewayd/sensors"
)

// plan makes a random gateway.
func (d *dice) plan() *plan {
	p := &plan{cfg: &Config{Device: "shed", HomeAssistant: HomeAssistant{Discovery: d.IntN(4) > 0, Diagnostics: d.IntN(2) == 0}}, place: map[string]int{}}
	for range 2 + d.IntN(4) {
		p.addOutput(d)
	}
	for range 1 + d.IntN(3) {
		p.addInput(d)
	}
	for range d.IntN(3) {
		p.addSensor(d)
	}
	for range d.IntN(3) {
		p.addCounter(d)
	}
	for range d.IntN(2) {
		p.addEncoder(d)
	}
	for range d.IntN(3) {
		p.addGroup(d)
	}
	for range d.IntN(4) {
		p.addRule(d)
	}
	p.interlock(d)
	p.cfg.HomeAssistant.Identify = d.maybe(p.cfg.Outputs[0].Name)
	return p
}

// wire gives a point a place of its own.
func (p *plan) wire(d *dice, name string) string {
	d.names++
	p.place[name] = d.names
	return name
}

func (d *dice) short(kind string) string {
	d.names++
	return fmt.Sprint(kind, d.names)
}

// somewhere makes a channel; no two share a topic.
func (d *dice) somewhere() Channel {
	c := Channel{QoS: byte(d.IntN(2)), Retain: d.IntN(3) > 0}
	if d.IntN(3) == 0 {
		c.Topic = d.short("t/")
	}
	if d.IntN(3) == 0 {
		c.PayloadOn, c.PayloadOff = "1", "0"
	}
	return c
}

func (d *dice) shown() Entity {
	e := Entity{Area: d.maybe("attic", "hall"), Name: d.maybe("Lamp", "Pump")}
	if d.IntN(3) == 0 {
		e.ID = d.short("id")
	}
	return e
}

func (p *plan) addOutput(d *dice) {
	o := Output{Name: p.wire(d, d.short("out")), Channel: d.somewhere(), Entity: d.shown()}
	d.guards(&o)
	p.cfg.Outputs = append(p.cfg.Outputs, o)
}

// guards gives an output random limits that fit together.
func (d *dice) guards(o *Output) {
	o.MinInterval = pick(d, 0, 0, 0, time.Second)
	o.Pulse = pick(d, 0, 0, 0, 5*time.Second, 1200*time.Millisecond)
	o.MaxOn = pick(d, 0, 0, 10*time.Second, time.Minute)
	o.Restore = d.IntN(4) == 0
	o.OnExit = pick(d, ExitKeep, ExitKeep, ExitOff)
	o.OnLost = pick(d, BrokerLost{}, BrokerLost{}, BrokerLost{After: 6 * time.Second, Do: VerbOff})
}

func (p *plan) addInput(d *dice) {
	i := Input{Name: p.wire(d, d.short("in")), Channel: d.somewhere(), Entity: d.shown()}
	for range d.IntN(3) {
		if t := pick(d, Pressed, Click, Double, Long); !slices.Contains(i.Gestures.Told, t) {
			i.Gestures.Told = append(i.Gestures.Told, t)
		}
	}
	p.cfg.Inputs = append(p.cfg.Inputs, i)
}

func (p *plan) addSensor(d *dice) {
	all := []sensors.Quantity{{Name: "temperature", Class: "temperature", Unit: "°C", Precision: 1}, {Name: "humidity"}, {Name: "pressure"}}
	c := d.somewhere()
	p.cfg.Sensors = append(p.cfg.Sensors, Sensor{Name: p.wire(d, d.short("sens")), Topic: c.Topic, QoS: c.QoS, Retain: c.Retain, Entity: d.shown(),
		Quantities: all[d.IntN(3):], JSON: d.IntN(2) == 0})
}

func (p *plan) addCounter(d *dice) {
	at := d.somewhere()
	c := Counter{Name: p.wire(d, d.short("count")), Topic: at.Topic, QoS: at.QoS, Retain: at.Retain, Entity: d.shown(),
		PerUnit: pick(d, 1.0, 1000), Factor: 3600, Every: pick(d, time.Second, 10*time.Second), ZeroAfter: pick(d, 20*time.Second, time.Hour),
		Total: &sensors.Quantity{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3}}
	if d.IntN(2) == 0 {
		c.Rate = &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}
	}
	p.cfg.Counters = append(p.cfg.Counters, c)
}

func (p *plan) addEncoder(d *dice) {
	at := d.somewhere()
	p.cfg.Encoders = append(p.cfg.Encoders, Encoder{Name: p.wire(d, d.short("knob")), Topic: at.Topic, QoS: at.QoS, Retain: at.Retain, Entity: d.shown(), Steps: pick(d, 2, 4)})
}

// changeCounter changes one of the counters or encoders, or takes it away.
func (p *plan) changeCounter(d *dice) {
	c := p.cfg
	if len(c.Encoders) > 0 && d.IntN(4) == 0 {
		k := &c.Encoders[d.IntN(len(c.Encoders))]
		switch d.IntN(4) {
		case 0:
			p.remove(k.Name)
		case 1:
			k.Steps = pick(d, 2, 4)
		case 2:
			p.wire(d, k.Name)
		default:
			k.Entity = d.shown()
		}
		return
	}
	if len(c.Counters) == 0 {
		p.addCounter(d)
		return
	}
	m := &c.Counters[d.IntN(len(c.Counters))]
	switch d.IntN(9) {
	case 0:
		p.remove(m.Name)
	case 1, 2:
		name := d.short("count")
		if m.Entity.ID == "" && d.IntN(2) == 0 {
			m.Entity.ID = m.Name
		}
		p.place[name] = p.place[m.Name]
		delete(p.place, m.Name)
		m.Name = name
	case 3:
		p.wire(d, m.Name)
	case 4:
		m.PerUnit = pick(d, 1.0, 50, 1000)
	case 5:
		at := d.somewhere()
		m.Topic, m.QoS, m.Retain = at.Topic, at.QoS, at.Retain
	case 6:
		m.Rate = nil
	case 7:
		m.Rate = &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}
	default:
		p.addCounter(d)
	}
}

func (p *plan) addGroup(d *dice) {
	if g := (Group{Name: d.short("group"), Outputs: p.some(d), Channel: d.somewhere(), Entity: d.shown()}); len(g.Outputs) > 0 {
		p.cfg.Groups = append(p.cfg.Groups, g)
	}
}

func (p *plan) addRule(d *dice) {
	if len(p.cfg.Inputs) > 0 && len(p.cfg.Outputs) > 0 {
		p.cfg.Rules = append(p.cfg.Rules, Rule{When: pick(d, p.cfg.Inputs...).Name, Is: pick(d, Pressed, Released, Changed, Click, Long),
			Do: pick(d, VerbOn, VerbOff, VerbToggle), Outputs: []string{pick(d, p.cfg.Outputs...).Name}})
	}
}

func (p *plan) interlock(d *dice) {
	p.cfg.Interlocks = nil
	if names := p.some(d); len(names) > 1 && d.IntN(2) == 0 {
		p.cfg.Interlocks = []Interlock{{Name: "lock", Outputs: names, DeadTime: pick(d, 0, 300*time.Millisecond)}}
	}
}

func (p *plan) some(d *dice) (names []string) {
	for _, o := range p.cfg.Outputs {
		if d.IntN(2) == 0 {
			names = append(names, o.Name)
		}
	}
	return names
}

// changed gives another plan, with a few random changes.
func (p *plan) changed(d *dice) *plan {
	is := &plan{cfg: cloned(p.cfg), place: maps.Clone(p.place)}
	for range 1 + d.IntN(4) {
		is.change(d)
	}
	return is
}

func (p *plan) change(d *dice) {
	c := p.cfg
	var o *Output
	if len(c.Outputs) > 0 {
		o = &c.Outputs[d.IntN(len(c.Outputs))]
	}
	var i *Input
	if len(c.Inputs) > 0 {
		i = &c.Inputs[d.IntN(len(c.Inputs))]
	}
	switch n := d.IntN(30); {
	case n >= 24:
		p.changeCounter(d)
	case n == 0:
		p.addOutput(d)
	case n == 1:
		p.addInput(d)
	case n == 2:
		p.addSensor(d)
	case n == 3:
		p.addGroup(d)
	case n == 4:
		p.addRule(d)
	case n == 5:
		c.Rules = nil
	case n == 6:
		p.interlock(d)
	case n == 7:
		c.HomeAssistant.Discovery = !c.HomeAssistant.Discovery
	case n == 8:
		c.HomeAssistant.Prefix = d.maybe("ha")
	case n == 9:
		c.Device = pick(d, "shed", "barn")
	case n == 10:
		c.ID = d.maybe("old")
	case n == 11 && len(c.Groups) > 0:
		g := &c.Groups[d.IntN(len(c.Groups))]
		if names := p.some(d); len(names) > 0 {
			g.Outputs = names
		}
		g.Channel = d.somewhere()
	case n == 12 && len(c.Sensors) > 0:
		s := &c.Sensors[d.IntN(len(c.Sensors))]
		ch := d.somewhere()
		s.Topic, s.QoS, s.Retain = ch.Topic, ch.QoS, ch.Retain
		s.Quantities, s.JSON = s.Quantities[:1], d.IntN(2) == 0
	case n == 13 && len(c.Sensors) > 0:
		p.remove(c.Sensors[d.IntN(len(c.Sensors))].Name)
	case n == 14 && i != nil:
		i.Channel, i.Entity.Area = d.somewhere(), d.maybe("attic", "hall")
	case n == 15 && i != nil:
		i.Gestures.Told = []Trigger{pick(d, Click, Double, Long)}
	case n == 16 && i != nil:
		p.remove(i.Name)
	case n == 17 && i != nil && o != nil: // it becomes an output, by the same name and at the same place
		as := Output{Name: i.Name, Channel: i.Channel, Entity: i.Entity}
		at := p.place[i.Name]
		p.remove(i.Name)
		p.place[as.Name] = at
		c.Outputs = append(c.Outputs, as)
	case o == nil:
	case n == 18:
		p.remove(o.Name)
	case n == 19: // another name, perhaps known by its id
		name := d.short("out")
		if o.Entity.ID == "" && d.IntN(2) == 0 {
			o.Entity.ID = o.Name
		}
		p.place[name] = p.place[o.Name]
		if d.IntN(4) == 0 {
			p.wire(d, name)
		}
		delete(p.place, o.Name)
		p.rename(o.Name, name)
	case n == 20:
		p.wire(d, o.Name)
	case n == 21: // two change places on the broker
		other := &c.Outputs[d.IntN(len(c.Outputs))]
		o.Channel, other.Channel = other.Channel, o.Channel
		if d.IntN(2) == 0 && o != other {
			o.Topic, other.Topic = "", "gatewayd/"+c.Device+"/"+o.Name+"/x"
		}
	case n == 22:
		o.Channel, o.Entity = d.somewhere(), d.shown()
	default:
		d.guards(o)
	}
}

func (p *plan) remove(name string) {
	without(name)(p.cfg)
	delete(p.place, name)
	p.cfg.Groups = slices.DeleteFunc(p.cfg.Groups, func(g Group) bool { return len(g.Outputs) == 0 })
	if p.cfg.HomeAssistant.Identify == name {
		p.cfg.HomeAssistant.Identify = ""
	}
}

func (p *plan) rename(from, to string) {
	swap := func(names []string) []string {
		names = slices.Clone(names)
		for i := range names {
			if names[i] == from {
				names[i] = to
			}
		}
		return names
	}
	for i := range p.cfg.Outputs {
		if p.cfg.Outputs[i].Name == from {
			p.cfg.Outputs[i].Name = to
		}
	}
	for i := range p.cfg.Groups {
		p.cfg.Groups[i].Outputs = swap(p.cfg.Groups[i].Outputs)
	}
	for i := range p.cfg.Rules {
		p.cfg.Rules[i].Outputs = swap(p.cfg.Rules[i].Outputs)
	}
	for i := range p.cfg.Interlocks {
		p.cfg.Interlocks[i].Outputs = swap(p.cfg.Interlocks[i].Outputs)
	}
	if p.cfg.HomeAssistant.Identify == from {
		p.cfg.HomeAssistant.Identify = to
	}
}
