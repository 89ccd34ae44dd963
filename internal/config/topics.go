package config

import (
	"strings"

	"gatewayd/bridge"
)

// checkTopics completes all topics, and tells of those that are used for two things. The layout itself is bridge's.
func (d *draft) checkTopics() {
	c := &bridge.Config{Device: d.device, Status: d.mqtt.status.Status}
	var points []point
	for _, p := range d.points {
		if b := p.self(); !b.bad["name"] && !b.bad["topic"] {
			p.join(c)
			points = append(points, p)
		}
	}
	t := bridge.NewTopics(c)
	set := t.Subscriptions(&bridge.Config{})[0] // gatewayd/<device>/+/set
	used := d.checkGatewayTopics(t, set)

	for _, p := range points { // first all that is given, so that the one told is rather the one that a person wrote
		b := p.self()
		used[t.Error(b.name)] = b.String() + ", its errors"
		used[t.Availability(b.name)] = b.String() + ", its availability"
		if _, ok := p.(*encoder); ok {
			used[t.Event(b.name)] = b.String() + ", its steps"
		}
		if _, ok := p.(*input); ok {
			used[t.Event(b.name)] = b.String() + ", its gestures"
			used[t.Late(t.Event(b.name))] = b.String() + ", its late gestures"
		}
	}
	for _, p := range points {
		b := p.self()
		d.adviseTopic(&b.place, "topic")
		for _, s := range p.topics(t) {
			switch user := used[s]; {
			case len(s) > maxTopic:
				b.errorf(&d.notes, "topic", "the topic is %d bytes long: MQTT has room for %d", len(s), maxTopic)
			case user != "":
				b.errorf(&d.notes, "topic", "%s is published already, by %s", quote(s), user)
			case bridge.Matches(set, s):
				b.errorf(&d.notes, "topic", "%s is in %s, where commands come from: choose another topic", quote(s), set)
			case d.home.announces(s):
				b.errorf(&d.notes, "topic", "%s is where Home Assistant looks for announcements (home_assistant.prefix): choose another topic", quote(s))
			default:
				used[s] = b.String()
			}
		}
	}
	commands := map[string]*base{}
	for _, p := range all[target](d) {
		o, s := p.self(), p.speaks()
		if o.bad["name"] || o.bad["topic"] || o.bad["command_topic"] {
			continue
		}
		d.adviseTopic(&o.place, "command_topic")
		key := "command_topic"
		if !o.has(key) {
			key = "topic"
		}
		switch other := commands[s.command]; {
		case len(s.command) > maxTopic:
			o.errorf(&d.notes, key, "the command topic is %d bytes long: MQTT has room for %d", len(s.command), maxTopic)
		case s.command == s.Topic:
			o.errorf(&d.notes, key, "commands come from the topic that the state is published on: every state would be taken for a command; "+
				"the usual one is %s/set", clip(s.Topic))
		case used[s.command] != "":
			o.errorf(&d.notes, key, "commands come from %s, which is published by %s", quote(s.command), used[s.command])
		case other != nil:
			o.errorf(&d.notes, key, "%s is the command topic already of %s", quote(s.command), other)
		default:
			commands[s.command] = o
		}
	}
}

// maxTopic is how long a topic can be (MQTT 3.1.1, section 1.5.3).
const maxTopic = 65535

// checkGatewayTopics begins the list of what is published, and by whom, with the gateway's own.
func (d *draft) checkGatewayTopics(t *bridge.Topics, set string) map[string]string {
	used := map[string]string{}
	for _, leaf := range []string{"health", "info", "error"} {
		used[t.Gateway(leaf)] = "the gateway itself"
	}
	if h := &d.home; h.Discovery && !h.birth.bad["topic"] {
		used[h.BirthTopic] = "Home Assistant, as its birth message (home_assistant.birth.topic)"
	}
	st := &d.mqtt.status
	d.adviseTopic(&st.place, "topic")
	switch topic := t.Status(); {
	case st.bad["topic"]:
	case used[topic] != "":
		st.errorf(&d.notes, "topic", "%s is published already, by %s", quote(topic), used[topic])
	case bridge.Matches(set, topic):
		st.errorf(&d.notes, "topic", "%s is in %s, where commands come from: choose another topic", quote(topic), set)
	default:
		used[topic] = "the gateway itself, as its status"
	}
	return used
}

// adviseTopic warns of what is allowed but rarely meant.
func (d *draft) adviseTopic(p *place, key string) {
	if !p.has(key) || p.bad[key] {
		return
	}
	n, path := p.at(key)
	switch s := n.Value; {
	case strings.ContainsAny(s, " \t"):
		d.warnf(n, path, "%s has a blank in it, which some brokers do not take (NATS ends the connection)", quote(s))
	case strings.HasPrefix(s, "/"), strings.HasSuffix(s, "/"), strings.Contains(s, "//"):
		d.warnf(n, path, "%s has an empty level: is there a / too many?", quote(s))
	}
}
