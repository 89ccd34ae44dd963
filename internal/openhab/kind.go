package openhab

import "gatewayd/bridge"

// kind is how openHAB has something of a component and a device class: its Item, its icon of the classic set, and its semantic tags.
// Only tags that 4.x and 5.x both know are used, and at most one each of Equipment, Point and Property.
type kind struct {
	channel   string // of the binding: switch or contact; and with it the Item
	icon      string
	equipment string // empty: it is a point of the gateway, or of the room
	tags      []string
}

func (k *kind) set(e *bridge.Entity) *set {
	if k.equipment == "" || e.Disabled {
		return nil
	}
	return &set{name: e.ID + "_Equipment", label: e.Name, icon: k.icon, tag: k.equipment}
}

func (k *kind) item(e *bridge.Entity) *item {
	return &item{kind: capital(k.channel), name: e.ID, icon: k.icon, tags: k.tags}
}

func tags(t ...string) []string { return t }

// drivenKind is of an output. ON opens a lock: it is a strike.
func drivenKind(e *bridge.Entity) kind {
	switch e.Component {
	case "light":
		return kind{"switch", "light", "Lightbulb", tags("Switch", "Light")}
	case "valve":
		if e.DeviceClass == "gas" {
			return kind{"switch", "gas", "Valve", tags("Switch", "Gas")}
		}
		return kind{"switch", "faucet", "Valve", tags("Switch", "Water")}
	case "lock":
		return kind{"switch", "lock", "Lock", tags("Switch")}
	case "siren":
		return kind{"switch", "siren", "Siren", tags("Switch")}
	case "button":
		return kind{"switch", "switch", "", tags("Switch")}
	}
	if e.DeviceClass == "outlet" {
		return kind{"switch", "poweroutlet", "PowerOutlet", tags("Switch", "Power")}
	}
	return kind{"switch", "switch", "", tags("Switch", "Power")}
}

// watched are the kinds of inputs, by device class. Home Assistant's ON means: open, wet, moving, unlocked.
var watched = map[string]kind{
	"door":            {"contact", "door", "Door", tags("Status", "Opening")},
	"garage_door":     {"contact", "garagedoor", "GarageDoor", tags("Status", "Opening")},
	"window":          {"contact", "window", "Window", tags("Status", "Opening")},
	"opening":         {"contact", "contact", "", tags("Status", "Opening")},
	"lock":            {"contact", "lock", "Lock", tags("Status", "Opening")},
	"motion":          {"switch", "motion", "MotionDetector", tags("Status", "Presence")},
	"moving":          {"switch", "motion", "", tags("Status")},
	"occupancy":       {"switch", "motion", "", tags("Status", "Presence")},
	"presence":        {"switch", "motion", "", tags("Status", "Presence")},
	"smoke":           {"switch", "smoke", "SmokeDetector", tags("Alarm", "Smoke")},
	"carbon_monoxide": {"switch", "smoke", "", tags("Alarm", "CO")},
	"gas":             {"switch", "gas", "", tags("Alarm", "Gas")},
	"moisture":        {"switch", "water", "", tags("Alarm", "Water")},
	"vibration":       {"switch", "switch", "", tags("Status", "Vibration")},
	"sound":           {"switch", "soundvolume", "", tags("Status", "Noise")},
	"light":           {"switch", "sun", "", tags("Status", "Light")},
	"power":           {"switch", "energy", "", tags("Status", "Power")},
	"plug":            {"switch", "poweroutlet", "", tags("Status", "Power")},
	"cold":            {"switch", "temperature_cold", "", tags("Alarm", "Temperature")},
	"heat":            {"switch", "temperature_hot", "", tags("Alarm", "Temperature")},
	"problem":         {"switch", "error", "", tags("Alarm")},
	"safety":          {"switch", "error", "", tags("Alarm")},
	"tamper":          {"switch", "error", "", tags("Alarm")},
	"battery":         {"switch", "lowbattery", "", tags("Alarm")},
	"connectivity":    {"switch", "network", "", tags("Status")},
}

// watchedKind is of an input.
func watchedKind(e *bridge.Entity, gestures bool) kind {
	if k, ok := watched[e.DeviceClass]; ok {
		return k
	}
	if gestures {
		return kind{"switch", "wallswitch", "", tags("Status")}
	}
	return kind{"switch", "switch", "", tags("Status")}
}

// measured are icon and Property of readings, by device class.
var measured = map[string][2]string{
	"temperature": {"temperature", "Temperature"}, "temperature_delta": {"temperature", "Temperature"},
	"humidity": {"humidity", "Humidity"}, "absolute_humidity": {"humidity", "Humidity"}, "moisture": {"humidity", "Humidity"},
	"atmospheric_pressure": {"pressure", "Pressure"}, "pressure": {"pressure", "Pressure"},
	"illuminance": {"sun", "Light"}, "carbon_dioxide": {"carbondioxide", "CO2"}, "carbon_monoxide": {"smoke", "CO"},
	"voltage": {"energy", "Voltage"}, "current": {"energy", "Current"}, "power": {"energy", "Power"}, "energy": {"energy", "Energy"},
	"frequency": {"energy", "Frequency"}, "sound_pressure": {"soundvolume", "Noise"}, "duration": {"time", "Duration"},
	"water": {"water", "Water"}, "gas": {"gas", "Gas"}, "wind_speed": {"wind", "Wind"}, "precipitation": {"rain", "Rain"},
	"precipitation_intensity": {"rain", "Rain"}, "battery": {"battery", ""},
}

// measuredKind is of a reading.
func measuredKind(class string) kind {
	m := measured[class]
	k := kind{icon: m[0], tags: tags("Measurement")}
	if m[1] != "" {
		k.tags = append(k.tags, m[1])
	}
	return k
}
