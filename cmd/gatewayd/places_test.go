package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Points that are elsewhere begin anew; what else may be new of them does not matter.
func TestMoved(t *testing.T) {
	const text = `
device: d
chips: [{name: x, type: mcp23017, address: 0x20}, {name: k, type: gpiochip, label: k1}]
inputs: [{name: door, line: 5}]
outputs: [{name: lamp, line: 22}, {name: fan, id: f, chip: x, line: GPA0}, {name: bulb, chip: k, line: 1}]
sensors: [{name: attic, type: bme280, address: 0x76}]
`
	for _, c := range []struct {
		name string
		is   []string
		want []string
	}{
		{"nothing", nil, nil},
		{"another line", []string{"line: 22", "line: 23"}, []string{"lamp"}},
		{"turned over", []string{"line: 22", "line: 22, active_low: true"}, []string{"lamp"}},
		{"pull, debounce, topic", []string{"name: door, line: 5", "name: door, line: 5, pull: up, debounce: 1s, topic: a/b"}, nil},
		{"another address", []string{"0x20", "0x21"}, []string{"fan"}},
		{"another label", []string{"k1", "k2"}, []string{"bulb"}},
		{"chips' names", []string{"name: x", "name: y", "chip: x", "chip: y"}, nil},
		{"poll", []string{"address: 0x20", "address: 0x20, poll: 1s"}, nil},
		{"to the header", []string{"chip: x, line: GPA0", "line: 0"}, []string{"fan"}},
		{"new and gone", []string{"name: lamp, line: 22", "name: light, line: 23"}, nil},
		{"new name, id stays", []string{"name: fan, id: f", "name: wind, id: f"}, nil},
		{"new name and line, id stays", []string{"name: fan, id: f, chip: x, line: GPA0", "name: wind, id: f, chip: x, line: GPA1"}, []string{"wind"}},
		{"input to output", []string{"inputs: [{name: door, line: 5}]\noutputs: [", "outputs: [{name: door, line: 5}, "}, []string{"door"}},
		{"sensor elsewhere", []string{"0x76", "0x77"}, []string{"attic"}},
		{"another sensor", []string{"type: bme280, address: 0x76", "type: simulated"}, []string{"attic"}},
		{"sensor more often", []string{"0x76", "0x76, every: 5s"}, nil},
	} {
		is := strings.NewReplacer(append(c.is, "\x00", "")...).Replace(text)
		if len(c.is) > 0 && is == text {
			t.Fatalf("%s: nothing is replaced", c.name)
		}
		if got := slices.Sorted(maps.Keys(moved(parsed(t, text), parsed(t, is)))); !slices.Equal(got, c.want) {
			t.Errorf("%s: moved %q, want %q", c.name, got, c.want)
		}
	}
}
