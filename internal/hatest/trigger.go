package hatest

import "time"

// trigger is a device trigger, for each of which somebody has an automation.
type trigger struct {
	core          *Core
	device        *Device
	kind, subtype string
	config        map[string]any
	sub           *subscription
}

// name identifies a trigger: type and subtype are unique on a device.
func (t *trigger) name() string { return t.device.Identifiers[0] + " " + t.kind + " " + t.subtype }

func (c *Core) addTrigger(d *component, config, dev map[string]any) {
	t := &trigger{core: c, device: c.device(dev), config: config}
	t.kind, t.subtype = str(config, "type", ""), str(config, "subtype", "")
	if c.triggers[t.name()] != nil {
		c.errorf("%s %s: the device has the trigger %s %s already", d.topic, d.key, t.kind, t.subtype)
		delete(c.discovered, d.hash)
		return
	}
	d.trigger = t
	c.triggers[t.name()] = t
	c.historyf("add trigger %s %s", t.kind, t.subtype)
	t.listen()
}

// listen subscribes anew.
func (t *trigger) listen() {
	if t.sub != nil {
		t.core.unsubscribe(t.sub)
	}
	t.sub = &subscription{filter: str(t.config, "topic", ""), qos: byte(num(t.config, "qos")), receive: t.receive}
	t.core.subscribe(t.sub)
}

func (c *Core) changeTrigger(d *component, config, dev map[string]any) {
	t := d.trigger
	delete(c.triggers, t.name())
	was := t.device
	t.device, t.config = c.device(dev), config
	t.kind, t.subtype = str(config, "type", ""), str(config, "subtype", "")
	c.triggers[t.name()] = t
	if was != t.device {
		c.reap(was)
	}
	if t.sub.filter != str(config, "topic", "") || t.sub.qos != byte(num(config, "qos")) {
		t.listen()
	}
}

func (c *Core) removeTrigger(t *trigger) {
	c.unsubscribe(t.sub)
	delete(c.triggers, t.name())
	c.historyf("remove trigger %s %s", t.kind, t.subtype)
	c.reap(t.device)
}

// receive fires where the payload is the one that was asked for. It fires on a retained message, too, which no device should have.
func (t *trigger) receive(m message) {
	text := m.payload
	if source := str(t.config, "value_template", ""); source != "" {
		parsed, err := parseTemplate(source)
		if err == nil {
			text, _, err = parsed.Render(m.payload, nil)
		}
		if err != nil {
			t.core.errorf("trigger %s %s: %v", t.kind, t.subtype, err)
			return
		}
	}
	if want, ok := t.config["payload"].(string); ok && text != want {
		return
	}
	if m.retained {
		t.core.errorf("trigger %s %s fired on a retained message on %s", t.kind, t.subtype, m.topic)
	}
	t.core.fired = append(t.core.fired, Fired{t.device.Name, t.kind, t.subtype, time.Now()})
}
