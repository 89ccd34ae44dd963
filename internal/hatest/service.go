package hatest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TurnOn calls the service of switches, lights and sirens.
func (c *Core) TurnOn(id string) { c.tb.Helper(); c.call(id, "turn_on", 0) }

// TurnOff calls the service of switches, lights and sirens.
func (c *Core) TurnOff(id string) { c.tb.Helper(); c.call(id, "turn_off", 0) }

// SirenOn has a siren sound for a time, which Home Assistant gives in whole seconds; 0: without one.
func (c *Core) SirenOn(id string, d time.Duration) { c.tb.Helper(); c.call(id, "turn_on", d) }

// Toggle turns on what is off, and off what is on; Home Assistant does it by the state it shows.
func (c *Core) Toggle(id string) {
	c.tb.Helper()
	if c.Entity(id).State == "on" {
		c.TurnOff(id)
	} else {
		c.TurnOn(id)
	}
}

// Press calls the service of buttons.
func (c *Core) Press(id string) { c.tb.Helper(); c.call(id, "press", 0) }

// Open calls the service of valves.
func (c *Core) Open(id string) { c.tb.Helper(); c.call(id, "open", 0) }

// Close calls the service of valves.
func (c *Core) Close(id string) { c.tb.Helper(); c.call(id, "close", 0) }

// Lock calls the service of locks.
func (c *Core) Lock(id string) { c.tb.Helper(); c.call(id, "lock", 0) }

// Unlock calls the service of locks.
func (c *Core) Unlock(id string) { c.tb.Helper(); c.call(id, "unlock", 0) }

// services are what a platform offers: the payload's key, its default, and the state that Home Assistant assumes.
var services = map[string][3]string{
	"switch turn_on": {"payload_on", "ON", "on"}, "switch turn_off": {"payload_off", "OFF", "off"},
	"light turn_on": {"payload_on", "ON", "on"}, "light turn_off": {"payload_off", "OFF", "off"},
	"siren turn_on": {"payload_on", "ON", "on"}, "siren turn_off": {"payload_off", "OFF", "off"},
	"button press": {"payload_press", "PRESS", ""},
	"valve open":   {"payload_open", "OPEN", "open"}, "valve close": {"payload_close", "CLOSE", "closed"},
	"lock lock": {"payload_lock", "LOCK", "locked"}, "lock unlock": {"payload_unlock", "UNLOCK", "unlocked"},
}

// call publishes what Home Assistant does for a service. Nothing is sent to an entity that is not available.
func (c *Core) call(id, service string, d time.Duration) {
	c.tb.Helper()
	topic, payload, qos, retain, err := c.command(id, service, d)
	if err != nil {
		c.tb.Errorf("Home Assistant: %s %s: %v", service, id, err)
		return
	}
	c.wait(c.client.Publish(topic, qos, retain, payload))
}

func (c *Core) command(id, service string, d time.Duration) (topic, payload string, qos byte, retain bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.entry(id)
	if n == nil {
		return "", "", 0, false, fmt.Errorf("there is no such entity")
	}
	e := c.entities[n.platform+" "+n.uniqueID]
	if e == nil || !e.available() {
		return "", "", 0, false, fmt.Errorf("it is unavailable")
	}
	s, ok := services[e.platform+" "+service]
	topic, commands := e.config["command_topic"].(string)
	if !ok || !commands {
		return "", "", 0, false, fmt.Errorf("a %s has no such service, or no command_topic", e.platform)
	}
	payload, given := e.config[s[0]].(string)
	if v, named := e.config[s[0]]; !given && named && v == nil {
		return "", "", 0, false, fmt.Errorf("%s is null: the feature is not there", s[0])
	} else if !given {
		payload = s[1]
	}
	if e.platform == "siren" {
		payload, err = e.siren(payload, service, d)
	} else {
		payload, err = e.render("command_template", str(e.config, "command_template", ""), payload, nil)
	}
	if err != nil {
		return "", "", 0, false, err
	}
	if _, told := e.config["state_topic"]; s[2] != "" && (!told || e.config["optimistic"] == true) {
		e.value = s[2]
	}
	if e.platform == "button" {
		e.value = time.Now().UTC().Format(time.RFC3339Nano)
	}
	e.write()
	return topic, payload, byte(num(e.config, "qos")), e.config["retain"] == true, nil
}

// siren makes a siren's command: JSON, unless a template makes something else of it.
func (e *entity) siren(state, service string, d time.Duration) (string, error) {
	variables := map[string]any{"state": state}
	type command struct {
		State    string `json:"state"`
		Duration int64  `json:"duration,omitempty"`
	}
	order := command{State: state}
	if service == "turn_on" && d > 0 && e.config["support_duration"] != false {
		order.Duration = int64(d / time.Second)
		variables["duration"] = order.Duration
	}
	source := str(e.config, "command_template", "")
	if service == "turn_off" {
		source = str(e.config, "command_off_template", source)
	}
	if source == "" {
		text, err := json.Marshal(order)
		return string(text), err
	}
	return e.render("command_template", source, state, variables)
}

// DeleteDevice is a user who deletes a device, named by one of its identifiers: Home Assistant removes all that belongs to it, what is
// disabled, too, and empties its config topics.
func (c *Core) DeleteDevice(identifier string) {
	c.tb.Helper()
	c.clear(func(d *Device) bool { return slices.Contains(d.Identifiers, identifier) })
}

func (c *Core) clear(is func(*Device) bool) {
	c.tb.Helper()
	topics := c.cleared(is)
	if len(topics) == 0 {
		c.tb.Errorf("Home Assistant: no such device\n%s", strings.TrimSpace(c.Dump()))
	}
	for _, t := range topics {
		c.wait(c.client.Publish(t, 0, true, ""))
	}
}

// cleared removes what belongs to a device, and gives its config topics.
func (c *Core) cleared(is func(*Device) bool) (topics []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, hash := range sorted(c.discovered) {
		d := c.discovered[hash]
		if d.entity != nil && is(d.entity.entry.device) || d.trigger != nil && is(d.trigger.device) {
			if !c.emptied[d.topic] {
				c.emptied[d.topic] = true
				topics = append(topics, d.topic)
			}
			c.remove(d)
		}
	}
	for _, id := range sorted(c.registry.entries) {
		if n := c.registry.entries[id]; n.device != nil && is(n.device) {
			c.forget(id)
		}
	}
	return topics
}
