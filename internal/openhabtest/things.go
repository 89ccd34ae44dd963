package openhabtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Thing is a Thing or a Bridge.
type Thing struct {
	Bridge    bool
	UID       string
	Label     string
	BridgeUID string // of what it is reached by
	Location  string
	Params    map[string]Value
	Channels  []Channel
}

// Channel is one of a Thing's channels.
type Channel struct {
	UID    string
	Type   string // switch, contact, number, string, trigger
	Label  string
	Params map[string]Value
}

// ParseThings reads a .things file.
func ParseThings(text string) ([]Thing, error) {
	s := scan(text)
	var all []Thing
	for s.err == nil && len(s.tokens) > 0 {
		t := Thing{Bridge: s.is("Bridge")}
		if !t.Bridge {
			s.want("Thing")
		}
		t.UID = s.uid()
		if s.isString() {
			t.Label = s.string()
		}
		if !t.Bridge && s.is("(") {
			t.BridgeUID = s.uid()
			s.want(")")
		}
		if s.is("@") {
			t.Location = s.string()
		}
		t.Params = s.properties()
		if s.is("{") {
			if s.is("Channels") {
				s.want(":")
			}
			for s.err == nil && !s.is("}") {
				t.Channels = append(t.Channels, s.channel(t.UID))
			}
		}
		all = append(all, t)
	}
	if s.err != nil {
		return nil, s.err
	}
	return all, checkThings(all)
}

// uid takes the segments of a UID.
func (s *scanner) uid() string {
	parts := []string{s.id()}
	for s.is(":") {
		parts = append(parts, s.id())
	}
	if len(parts) < 3 {
		s.errorf("%s: a UID has three parts at least", strings.Join(parts, ":"))
	}
	return strings.Join(parts, ":")
}

func (s *scanner) channel(thing string) Channel {
	s.want("Type")
	ch := Channel{Type: s.id()}
	s.want(":")
	ch.UID = thing + ":" + s.id()
	if s.isString() {
		ch.Label = s.string()
	}
	ch.Params = s.properties()
	return ch
}

// What the binding has parameters for, and whether these are text, a number or a boolean (openHAB 5: thing-types.xml,
// generic-thing.xml, *-channel-config.xml; all but webSocketPath in 4, too).
var (
	brokerParams = params("host", "text", "port", "integer", "secure", "boolean", "protocol", "text", "webSocketPath", "text", "qos", "integer",
		"username", "text", "password", "text", "clientID", "text", "certificatepin", "boolean", "publickeypin", "boolean", "hostnameValidated", "boolean",
		"enableDiscovery", "boolean", "keepAlive", "integer", "reconnectTime", "integer")
	topicParams   = params("availabilityTopic", "text", "payloadAvailable", "text", "payloadNotAvailable", "text", "transformationPattern", "text")
	channelParams = map[string]map[string]string{
		"switch": params("stateTopic", "text", "commandTopic", "text", "transformationPattern", "text", "transformationPatternOut", "text",
			"formatBeforePublish", "text", "qos", "integer", "retained", "boolean", "postCommand", "boolean", "on", "text", "off", "text"),
		"contact": params("stateTopic", "text", "transformationPattern", "text", "on", "text", "off", "text"),
		"number": params("stateTopic", "text", "commandTopic", "text", "transformationPattern", "text", "qos", "integer", "retained", "boolean",
			"min", "decimal", "max", "decimal", "unit", "text"),
		"string":  params("stateTopic", "text", "commandTopic", "text", "transformationPattern", "text", "qos", "integer", "allowedStates", "text"),
		"trigger": params("stateTopic", "text", "transformationPattern", "text"),
	}
)

func params(pairs ...string) map[string]string {
	all := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

var (
	segment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`) // UID segments
	bare    = map[string]*regexp.Regexp{
		"integer": regexp.MustCompile(`^[0-9]+$`), "decimal": regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`), "boolean": regexp.MustCompile(`^(true|false)$`),
	}
)

func checkThings(all []Thing) error {
	seen := map[string]bool{}
	once := func(uid string) error {
		for _, s := range strings.Split(uid, ":") {
			if !segment.MatchString(s) {
				return fmt.Errorf("%s: %q cannot be in a UID", uid, s)
			}
		}
		if seen[uid] {
			return fmt.Errorf("%s twice", uid)
		}
		seen[uid] = true
		return nil
	}
	for i := range all {
		t := &all[i]
		known := topicParams
		kind := "mqtt:topic:"
		if t.Bridge {
			known, kind = brokerParams, "mqtt:broker:"
		}
		if !strings.HasPrefix(t.UID, kind) {
			return fmt.Errorf("%s: does not begin with %s", t.UID, strings.TrimSuffix(kind, ":"))
		}
		if !t.Bridge && !strings.HasPrefix(t.BridgeUID, "mqtt:broker:") {
			return fmt.Errorf("%s: %q is no broker", t.UID, t.BridgeUID)
		}
		if err := once(t.UID); err != nil {
			return err
		}
		if err := checkParams(t.UID, t.Params, known); err != nil {
			return err
		}
		for _, ch := range t.Channels {
			if err := once(ch.UID); err != nil {
				return err
			}
			if channelParams[ch.Type] == nil {
				return fmt.Errorf("%s: the binding has no channel %q", ch.UID, ch.Type)
			}
			if err := checkParams(ch.UID, ch.Params, channelParams[ch.Type]); err != nil {
				return err
			}
			if ch.Params["retained"].Text == "true" {
				return fmt.Errorf("%s: its commands are retained", ch.UID)
			}
		}
	}
	return nil
}

func checkParams(uid string, got map[string]Value, known map[string]string) error {
	for name, v := range got {
		kind, ok := known[name]
		switch {
		case !ok:
			return fmt.Errorf("%s: there is no parameter %s", uid, name)
		case kind == "text" && v.Bare:
			return fmt.Errorf("%s: %s=%s is not in quotes", uid, name, v.Text)
		case kind != "text" && (!v.Bare || !bare[kind].MatchString(v.Text)):
			return fmt.Errorf("%s: %s=%s: wanted a %s", uid, name, v.Text, kind)
		}
		if strings.HasSuffix(name, "Topic") && (v.Text == "" || strings.ContainsAny(v.Text, "+#")) {
			return fmt.Errorf("%s: %s=%q", uid, name, v.Text)
		}
	}
	return nil
}
