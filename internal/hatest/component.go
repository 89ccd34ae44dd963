package hatest

import (
	"errors"
	"fmt"
	"slices"
)

// validate holds a component against its platform's schema; what is dropped is noted.
func (c *Core) validate(p payload) (config map[string]any, ok bool) {
	place := fmt.Sprintf("%s %s (%s)", p.topic, p.key, p.platform)
	rules := schema().Platforms[p.platform]
	config, unknown, err := rules.check(p.config)
	if err == nil {
		var warnings []string
		warnings, err = checkPlatform(p.platform, config)
		for _, w := range warnings {
			c.warnf("%s: %s", place, w)
		}
	}
	switch {
	case errors.Is(err, errUnsupported):
		c.failf("%s: %v", place, err)
		return nil, false
	case err != nil:
		c.errorf("%s: %v", place, err)
		return nil, false
	}
	for _, k := range unknown {
		if k != "origin" && k != "device" && !slices.Contains(p.shared, k) { // the document's, which every component gets
			c.dropped = append(c.dropped, place+" "+k)
		}
	}
	if has(config, "object_id") {
		c.warnf("%s: object_id is deprecated: use default_entity_id", place)
	}
	return config, true
}

// add makes the entity or trigger of a newly discovered component.
func (c *Core) add(d *component) {
	config, ok := c.validate(d.payload)
	if !ok {
		delete(c.discovered, d.hash)
		return
	}
	dev, _ := d.config["device"].(map[string]any)
	if d.platform == "device_automation" {
		c.addTrigger(d, config, dev)
		return
	}
	uniqueID, _ := config["unique_id"].(string)
	id := d.platform + " " + uniqueID
	if other := c.entities[id]; other != nil {
		c.errorf("%s %s: platform mqtt does not generate unique IDs: ID %s already exists - ignoring %s", d.topic, d.key, uniqueID, other.entry.entityID)
		delete(c.discovered, d.hash)
		return
	}
	e := &entity{core: c, platform: d.platform, uniqueID: uniqueID, parts: map[string]*subscription{}, known: map[string]bool{}}
	e.entry = c.register(e, config, dev)
	if e.entry.disabled {
		delete(c.discovered, d.hash) // Home Assistant forgets what it does not add
		return
	}
	d.entity = e
	c.entities[id] = e
	e.configure(config)
}

// register finds or makes the registry's entry of an entity.
func (c *Core) register(e *entity, config, dev map[string]any) *entry {
	device := c.device(dev)
	id := e.platform + " " + e.uniqueID
	name := friendlyName(device.Name, entityName(e.platform, config))
	n := c.registry.entries[id]
	if n == nil {
		n = c.registry.deleted[id]
		delete(c.registry.deleted, id)
		wanted := slug(name)
		if text, ok := config["default_entity_id"].(string); ok {
			wanted = slug(behindDot(text))
		}
		if n != nil {
			wanted = behindDot(n.entityID)
		} else {
			n = &entry{platform: e.platform, uniqueID: e.uniqueID, disabled: config["enabled_by_default"] == false}
		}
		n.entityID = c.registry.free(e.platform, wanted)
		c.registry.entries[id] = n
		c.historyf("add %s", n.entityID)
	}
	n.name, n.device = name, device
	return n
}

// change takes a new configuration for a component that is there.
func (c *Core) change(d *component, p payload) {
	config, ok := c.validate(p)
	if !ok {
		return // it stays as it was
	}
	d.payload = p
	dev, _ := p.config["device"].(map[string]any)
	if d.trigger != nil {
		c.changeTrigger(d, config, dev)
		return
	}
	e := d.entity
	if id, _ := config["unique_id"].(string); id != e.uniqueID {
		c.ignoredf("%s %s: changed unique_id %s, it stays %s", p.topic, p.key, id, e.uniqueID)
	}
	was := e.entry.device
	c.register(e, config, dev)
	if was != e.entry.device {
		c.reap(was)
	}
	e.configure(config)
}

// remove takes a component away, and its device with the last one.
func (c *Core) remove(d *component) {
	delete(c.discovered, d.hash)
	if d.trigger != nil {
		c.removeTrigger(d.trigger)
		return
	}
	e := d.entity
	if e == nil {
		return
	}
	e.stop()
	id := e.platform + " " + e.uniqueID
	delete(c.entities, id)
	c.forget(id)
}

// forget takes an entity out of the registry, which remembers its entity id.
func (c *Core) forget(id string) {
	n := c.registry.entries[id]
	delete(c.registry.entries, id)
	c.registry.deleted[id] = n
	device := n.device
	n.device = nil
	c.historyf("remove %s", n.entityID)
	c.reap(device)
}

func behindDot(id string) string {
	for i := range id {
		if id[i] == '.' {
			return id[i+1:]
		}
	}
	return id
}
