package hatest

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// receive takes a message on the state topic.
func (e *entity) receive(m message) {
	key := "value_template"
	if e.platform == "light" || e.platform == "siren" {
		key = "state_value_template"
	}
	text, err := e.render(key, str(e.config, key, ""), m.payload, nil)
	if err != nil {
		if e.platform != "switch" && e.platform != "binary_sensor" {
			return
		}
		text = m.payload // as if there were no template
	}
	ok := true
	switch e.platform {
	case "switch", "light", "binary_sensor", "siren":
		ok = e.onOff(text)
	case "lock":
		ok = e.lock(text)
	case "valve":
		ok = e.valve(text)
	case "sensor":
		e.sensor(m, text)
	case "event":
		e.event(m, text)
	}
	if !ok {
		e.core.ignoredf("%s: state %s: %q matches nothing", e.entry.entityID, m.topic, text)
	}
	e.write()
}

// onOff takes the state of what is on or off. Without a match nothing happens.
func (e *entity) onOff(text string) bool {
	on := str(e.config, "state_on", str(e.config, "payload_on", "ON"))
	off := str(e.config, "state_off", str(e.config, "payload_off", "OFF"))
	if e.platform == "siren" && text != "" && text != on && text != off && text != "None" {
		v, err := decode([]byte(text))
		o, ok := v.(map[string]any)
		if err != nil || !ok {
			e.core.warnf("%s: no valid (JSON) payload: %q", e.entry.entityID, text)
			return true
		}
		text, _ = o["state"].(string)
	}
	switch text {
	case on:
		e.value = "on"
	case off:
		e.value = "off"
	case "None":
		e.value = unknown
	default:
		return false
	}
	if e.platform == "binary_sensor" {
		e.fresh()
		e.offDelay()
	}
	return true
}

// offDelay switches a binary sensor off by itself.
func (e *entity) offDelay() {
	if e.off != nil {
		e.off.Stop()
	}
	if delay := num(e.config, "off_delay"); delay > 0 && e.value == "on" {
		e.off = e.core.after(time.Duration(delay)*time.Second, func() { e.value = "off"; e.write() })
	}
}

// fresh restarts the time after which a state is too old. A retained message counts as fresh, however old it is.
func (e *entity) fresh() {
	if e.expiry != nil {
		e.expiry.Stop()
	}
	e.expired = false
	if after := num(e.config, "expire_after"); after > 0 {
		e.expiry = e.core.after(time.Duration(after)*time.Second, func() { e.expired = true; e.write() })
	}
}

var lockStates = [][2]string{ // key, what it shows
	{"state_jammed", "jammed"}, {"state_locked", "locked"}, {"state_locking", "locking"}, {"state_open", "open"}, {"state_opening", "opening"},
	{"state_unlocked", "unlocked"}, {"state_unlocking", "unlocking"},
}

func (e *entity) lock(text string) bool {
	if text == str(e.config, "payload_reset", "None") {
		e.value = unknown
		return true
	}
	for _, s := range lockStates {
		if text == str(e.config, s[0], strings.ToUpper(s[1])) {
			e.value = s[1]
			return true
		}
	}
	return false
}

func (e *entity) valve(text string) bool {
	if text == "" {
		return false
	}
	if v, err := decode([]byte(text)); err == nil {
		if o, ok := v.(map[string]any); ok {
			text, _ = o["state"].(string)
		}
	}
	for _, s := range []string{"open", "closed", "opening", "closing"} {
		if text == str(e.config, "state_"+s, s) {
			e.value = s
			return true
		}
	}
	if text == "None" {
		e.value = unknown
		return true
	}
	e.core.warnf("%s: %q is not one of open, closed, opening, closing", e.entry.entityID, text)
	return true
}

func (e *entity) sensor(m message, text string) {
	e.fresh()
	class, _ := e.config["device_class"].(string)
	number := numeric(e.config)
	switch {
	case text == "None":
		e.value = unknown
	case number && text == "":
	case number:
		if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			e.core.errorf("%s: %s: %q is not a number", e.entry.entityID, m.topic, text)
			e.value = unknown
			return
		}
		e.value = text
	case (class == "enum" || class == "date" || class == "timestamp") && str(e.config, "unit_of_measurement", "") != "":
		e.core.errorf("%s: a unit_of_measurement with device_class %s", e.entry.entityID, class)
	case class == "enum":
		options, given := e.config["options"].([]any)
		for _, o := range options {
			if o == text {
				e.value = text
				return
			}
		}
		if given {
			e.core.warnf("%s: %q is not one of its options", e.entry.entityID, text)
			return
		}
		e.value = text
	case class == "timestamp":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			e.core.errorf("%s: %q is not a time with a time zone", e.entry.entityID, text)
			return
		}
		e.value = text
	case class == "date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			e.core.warnf("%s: %q is not a date", e.entry.entityID, text)
			return
		}
		e.value = text
	case len(text) > 255:
		e.core.warnf("%s: state is longer than 255 characters", e.entry.entityID)
		e.value = unknown
	default:
		e.value = text
	}
}

// event takes an occurrence; retained ones are ignored.
func (e *entity) event(m message, text string) {
	if m.retained {
		e.core.ignoredf("%s: retained event %s %s", e.entry.entityID, m.topic, m.payload)
		return
	}
	v, err := decode([]byte(text))
	o, ok := v.(map[string]any)
	kind, _ := o["event_type"].(string)
	if err != nil || !ok {
		e.core.warnf("%s: %q is not a JSON object: no event", e.entry.entityID, text)
		return
	}
	types, _ := e.config["event_types"].([]any)
	for _, t := range types {
		if t == kind {
			delete(o, "event_type")
			e.value = time.Now().UTC().Format(time.RFC3339Nano)
			e.core.events = append(e.core.events, Event{e.entry.entityID, kind, o, time.Now()})
			return
		}
	}
	e.core.warnf("%s: event_type %q is not one of %v", e.entry.entityID, kind, types)
}
