package main

import "testing"

// An output that is elsewhere by now, and on there, is what it is found as: what the line where it was says at its end is not believed.
func TestReloadMovedOn(t *testing.T) {
	for _, c := range []struct{ name, was, is string }{
		{"on its chip", "chip: more, line: 0", "chip: more, line: 5"},
		{"to another chip", "chip: more, line: 0", "chip: relays, line: GPA5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			with := func(at string) string {
				return "home_assistant: {discovery: false}\nchips:\n  - {name: relays, type: mcp23017, address: 0x20}\n  - {name: more, type: gpiochip, label: k1}\n" +
					"outputs:\n  - {name: bulb, " + at + ", on_exit: off, max_on: 2s, initial: on}\n"
			}
			a := newAlive(t, newBench(t), with(c.was), manner{})
			a.wants("gatewayd/shed/bulb", "ON")
			a.published()
			a.reload(with(c.is))
			a.settled()
			a.wants("gatewayd/shed/bulb", "ON")
			for _, m := range a.published() {
				if m.Topic == "gatewayd/shed/bulb" && string(m.Payload) == "OFF" {
					t.Error("it was told that it is off")
				}
			}
			a.wants("gatewayd/shed/bulb", "OFF") // by max_on
		})
	}
}
