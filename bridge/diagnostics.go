package bridge

// diagnostics puts what the gateway knows of itself into its book. Templates ask for what may be missing in a way that gives None,
// which is unknown to Home Assistant: an error there is a line in its log for every message.
func (c *catalogue) diagnostics() {
	if c.cfg.HomeAssistant.Diagnostics {
		c.connection()
		c.problems()
		c.measures()
		if c.about.restarts {
			e := c.command("restart", "RESTART")
			e.Category = "config"
			c.put(e)
		}
	}
	if c.cfg.HomeAssistant.Identify != "" {
		c.put(c.command("identify", "IDENTIFY"))
	}
}

func (c *catalogue) put(e component) { c.books[0].Components = append(c.books[0].Components, e) }

// own begins one of the gateway's own components, about its health.
func (c *catalogue) own(platform, part, name, template string) component {
	e := c.entity("gateway", part, platform, part)
	if name != "" {
		e.Name = naming(name)
	}
	e.Category, e.QoS = "diagnostic", level(1)
	e.StateTopic, e.ValueTemplate = c.topics.Gateway("health"), template
	return e
}

// command begins a button that has the gateway do something to itself, named by its class.
func (c *catalogue) command(part, payload string) component {
	e := c.own("button", part, "", "")
	e.StateTopic, e.Class = "", part
	e.CommandTopic, e.PayloadPress = c.topics.Gateway("set"), payload
	return e
}

// connection shows the status itself: without an availability, so that it is disconnected and not unavailable when the gateway is gone.
func (c *catalogue) connection() {
	s := c.topics.StatusOf(c.cfg.Status)
	e := c.own("binary_sensor", "connection", "", "")
	e.Class, e.StateTopic, e.Available = "connectivity", s.Topic, []availability{}
	if s.Stopped == s.Offline {
		e.PayloadOn, e.PayloadOff = unless("ON", s.Online), unless("OFF", s.Offline)
	} else {
		e.ValueTemplate = "{{ 'ON' if value == " + jinja(s.Online) + " else 'OFF' }}"
	}
	c.put(e)
}

// problems are what is wrong: anything, the supply, a chip. Of all that health has, only the reasons become attributes: what counts
// all the time would fill the recorder.
func (c *catalogue) problems() {
	e := c.own("binary_sensor", "problem", "", "{{ 'OFF' if value_json.level | default('ok') == 'ok' else 'ON' }}")
	e.Class = "problem"
	e.AttributesTopic, e.AttributesTemplate = e.StateTopic, "{{ {'reasons': value_json.reasons | default([])} | to_json }}"
	c.put(e)
	for _, p := range []struct {
		known      bool
		part, name string
	}{{c.about.UnderVoltage, "under_voltage", "Under-voltage"}, {c.about.Throttled, "throttled", "Throttled"}} {
		if !p.known {
			continue
		}
		e = c.own("binary_sensor", p.part, p.name, "{% set v = value_json."+p.part+" %}{{ ('ON' if v else 'OFF') if v is boolean else none }}")
		e.Class = "problem"
		c.put(e)
	}
	taken := map[string]bool{}
	for _, chip := range c.about.Chips {
		part := "chip_" + slug(chip)
		for taken[part] {
			part += "_2"
		}
		taken[part] = true
		e = c.own("binary_sensor", part, "Chip "+chip, "{% set v = (value_json.chips | default({}, true)).get("+jinja(chip)+
			") %}{{ none if v is none else 'OFF' if v == 'ok' else 'ON' }}")
		e.Class = "problem"
		c.put(e)
	}
}

// measures are what the gateway tells of itself in words and numbers.
func (c *catalogue) measures() {
	for _, m := range []struct{ part, name, field, class, unit, state, icon string }{
		{"version", "Version", "version", "", "", "", "mdi:tag-outline"},
		{"uptime", "Uptime", "uptime_s", "duration", "s", "", ""},
		{"cpu_temperature", "CPU temperature", "cpu_temperature_c", "temperature", "°C", "measurement", ""},
		{"i2c_errors", "I2C errors", "bus_errors", "", "", "total_increasing", "mdi:counter"},
		{"lost_edges", "Lost edges", "lost_edges", "", "", "total_increasing", "mdi:counter"},
		{"last_error", "Last error", "last_error", "", "", "", "mdi:alert-circle-outline"},
	} {
		if m.part == "cpu_temperature" && !c.about.CPUTemperature {
			continue
		}
		e := c.own("sensor", m.part, m.name, "{{ value_json."+m.field+" | default(none) }}")
		e.Class, e.Unit, e.StateClass, e.Icon = m.class, m.unit, m.state, m.icon
		switch m.part {
		case "cpu_temperature":
			e.Precision = new(1)
		case "lost_edges": // of interest when there are some; until then, a sensor more to look at
			e.Enabled = new(false)
		case "last_error": // none yet is empty; a zero, though, is a number
			e.ValueTemplate = "{{ value_json.last_error | default(none, true) }}"
		}
		c.put(e)
	}
}
