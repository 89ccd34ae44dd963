package config

import (
	"errors"
	"slices"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// quantity is what becomes of one of a sensor's quantities.
type quantity struct {
	place
	of        string // as its driver calls it
	unit      string
	class     string
	precision int // -1: as its driver has it
	sensors.Treatment
}

var quantityKeys = []key[*quantity]{
	field("name", "what topics and rules call it; as its driver does unless said", name, func(q *quantity) *string { return &q.Name }),
	field("unit", "its unit, after the filters", text("a unit such as %, or bar", 20), func(q *quantity) *string { return &q.unit }),
	field("device_class", "what controllers take it for; none: nothing", text("a device class of a sensor, such as moisture", 64), func(q *quantity) *string { return &q.class }),
	field("precision", "the decimals that are told", precision, func(q *quantity) *int { return &q.precision }, -1),
	field("filters", "what its readings go through, in this order", filters, func(q *quantity) *[]sensors.Filter { return &q.Filters }),
}

// precision is a number of decimals; -1 is not printed.
var precision = func() value[int] {
	v := integer[int]("a number of decimals", 0, 6)
	node := v.node
	v.node = func(n int) *yaml.Node {
		if n < 0 {
			return nil
		}
		return node(n)
	}
	return v
}()

// quantitiesKey describes a group with a section for each quantity that is named.
var quantitiesKey = key[*sensor]{
	name: "quantities", doc: "what becomes of single quantities", want: "a group such as temperature: {filters: [offset: -0.4]}",
	preset: func(*sensor) {},
	read: func(r *notes, n *yaml.Node, path string, s *sensor) bool {
		if refused(n) {
			return false
		}
		if n.Kind != yaml.MappingNode {
			r.errorf(n, path, "the names of quantities are wanted here, each with what becomes of it, such as temperature: {filters: [offset: -0.4]}; not %s", kindName(n))
			return false
		}
		good := true
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			of, ok := name.parse(k, func(n *yaml.Node, msg string) { r.errorf(n, path, "%s", msg) })
			if !ok {
				good = false
				continue
			}
			if slices.ContainsFunc(s.treated, func(q *quantity) bool { return q.of == of }) {
				r.errorf(k, path+"."+of, "given twice")
				good = false
				continue
			}
			q := &quantity{of: of}
			presets(quantityKeys, q)
			if !readSection(r, v, path+"."+of, quantityKeys, nil, q) {
				good = false
			}
			s.treated = append(s.treated, q)
		}
		return good
	},
	node: func(s *sensor) *yaml.Node {
		out := &yaml.Node{Kind: yaml.MappingNode}
		for _, q := range s.treated {
			out.Content = append(out.Content, word(q.of), printSection(quantityKeys, q))
		}
		if len(out.Content) == 0 {
			return nil
		}
		return out
	},
}

// choose finds out what the sensor measures, and what of it is told, how.
func (s *sensor) choose(d *draft) {
	for _, k := range s.driver.Keys {
		if s.bad[k.Name] {
			s.unknown = true
			return
		}
	}
	if s.unknown = s.bad["measures"] || s.bad["quantities"]; s.unknown {
		return
	}
	var there []sensors.Quantity
	var err error
	if s.driver.Check != nil {
		err = s.driver.Check(s.options())
	}
	if err == nil {
		there, err = offered.of(s)
	}
	if wrong := (*sensors.WrongSetting)(nil); errors.As(err, &wrong) {
		s.unknown = true
		s.errorf(&d.notes, wrong.Key, "%s", wrong.Why)
		return
	}
	if err != nil {
		if len(s.measures) == 0 {
			s.unknown = true
			s.warnf(d, "type", "what it measures is not known as long as it is not there (%v): name it with measures: [...], to have it announced all the same", err)
			return
		}
		for _, name := range s.measures {
			there = append(there, sensors.Standard(name))
		}
	}
	s.told = s.wanted(d, there)
	for _, q := range s.treated {
		s.treat(d, q)
	}
	var names []string
	s.told = slices.DeleteFunc(s.told, func(q sensors.Quantity) bool {
		switch {
		case slices.Contains(bridge.ReservedBelow, q.Name):
			s.errorf(&d.notes, "quantities", "%s is a topic of the sensor itself: choose another name for the quantity", q.Name)
		case slices.Contains(names, q.Name):
			s.errorf(&d.notes, "quantities", "two quantities are called %s: one can be renamed with name:", q.Name)
		default:
			names = append(names, q.Name)
			return false
		}
		return true
	})
}

func (s *sensor) warnf(d *draft, key, format string, args ...any) {
	n, path := s.at(key)
	d.warnf(n, path, format, args...)
}

// asDevice reports that the device decides what is measured: the one that is there now may be another one than that of tomorrow.
func (s *sensor) asDevice() bool { return s.driver.Offers != nil && len(s.driver.Addrs) == 0 }

// wanted gives those of the quantities that are told.
func (s *sensor) wanted(d *draft, offered []sensors.Quantity) []sensors.Quantity {
	if len(s.measures) == 0 {
		return slices.Clone(offered)
	}
	var told []sensors.Quantity
	n, path := s.at("measures")
	for i, want := range s.measures {
		at := slices.IndexFunc(offered, func(q sensors.Quantity) bool { return q.Name == want })
		switch {
		case at >= 0 && slices.Contains(s.measures[:i], want):
			d.errorf(elements(n)[i], path, "%s is there twice", want)
		case at >= 0:
			told = append(told, offered[at])
		case s.asDevice():
			d.warnf(elements(n)[i], path, "the %s that is there does not measure %s%s", s.driver.Name, want, offers(want, offered))
			told = append(told, sensors.Standard(want))
		default:
			d.errorf(elements(n)[i], path, "%s does not measure %s%s", a(s.driver.Name), want, offers(want, offered))
			s.unknown = true
		}
	}
	return told
}

// offers says what there is instead.
func offers(want string, offered []sensors.Quantity) string {
	var known []string
	for _, q := range offered {
		known = append(known, q.Name)
	}
	if hint := didYouMean(want, known); hint != "" {
		return hint
	}
	return ": it has " + join(known, "and")
}

// treat changes a quantity as the file says.
func (s *sensor) treat(d *draft, q *quantity) {
	at := slices.IndexFunc(s.told, func(told sensors.Quantity) bool { return told.Name == q.of })
	if at < 0 {
		d.errorf(q.node, q.path, "%s does not tell %s%s", a(s.driver.Name), q.of, offers(q.of, s.told))
		return
	}
	t := &s.told[at]
	for _, k := range []string{"unit", "precision"} {
		if t.Flag && q.has(k) {
			q.errorf(&d.notes, k, "%s is ON or OFF: remove this key", q.of)
		}
	}
	if q.has("unit") {
		t.Unit = q.unit
		if !q.has("device_class") && !bridge.ClassFits(t.Class, t.Unit) {
			t.Class = ""
		}
	}
	switch {
	case !q.has("device_class"):
	case q.class == bridge.NoComponent:
		t.Class = ""
	case t.Flag && slices.Contains(bridge.DeviceClasses("binary_sensor"), q.class):
		t.Class = q.class
	case t.Flag:
		q.errorf(&d.notes, "device_class", "%s is not a device class of what is ON or OFF%s", quote(q.class), didYouMean(q.class, bridge.DeviceClasses("binary_sensor")))
	case !slices.Contains(bridge.DeviceClasses("sensor"), q.class):
		q.errorf(&d.notes, "device_class", "%s is not a device class of a sensor%s", quote(q.class), didYouMean(q.class, bridge.DeviceClasses("sensor")))
	case !bridge.ClassFits(q.class, t.Unit):
		q.errorf(&d.notes, "device_class", "Home Assistant takes no %s in %s: give another unit, after filters that calculate it, or write none here", quote(q.class), quote(t.Unit))
	default:
		t.Class = q.class
	}
	for i := range q.Filters {
		switch f := &q.Filters[i]; {
		case f.Round != nil:
			t.Precision = max(0, *f.Round)
		case f.Delta != nil:
			if f.Delta.Heartbeat < s.every && !s.bad["every"] {
				q.errorf(&d.notes, "filters", "heartbeat: %s is shorter than every: %s", bridge.Hours(f.Delta.Heartbeat), bridge.Hours(s.every))
			}
			t.Heartbeat = f.Delta.Heartbeat
		}
	}
	if q.precision >= 0 {
		t.Precision = q.precision
	}
	if q.Name != "" {
		t.Name = q.Name
	}
}
