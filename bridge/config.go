package bridge

import "time"

// Config is what the bridge joins: points, rules between them, and how the broker is told. The configuration file's loader
// has completed and checked it.
type Config struct {
	Device     string // [a-z0-9_-]+, the first level under the prefix
	Inputs     []Input
	Outputs    []Output
	Sensors    []Sensor
	Rules      []Rule
	Interlocks []Interlock
	Status     Status
}

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

// Input is a line that is watched.
type Input struct {
	Name  string
	Label string // free text for people
	Channel
}

// Output is a line that is driven.
type Output struct {
	Name         string
	Label        string
	CommandTopic string // empty: <state topic>/set
	Channel
	MaxOn  time.Duration // switched off after that long; 0: never
	Pulse  time.Duration // every ON lasts that long; 0: until OFF
	OnExit Exit
}

// Exit is what happens to an output when the gateway stops.
type Exit uint8

const (
	ExitKeep Exit = iota
	ExitOff
	ExitOn
)

// Sensor is a source of readings. Each quantity has a topic of its own below the sensor's.
type Sensor struct {
	Name       string
	Label      string
	Topic      string // readings go to <topic>/<quantity>; empty: <prefix>/<device>/<name>
	Quantities []string
	Precision  []int // decimals published, one per quantity
	QoS        byte
	Retain     bool
}

// Interlock is a group of outputs of which one at most may be on.
type Interlock struct {
	Name     string
	Outputs  []string
	DeadTime time.Duration // between one's confirmed OFF and another's ON
}

// Rule is a local reaction: when a point does something, outputs are wished something. It needs no broker.
type Rule struct {
	When    string // an input
	Is      Trigger
	Do      Verb
	For     time.Duration // of ON and PULSE; 0: as the output has it
	Outputs []string
	Only    Only
}

// Trigger is what an input does to fire a rule. None fires on a first read or a resync.
type Trigger uint8

const (
	Pressed Trigger = iota // became active; "on" means the same
	Released
	Changed
)

// Only limits when a rule acts.
type Only uint8

const (
	Always  Only = iota
	Offline      // while the broker is not connected
)

// Verb is what a command asks for.
type Verb uint8

const (
	VerbOff Verb = iota
	VerbOn
	VerbToggle
	VerbPulse // on for a while
)
