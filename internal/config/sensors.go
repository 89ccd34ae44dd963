package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// sensor is a source of readings.
type sensor struct {
	base
	driver   *sensors.Driver // nil: not known
	bus      int
	addr     uint16
	mux      uint16 // 0: none
	channel  int
	settings sensors.Settings // of the driver's own keys
	every    time.Duration
	misses   int
	measures []string    // those that are told; nil: all
	treated  []*quantity // what becomes of some of them
	unknown  bool        // what it measures is not known, and was told
	told     []sensors.Quantity
	json     bool // one message tells all
	topic    string
	qos      byte
	retain   bool
	offline
}

// sensorKeys are the keys of every sensor; those of its driver come in between.
var sensorHead, sensorTail = slices.Concat(
	baseKeys(func(s *sensor) *base { return &s.base }),
	[]key[*sensor]{
		field("type", "which sensor it is", driver, func(s *sensor) **sensors.Driver { return &s.driver }).required(),
		onlyWithAddress(field("bus", "the I2C bus: 1 is /dev/i2c-1", integer[int]("the number of an I2C bus", 0, 255),
			func(s *sensor) *int { return &s.bus }, 1)),
		onlyWithAddress(field("address", "the I2C address; the usual one of its type unless said", address, func(s *sensor) *uint16 { return &s.addr })),
		onlyWithAddress(field("mux", "the address of the PCA9548 or TCA9548 that it is behind, 0x70 to 0x77", address, func(s *sensor) *uint16 { return &s.mux })),
		onlyBehindMux(field("channel", "which of the mux's channels it is on", integer[int]("a channel", 0, 7), func(s *sensor) *int { return &s.channel })),
	},
), slices.Concat(
	[]key[*sensor]{
		field("every", "how often it measures", duration(time.Second, 24*time.Hour), func(s *sensor) *time.Duration { return &s.every }, 30*time.Second),
		field("misses", "after so many failures in a row it is not available", integer[int]("a number of measurements", 1, 100),
			func(s *sensor) *int { return &s.misses }, 3),
		field("measures", "which of its quantities are told; all unless said", several(name), func(s *sensor) *[]string { return &s.measures }),
		quantitiesKey,
		formatKey,
		field("topic", "its readings are published below it, as <topic>/temperature; in JSON on it", topic, func(s *sensor) *string { return &s.topic }),
	},
	deliveryKeys(func(s *sensor) *byte { return &s.qos }, func(s *sensor) *bool { return &s.retain }),
	[]key[*sensor]{
		offlineKey("whether each reading is kept and told late, or the latest is told, when the broker was away", func(s *sensor) *offline { return &s.offline }),
		entityGroup[*sensor](),
	},
)

var sensorList = list("sensors", "what measures", func() *sensor { return &sensor{settings: sensors.Settings{}} }, sensorKeysOf,
	func(d *draft, s *sensor) {
		s.kind = "sensor"
		d.points = append(d.points, s)
	}, all[*sensor])

// sensorKeysOf gives the keys of the sensor's driver, which stands among them. As long as it is not known, every driver's keys will do.
func sensorKeysOf(n *yaml.Node, s *sensor) (keys, elsewhere []key[*sensor]) {
	d := s.driver
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "type" {
				d = sensors.Lookup(n.Content[i+1].Value)
			}
		}
	}
	for _, other := range sensors.Drivers() {
		for _, k := range other.Keys {
			if d == nil || !slices.ContainsFunc(d.Keys, func(own sensors.Key) bool { return own.Name == k.Name }) {
				k.Must, k.Default = false, ""
				if !slices.Contains(names(elsewhere), k.Name) {
					elsewhere = append(elsewhere, driverKey(k))
				}
			}
		}
	}
	if d == nil {
		return slices.Concat(sensorHead, elsewhere, sensorTail), nil
	}
	var own []key[*sensor]
	for _, k := range d.Keys {
		own = append(own, driverKey(k))
	}
	return slices.Concat(sensorHead, own, sensorTail), elsewhere
}

// driverKey is a key of a driver's own.
func driverKey(k sensors.Key) key[*sensor] {
	one := scalar(k.Want, func(s string) (string, error) {
		if err := checkText(s, 200); err != nil {
			return s, err
		}
		if err := k.Check(s); err != nil {
			return s, fmt.Errorf("%s: %w", quote(s), err)
		}
		return s, nil
	}, plain)
	as := several(one)
	if !k.List {
		as = value[[]string]{want: k.Want, node: as.node, parse: func(n *yaml.Node, complain func(*yaml.Node, string)) ([]string, bool) {
			v, ok := one.parse(n, complain)
			return []string{v}, ok
		}}
	}
	made := key[*sensor]{
		name: k.Name, doc: k.Doc, want: as.want, must: k.Must,
		preset: func(s *sensor) {
			if k.Default != "" {
				s.settings[k.Name] = []string{k.Default}
			}
		},
		read: func(r *notes, n *yaml.Node, path string, s *sensor) bool {
			v, ok := as.parse(n, func(n *yaml.Node, msg string) { r.errorf(n, path, "%s", msg) })
			if ok {
				s.settings[k.Name] = v
			}
			return ok
		},
		node: func(s *sensor) *yaml.Node { return as.node(s.settings[k.Name]) },
	}
	return made
}

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

// unknownDriver says what was meant: people write what is printed on the part, or a chip.
func unknownDriver(s string, known []string) error {
	isChip := slices.ContainsFunc(chipTypes, func(t *chipType) bool { return strings.EqualFold(t.name, s) })
	switch d, hint := sensors.ForPart(s), didYouMean(s, known); {
	case d != nil:
		return fmt.Errorf("no type of sensor is called %s: write type: %s", quote(s), d.Name)
	case isChip:
		return fmt.Errorf("%s is no sensor, but a chip with lines: it belongs into the list chips", quote(s))
	case isMux(s):
		return noMuxType(s)
	case hint != "":
		return fmt.Errorf("no type of sensor is called %s%s", quote(s), hint)
	}
	return fmt.Errorf("no type of sensor is called %s: `gatewayd drivers` shows which there are", quote(s))
}

func isMux(s string) bool {
	return slices.Contains([]string{"pca9548", "pca9548a", "tca9548", "tca9548a"}, strings.ToLower(s))
}

// noMuxType says where a multiplexer is written.
func noMuxType(s string) error {
	return fmt.Errorf("%s is a multiplexer, which has no entry of its own: write its address, as mux: 0x70, and channel: 0 to each sensor behind it", quote(s))
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

// onlyBehindMux leaves a key out where there is no mux.
func onlyBehindMux(k key[*sensor]) key[*sensor] {
	node := k.node
	k.node = func(s *sensor) *yaml.Node {
		if s.mux == 0 {
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
	s.connectBus(d)
	if least := s.driver.Every; s.every < least && !s.bad["every"] {
		if s.has("every") {
			s.errorf(&d.notes, "every", "%s is too often for a %s: it can measure every %s", bridge.Hours(s.every), s.driver.Name, bridge.Hours(least))
		} else {
			s.every = least
		}
	}
	if most := s.driver.Most; most > 0 && s.every > most && !s.bad["every"] {
		if s.has("every") {
			s.errorf(&d.notes, "every", "%s is too seldom for a %s: it has to be measured every %s", bridge.Hours(s.every), s.driver.Name, bridge.Hours(most))
		} else {
			s.every = most
		}
	}
	s.choose(d)
	s.checkFormat(d)
}

// connectBus finds its place on an I2C bus.
func (s *sensor) connectBus(d *draft) {
	if len(s.driver.Addrs) == 0 {
		for _, k := range []string{"bus", "address", "mux", "channel"} {
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
		s.errorf(&d.notes, "address", "0x%02x is no address of %s: it can have %s", s.addr, a(s.driver.Name), join(can, "or"))
		return
	}
	n, path := s.at("address")
	where := busAddr{bus: s.bus, addr: s.addr}
	switch {
	case s.bad["mux"] || s.bad["channel"]:
		return
	case s.mux == 0 && s.has("channel"):
		s.errorf(&d.notes, "channel", "the channel of which mux? Write its address, too: mux: 0x70")
		return
	case s.mux == 0:
	case s.mux < 0x70 || s.mux > 0x77:
		s.errorf(&d.notes, "mux", "0x%02x is no address of a PCA9548 or TCA9548: they go from 0x70 to 0x77", s.mux)
		return
	case !s.has("channel"):
		s.errorf(&d.notes, "mux", "which of its channels? Write channel: 0, or up to 7")
		return
	default:
		where.mux, where.channel = s.mux, s.channel
		at, muxPath := s.at("mux")
		d.takeMux(at, muxPath, s.bus, s.mux)
	}
	d.takeAddress(n, path, where, fmt.Sprintf("sensor %q", s.name))
}

// options are what its driver is to know of it; the bus comes later.
func (s *sensor) options() sensors.Options {
	return sensors.Options{Name: s.name, Addr: s.addr, Settings: s.settings, Every: s.every}
}

func (s *sensor) bridge() bridge.Sensor {
	made := bridge.Sensor{Name: s.name, Label: s.label, Topic: s.topic, QoS: s.qos, Retain: s.retain, Every: s.every, Entity: s.home.Entity, Keep: s.offline == offlineKeep}
	made.Quantities, made.JSON = s.told, s.json
	return made
}

func (s *sensor) join(c *bridge.Config) { c.Sensors = append(c.Sensors, s.bridge()) }

func (s *sensor) shown(*bridge.Config) (bridge.Entity, []string) {
	made := s.bridge()
	return made.Shown(), bridge.SensorComponents
}

func (s *sensor) topics(t *bridge.Topics) (states []string) {
	s.topic = t.State(s.name)
	made := s.bridge()
	for _, topic := range t.Readings(&made) {
		states = append(states, topic)
		if s.offline == offlineKeep {
			states = append(states, t.Late(topic))
		}
	}
	return states
}

func (s *sensor) install(c *Config) {
	made := Sensor{Name: s.name, Driver: s.driver, Bus: s.bus, Addr: s.addr, Mux: s.mux, Channel: s.channel, Settings: s.settings, Every: s.every, Misses: s.misses,
		Measures: s.measures}
	for _, q := range s.treated {
		if made.Treatments == nil {
			made.Treatments = map[string]sensors.Treatment{}
		}
		made.Treatments[q.of] = q.Treatment
	}
	c.Sensors = append(c.Sensors, made)
}
