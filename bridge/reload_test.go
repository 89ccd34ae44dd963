package bridge

import (
	"slices"
	"strings"
	"time"
)

// reload CHANGE,... [fresh POINT,...]: the transcript's house with these changes.
func (p *player) reload(f []string, now time.Time) {
	cfg := cloned(p.house)
	for name := range strings.SplitSeq(f[0], ",") {
		change := renovations[name]
		if change == nil {
			p.t.Fatalf("%q: no such change", name)
		}
		change(cfg)
	}
	next, err := newState(cfg, p.state.about)
	if err != nil {
		p.t.Fatal(err)
	}
	fresh := map[string]bool{}
	if len(f) > 2 {
		for name := range strings.SplitSeq(f[2], ",") {
			fresh[name] = true
		}
	}
	a := newAdoption(p.state, next, fresh)
	p.step(a.leaving(), now)
	p.state = next
	p.step(a, now)
}

// cloned gives a copy that can be changed.
func cloned(c *Config) *Config {
	with := *c
	with.Inputs, with.Outputs, with.Groups = slices.Clone(c.Inputs), slices.Clone(c.Outputs), slices.Clone(c.Groups)
	with.Sensors, with.Rules, with.Interlocks = slices.Clone(c.Sensors), slices.Clone(c.Rules), slices.Clone(c.Interlocks)
	with.Thermostats = slices.Clone(c.Thermostats)
	with.Counters, with.Encoders = slices.Clone(c.Counters), slices.Clone(c.Encoders)
	return &with
}

// changed gives a renovation that changes one output.
func changed(name string, change func(*Output)) func(*Config) {
	return func(c *Config) {
		change(&c.Outputs[slices.IndexFunc(c.Outputs, func(o Output) bool { return o.Name == name })])
	}
}

// without takes a point away, with all that names it.
func without(name string) func(*Config) {
	return func(c *Config) {
		c.Inputs = slices.DeleteFunc(c.Inputs, func(p Input) bool { return p.Name == name })
		c.Outputs = slices.DeleteFunc(c.Outputs, func(p Output) bool { return p.Name == name })
		c.Groups = slices.DeleteFunc(c.Groups, func(p Group) bool { return p.Name == name })
		c.Sensors = slices.DeleteFunc(c.Sensors, func(p Sensor) bool { return p.Name == name })
		c.Counters = slices.DeleteFunc(c.Counters, func(p Counter) bool { return p.Name == name })
		c.Encoders = slices.DeleteFunc(c.Encoders, func(p Encoder) bool { return p.Name == name })
		c.Rules = slices.DeleteFunc(c.Rules, func(r Rule) bool { return r.When == name || slices.Contains(r.Outputs, name) })
		c.Thermostats = slices.DeleteFunc(c.Thermostats, func(r Thermostat) bool {
			return strings.HasPrefix(r.When, name+"/") || slices.Contains(r.Outputs, name)
		})
		c.Interlocks = slices.DeleteFunc(c.Interlocks, func(l Interlock) bool { return slices.Contains(l.Outputs, name) })
		for i := range c.Groups {
			c.Groups[i].Outputs = slices.DeleteFunc(slices.Clone(c.Groups[i].Outputs), func(o string) bool { return o == name })
		}
	}
}

func init() {
	otherHouses["reload_life"] = func(c *Config) {
		withRestore(c)
		withGroups(c)
		c.Rules = house().Rules
		c.Inputs[0].Gestures.Told = []Trigger{Click, Double}
		c.HomeAssistant.Identify = "l02"
	}
}

// renovations are what the transcripts' reload can change.
var renovations = map[string]func(*Config){
	"nothing":     func(*Config) {},
	"no_up":       without("up"),
	"no_l02":      without("l02"),
	"no_attic":    without("attic"),
	"pump_longer": changed("pump", func(o *Output) { o.MaxOn = time.Hour }),
	"pump_short":  changed("pump", func(o *Output) { o.MaxOn = time.Minute }),
	"pump_free":   changed("pump", func(o *Output) { o.MaxOn = 0 }),
	"l01_moves":   changed("l01", func(o *Output) { o.Topic = "lamp/l01" }),
	"l01_words":   changed("l01", func(o *Output) { o.PayloadOn, o.PayloadOff = "1", "0" }),
	"l01_loose":   changed("l01", func(o *Output) { o.Retain = false }),
	"l01_pulses":  changed("l01", func(o *Output) { o.Pulse = 10 * time.Second }),
	"l01_limited": changed("l01", func(o *Output) { o.MaxOn = 10 * time.Second }),
	"other_id": func(c *Config) {
		changed("heater", func(o *Output) { o.Name, o.Entity.ID = "kettle", "" })(c)
	},
	"l02_renamed": func(c *Config) {
		changed("l02", func(o *Output) { o.Entity.ID = "l02" })(c)
		(&plan{cfg: c}).rename("l02", "lamp")
	},
	"heater_rests":   changed("heater", func(o *Output) { o.MinInterval = 10 * time.Second }),
	"heater_renamed": changed("heater", func(o *Output) { o.Name, o.MinInterval = "kettle", 10*time.Second }),
	"l02_rests":      changed("l02", func(o *Output) { o.MinInterval = 10 * time.Second }),
	"lost":           changed("l02", func(o *Output) { o.OnLost = BrokerLost{After: 9 * time.Second, Do: VerbOff} }),
	"clicks":         func(c *Config) { c.Inputs[0].Gestures.Told = []Trigger{Click} },
	"group_smaller": func(c *Config) {
		c.Groups[0].Outputs = []string{"l02"}
	},
	"renamed": changed("heater", func(o *Output) { o.Name = "kettle" }),
	"device":  func(c *Config) { c.Device = "barn" },
	"interlock": func(c *Config) {
		c.Interlocks = append(slices.Clone(c.Interlocks), Interlock{Name: "lights", Outputs: []string{"l01", "l02"}})
	},
	"no_interlock": func(c *Config) { c.Interlocks = nil },
	"no_rules":     func(c *Config) { c.Rules = nil },
	"extra": func(c *Config) {
		plain := Channel{QoS: 1, Retain: true}
		c.Outputs = append(c.Outputs, Output{Name: "extra", Channel: plain})
		c.Groups = append(c.Groups, Group{Name: "some", Outputs: []string{"l01", "extra"}, Channel: plain})
	},
	"attic_moves": func(c *Config) { c.Sensors[0].Topic = "climate/attic" },
}
