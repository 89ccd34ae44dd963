package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// homeAssistant is the section home_assistant.
type homeAssistant struct {
	place
	bridge.HomeAssistant
	birth birth
}

// birth is the section birth of home_assistant.
type birth struct {
	place
	topic, payload string
}

var homeAssistantKeys = []key[*homeAssistant]{
	field("discovery", "whether the gateway announces itself and its points", boolean, func(h *homeAssistant) *bool { return &h.Discovery }, true),
	field("prefix", "the first levels of the topics that announce it; as in Home Assistant's MQTT options", prefix,
		func(h *homeAssistant) *string { return &h.Prefix }, "homeassistant"),
	group("birth", "how Home Assistant says that it is there; as in its MQTT options", birthKeys, func(h *homeAssistant) *birth { return &h.birth }),
	field("name", "what people call the gateway; made from device unless said", shortText, func(h *homeAssistant) *string { return &h.Name }),
	field("area", "the room that the gateway is in", shortText, func(h *homeAssistant) *string { return &h.Area }),
	field("diagnostics", "whether the gateway's own health is announced, too", boolean, func(h *homeAssistant) *bool { return &h.Diagnostics }, true),
	field("identify", "the output that blinks when the gateway is asked to show itself", reference, func(h *homeAssistant) *string { return &h.Identify }),
}

var birthKeys = []key[*birth]{
	field("topic", "where", topic, func(b *birth) *string { return &b.topic }, "homeassistant/status"),
	field("payload", "what it says then", payload, func(b *birth) *string { return &b.payload }, "online"),
}

var homeAssistantGroup = orNot(group("home_assistant", "how Home Assistant is told of the gateway", homeAssistantKeys,
	func(d *draft) *homeAssistant { return &d.home }), func(d *draft, yes bool) { d.home.Discovery = yes })

// orNot lets a section also be true or false, which sets what it is about.
func orNot[T any](k key[T], set func(t T, yes bool)) key[T] {
	read := k.read
	k.read = func(r *notes, n *yaml.Node, path string, t T) bool {
		if n.Kind == yaml.ScalarNode && !refused(n) && !isNull(n) {
			if yes, ok := yesNo(n.Value); ok {
				set(t, yes)
				return read(r, &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}, path, t)
			}
		}
		return read(r, n, path, t)
	}
	return k
}

// prefix is levels of a topic that others are made of.
var prefix = scalar("topic levels, such as homeassistant", func(s string) (string, error) {
	if err := checkTopic(s); err != nil {
		return s, err
	}
	switch {
	case len(s) > 1000:
		return s, fmt.Errorf("is %d bytes long: at most 1000 are allowed", len(s))
	case strings.HasPrefix(s, "/"), strings.HasSuffix(s, "/"), strings.Contains(s, "//"):
		return s, fmt.Errorf("%s has an empty level: remove the / that is too many", quote(s))
	case strings.ContainsAny(s, " \t"):
		return s, fmt.Errorf("%s has a blank in it: write what Home Assistant's MQTT options say, usually homeassistant", quote(s))
	}
	return s, nil
}, wordOrNothing)

// shortText is a name for people that Home Assistant shows.
var shortText = scalar("any text", func(s string) (string, error) {
	switch n := utf8.RuneCountInString(s); {
	case n > 100:
		return s, fmt.Errorf("%s is %d characters long: at most 100 are allowed", quote(s), n)
	case s != "" && strings.TrimSpace(s) != s:
		return s, fmt.Errorf("%s has blanks around it: remove them", quote(s))
	}
	return s, checkText(s, 400)
}, wordOrNothing)

var iconForm = regexp.MustCompile(`^[A-Za-z0-9_-]+:[A-Za-z0-9_.-]+$`)

// icon is a picture's name. Home Assistant refuses one without the name of its collection.
var icon = scalar("an icon, such as mdi:lamp", func(s string) (string, error) {
	if err := checkText(s, 100); err != nil {
		return s, err
	}
	if !iconForm.MatchString(s) {
		better := "lamp"
		if bare := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(s), "mdi"), "-"); bare != "" && iconForm.MatchString("mdi:"+bare) {
			better = bare
		}
		return s, fmt.Errorf("%s is not an icon: a collection and a name are wanted, such as mdi:%s", quote(s), better)
	}
	return s, nil
}, wordOrNothing)

// checkHomeAssistant looks at the section itself; that its topics meet no others is seen with all topics.
func (d *draft) checkHomeAssistant() {
	h := &d.home
	h.BirthTopic, h.BirthPayload = h.birth.topic, h.birth.payload
	root := bridge.Prefix + "/" + d.device
	if !h.bad["prefix"] && within(h.Prefix, root) {
		h.errorf(&d.notes, "prefix", "%s is where this gateway's own topics are: write what Home Assistant's MQTT options say, usually homeassistant", quote(h.Prefix))
	}
	if b := &h.birth; !b.bad["topic"] && within(b.topic, root) {
		b.errorf(&d.notes, "topic", "%s is where this gateway's own topics are: write what Home Assistant's MQTT options say, usually homeassistant/status", quote(b.topic))
		b.bad["topic"] = true
	}
	d.adviseTopic(&h.birth.place, "topic")
	d.checkIdentify()
}

// within tells whether a topic is a level or below it.
func within(topic, level string) bool { return topic == level || strings.HasPrefix(topic, level+"/") }

// shortestBlink is how long an output must be allowed to be on to blink.
const shortestBlink = time.Second

// blinkEach is how often an output is switched while it blinks.
const blinkEach = 500 * time.Millisecond

// checkIdentify looks at the output that is to blink: what must not be switched quickly, or with others, is none.
func (d *draft) checkIdentify() {
	h := &d.home
	if !h.has("identify") || h.bad["identify"] {
		return
	}
	n, path := h.at("identify")
	o := d.findOutput(n, path, h.Identify)
	const other = "choose another output, best a lamp"
	switch {
	case o == nil:
	case o.pulse > 0:
		d.errorf(n, path, "%s has a pulse, so it cannot blink: %s", &o.base, other)
	case o.maxOn > 0 && o.maxOn < shortestBlink:
		d.errorf(n, path, "%s has a max_on of %s, which is too short to blink: %s", &o.base, bridge.Hours(o.maxOn), other)
	case o.interval >= blinkEach:
		d.errorf(n, path, "%s has a min_interval of %s, which is too long to blink: %s", &o.base, bridge.Hours(o.interval), other)
	case o.group != nil:
		d.errorf(n, path, "%s is in interlock %q, so that it must not switch by itself: %s", &o.base, o.group.Name, other)
	}
}

// announces tells whether Home Assistant takes what is published on a topic for an announcement.
func (h *homeAssistant) announces(topic string) bool {
	return h.Discovery && !h.bad["prefix"] && strings.HasPrefix(topic, h.Prefix+"/") && strings.HasSuffix(topic, "/config")
}
