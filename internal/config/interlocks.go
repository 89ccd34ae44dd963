package config

import (
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// interlock is a group of outputs of which one at most is on.
type interlock struct {
	place
	bridge.Interlock
}

var interlockList = list("interlocks", "outputs of which one at most is on", func() *interlock { return new(interlock) }, always([]key[*interlock]{
	field("name", "what messages call it", name, func(l *interlock) *string { return &l.Name }).required(),
	field("outputs", "two or more outputs", several(reference), func(l *interlock) *[]string { return &l.Outputs }).required(),
	field("dead_time", "how long one must be off before another goes on", durationOr0(time.Millisecond, time.Minute),
		func(l *interlock) *time.Duration { return &l.DeadTime }, 0),
}), func(d *draft, l *interlock) { d.interlocks = append(d.interlocks, l) }, func(d *draft) []*interlock { return d.interlocks })

func (d *draft) checkInterlocks() {
	used := map[string]*interlock{}
	for _, l := range d.interlocks {
		if other := used[l.Name]; other != nil && !l.bad["name"] {
			l.errorf(&d.notes, "name", "there is an interlock %q already (line %d)", l.Name, other.node.Line)
		}
		used[l.Name] = l
		if l.bad["outputs"] {
			continue
		}
		if len(l.Outputs) < 2 {
			l.errorf(&d.notes, "outputs", "at least two outputs are wanted, of which one at most is to be on")
		}
		var on, exitOn, restored, lostOn *output
		n, path := l.at("outputs")
		for i, name := range l.Outputs {
			at := elements(n)[i]
			o := d.findOutput(at, path, name)
			switch {
			case o == nil:
				continue
			case o.group == l:
				d.errorf(at, path, "%q is there twice", name)
				continue
			case o.group != nil:
				d.errorf(at, path, "%q is in interlock %q already (line %d): an output can be in one", name, o.group.Name, o.group.node.Line)
				continue
			}
			o.group = l
			if o.Initial == gpio.On {
				d.onlyOne(o, "initial", on)
				on = o
			}
			if o.start == startRestore {
				restored = o
			}
			if o.crash == bridge.ExitOn {
				o.errorf(&d.notes, "on_crash", "it is in interlock %q: after a crash nobody knows whether another is on: remove on_crash, or make it off", l.Name)
			}
			if o.exit == bridge.ExitOn {
				d.onlyOne(o, "on_exit", exitOn)
				exitOn = o
			}
			if o.lost.comesOn() {
				d.onlyOne(o, "on_broker_lost", lostOn)
				lostOn = o
			}
		}
		if on != nil && restored != nil {
			d.onlyOne(restored, "initial", on)
		}
	}
}

// onlyOne tells of a second output of a group that would be on.
func (d *draft) onlyOne(o *output, key string, other *output) {
	if other != nil {
		o.errorf(&d.notes, key, "%s of interlock %q is on here, too: one at most can be on", &other.base, o.group.Name)
	}
}

// findOutput gives the output of that name; nil if there is none, which is told.
func (d *draft) findOutput(at *yaml.Node, path, name string) *output {
	o, other := find[*output](d, at, path, name)
	if other != nil {
		d.errorf(at, path, "an output is wanted: %q is the %s in line %d", name, other.self().kind, other.self().node.Line)
	}
	return o
}
