package config

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// TestShown looks at what becomes of what the file leaves open, also when what check --print writes is read in its place: a complete
// topic has the gateway's name in it, which says nothing of the points.
func TestShown(t *testing.T) {
	const none = bridge.NoComponent
	for _, c := range []struct {
		in   string
		want bridge.Entity
	}{
		{"inputs: [{name: x, line: 4}]", bridge.Entity{ID: "x", Component: "binary_sensor", DeviceClass: none, Name: "X"}},
		{"inputs: [{name: x, line: 4, topic: door/x}]", bridge.Entity{ID: "x", Component: "binary_sensor", DeviceClass: "door", Name: "X"}},
		{"inputs: [{name: x, line: 4, home_assistant: no}]", bridge.Entity{ID: "x", Component: none, Name: "X"}},
		{"outputs: [{name: x, line: 4}]", bridge.Entity{ID: "x", Component: "switch", DeviceClass: none, Name: "X"}},
		{"outputs: [{name: x, id: old, line: 4, label: Lamp}]", bridge.Entity{ID: "old", Component: "light", Name: "Lamp"}},
		{"outputs: [{name: x, line: 4, home_assistant: {device_class: water}}]", bridge.Entity{ID: "x", Component: "valve", DeviceClass: "water", Name: "X"}},
		{"outputs: [{name: x, line: 4, home_assistant: {enabled: no, category: config, area: Hall, icon: mdi:fan}}]",
			bridge.Entity{ID: "x", Component: "switch", DeviceClass: none, Name: "X", Icon: "mdi:fan", Category: "config", Area: "Hall", Disabled: true}},
		{"groups: [{name: x, outputs: y}]\noutputs: [{name: y, line: 4, label: Lamp}]", bridge.Entity{ID: "x", Component: "light", Name: "X"}}, // members come later
		{"sensors: [{name: x, type: simulated}]", bridge.Entity{ID: "x", Component: "sensor", Name: "X"}},
	} {
		in := []byte("device: door-valve-light\n" + c.in)
		for _, round := range []string{"as written", "printed"} {
			cfg, warnings, err := Parse("c.yaml", in)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%s, %s: %v %v", c.in, round, err, warnings)
			}
			equal(t, c.in+", "+round, entityOf(cfg.Bridge, "x"), c.want)
			in = printed(t, cfg)
		}
	}
}

func entityOf(c bridge.Config, name string) bridge.Entity {
	for _, p := range c.Inputs {
		if p.Name == name {
			return p.Entity
		}
	}
	for _, p := range c.Outputs {
		if p.Name == name {
			return p.Entity
		}
	}
	for _, p := range c.Groups {
		if p.Name == name {
			return p.Entity
		}
	}
	return c.Sensors[0].Entity
}

// TestSensorClass: a sensor with one reading can have a device class, if it fits the unit. No driver is such a one yet.
func TestSensorClass(t *testing.T) {
	one := &sensors.Driver{Name: "probe", Measures: []sensors.Quantity{{Name: "level", Unit: "cm"}}}
	for class, want := range map[string]string{
		"distance":    "",
		"none":        "",
		"temperature": `"temperature" does not fit the unit of the level, cm: remove this key`,
		"distanse":    `"distanse" is not a device class of a sensor, did you mean "distance"?`,
	} {
		d := &draft{}
		s := &sensor{driver: one, told: one.Measures}
		s.name, s.node = "tank", &yaml.Node{}
		s.home.DeviceClass, s.home.given = class, map[string]*yaml.Node{"device_class": {}}
		d.points = []point{s}
		d.checkEntities()
		got := ""
		for _, p := range d.problems {
			got += p.Msg
		}
		equal(t, class, got, want)
	}
}

// TestButtonByClass: wherever a button comes from, it needs a pulse.
func TestButtonByClass(t *testing.T) {
	for pulse, want := range map[string]bool{"0": true, "1s": false} {
		_, _, err := Parse("c.yaml", fmt.Appendf(nil, "outputs: [{name: x, line: 4, pulse: %s, home_assistant: {device_class: restart}}]", pulse))
		if got := err != nil && strings.Contains(err.Error(), "a button has no off"); got != want || err != nil != want {
			t.Errorf("pulse %s: %v", pulse, err)
		}
	}
}
