package bridge

// Entity is how controllers show a point: Home Assistant by discovery, openHAB in the files that are made for it. What is empty is
// filled by what the point's kind, driver and names suggest; see the points' Shown.
type Entity struct {
	ID          string // what the point is recognised by when its name changes: [a-z0-9_]+; empty: its name
	Component   string // Home Assistant's platform: switch, light, valve, lock, siren, button, binary_sensor, sensor; none: not announced
	DeviceClass string
	Name        string // for people; empty: the label
	Icon        string // mdi:lamp
	Category    string // config or diagnostic
	Area        string // the room
	Disabled    bool   // known there, but off until somebody enables it
}

// NoComponent keeps a point away from Home Assistant.
const NoComponent = "none"
