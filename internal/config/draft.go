package config

import (
	"fmt"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// draft is a configuration while it is read and checked: everything as it stands in the file, with its place there.
type draft struct {
	notes
	data       []byte       // the file
	besides    func(*draft) // what is checked of it besides
	root       place
	device, id string
	stateFile  string
	saveEvery  time.Duration
	watch      bool
	mqtt       mqtt
	kept       kept
	home       homeAssistant
	chips      []*chip
	points     []point // of all kinds, each kind in the order of the file
	interlocks []*interlock
	rules      []*rule

	header     *chip              // is always there, and not in the file
	byName     map[string][]point // also those whose name was refused
	taken      map[pin]string     // lines, and what they are used for
	busUser    map[int]string     // I2C buses, and the first that uses each
	addresses  map[busAddr]addrUser
	headerPins []headerPin
}

func (d *draft) where() *place { return &d.root }

// point is something that has a name and speaks with the broker. Each kind of point has a file of its own: its keys, its checks,
// what it becomes in the Config.
type point interface {
	self() *base
	connect(d *draft)                                       // checks its hardware side, once all chips are known
	join(c *bridge.Config)                                  // adds its bridge side, whole or not
	shown(c *bridge.Config) (e bridge.Entity, can []string) // how controllers show it, once all have joined, and the components it can be
	topics(t *bridge.Topics) []string                       // completes its topics, and gives those that its states are published on
	install(c *Config)                                      // adds its hardware side, which has no errors
}

// base is what all kinds of points share.
type base struct {
	place
	kind        string // input
	name, label string
	home        entity
}

func (b *base) self() *base { return b }

// String names the point in messages: input "door" (line 12).
func (b *base) String() string { return fmt.Sprintf("%s %q (line %d)", b.kind, b.name, b.node.Line) }

// pointLists are the kinds of points. A new kind is added here.
var pointLists = []key[*draft]{inputList, outputList, groupList, sensorList, counterList, encoderList}

// pointList describes the list of one kind of point.
func pointList[P point](section, kind, doc string, made func() P, keys []key[P]) key[*draft] {
	return list(section, doc, made, always(append(keys, entityGroup[P]())),
		func(d *draft, p P) {
			p.self().kind = kind
			d.points = append(d.points, p)
		}, all[P])
}

// all gives the points of one kind.
func all[P point](d *draft) (kind []P) {
	for _, p := range d.points {
		if p, ok := p.(P); ok {
			kind = append(kind, p)
		}
	}
	return kind
}

// baseKeys are the keys that every kind of point begins with.
func baseKeys[T any](at func(T) *base) []key[T] {
	return []key[T]{
		field("name", "what topics and rules call it", name, func(t T) *string { return &at(t).name }).required(),
		field("id", "what controllers know it by when name was changed; name unless said", pointID, func(t T) *string { return &at(t).home.ID }),
		field("label", "what people call it", text("any text", 200), func(t T) *string { return &at(t).label }),
	}
}

// check looks at what fits together. It runs even when values were refused before, and says nothing that would follow from those.
func (d *draft) check() {
	if d.device == "" {
		d.device = defaultDevice()
	}
	if d.id == "" {
		d.id = d.device
	}
	d.mqtt.check(d)
	d.header = &chip{name: "header", kind: headerType}
	d.byName, d.taken = map[string][]point{}, map[pin]string{}
	d.busUser, d.addresses = map[int]string{}, map[busAddr]addrUser{}
	d.checkNames()
	d.checkIDs()
	d.checkChips()
	for _, p := range d.points {
		p.connect(d)
	}
	d.checkHeaderPins()
	d.checkDevices()
	d.checkInterlocks()
	d.checkGroups()
	d.checkRules()
	d.checkGestures()
	d.checkBacklog()
	d.checkHomeAssistant()
	d.checkEntities()
	d.checkTopics()
	if len(d.points) == 0 && d.root.node.Kind == yaml.MappingNode && !d.root.unknown && !slices.ContainsFunc(names(pointLists), func(s string) bool { return d.root.bad[s] }) {
		d.errorf(d.root.node, "", "%s", nothingToDo)
	}
	if len(d.problems) == d.warned {
		d.checkUnused()
	}
}

// checkNames fills byName.
func (d *draft) checkNames() {
	for _, p := range d.points {
		b := p.self()
		n := b.given["name"]
		if n == nil || n.Kind != yaml.ScalarNode {
			continue
		}
		others := d.byName[n.Value]
		d.byName[n.Value] = append(others, p) // rules may speak of it even by a name that was refused
		switch {
		case b.bad["name"]:
			continue
		case slices.Contains(bridge.Reserved, b.name):
			b.errorf(&d.notes, "name", "%q is a topic of the gateway itself (%s/%s/%s): choose another name", b.name, bridge.Prefix, d.device, b.name)
		case len(others) > 0:
			b.errorf(&d.notes, "name", "%s has this name already: one can be used once, over all kinds of points", others[0].self())
		default:
			continue
		}
		b.bad["name"] = true
	}
}

// find gives the point of that name, of the kind P if there is one, or says that there is none: at is the node to point at. A
// point that is there in some broken form is found.
func find[P point](d *draft, at *yaml.Node, path, name string) (found P, other point) {
	for _, p := range d.byName[name] {
		if p, ok := p.(P); ok {
			return p, nil
		}
		other = p
	}
	if other != nil || slices.ContainsFunc(names(pointLists), func(section string) bool { return !d.readable(section) }) {
		return found, other // a section that could not be read may have had it
	}
	if d.full() {
		d.more++
		return found, nil
	}
	var known []string
	for _, p := range all[P](d) {
		known = append(known, p.self().name)
	}
	hint := didYouMean(name, known)
	if list := perhapsList(name); list != "" {
		hint = list
	}
	d.errorf(at, path, "nothing is called %s%s", quote(name), hint)
	return found, nil
}

// checkUnused warns of chips that nothing uses.
func (d *draft) checkUnused() {
	used := map[string]bool{}
	for p := range d.taken {
		used[p.chip] = true
	}
	for _, c := range d.chips {
		if !slices.ContainsFunc(c.parts, func(part Chip) bool { return used[c.chipOf(&part)] }) {
			d.warnf(c.node, c.path, "nothing uses chip %q: it is left alone", c.name)
		}
	}
}

// readable tells whether a section is a list at least, or empty: all items commented out.
func (d *draft) readable(section string) bool {
	n := d.root.given[section]
	return n == nil || n.Kind == yaml.SequenceNode || isNull(n)
}

// build makes the configuration of a draft without errors.
func (d *draft) build() *Config {
	c := &Config{Device: d.device, StateFile: d.stateFile, SaveEvery: d.saveEvery, Watch: d.watch, MQTT: d.mqtt.MQTT, Backlog: d.kept.Backlog, from: d}
	c.Bridge = bridge.Config{Device: d.device, ID: d.id, Status: d.mqtt.status.Status, HomeAssistant: d.home.HomeAssistant}
	for _, p := range d.points {
		p.join(&c.Bridge)
		p.install(c)
	}
	for _, l := range d.interlocks {
		c.Bridge.Interlocks = append(c.Bridge.Interlocks, l.Interlock)
	}
	for _, r := range d.rules {
		if r.reads() {
			c.Bridge.Thermostats = append(c.Bridge.Thermostats, r.thermostat())
		} else {
			c.Bridge.Rules = append(c.Bridge.Rules, r.Rule)
		}
	}
	interrupts := false
	for _, ch := range d.chips {
		for _, part := range ch.parts {
			if len(part.Lines) > 0 {
				c.Chips = append(c.Chips, part)
				interrupts = interrupts || part.Interrupt != nil
			}
		}
	}
	if header := d.header.parts[0]; len(header.Lines) > 0 || interrupts {
		c.Chips = slices.Insert(c.Chips, 0, header)
	}
	return c
}
