package bridge

import (
	"cmp"
	"slices"
)

// Entity is how controllers show a point: Home Assistant by discovery, openHAB in the files that are made for it. What is empty is
// filled by what the point's kind, driver and names suggest; see the points' Shown.
type Entity struct {
	ID          string // what the point is recognised by when its name changes: [a-z0-9_]+; empty: its name
	Component   string // Home Assistant's platform: switch, light, valve, lock, siren, button, binary_sensor, sensor; none: not announced
	DeviceClass string // Home Assistant's word for what it is; none: it has none, whatever its name says
	Name        string // for people; empty: the label
	Icon        string // mdi:lamp
	Category    string // config or diagnostic
	Area        string // the room
	Disabled    bool   // known there, but off until somebody enables it
}

// NoComponent keeps a point away from Home Assistant. As a device class it keeps one away from the point.
const NoComponent = "none"

// What a point of each kind can be shown as, the plainest first.
var (
	OutputComponents  = []string{"switch", "light", "valve", "lock", "siren", "button", NoComponent} // of groups, too
	InputComponents   = []string{"binary_sensor", NoComponent}
	SensorComponents  = []string{"sensor", NoComponent} // of counters, too
	EncoderComponents = []string{"event", NoComponent}
)

// DeviceClasses gives the device classes that a component can have, and nil where it has none. A sensor's must fit its unit, too:
// see ClassFits.
func DeviceClasses(component string) []string {
	if component == "sensor" {
		return sensorClasses()
	}
	return deviceClasses[component]
}

var deviceClasses = map[string][]string{
	"switch": {"outlet", "switch"},
	"valve":  {"gas", "water"},
	"button": {"identify", "restart", "update"},
	"event":  {"button", "doorbell", "motion"},
	"binary_sensor": {"battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
		"light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem", "running",
		"safety", "smoke", "sound", "tamper", "update", "vibration", "window"},
}

// filled completes an entity with the names of its point and with what these suggest: a component of those that the kind can be, and
// a class for it. What is given decides over what is guessed: a given class takes a component that knows it.
func (e Entity) filled(name, label string, can []string, component string, class func(component string) string) Entity {
	e.ID = cmp.Or(e.ID, name)
	e.Name = cmp.Or(e.Name, label, title(name))
	if e.Component == "" {
		e.Component = component
		if e.DeviceClass != "" && e.DeviceClass != NoComponent && !slices.Contains(DeviceClasses(component), e.DeviceClass) {
			for _, other := range can {
				if slices.Contains(DeviceClasses(other), e.DeviceClass) {
					e.Component = other
					break
				}
			}
		}
	}
	if e.DeviceClass == "" {
		e.DeviceClass = class(e.Component)
	}
	return e
}

// class gives the device class for a document; empty: none.
func (e *Entity) class() string {
	if e.DeviceClass == NoComponent {
		return ""
	}
	return e.DeviceClass
}

// CategoryFits tells whether a component can be of that category: what only tells something cannot be configuration. Home Assistant
// fails to add the entity otherwise.
func CategoryFits(component, category string) bool {
	switch category {
	case "", "diagnostic":
		return true
	case "config":
		return component != "sensor" && component != "binary_sensor" && component != "event"
	}
	return false
}
