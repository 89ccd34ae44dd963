package config

import (
	"slices"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// output is a line that is driven.
type output struct {
	base
	wire
	switched
	maxOn, pulse time.Duration
	start        start
	exit, crash  bridge.Exit
	interval     time.Duration // between two switchings
	lost         brokerLost
	group        *interlock // nil: none
	readings     []*rule    // that switch it by a reading
}

// start is an output's state when the gateway comes.
type start uint8

const (
	startKeep start = iota
	startOff
	startOn
	startRestore // as it was last; what is driven is kept
)

var outputKeys = slices.Concat(
	baseKeys(func(o *output) *base { return &o.base }),
	wireKeys(func(o *output) *wire { return &o.wire }),
	[]key[*output]{
		field("initial", "its state when the gateway comes", oneOf(choice[start]{"keep", startKeep}, choice[start]{"off", startOff},
			choice[start]{"on", startOn}, choice[start]{"restore", startRestore}), func(o *output) *start { return &o.start }, startKeep),
		field("on_exit", "its state when the gateway stops", exits, func(o *output) *bridge.Exit { return &o.exit }, bridge.ExitKeep),
		field("on_crash", "its state when the gateway crashes", exits, func(o *output) *bridge.Exit { return &o.crash }, bridge.ExitKeep),
		field("max_on", "switched off after that long; 0: never", durationOr0(100*time.Millisecond, 720*time.Hour),
			func(o *output) *time.Duration { return &o.maxOn }, 0),
		field("pulse", "every ON lasts that long; 0: until OFF", durationOr0(10*time.Millisecond, 720*time.Hour),
			func(o *output) *time.Duration { return &o.pulse }, 0),
		field("min_interval", "it is switched at most that often: what comes sooner waits, and the latest counts; 0: always at once",
			durationOr0(10*time.Millisecond, 24*time.Hour), func(o *output) *time.Duration { return &o.interval }, 0),
		brokerLostGroup,
	},
	switchedKeys(func(o *output) *switched { return &o.switched }),
)

var exits = oneOf(choice[bridge.Exit]{"keep", bridge.ExitKeep}, choice[bridge.Exit]{"off", bridge.ExitOff}, choice[bridge.Exit]{"on", bridge.ExitOn})

var outputList = pointList("outputs", "output", "lines that are driven", func() *output { return new(output) }, outputKeys)

func (o *output) connect(d *draft) {
	r := &d.notes
	o.Output = true
	o.Initial = [...]gpio.Initial{startKeep: gpio.Keep, startOff: gpio.Off, startOn: gpio.On, startRestore: gpio.Keep}[o.start]
	o.checkCommands(r, &o.base, ", or swap on and off with active_low")
	switch {
	case o.maxOn > 0 && o.pulse > o.maxOn:
		o.errorf(r, "pulse", "the pulse of %s is longer than max_on, %s", bridge.Hours(o.pulse), bridge.Hours(o.maxOn))
	case o.pulse > 0 && o.start == startOn:
		o.errorf(r, "initial", "an output with a pulse cannot be on from the start: remove initial or pulse")
	case o.pulse > 0 && o.start == startRestore:
		o.errorf(r, "initial", "an output with a pulse is off after a power cut: there is nothing to restore: remove initial or pulse")
	}
	for _, other := range []struct {
		key string
		is  time.Duration
	}{{"pulse", o.pulse}, {"max_on", o.maxOn}} {
		if other.is > 0 && other.is < o.interval {
			o.errorf(r, "min_interval", "%s is longer than %s, %s, which could not end in time", bridge.Hours(o.interval), other.key, bridge.Hours(other.is))
		}
	}
	for _, e := range []struct {
		key  string
		exit bridge.Exit
	}{{"on_exit", o.exit}, {"on_crash", o.crash}} {
		if e.exit == bridge.ExitOn && (o.pulse > 0 || o.maxOn > 0) {
			o.errorf(r, e.key, "with pulse or max_on it must not stay on when nobody is there to switch it off: remove %s, or make it off", e.key)
		}
	}
	d.connectLine(&o.base, &o.wire)
}

func (o *output) bridge() bridge.Output {
	return bridge.Output{Name: o.name, Label: o.label, CommandTopic: o.command, Channel: o.Channel, Entity: o.home.Entity,
		MaxOn: o.maxOn, Pulse: o.pulse, OnExit: o.exit, OnLost: o.lost.BrokerLost, MinInterval: o.interval, OnCrash: o.crash, Restore: o.start == startRestore}
}

func (o *output) join(c *bridge.Config) { c.Outputs = append(c.Outputs, o.bridge()) }

func (o *output) shown(*bridge.Config) (bridge.Entity, []string) {
	made := o.bridge()
	return made.Shown(), bridge.OutputComponents
}

func (o *output) topics(t *bridge.Topics) []string { return o.complete(t, o.name) }

func (o *output) drives() []*output { return []*output{o} }
