package bridge

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// catalogue is all that a gateway announces, while it is made: a book for the gateway, and one for each area, because Home Assistant
// has areas for devices only.
type catalogue struct {
	cfg     *Config
	topics  *Topics
	about   *About
	id      string       // of the gateway
	gateway availability // whether it is there
	books   []*book      // the gateway's first
	slugs   map[string]string
	areas   map[string]*book
	called  map[string]bool // subtypes of device triggers that are taken, by book
}

// discover makes the books of a configuration: the gateway's first, then one for each area.
func discover(cfg *Config, t *Topics, about *About) []*book {
	c := &catalogue{cfg: cfg, topics: t, about: about, id: cmp.Or(cfg.ID, cfg.Device), areas: map[string]*book{}, called: map[string]bool{}}
	c.gateway = presence(t.StatusOf(cfg.Status))
	c.slugs = c.areaSlugs()
	home := c.add("", device{
		Identifiers: []string{"gatewayd_" + c.id}, Name: gatewayName(cfg), Manufacturer: "gatewayd", Model: cmp.Or(about.Model, "GPIO gateway"),
		SWVersion: about.Version, SerialNumber: about.Serial, Area: cfg.HomeAssistant.Area,
	})
	if strings.HasPrefix(about.Model, "Raspberry Pi") {
		home.Device.Manufacturer = "Raspberry Pi"
	}
	c.areas[sameArea(cfg.HomeAssistant.Area)], c.areas[""] = home, home
	for i := range cfg.Inputs {
		cfg.Inputs[i].announce(c)
	}
	for i := range cfg.Outputs {
		cfg.Outputs[i].announce(c)
	}
	for i := range cfg.Groups {
		cfg.Groups[i].announce(c)
	}
	for i := range cfg.Sensors {
		cfg.Sensors[i].announce(c)
	}
	for i := range cfg.Counters {
		cfg.Counters[i].announce(c)
	}
	for i := range cfg.Encoders {
		cfg.Encoders[i].announce(c)
	}
	c.diagnostics()
	if len(home.Components) > 0 { // a device without any does not come to be, and cannot be pointed to
		for _, b := range c.books[1:] {
			b.Device.Via = home.Device.Identifiers[0]
		}
	}
	for _, b := range c.books {
		for i := range b.Components {
			b.Components[i].raw = marshal(&b.Components[i])
		}
	}
	return c.books
}

// gatewayName is the gateway's name for people.
func gatewayName(cfg *Config) string {
	return cmp.Or(cfg.HomeAssistant.Name, title(strings.ReplaceAll(cfg.Device, "-", "_")))
}

// presence is the gateway's status as an availability. Where a clean stop has a word of its own, a template takes any other word than
// that for online as offline: Home Assistant ignores a third one.
func presence(s Status) availability {
	if s.Stopped == s.Offline {
		return availability{Topic: s.Topic, Yes: unless("online", s.Online), No: unless("offline", s.Offline)}
	}
	return availability{Topic: s.Topic, Template: "{{ 'online' if value == " + jinja(s.Online) + " else 'offline' }}"}
}

// unless gives a word that is not Home Assistant's own, and leaves that out.
func unless(usual, word string) string {
	if word == usual {
		return ""
	}
	return word
}

func (c *catalogue) add(name string, d device) *book {
	b := &book{name: name, Device: d, Origin: origin{Name: originName, Version: c.about.Version}, Available: []availability{c.gateway}}
	c.books = append(c.books, b)
	return b
}

// book gives the book of an area, which it starts where there is none yet.
func (c *catalogue) book(area string) *book {
	key := sameArea(area)
	b := c.areas[key]
	if b == nil {
		slug := c.slugs[key]
		b = c.add(slug, device{
			Identifiers: []string{"gatewayd_" + c.id + "." + slug}, // a dot: no id has one, so that no other gateway has this identifier
			Name:        area, Manufacturer: "gatewayd", Model: "GPIO points", SWVersion: c.about.Version, Area: area,
		})
		c.areas[key] = b
	}
	return b
}

// showing is a point on its way into a book.
type showing struct {
	Entity
	point string // its name
	qos   byte
	book  *book
}

// shows begins with a point; nil: it is not to be announced.
func (c *catalogue) shows(e Entity, point string, qos byte, can []string) *showing {
	if e.Component == NoComponent || !slices.Contains(can, e.Component) {
		return nil
	}
	return &showing{e, point, qos, c.book(e.Area)}
}

// component begins one of the point's components: the main one if part is empty.
func (c *catalogue) component(s *showing, platform, part, name, class string) component {
	e := c.entity(s.ID, part, platform, s.point)
	e.point = s.point
	if platform == "sensor" || platform == "binary_sensor" && part != "" {
		e.EntityID += "_" + slug(part)
	}
	e.Name = naming(apart(s.book.Device.Name, name))
	if slices.Contains(DeviceClasses(platform), class) {
		e.Class = class
	}
	e.Icon = s.Icon
	if CategoryFits(platform, s.Category) {
		e.Category = s.Category
	}
	if s.Disabled {
		e.Enabled = new(false)
	}
	e.QoS = level(s.qos)
	e.Available = []availability{c.gateway, {Topic: c.topics.Availability(s.point)}}
	return e
}

// entity gives a component its identity.
func (c *catalogue) entity(id, part, platform, name string) component {
	key := id
	if part != "" {
		key += "-" + part
	}
	return component{key: key, Platform: platform, UniqueID: "gatewayd_" + c.id + "." + key,
		EntityID: platform + "." + cmp.Or(slug(c.cfg.Device), "gatewayd") + "_" + cmp.Or(slug(name), "point")}
}

// naming is a component's name: none of its own is null.
func naming(name string) json.RawMessage {
	if name == "" {
		return json.RawMessage("null")
	}
	return marshal(name)
}

// level leaves out what Home Assistant takes anyway.
func level(qos byte) *byte {
	if qos == 0 {
		return nil
	}
	return &qos
}
