package bridge

import (
	"fmt"
	"time"

	"gatewayd/sensors"
)

// withCounters has a meter, a frequency and a knob, and not much else.
func withCounters(c *Config) {
	c.Inputs, c.Sensors, c.Rules, c.Interlocks, c.Outputs = nil, nil, nil, nil, c.Outputs[:1]
	c.Counters = []Counter{
		{Name: "house", QoS: 1, Retain: true, PerUnit: 1000, Factor: 3600, Every: 10 * time.Second, ZeroAfter: 3 * time.Minute, Keep: true,
			Total: &sensors.Quantity{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3},
			Rate:  &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}},
		{Name: "fan", QoS: 1, PerUnit: 1, Factor: 1, Every: 5 * time.Second, ZeroAfter: 30 * time.Second,
			Rate: &sensors.Quantity{Name: "frequency", Class: "frequency", Unit: "Hz", StateClass: "measurement", Precision: 2}},
	}
	c.Encoders = []Encoder{{Name: "knob", Position: true, QoS: 1, Retain: true}}
	c.Rules = []Rule{
		{When: "knob", Is: Clockwise, Do: VerbOn, Outputs: []string{"l01"}},
		{When: "knob", Is: Counterclockwise, Do: VerbOff, Outputs: []string{"l01"}},
	}
}

func init() {
	for _, name := range []string{"counter", "counter_reload", "counter_ids", "encoder"} {
		otherHouses[name] = withCounters
	}
	renovations["meter_renamed"] = func(c *Config) {
		c.Counters[0].Name, c.Counters[0].Entity.ID = "main", "house"
	}
	renovations["meter_changed"] = func(c *Config) { // the old one goes on under another name, and a new one has its name
		old := c.Counters[0]
		old.Name, old.Entity.ID = "old", "house"
		c.Counters[0].Entity.ID = "new"
		c.Counters = append([]Counter{old}, c.Counters...)
	}
	renovations["meter_id"] = func(c *Config) { c.Counters[0].Entity.ID = "other" }
	renovations["without_meter"] = without("house")
	renovations["other_meter"] = func(c *Config) { c.Counters[0].PerUnit = 500 }
}

// counted writes how far a counter has come.
func (c Counted) String() string {
	if c.Preset {
		return fmt.Sprintf("%s %d at once", c.ID, c.Pulses)
	}
	return fmt.Sprintf("%s %d", c.ID, c.Pulses)
}
