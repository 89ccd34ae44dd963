package config

import (
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/sensors"
)

// counter is a line whose edges are counted.
type counter struct {
	base
	wire
	kind      counterType
	edges     gpio.Count
	measures  string  // of a meter
	perUnit   float64 // of a meter with a total
	factor    float64 // of one without
	unit      string
	every     time.Duration
	zeroAfter time.Duration // 0: there is no rate
	topic     string
	qos       byte
	retain    bool
	offline
}

// counterType is what is made of the edges.
type counterType uint8

const (
	typeCounter counterType = iota
	typeMeter
	typeFrequency
)

var counterTypes = oneOf(choice[counterType]{"counter", typeCounter}, choice[counterType]{"meter", typeMeter}, choice[counterType]{"frequency", typeFrequency})

var edges = calledElsewhere(oneOf(choice[gpio.Count]{"rising", gpio.CountActive}, choice[gpio.Count]{"falling", gpio.CountInactive},
	choice[gpio.Count]{"both", gpio.CountBoth}), map[string]string{"any": "both", "change": "both", "rise": "rising", "fall": "falling"})

var measured = oneOf(func() (all []choice[string]) {
	for _, m := range measures {
		all = append(all, choice[string]{m.word, m.word})
	}
	return all
}()...)

var counterKeys = slices.Concat(
	baseKeys(func(c *counter) *base { return &c.base }),
	[]key[*counter]{
		field("type", "counter: how many; meter: of what, and how fast; frequency: how fast alone", counterTypes, func(c *counter) *counterType { return &c.kind }, typeCounter),
	},
	wireKeys(func(c *counter) *wire { return &c.wire }),
	[]key[*counter]{
		field("pull", "what holds the line while nothing drives it", pull, func(c *counter) *gpio.Pull { return &c.Pull }, gpio.PullAsIs),
		field("debounce", "how long the line must be still before an edge counts; 0: every edge counts, as electronic outputs have it; a reed contact or a tipping bucket bounces: 10ms", debounce,
			func(c *counter) *time.Duration { return &c.Debounce }, 0),
		field("edges", "which edges count: rising is to active, with active_low that is the voltage's fall", edges, func(c *counter) *gpio.Count { return &c.edges }, gpio.CountActive),
		field("measures", "what a meter measures", measured, func(c *counter) *string { return &c.measures }),
		whenSet(field("per_unit", "how many of these edges a meter makes for one unit of what it measures, such as 1000 for a kWh", decimalNumber(1e-6, 1e9),
			func(c *counter) *float64 { return &c.perUnit }), func(c *counter) bool { return c.perUnit != 0 }),
		whenSet(field("factor", "what the wind is with one edge in a second", decimalNumber(1e-6, 1e6),
			func(c *counter) *float64 { return &c.factor }), func(c *counter) bool { return c.factor != 0 }),
		whenSet(field("unit", "the unit of what a meter measures", text("a unit, such as kWh, m³ or L", 16),
			func(c *counter) *string { return &c.unit }), func(c *counter) bool { return c.unit != "" }),
		field("every", "how often it is told, at most: the total when it has changed, the rate too", duration(time.Second, 24*time.Hour),
			func(c *counter) *time.Duration { return &c.every }, 10*time.Second),
		field("zero_after", "without an edge for that long the rate is 0; 30m for energy, 30s for wind and frequency, else 5m, unless said",
			whenUsed(duration(time.Second, 24*time.Hour)), func(c *counter) *time.Duration { return &c.zeroAfter }),
		field("topic", "what it counts is published below it, as <topic>/energy", topic, func(c *counter) *string { return &c.topic }),
	},
	deliveryKeys(func(c *counter) *byte { return &c.qos }, func(c *counter) *bool { return &c.retain }),
	[]key[*counter]{offlineKey("whether all that is told is kept and told late, or the latest is told, when the broker was away", func(c *counter) *offline { return &c.offline })},
)

// whenSet leaves a key out of what is printed where it has no value.
func whenSet[T any](k key[T], is func(T) bool) key[T] {
	node := k.node
	k.node = func(t T) *yaml.Node {
		if !is(t) {
			return nil
		}
		return node(t)
	}
	return k
}

var counterList = pointList("counters", "counter", "lines whose edges are counted", func() *counter { return new(counter) }, counterKeys)

// what gives what it measures; nil: that is not known.
func (c *counter) what() *measure {
	switch c.kind {
	case typeMeter:
		return measureOf(c.measures)
	case typeFrequency:
		return &frequency
	}
	return &pulses
}

func (c *counter) connect(d *draft) {
	c.Count = c.edges
	c.checkMeter(d)
	d.connectLine(&c.base, &c.wire)
}

// checkMeter looks at what its type needs and has no use for, and completes the rest.
func (c *counter) checkMeter(d *draft) {
	r := &d.notes
	useless := func(why string, keys ...string) {
		for _, k := range keys {
			if c.has(k) && !c.bad[k] {
				c.errorf(r, k, "%s: remove this key", why)
			}
		}
	}
	switch {
	case c.bad["type"], c.bad["measures"]:
		return
	case c.kind == typeCounter:
		useless("a counter only counts; what its pulses stand for is of a meter (type: meter)", "measures", "per_unit", "factor", "unit")
		useless("a counter has no rate", "zero_after")
	case c.kind == typeFrequency:
		useless("a frequency is in Hz; what pulses stand for is of a meter (type: meter)", "measures", "per_unit", "factor", "unit")
	case c.measures == "":
		c.errorf(r, "measures", "what does the meter measure? %s is wanted, such as measures: energy", measured.want)
		return
	}
	m := c.what()
	switch {
	case c.kind != typeMeter:
		c.unit, c.perUnit, c.factor, c.measures = "", 0, 0, ""
	case m.name == "":
		useless(m.word+" has no total", "per_unit")
		if c.factor == 0 && !c.bad["factor"] {
			c.errorf(r, "factor", "what is the wind with one pulse in a second? Its data sheet says it: such as factor: 2.4, with unit: km/h")
		}
	default:
		useless("that is for wind; how much a pulse is says per_unit", "factor")
		if c.perUnit == 0 && !c.bad["per_unit"] {
			c.errorf(r, "per_unit", "how many pulses are one %s? The meter's plate says it: such as per_unit: 1000", m.units[0])
		}
	}
	if c.kind == typeMeter {
		c.checkUnit(d, m)
	}
	if m.rate.Name != "" && !c.has("zero_after") {
		c.zeroAfter = map[string]time.Duration{"energy": 30 * time.Minute, "wind": 30 * time.Second, "frequency": 30 * time.Second}[m.word]
		if c.zeroAfter == 0 {
			c.zeroAfter = 5 * time.Minute
		}
		c.zeroAfter = max(c.zeroAfter, c.every)
	}
}

func (c *counter) checkUnit(d *draft, m *measure) {
	switch {
	case c.unit == "":
		c.unit = m.units[0]
	case !slices.Contains(m.units, c.unit):
		if plain := map[string]string{"m3": "m³", "l": "L", "kwh": "kWh", "wh": "Wh", "mwh": "MWh", "kmh": "km/h"}[strings.ToLower(c.unit)]; slices.Contains(m.units, plain) {
			c.unit = plain
			return
		}
		c.errorf(&d.notes, "unit", "%s is no unit for %s here: wanted %s", quote(c.unit), m.word, join(m.units, "or"))
	}
}

func (c *counter) bridge() bridge.Counter {
	made := bridge.Counter{Name: c.name, Label: c.label, Topic: c.topic, PerUnit: 1, Factor: 1, Every: c.every, ZeroAfter: c.zeroAfter,
		QoS: c.qos, Retain: c.retain, Keep: c.offline == offlineKeep, Entity: c.home.Entity}
	m := c.what()
	if m == nil {
		return made
	}
	at := max(0, slices.Index(m.units, c.unit))
	if c.perUnit > 0 {
		made.PerUnit = c.perUnit
	}
	made.Total, made.Rate = m.total(c.unit, made.PerUnit), m.speed(m.units[at])
	switch {
	case made.Rate == nil:
	case c.factor > 0:
		made.Factor = c.factor
	default:
		made.Factor = m.per[at] / made.PerUnit
	}
	return made
}

func (c *counter) join(to *bridge.Config) { to.Counters = append(to.Counters, c.bridge()) }

func (c *counter) shown(*bridge.Config) (bridge.Entity, []string) {
	made := c.bridge()
	s := made.Sensor()
	return s.Shown(), bridge.SensorComponents
}

// quantities are those that it tells.
func (c *counter) quantities() []sensors.Quantity {
	made := c.bridge()
	return made.Sensor().Quantities
}

func (c *counter) topics(t *bridge.Topics) (states []string) {
	c.topic = t.State(c.name)
	for _, q := range c.quantities() {
		states = append(states, t.Reading(c.name, q.Name))
		if c.offline == offlineKeep {
			states = append(states, t.Late(t.Reading(c.name, q.Name)))
		}
	}
	return states
}

// checkCounterClass looks at a device class that was given to a counter: what it measures has one already.
func (c *counter) checkCounterClass(d *draft) {
	e := &c.home
	if q := c.quantities(); len(q) == 1 && q[0].Class == e.DeviceClass && q[0].Class != "" {
		return
	}
	e.errorf(&d.notes, "device_class", "what a counter measures has its own device class, which comes from type and measures: remove this key")
}
