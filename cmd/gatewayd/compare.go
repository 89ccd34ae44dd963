package main

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"gatewayd/gpio"
	"gatewayd/internal/config"
)

// difference says in words what one configuration has that another has not. Empty: they are alike. With another name of the device all
// topics are others, which goes without saying.
func difference(was, is *config.Config) string {
	var words []string
	compare := func(what string, a, b map[string]any) {
		fresh, changed, gone := 0, 0, 0
		for id, v := range b {
			if old, there := a[id]; !there {
				fresh++
			} else if was.Device == is.Device && !reflect.DeepEqual(old, v) {
				changed++
			}
		}
		for id := range a {
			if _, there := b[id]; !there {
				gone++
			}
		}
		for _, n := range []struct {
			n    int
			word string
		}{{fresh, "new"}, {changed, "changed"}, {gone, "gone"}} {
			if n.n > 0 {
				words = append(words, count(n.n, what)+" "+n.word)
			}
		}
	}
	a, b := itemsOf(was), itemsOf(is)
	for i := range a {
		compare(a[i].what, a[i].by, b[i].by)
	}
	for _, s := range []struct {
		what string
		a, b any
	}{
		{"the device's name", was.Device, is.Device},
		{"its id", was.Bridge.ID, is.Bridge.ID},
		{"how the broker is reached", was.MQTT, is.MQTT},
		{"the status", was.Bridge.Status, is.Bridge.Status},
		{"what Home Assistant is told", was.Bridge.HomeAssistant, is.Bridge.HomeAssistant},
		{"the state file", was.StateFile, is.StateFile},
		{"save_every", was.SaveEvery, is.SaveEvery},
		{"the backlog", was.Backlog, is.Backlog},
		{"watch", was.Watch, is.Watch},
	} {
		if !reflect.DeepEqual(s.a, s.b) {
			words = append(words, s.what+" changed")
		}
		if was.Device != is.Device {
			break
		}
	}
	return strings.Join(words, ", ")
}

// items are the parts of a configuration of one kind, by what tells them apart.
type items struct {
	what string
	by   map[string]any
}

// itemsOf gives all of a configuration that can be counted, always in one order. A point is recognised by its id, as a controller does it.
func itemsOf(cfg *config.Config) []items {
	lines, sensors := map[string]gpio.LineConfig{}, map[string]config.Sensor{}
	chipOf, chips := map[string]string{}, map[string]any{}
	for _, c := range cfg.Chips {
		for _, l := range c.Lines {
			lines[l.Name], chipOf[l.Name] = l, c.Name
		}
		if c.Lines = nil; c.Type != config.Header {
			chips[c.Name] = c
		}
	}
	for _, s := range cfg.Sensors {
		sensors[s.Name] = s
	}
	type line struct {
		point any
		line  gpio.LineConfig
		chip  string
	}
	c := &cfg.Bridge
	inputs, outputs, groups, measured, interlocks, rules := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	for _, p := range c.Inputs {
		inputs[cmp.Or(p.Entity.ID, p.Name)] = line{p, lines[p.Name], chipOf[p.Name]}
	}
	for _, p := range c.Outputs {
		outputs[cmp.Or(p.Entity.ID, p.Name)] = line{p, lines[p.Name], chipOf[p.Name]}
	}
	for _, p := range c.Groups {
		groups[cmp.Or(p.Entity.ID, p.Name)] = p
	}
	for _, p := range c.Sensors {
		measured[cmp.Or(p.Entity.ID, p.Name)] = [2]any{p, sensors[p.Name]}
	}
	counters, encoders := map[string]any{}, map[string]any{}
	for _, p := range c.Counters {
		counters[cmp.Or(p.Entity.ID, p.Name)] = line{p, lines[p.Name], chipOf[p.Name]}
	}
	for _, p := range c.Encoders {
		at := p.Contacts()
		encoders[cmp.Or(p.Entity.ID, p.Name)] = [2]line{{p, lines[at[0]], chipOf[at[0]]}, {p, lines[at[1]], chipOf[at[1]]}}
	}
	for _, l := range c.Interlocks {
		interlocks[l.Name] = l
	}
	for _, r := range c.Rules { // they have no names; the same one may be there twice
		rules[unused(rules, fmt.Sprint(r))] = r
	}
	for _, r := range c.Thermostats {
		rules[unused(rules, fmt.Sprint(r))] = r
	}
	return []items{{"chip", chips}, {"input", inputs}, {"output", outputs}, {"group", groups}, {"sensor", measured}, {"counter", counters}, {"encoder", encoders}, {"interlock", interlocks}, {"rule", rules}}
}

// unused gives a name like this one that is not taken.
func unused(taken map[string]any, name string) string {
	for taken[name] != nil {
		name += "'"
	}
	return name
}
