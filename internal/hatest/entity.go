package hatest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// unknown is the state of an entity that has had no message yet.
const (
	unknown     = "unknown"
	unavailable = "unavailable"
)

// entity is an active one.
type entity struct {
	core     *Core
	platform string
	uniqueID string
	entry    *entry
	config   map[string]any
	parts    map[string]*subscription // by what they are for

	value      string // the state, shown while available
	attributes map[string]any
	entries    map[string]map[string]any // of availability, by topic: a second one for a topic replaces the first
	known      map[string]bool           // by topic: whether it says available
	latest     bool
	expired    bool
	expiry     *time.Timer
	off        *time.Timer
	shown      []string // states as they were shown, without repeats
}

// configure takes a configuration: subscriptions that stay the same stay untouched.
func (e *entity) configure(config map[string]any) {
	first := e.config == nil
	if first {
		e.value = unknown
		e.expired = num(config, "expire_after") > 0
	}
	e.config = config
	e.entries = map[string]map[string]any{}
	if topic, ok := config["availability_topic"].(string); ok {
		e.entries[topic] = map[string]any{
			"payload_available": config["payload_available"], "payload_not_available": config["payload_not_available"],
			"value_template": config["availability_template"],
		}
	}
	list, _ := config["availability"].([]any)
	for _, v := range list {
		entry := v.(map[string]any)
		topic := entry["topic"].(string)
		if e.entries[topic] != nil {
			e.core.ignoredf("%s: availability has %s twice: the last entry alone counts", e.entry.entityID, topic)
		}
		e.entries[topic] = entry
	}
	wanted := map[string]*subscription{}
	qos := byte(num(config, "qos"))
	for topic := range e.entries {
		wanted["availability "+topic] = &subscription{filter: topic, qos: qos, receive: e.availability}
	}
	if topic, ok := config["state_topic"].(string); ok {
		wanted["state"] = &subscription{filter: topic, qos: qos, receive: e.receive}
	}
	if topic, ok := config["json_attributes_topic"].(string); ok {
		wanted["attributes"] = &subscription{filter: topic, qos: qos, receive: e.jsonAttributes}
	}
	for _, part := range sorted(e.parts) {
		old, now := e.parts[part], wanted[part]
		if now != nil && now.filter == old.filter && now.qos == old.qos {
			delete(wanted, part)
			continue
		}
		e.core.unsubscribe(old)
		delete(e.parts, part)
	}
	for _, part := range sorted(wanted) {
		e.parts[part] = wanted[part]
		e.core.subscribe(wanted[part])
	}
	e.write()
}

// stop ends an entity.
func (e *entity) stop() {
	for _, s := range e.parts {
		e.core.unsubscribe(s)
	}
	for _, t := range []*time.Timer{e.expiry, e.off} {
		if t != nil {
			t.Stop()
		}
	}
}

func num(config map[string]any, key string) int64 {
	n, _ := config[key].(int64)
	return n
}

func str(config map[string]any, key, usual string) string {
	if s, ok := config[key].(string); ok {
		return s
	}
	return usual
}

// render evaluates one of the entity's templates with a payload. Without one, the payload is the result.
func (e *entity) render(key, source, payload string, more map[string]any) (string, error) {
	if source == "" {
		return payload, nil
	}
	t, err := parseTemplate(source)
	if err != nil {
		return "", err // it has been parsed before
	}
	text, warnings, err := t.Render(payload, more)
	for _, w := range warnings {
		e.core.warnf("%s: %s: %s: %s", e.entry.entityID, key, source, w)
	}
	if err != nil {
		e.core.errorf("%s: %s: payload %s: %v", e.entry.entityID, key, payload, err)
	}
	return text, err
}

// availability takes a message on one of the availability topics.
func (e *entity) availability(m message) {
	for topic, entry := range e.entries {
		if !matches(topic, m.topic) {
			continue
		}
		source, _ := entry["value_template"].(string)
		text, err := e.render("availability template", source, m.payload, nil)
		switch {
		case err != nil:
		case text == str(entry, "payload_available", "online"):
			e.known[topic], e.latest = true, true
		case text == str(entry, "payload_not_available", "offline"):
			e.known[topic], e.latest = false, false
		default:
			e.core.ignoredf("%s: availability %s: %q is neither", e.entry.entityID, m.topic, m.payload)
		}
	}
	e.write()
}

// available tells whether the entity's state is shown.
func (e *entity) available() bool {
	yes := 0
	for topic := range e.entries {
		if e.known[topic] {
			yes++
		}
	}
	switch {
	case !e.core.connected || e.expired:
		return false
	case len(e.entries) == 0:
		return true
	}
	switch e.config["availability_mode"] {
	case "all":
		return yes == len(e.entries)
	case "any":
		return yes > 0
	}
	return e.latest
}

// state is what is shown.
func (e *entity) state() string {
	if !e.available() {
		return unavailable
	}
	return e.value
}

// write notes the state that is shown.
func (e *entity) write() {
	if s := e.state(); len(e.shown) == 0 || e.shown[len(e.shown)-1] != s {
		e.shown = append(e.shown, s)
	}
}

func (c *Core) writeAll() {
	for _, e := range c.entities {
		e.write()
	}
}

// notAttributes are names that Home Assistant keeps for itself.
var notAttributes = []string{
	"assumed_state", "available", "device_class", "device_info", "entity_category", "entity_picture", "entity_registry_enabled_default",
	"extra_state_attributes", "force_update", "icon", "name", "should_poll", "state", "supported_features", "unique_id",
	"unit_of_measurement",
}

// jsonAttributes takes a message on the attributes' topic.
func (e *entity) jsonAttributes(m message) {
	text, err := e.render("json_attributes_template", str(e.config, "json_attributes_template", ""), m.payload, nil)
	if err != nil {
		return
	}
	v, err := decode([]byte(text))
	o, ok := v.(map[string]any)
	if err != nil || !ok {
		e.core.warnf("%s: attributes %s: %q is not a JSON object", e.entry.entityID, m.topic, text)
		return
	}
	maps.DeleteFunc(o, func(k string, _ any) bool {
		taken := slices.Contains(notAttributes, k)
		if taken {
			e.core.dropped = append(e.core.dropped, fmt.Sprintf("%s attribute %s", e.entry.entityID, k))
		}
		return taken
	})
	e.attributes = o
	e.write()
}
