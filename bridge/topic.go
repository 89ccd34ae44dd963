package bridge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Prefix is the first level of every topic that the configuration does not name itself.
const Prefix = "gatewayd"

// Reserved are the names that no point can have: they are topic levels of the gateway itself.
var Reserved = []string{"status", "gateway"}

// ReservedBelow are the topic levels below a point that no quantity can be called by.
var ReservedBelow = []string{"set", "error", "availability", "event", "late"}

// Topics is the topic layout of one gateway: the one table by which topics are built and parsed.
//
//	gatewayd/<device>/status               online or offline, retained, the last will
//	gatewayd/<device>/gateway/<leaf>       health, info, error: the gateway's own
//	gatewayd/<device>/gateway/set          commands to the gateway itself
//	gatewayd/<device>/<point>              state; another topic if the configuration gives one
//	gatewayd/<device>/<point>/set          commands to an output or a group, or <its topic>/set
//	gatewayd/<device>/<input>/event        gestures: a press, a click, a double click
//	gatewayd/<device>/<point>/error        why a command was refused, or failed
//	gatewayd/<device>/<point>/availability online or offline, retained
//	gatewayd/<device>/<sensor>/<quantity>  a reading; of a sensor in JSON, all are on its state's topic
//	gatewayd/<device>/<counter>/<quantity> a total or a rate
//	gatewayd/<device>/<counter>/set        what its total is to be, whatever its topic
//	gatewayd/<device>/<encoder>/event      its steps; <encoder>: its position
//	<of a reading, or of an input's gestures>/late  what could not be told there in time
//
// Home Assistant's own, which both sides write or read:
//
//	homeassistant/device/gatewayd_<id>/config         what the gateway is and has, retained
//	homeassistant/device/gatewayd_<id>/<part>/config  the same of an area's device, or the rest of a large one
//	homeassistant/status                              Home Assistant says that it is there
type Topics struct {
	root     string            // gatewayd/<device>/
	status   string            // where the gateway's own status is
	states   map[string]string // of points whose topic was given
	commands map[string]string // of outputs and groups, by name
	targets  map[string]string // names of outputs and groups, by command topic
	announce string            // homeassistant/device/gatewayd_<id>/
	birth    string            // where Home Assistant says that it is there
}

// NewTopics lays out the topics of a configuration.
func NewTopics(c *Config) *Topics {
	t := &Topics{
		root:     Prefix + "/" + c.Device + "/",
		status:   c.Status.Topic,
		states:   map[string]string{},
		commands: map[string]string{},
		targets:  map[string]string{},
		announce: cmp.Or(c.HomeAssistant.Prefix, "homeassistant") + "/device/" + c.identity() + "/",
		birth:    cmp.Or(c.HomeAssistant.BirthTopic, "homeassistant/status"),
	}
	if t.status == "" {
		t.status = t.root + "status"
	}
	given := func(name, topic string) {
		if topic != "" {
			t.states[name] = topic
		}
	}
	for _, p := range c.Inputs {
		given(p.Name, p.Topic)
	}
	for _, p := range c.Sensors {
		given(p.Name, p.Topic)
	}
	for _, p := range c.Counters {
		given(p.Name, p.Topic)
	}
	for _, p := range c.Encoders {
		given(p.Name, p.Topic)
	}
	commanded := func(name, command string) {
		if command == "" {
			command = t.State(name) + "/set"
		}
		t.commands[name] = command
		t.targets[command] = name
	}
	for _, p := range c.Outputs {
		given(p.Name, p.Topic)
		commanded(p.Name, p.CommandTopic)
	}
	for _, p := range c.Groups {
		given(p.Name, p.Topic)
		commanded(p.Name, p.CommandTopic)
	}
	return t
}

// Status is where the gateway says whether it is there.
func (t *Topics) Status() string { return t.status }

// StatusOf completes how the gateway says whether it is there.
func (t *Topics) StatusOf(s Status) Status {
	s.Topic = t.status
	s.Online = cmp.Or(s.Online, "online")
	s.Offline = cmp.Or(s.Offline, "offline")
	s.Stopped = cmp.Or(s.Stopped, s.Offline)
	return s
}

// Gateway gives the topic of one of the gateway's own leaves: health, info, error.
func (t *Topics) Gateway(leaf string) string { return t.root + "gateway/" + leaf }

// State gives the topic of a point's state; a sensor's readings lie below it.
func (t *Topics) State(name string) string {
	if given, ok := t.states[name]; ok {
		return given
	}
	return t.root + name
}

// Reading gives the topic of one of a sensor's quantities.
func (t *Topics) Reading(sensor, quantity string) string { return t.State(sensor) + "/" + quantity }

// ReadingOf gives the topic that one of a sensor's quantities is told on.
func (t *Topics) ReadingOf(p *Sensor, quantity string) string {
	if p.JSON {
		return t.State(p.Name)
	}
	return t.Reading(p.Name, quantity)
}

// Readings gives all topics that a sensor's readings are told on: one for each quantity, in their order, or one for all.
func (t *Topics) Readings(p *Sensor) (topics []string) {
	if p.JSON {
		return []string{t.State(p.Name)}
	}
	for i := range p.Quantities {
		topics = append(topics, t.Reading(p.Name, p.Quantities[i].Name))
	}
	return topics
}

// Command gives the topic that an output or a group takes commands on; it is empty for a point that takes none.
func (t *Topics) Command(name string) string { return t.commands[name] }

// Event gives the topic that an input's gestures are told on.
func (t *Topics) Event(name string) string { return t.root + name + "/event" }

// Late gives the topic for what could not be told in time on that one: of a reading, or of an input's gestures.
func (t *Topics) Late(topic string) string { return topic + "/late" }

// Error gives the topic that tells why a command to the point was refused.
func (t *Topics) Error(name string) string { return t.root + name + "/error" }

// Availability gives the topic that tells whether the point works.
func (t *Topics) Availability(name string) string { return t.root + name + "/availability" }

// Subscriptions gives the filters that cover every command topic without overlapping.
func (t *Topics) Subscriptions(c *Config) []string {
	filters := []string{t.root + "+/set"}
	add := func(name string) {
		if command := t.Command(name); !Matches(filters[0], command) {
			filters = append(filters, command)
		}
	}
	for _, p := range c.Outputs {
		add(p.Name)
	}
	for _, p := range c.Groups {
		add(p.Name)
	}
	return filters
}

// Discovery gives the topic of a document for Home Assistant: of the gateway, if part is empty, or of a part of it.
func (t *Topics) Discovery(part string) string {
	if part != "" {
		part += "/"
	}
	return t.announce + part + "config"
}

// discovers tells whether a topic is one that Home Assistant and the gateway both write.
func (t *Topics) discovers(topic string) bool {
	rest, ours := strings.CutPrefix(topic, t.announce)
	return ours && (rest == "config" || strings.HasSuffix(rest, "/config") && strings.Count(rest, "/") == 1)
}

// Announcements gives the filters for what concerns Home Assistant.
func (t *Topics) Announcements(c *Config) []string {
	filters := []string{t.Discovery(""), t.Discovery("+")}
	if c.HomeAssistant.Discovery {
		filters = append(filters, t.birth)
	}
	return filters
}

// retained gives filters for all that the gateway keeps, or has kept, at the broker.
func (t *Topics) retained(c *Config) []string {
	filters := []string{t.root + "#", t.Discovery(""), t.Discovery("+")}
	for _, topic := range slices.Sorted(maps.Keys(t.published(c))) {
		if !Matches(filters[0], topic) {
			filters = append(filters, topic)
		}
	}
	return filters
}

// published is the set of all topics that the gateway publishes on, but for its announcements.
func (t *Topics) published(c *Config) map[string]bool {
	all := map[string]bool{t.status: true}
	for _, leaf := range []string{"health", "info", "error"} {
		all[t.Gateway(leaf)] = true
	}
	add := func(name string, states ...string) {
		for _, topic := range append(states, t.Error(name), t.Availability(name)) {
			all[topic] = true
		}
	}
	for _, p := range c.Inputs {
		add(p.Name, t.State(p.Name))
		all[t.Event(p.Name)] = true
		if p.Keep {
			all[t.Late(t.Event(p.Name))] = true
		}
	}
	for _, p := range c.Outputs {
		add(p.Name, t.State(p.Name))
	}
	for _, p := range c.Groups {
		add(p.Name, t.State(p.Name))
	}
	for _, p := range c.Sensors {
		add(p.Name, t.Readings(&p)...)
		for _, topic := range t.Readings(&p) {
			if p.Keep {
				all[t.Late(topic)] = true
			}
		}
	}
	for i := range c.Counters {
		p := c.Counters[i].Sensor()
		add(p.Name, t.Readings(&p)...)
		for _, topic := range t.Readings(&p) {
			if p.Keep {
				all[t.Late(topic)] = true
			}
		}
	}
	for _, p := range c.Encoders {
		add(p.Name, t.Event(p.Name))
		if p.Position {
			all[t.State(p.Name)] = true
		}
	}
	return all
}

// Target tells which point a command topic speaks to, whether that takes commands or not; "gateway" is the gateway itself. It is empty for any other topic.
func (t *Topics) Target(topic string) string {
	if name, ok := t.targets[topic]; ok {
		return name
	}
	rest, ours := strings.CutPrefix(topic, t.root)
	if name, set := strings.CutSuffix(rest, "/set"); ours && set {
		return name
	}
	return ""
}

// Matches tells whether a topic matches a filter (MQTT 3.1.1, section 4.7).
func Matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		l, lrest, lmore := strings.Cut(topic, "/")
		if f != "+" && f != l {
			return false
		}
		if !fmore || !lmore {
			return fmore == lmore || fmore && frest == "#"
		}
		filter, topic = frest, lrest
	}
}
