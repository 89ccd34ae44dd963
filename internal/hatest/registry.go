package hatest

import (
	"fmt"
	"slices"
)

// Registry is what Home Assistant keeps over a restart: which unique id has which entity id, and the devices.
type Registry struct {
	entries map[string]*entry // by platform and unique id
	deleted map[string]*entry // remembered: an entity that comes back gets its entity id again
	devices []*Device
}

type entry struct {
	platform, uniqueID, entityID string
	name                         string // the last friendly name
	disabled                     bool
	device                       *Device
}

// Device is an entry of the device registry.
type Device struct {
	Identifiers                                                      []string
	Name, Manufacturer, Model, ModelID, SWVersion, HWVersion, Serial string
	ConfigurationURL                                                 string
	Area                                                             string // from suggested_area, while nobody has given another
	Via                                                              string // an identifier
}

func (r *Registry) copy() *Registry {
	n := &Registry{entries: map[string]*entry{}, deleted: map[string]*entry{}}
	if r == nil {
		return n
	}
	was := map[*Device]*Device{}
	for _, d := range r.devices {
		copied := *d
		was[d] = &copied
		n.devices = append(n.devices, &copied)
	}
	for from, to := range map[*map[string]*entry]map[string]*entry{&r.entries: n.entries, &r.deleted: n.deleted} {
		for k, e := range *from {
			copied := *e
			copied.device = was[e.device]
			to[k] = &copied
		}
	}
	return n
}

// EntityID is what an entity with this platform and unique id is called; "" for none.
func (r *Registry) EntityID(platform, uniqueID string) string {
	if e := r.entries[platform+" "+uniqueID]; e != nil {
		return e.entityID
	}
	return ""
}

// Enable is a user who enables a disabled entity, or disables one; it counts with the next Start. It tells whether there is one.
func (r *Registry) Enable(entityID string, on bool) bool {
	for _, e := range r.entries {
		if e.entityID == entityID {
			e.disabled = !on
			return true
		}
	}
	return false
}

// Rename is a user who gives an entity another entity id; it counts with the next Start. It tells whether there is one.
func (r *Registry) Rename(entityID, to string) bool {
	for _, e := range r.entries {
		if e.entityID == entityID {
			e.entityID = to
			return true
		}
	}
	return false
}

// free makes an entity id that is not taken.
func (r *Registry) free(platform, name string) string {
	taken := func(id string) bool {
		for _, e := range r.entries {
			if e.entityID == id {
				return true
			}
		}
		return false
	}
	id := platform + "." + name
	for n := 2; taken(id); n++ {
		id = fmt.Sprintf("%s.%s_%d", platform, name, n)
	}
	return id
}

// find gives the device with one of these identifiers.
func (r *Registry) find(identifiers []string) *Device {
	for _, d := range r.devices {
		for _, id := range identifiers {
			if slices.Contains(d.Identifiers, id) {
				return d
			}
		}
	}
	return nil
}

// device finds or makes the device of a component. What is not given stays as it was.
func (c *Core) device(config map[string]any) *Device {
	var ids []string
	list, _ := config["identifiers"].([]any)
	for _, id := range list {
		if s, ok := asString(id); ok {
			ids = append(ids, s)
		}
	}
	d := c.registry.find(ids)
	if d == nil {
		d = &Device{Identifiers: ids}
		c.registry.devices = append(c.registry.devices, d)
		name, _ := config["name"].(string)
		c.historyf("add device %s", name)
	}
	for _, id := range ids {
		if !slices.Contains(d.Identifiers, id) {
			d.Identifiers = append(d.Identifiers, id)
		}
	}
	for key, field := range map[string]*string{
		"name": &d.Name, "manufacturer": &d.Manufacturer, "model": &d.Model, "model_id": &d.ModelID, "sw_version": &d.SWVersion,
		"hw_version": &d.HWVersion, "serial_number": &d.Serial, "configuration_url": &d.ConfigurationURL, "via_device": &d.Via,
	} {
		if s, ok := config[key].(string); ok {
			*field = s
		}
	}
	if area, ok := config["suggested_area"].(string); ok && d.Area == "" {
		d.Area = area
	}
	if d.Via != "" && c.registry.find([]string{d.Via}) == nil {
		c.registry.devices = append(c.registry.devices, &Device{Identifiers: []string{d.Via}})
		c.historyf("add device (nameless, because %s goes via it) %s", d.Name, d.Via)
	}
	return d
}

// reap removes a device to which nothing belongs any more.
func (c *Core) reap(d *Device) {
	if d == nil {
		return
	}
	for _, e := range c.registry.entries {
		if e.device == d {
			return
		}
	}
	for _, t := range c.triggers {
		if t.device == d {
			return
		}
	}
	c.registry.devices = slices.DeleteFunc(c.registry.devices, func(o *Device) bool { return o == d })
	c.historyf("remove device %s", d.Name)
}
