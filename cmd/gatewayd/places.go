package main

import (
	"cmp"
	"slices"

	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/sensors"
)

// place is what a point is on, as far as its state depends on it.
type place struct {
	kind              config.ChipType // empty: a sensor
	label, device     string
	bus               int
	addr              uint16
	offset            uint32
	second            uint32 // of an encoder, the line of its other contact
	output, activeLow bool
	driver            *sensors.Driver
}

// places gives where each point of a configuration is, by its name.
func places(cfg *config.Config) map[string]place {
	all := map[string]place{}
	for i := range cfg.Chips {
		c := &cfg.Chips[i]
		for _, l := range c.Lines {
			all[l.Name] = place{kind: c.Type, label: c.Label, device: c.Device, bus: c.Bus, addr: c.Addr, offset: l.Offset, output: l.Output, activeLow: l.ActiveLow}
		}
	}
	for i := range cfg.Bridge.Encoders {
		lines := cfg.Bridge.Encoders[i].Contacts()
		knob := all[lines[0]]
		knob.second = all[lines[1]].offset
		all[cfg.Bridge.Encoders[i].Name] = knob
		delete(all, lines[0])
		delete(all, lines[1])
	}
	for _, s := range cfg.Sensors {
		all[s.Name] = place{bus: s.Bus, addr: s.Addr, driver: s.Driver}
	}
	return all
}

// handedOn gives a configuration of which outputs that are where they were in the one before keep their levels: that one chip gives their
// lines back and another claims them, as when it gets another name, is no start.
func handedOn(was, is *config.Config) *config.Config {
	before, now := places(was), places(is)
	with := *is
	with.Chips = slices.Clone(is.Chips)
	for c := range with.Chips {
		lines := slices.Clone(with.Chips[c].Lines)
		for i := range lines {
			l := &lines[i]
			if at, there := before[l.Name]; !l.Output || !there || at != now[l.Name] {
				continue
			}
			switch l.Initial {
			case gpio.Off:
				l.Initial = gpio.Keep
			case gpio.On:
				l.Initial = gpio.KeepOrOn
			}
		}
		with.Chips[c].Lines = lines
	}
	return &with
}

// moved tells which points of a configuration are elsewhere than in the one before, under the same name or, renamed, the same id.
func moved(was, is *config.Config) map[string]bool {
	before, ids := places(was), map[string]string{}
	for name, id := range pointIDs(was) {
		ids[id] = name
	}
	now := pointIDs(is)
	all := map[string]bool{}
	for name, at := range places(is) {
		old, there := before[name]
		if !there {
			old, there = before[ids[now[name]]]
		}
		if there && old != at {
			all[name] = true
		}
	}
	return all
}

// pointIDs gives what each point is recognised by, by its name.
func pointIDs(cfg *config.Config) map[string]string {
	all := map[string]string{}
	c := &cfg.Bridge
	for i := range c.Inputs {
		all[c.Inputs[i].Name] = cmp.Or(c.Inputs[i].Entity.ID, c.Inputs[i].Name)
	}
	for i := range c.Outputs {
		all[c.Outputs[i].Name] = cmp.Or(c.Outputs[i].Entity.ID, c.Outputs[i].Name)
	}
	for i := range c.Counters {
		all[c.Counters[i].Name] = cmp.Or(c.Counters[i].Entity.ID, c.Counters[i].Name)
	}
	for i := range c.Encoders {
		p := &c.Encoders[i]
		all[p.Name] = cmp.Or(p.Entity.ID, p.Name)
	}
	for i := range c.Sensors {
		all[c.Sensors[i].Name] = cmp.Or(c.Sensors[i].Entity.ID, c.Sensors[i].Name)
	}
	return all
}
