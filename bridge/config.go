package bridge

import "cmp"

// Config is what the bridge joins: points, rules between them, and how the broker is told. The configuration file's loader
// has completed and checked it. Each kind of point has its configuration beside its behaviour, in a file of its own.
type Config struct {
	Device        string // [a-z0-9_-]+, the first level under the prefix
	ID            string // what the gateway is recognised by when Device changes: [a-z0-9_-]+; empty: Device
	Inputs        []Input
	Outputs       []Output
	Groups        []Group
	Sensors       []Sensor
	Counters      []Counter
	Encoders      []Encoder
	Rules         []Rule
	Thermostats   []Thermostat
	Interlocks    []Interlock
	Status        Status
	HomeAssistant HomeAssistant
}

// identity is what Home Assistant recognises the gateway by.
func (c *Config) identity() string { return "gatewayd_" + cmp.Or(c.ID, c.Device) }

// Status is where and how the gateway says that it is there.
type Status struct {
	Topic   string // empty: <prefix>/<device>/status
	Online  string // payload; empty: online
	Offline string // payload, also of the last will; empty: offline
	Stopped string // payload after a clean stop; empty: as Offline
}

// Channel is how one point speaks with the broker.
type Channel struct {
	Topic      string // of the state; empty: <prefix>/<device>/<name>
	PayloadOn  string // empty: ON
	PayloadOff string // empty: OFF
	QoS        byte
	Retain     bool
}
