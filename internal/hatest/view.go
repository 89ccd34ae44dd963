package hatest

import (
	"maps"
	"slices"
	"strings"
)

// Entity is how Home Assistant shows an entity, at one moment.
type Entity struct {
	Platform, UniqueID, EntityID string
	Name                         string // the friendly name: the device's and its own
	State                        string // unavailable, unknown, or as its platform has it: on, locked, 21.4
	Available                    bool
	Disabled                     bool           // known, but off until somebody enables it
	Restored                     bool           // known from before a restart, not announced yet
	Attributes                   map[string]any // from its JSON attributes
	Config                       map[string]any // as it was taken, with defaults and what it inherited; nil if Restored or Disabled
	Device                       Device
	States                       []string // all that were shown, without repeats
}

func (c *Core) view(n *entry) Entity {
	v := Entity{Platform: n.platform, UniqueID: n.uniqueID, EntityID: n.entityID, Name: n.name, State: unavailable, Disabled: n.disabled}
	if n.device != nil {
		v.Device = *n.device
	}
	e := c.entities[n.platform+" "+n.uniqueID]
	if e == nil {
		v.Restored = !n.disabled
		return v
	}
	v.State, v.Available = e.state(), e.available()
	v.Attributes, v.Config, v.States = maps.Clone(e.attributes), maps.Clone(e.config), slices.Clone(e.shown)
	return v
}

// Entities are all that the registry has, by their entity ids.
func (c *Core) Entities() []Entity {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Entity
	for _, n := range c.registry.entries {
		all = append(all, c.view(n))
	}
	slices.SortFunc(all, func(a, b Entity) int { return strings.Compare(a.EntityID, b.EntityID) })
	return all
}

// Find gives the entity with an entity id, or a unique id, and tells whether there is one.
func (c *Core) Find(id string) (Entity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.entry(id); n != nil {
		return c.view(n), true
	}
	return Entity{}, false
}

func (c *Core) entry(id string) *entry {
	for _, n := range c.registry.entries {
		if n.entityID == id || n.uniqueID == id {
			return n
		}
	}
	return nil
}

// Entity gives the entity with an entity id, or a unique id, and fails the test if there is none.
func (c *Core) Entity(id string) Entity {
	c.tb.Helper()
	e, ok := c.Find(id)
	if !ok {
		c.tb.Fatalf("Home Assistant has no entity %s\n%s", id, c.Dump())
	}
	return e
}

// Devices are those of the device registry, in the order in which they came.
func (c *Core) Devices() []Device {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Device
	for _, d := range c.registry.devices {
		all = append(all, *d)
	}
	return all
}

// DeviceTriggers are those that can be chosen for an automation, as "device: type subtype", sorted.
func (c *Core) DeviceTriggers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, t := range c.triggers {
		all = append(all, t.device.Name+": "+t.kind+" "+t.subtype)
	}
	slices.Sort(all)
	return all
}
