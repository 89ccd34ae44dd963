package bridge

import (
	"cmp"
	"strings"
)

// Prefix is the first level of every topic that the configuration does not name itself.
const Prefix = "gatewayd"

// Reserved are the names that no point can have: they are topic levels of the gateway itself.
var Reserved = []string{"status", "gateway"}

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
//	gatewayd/<device>/<sensor>/<quantity>  a reading
type Topics struct {
	root     string            // gatewayd/<device>/
	status   string            // where the gateway's own status is
	states   map[string]string // of points whose topic was given
	commands map[string]string // of outputs and groups, by name
	targets  map[string]string // names of outputs and groups, by command topic
}

// NewTopics lays out the topics of a configuration.
func NewTopics(c *Config) *Topics {
	t := &Topics{
		root:     Prefix + "/" + c.Device + "/",
		status:   c.Status.Topic,
		states:   map[string]string{},
		commands: map[string]string{},
		targets:  map[string]string{},
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

// Command gives the topic that an output or a group takes commands on; it is empty for a point that takes none.
func (t *Topics) Command(name string) string { return t.commands[name] }

// Event gives the topic that an input's gestures are told on.
func (t *Topics) Event(name string) string { return t.root + name + "/event" }

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
