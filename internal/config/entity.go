package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// entity is the section home_assistant of a point, and its id, which stands beside its name.
type entity struct {
	place
	bridge.Entity
}

var entityKeys = []key[*entity]{
	field("component", "what it is there, such as light or valve; made from its kind and names unless said", text("a component, such as light", 64), func(e *entity) *string { return &e.Component }),
	field("device_class", "what it switches, or what its state means", text("a device class, such as outlet, door or motion", 64), func(e *entity) *string { return &e.DeviceClass }),
	field("name", "what people call it there; its label unless said", text("any text", 200), func(e *entity) *string { return &e.Name }),
	field("icon", "its picture", icon, func(e *entity) *string { return &e.Icon }),
	field("category", "keeps it away from what people use each day", oneOf(choice[string]{"config", "config"}, choice[string]{"diagnostic", "diagnostic"}),
		func(e *entity) *string { return &e.Category }),
	field("area", "the room that it is in", shortText, func(e *entity) *string { return &e.Area }),
	field("enabled", "false: known there, but off until somebody enables it", not(boolean), func(e *entity) *bool { return &e.Disabled }, false),
}

// entityGroup is the section for a kind of point.
func entityGroup[P point]() key[P] {
	return orNot(group("home_assistant", "how controllers show it; false: not at all", entityKeys, func(p P) *entity { return &p.self().home }),
		func(p P, yes bool) {
			if !yes {
				p.self().home.Component = bridge.NoComponent
			}
		})
}

// not is a value that means the opposite of what is kept.
func not(v value[bool]) value[bool] {
	parse, node := v.parse, v.node
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (bool, bool) {
		b, ok := parse(n, complain)
		return !b, ok
	}
	v.node = func(b bool) *yaml.Node { return node(!b) }
	return v
}

// checkEntities completes how the points are shown, from what the file says: topics that it does not give suggest nothing.
func (d *draft) checkEntities() {
	c := &bridge.Config{}
	for _, p := range d.points {
		p.join(c)
	}
	areas := map[string]*entity{}
	for _, p := range d.points {
		b := p.self()
		e := &b.home
		shown, can := p.shown(c)
		e.Entity = shown
		switch n, path := e.at("component"); {
		case e.bad["component"]:
			continue
		case e.has("component") && !slices.Contains(can, e.Component):
			d.errorf(n, path, "%s is not what %s can be: wanted %s%s", quote(e.Component), a(b.kind), join(can, "or"), didYouMean(e.Component, can))
			continue
		case e.Component == "button":
			if o := staysOn(p); o != nil {
				d.errorf(n, path, "a button has no off, but %s stays on: give it a pulse, such as pulse: 500ms, or write component: switch here", &o.base)
			}
		}
		d.checkClass(p, can)
		if !bridge.CategoryFits(e.Component, e.Category) {
			e.errorf(&d.notes, "category", "Home Assistant has config only for what takes commands: write diagnostic, or remove this key")
		}
		if e.Area == "" {
			continue
		}
		if other := areas[strings.ToLower(e.Area)]; other == nil {
			areas[strings.ToLower(e.Area)] = e
		} else if n, path := e.at("area"); other.Area != e.Area {
			d.warnf(n, path, "%s is another room than %s in line %d: write both alike", quote(e.Area), quote(other.Area), other.given["area"].Line)
		}
	}
}

// staysOn gives an output without a pulse among those that a point switches; nil: none.
func staysOn(p point) *output {
	if p, ok := p.(interface{ drives() []*output }); ok {
		for _, o := range p.drives() {
			if o.pulse == 0 && !o.bad["pulse"] {
				return o
			}
		}
	}
	return nil
}

// checkClass looks at a device class that was given. Where there is none it writes that down, so that a complete topic, which has the
// gateway's name in it, suggests none either.
func (d *draft) checkClass(p point, can []string) {
	e := &p.self().home
	classes := bridge.DeviceClasses(e.Component)
	s, isSensor := p.(*sensor)
	if c, isCounter := p.(*counter); isCounter {
		if e.has("device_class") && !e.bad["device_class"] {
			c.checkCounterClass(d)
		}
		return
	}
	if !e.has("device_class") {
		if e.DeviceClass == "" && classes != nil && !isSensor {
			e.DeviceClass = bridge.NoComponent
		}
		return
	}
	if e.bad["device_class"] {
		return
	}
	said, msg := quote(e.DeviceClass), ""
	switch {
	case e.Component == bridge.NoComponent:
		msg = "what is not announced (component: none) has no device class: remove this key"
	case isSensor && (s.driver == nil || s.unknown):
	case isSensor && len(s.told) != 1:
		msg = fmt.Sprintf("%s has %d readings, each with a device class of its own: remove this key", a(s.driver.Name), len(s.told))
	case e.DeviceClass == bridge.NoComponent && classes != nil, slices.Contains(classes, e.DeviceClass):
		if isSensor && e.DeviceClass != bridge.NoComponent && !bridge.ClassFits(e.DeviceClass, s.told[0].Unit) {
			msg = fmt.Sprintf("%s does not fit the unit of the %s, %s: remove this key", said, s.told[0].Name, s.told[0].Unit)
		}
	default:
		msg = said + " is not a device class of " + a(e.Component)
		hint := ""
		for _, other := range can {
			if slices.Contains(bridge.DeviceClasses(other), e.DeviceClass) {
				hint = fmt.Sprintf(", but of %s: write component: %s", a(other), other)
			}
		}
		if hint == "" {
			hint = didYouMean(e.DeviceClass, classes)
		}
		switch {
		case hint != "":
		case classes == nil:
			hint = ", which has none: remove this key"
		default:
			hint = ": wanted " + join(slices.Concat(classes, []string{bridge.NoComponent}), "or")
		}
		msg += hint
	}
	if msg != "" {
		e.errorf(&d.notes, "device_class", "%s", msg)
	}
}

// checkIDs gives every point an id, and tells of two that have the same.
func (d *draft) checkIDs() {
	used := map[string]point{}
	for _, p := range d.points { // first those that are given or clear, so that a name is told of where it stands in the way
		b := p.self()
		switch other := used[b.home.ID]; {
		case !b.has("id") || b.bad["id"]:
			continue
		case slices.Contains(bridge.Reserved, b.home.ID):
			b.errorf(&d.notes, "id", "%q is what the gateway itself is known by: choose another id", b.home.ID)
		case other != nil:
			b.errorf(&d.notes, "id", "%s has this id already: controllers could not tell the two apart", other.self())
		default:
			used[b.home.ID] = p
		}
	}
	for _, p := range d.points {
		b := p.self()
		if b.has("id") || b.bad["name"] {
			continue
		}
		b.home.ID = b.name
		if other := used[b.name]; other != nil {
			o := other.self()
			o.errorf(&d.notes, "id", "%s is known by this, since it has no id of its own and its name stands for it: choose another id here, or give that one an id, too", b)
		}
	}
}
