package openhabtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Item is an Item or a Group.
type Item struct {
	Type     string // Switch, Number:Temperature, Group
	Name     string
	Label    string // without the state's format
	Format   string // of the state
	Icon     string
	Groups   []string
	Tags     []string
	Channels []string          // UIDs
	Metadata map[string]string // unit, expire, autoupdate
}

// ParseItems reads an .items file.
func ParseItems(text string) ([]Item, error) {
	s := scan(text)
	var all []Item
	for s.err == nil && len(s.tokens) > 0 {
		it := Item{Type: s.id(), Metadata: map[string]string{}}
		for s.is(":") {
			it.Type += ":" + s.id()
		}
		if it.Name = s.id(); slices.Contains(itemWords, it.Name) {
			s.errorf("%q is a word of the grammar and no name", it.Name)
		}
		if s.isString() {
			it.Label = s.string()
			// As GenericItemProvider does it: from the first [ to the last ].
			if strings.Contains(it.Label, "[") && strings.Contains(it.Label, "]") {
				from, to := strings.Index(it.Label, "["), strings.LastIndex(it.Label, "]")
				if from > to {
					s.errorf("%s: label %q: openHAB cannot cut out the format", it.Name, it.Label)
					break
				}
				it.Label, it.Format = strings.TrimSpace(it.Label[:from]), it.Label[from+1:to]
			}
		}
		if s.is("<") {
			it.Icon = s.id()
			s.want(">")
		}
		if s.peek("(") {
			it.Groups = s.list("(", ")")
		}
		if s.peek("[") {
			it.Tags = s.list("[", "]")
		}
		if s.is("{") {
			s.bindings(&it)
		}
		all = append(all, it)
	}
	return all, s.err
}

// list takes names or strings between two marks.
func (s *scanner) list(begin, end string) (all []string) {
	s.want(begin)
	for s.err == nil {
		if begin == "[" && s.isString() {
			all = append(all, s.string())
		} else {
			all = append(all, s.id())
		}
		if s.is(end) {
			break
		}
		s.want(",")
	}
	return all
}

func (s *scanner) bindings(it *Item) {
	for s.err == nil {
		key := s.id()
		s.want("=")
		value := s.string()
		if key == "channel" {
			it.Channels = append(it.Channels, value)
		} else {
			it.Metadata[key] = value
		}
		s.properties()
		if s.is("}") {
			return
		}
		s.want(",")
	}
}

// itemWords are those that the grammar of openHAB 4 has for itself.
var itemWords = strings.Fields("Group Switch Rollershutter Number String Dimmer Contact DateTime Color Player Location Call Image " +
	"EQUALITY AND OR NAND NOR XOR AVG MEDIAN SUM MAX MIN COUNT LATEST EARLIEST")

var (
	itemName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) // ItemUtil.isValidItemName
	expire   = regexp.MustCompile(`^([0-9]+h)?\s*([0-9]+m)?\s*([0-9]+s)?$`)
	formats  = regexp.MustCompile(`^%\.[0-9]+f( %unit%| ([^%]|%%)+)?$`)
)

// Check holds Items against the Things that they are of: names, channels, types, groups, and the semantic model's rules.
func Check(things []Thing, items []Item) error {
	channels := map[string]*Channel{}
	for i := range things {
		for j := range things[i].Channels {
			channels[things[i].Channels[j].UID] = &things[i].Channels[j]
		}
	}
	byName := map[string]*Item{}
	for i := range items {
		it := &items[i]
		if !itemName.MatchString(it.Name) {
			return fmt.Errorf("%q cannot be an Item's name", it.Name)
		}
		if byName[it.Name] != nil {
			return fmt.Errorf("%s twice", it.Name)
		}
		byName[it.Name] = it
	}
	for i := range items {
		it := &items[i]
		for _, g := range it.Groups {
			if byName[g] == nil || byName[g].Type != "Group" {
				return fmt.Errorf("%s: there is no group %s", it.Name, g)
			}
		}
		if err := checkTags(it, byName); err != nil {
			return fmt.Errorf("%s: %w", it.Name, err)
		}
		for _, uid := range it.Channels {
			ch := channels[uid]
			if ch == nil {
				return fmt.Errorf("%s: there is no channel %s", it.Name, uid)
			}
			if err := checkLink(it, ch); err != nil {
				return fmt.Errorf("%s: %w", it.Name, err)
			}
		}
	}
	return nil
}

// checkLink looks whether an Item can be linked to a channel.
func checkLink(it *Item, ch *Channel) error {
	accepts := map[string]string{"switch": "Switch", "contact": "Contact", "number": "Number", "string": "String"}[ch.Type]
	unit := ch.Params["unit"].Text
	if unit != "" {
		if dimension[unit] == "" {
			return fmt.Errorf("%s: openHAB does not know the unit %q", ch.UID, unit)
		}
		accepts += ":" + dimension[unit]
	}
	switch {
	case it.Type != accepts:
		return fmt.Errorf("a %s cannot be linked to %s, which is for a %s", it.Type, ch.UID, accepts)
	case unit != "" && dimension[it.Metadata["unit"]] != dimension[unit]:
		return fmt.Errorf("its unit is %q, that of the channel %q", it.Metadata["unit"], unit)
	case it.Format != "" && !formats.MatchString(it.Format):
		return fmt.Errorf("the format %q", it.Format)
	case !expire.MatchString(it.Metadata["expire"]):
		return fmt.Errorf("expire=%q", it.Metadata["expire"])
	}
	for k := range it.Metadata {
		if !slices.Contains([]string{"unit", "expire", "autoupdate"}, k) {
			return fmt.Errorf("metadata %s: nobody reads it", k)
		}
	}
	return nil
}

// dimension has the units that openHAB parses to these dimensions, as its documentation of units lists them.
var dimension = map[string]string{
	"°C": "Temperature", "%": "Dimensionless", "ppm": "Dimensionless", "hPa": "Pressure", "kPa": "Pressure", "Pa": "Pressure", "lx": "Illuminance", "km/h": "Speed",
	"V": "ElectricPotential", "mV": "ElectricPotential", "A": "ElectricCurrent", "mA": "ElectricCurrent", "W": "Power", "kW": "Power",
	"Wh": "Energy", "kWh": "Energy", "Hz": "Frequency", "s": "Time", "min": "Time", "h": "Time", "m": "Length", "mm": "Length", "cm": "Length",
	"l": "Volume", "m³": "Volume", "l/min": "VolumetricFlowRate", "µg/m³": "Density", "g/m³": "Density",
}
