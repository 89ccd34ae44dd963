package config

import (
	"fmt"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// sensor is a source of readings.
type sensor struct {
	base
	driver *sensors.Driver // nil: not known
	bus    int
	addr   uint16
	every  time.Duration
	topic  string
	qos    byte
	retain bool
	offline
}

var sensorKeys = slices.Concat(
	baseKeys(func(s *sensor) *base { return &s.base }),
	[]key[*sensor]{
		field("type", "which sensor it is", driver, func(s *sensor) **sensors.Driver { return &s.driver }).required(),
		onlyWithAddress(field("bus", "the I2C bus: 1 is /dev/i2c-1", integer[int]("the number of an I2C bus", 0, 255),
			func(s *sensor) *int { return &s.bus }, 1)),
		onlyWithAddress(field("address", "the I2C address; the usual one of its type unless said", address, func(s *sensor) *uint16 { return &s.addr })),
		field("every", "how often it measures", duration(time.Second, 24*time.Hour), func(s *sensor) *time.Duration { return &s.every }, 30*time.Second),
		field("topic", "its readings are published below it, as <topic>/temperature", topic, func(s *sensor) *string { return &s.topic }),
	},
	deliveryKeys(func(s *sensor) *byte { return &s.qos }, func(s *sensor) *bool { return &s.retain }),
	[]key[*sensor]{offlineKey("whether each reading is kept and told late, or the latest is told, when the broker was away", func(s *sensor) *offline { return &s.offline })},
)

var sensorList = pointList("sensors", "sensor", "what measures", func() *sensor { return new(sensor) }, sensorKeys)

// driver is a type of sensor. The drivers are looked up late, since they register themselves.
var driver = scalar("a type of sensor, such as bme280", func(s string) (*sensors.Driver, error) {
	if d := sensors.Lookup(s); d != nil {
		return d, nil
	}
	var known []string
	for _, d := range sensors.Drivers() {
		known = append(known, d.Name)
	}
	return nil, unknownDriver(s, known)
}, func(d *sensors.Driver) *yaml.Node { return word(d.Name) })

func unknownDriver(s string, known []string) error {
	if hint := didYouMean(s, known); hint != "" {
		return fmt.Errorf("no type of sensor is called %s%s", quote(s), hint)
	}
	return fmt.Errorf("no type of sensor is called %s: there is %s", quote(s), join(known, "and"))
}

// onlyWithAddress leaves a key out where the driver has no use for it.
func onlyWithAddress(k key[*sensor]) key[*sensor] {
	node := k.node
	k.node = func(s *sensor) *yaml.Node {
		if len(s.driver.Addrs) == 0 {
			return nil
		}
		return node(s)
	}
	return k
}

func (s *sensor) connect(d *draft) {
	if s.driver == nil {
		return
	}
	if len(s.driver.Addrs) == 0 {
		for _, k := range []string{"bus", "address"} {
			if s.has(k) {
				s.errorf(&d.notes, k, "%s is not on an I2C bus: remove this key", s.driver.Name)
			}
		}
		s.bus = 0
		return
	}
	if s.bad["bus"] {
		return
	}
	if d.busUser[s.bus] == "" {
		d.busUser[s.bus] = s.String()
	}
	switch {
	case s.bad["address"]:
		return
	case !s.has("address"):
		s.addr = s.driver.Addrs[0]
	case !slices.Contains(s.driver.Addrs, s.addr):
		var can []string
		for _, a := range s.driver.Addrs {
			can = append(can, fmt.Sprintf("0x%02x", a))
		}
		s.errorf(&d.notes, "address", "0x%02x is no address of a %s: it can have %s", s.addr, s.driver.Name, join(can, "or"))
		return
	}
	n, path := s.at("address")
	d.takeAddress(n, path, s.bus, s.addr, fmt.Sprintf("sensor %q", s.name))
}

func (s *sensor) bridge() bridge.Sensor {
	made := bridge.Sensor{Name: s.name, Label: s.label, Topic: s.topic, QoS: s.qos, Retain: s.retain, Every: s.every, Entity: s.home.Entity, Keep: s.offline == offlineKeep}
	if s.driver != nil {
		made.Quantities = s.driver.Measures
	}
	return made
}

func (s *sensor) join(c *bridge.Config) { c.Sensors = append(c.Sensors, s.bridge()) }

func (s *sensor) shown(*bridge.Config) (bridge.Entity, []string) {
	made := s.bridge()
	return made.Shown(), bridge.SensorComponents
}

func (s *sensor) topics(t *bridge.Topics) (states []string) {
	s.topic = t.State(s.name)
	if s.driver != nil {
		for _, q := range s.driver.Measures {
			states = append(states, t.Reading(s.name, q.Name))
			if s.offline == offlineKeep {
				states = append(states, t.Late(t.Reading(s.name, q.Name)))
			}
		}
	}
	return states
}

func (s *sensor) install(c *Config) {
	c.Sensors = append(c.Sensors, Sensor{Name: s.name, Driver: s.driver, Bus: s.bus, Addr: s.addr, Every: s.every})
}
