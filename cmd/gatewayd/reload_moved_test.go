package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Outputs that are elsewhere by now, and on there, are what they are found as: what the lines where they were say at their end is not
// believed. There are several, so that the first have something to say while the last are still being told.
func TestReloadMovedOn(t *testing.T) {
	const bulbs, maxOn = 6, 5 * time.Second
	for _, c := range []struct{ name, was, is string }{
		{"on its chip", "chip: more, line: ", "chip: more, line: 1"}, // 0 to 5, 10 to 15
		{"to another chip", "chip: more, line: ", "chip: relays, line: GPA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			with := func(at string) string {
				text := "home_assistant: {discovery: false}\nchips:\n  - {name: relays, type: mcp23017, address: 0x20}\n  - {name: more, type: gpiochip, label: k1}\noutputs:\n"
				for i := range bulbs {
					text += fmt.Sprintf("  - {name: bulb%d, %s%d, on_exit: off, max_on: %v, initial: on}\n", i, at, i, maxOn)
				}
				return text
			}
			began := time.Now()
			a := newAlive(t, newBench(t), with(c.was), manner{})
			all := func(payload string) {
				t.Helper()
				for i := range bulbs {
					a.wants(fmt.Sprint("gatewayd/shed/bulb", i), payload)
				}
			}
			all("ON")
			a.published()
			a.reload(with(c.is))
			a.settled()
			all("ON")
			told := a.published()
			if time.Since(began) < maxOn { // else it may be right by now
				for _, m := range told {
					if strings.HasPrefix(m.Topic, "gatewayd/shed/bulb") && string(m.Payload) == "OFF" {
						t.Errorf("%s was told as off", m.Topic)
					}
				}
			}
			all("OFF") // by max_on
		})
	}
}

// Outputs of a chip that gets another name are not switched to what they are at a start, and a toggle still switches them.
func TestReloadHandedOn(t *testing.T) {
	const text = `
home_assistant: {discovery: false}
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: more, type: gpiochip, label: k1}
outputs:
  - {name: bulb, chip: more, line: 0, initial: off}
  - {name: lamp, chip: more, line: 1, initial: on}
  - {name: fan, chip: relays, line: GPA0, initial: off}
  - {name: pump, chip: relays, line: GPA1, initial: on}
`
	b := newBench(t)
	a := newAlive(t, b, text, manner{})
	names := map[string]string{"bulb": "ON", "lamp": "OFF", "fan": "ON", "pump": "OFF"}
	for name, state := range names {
		a.send("gatewayd/shed/"+name+"/set", state)
		a.wants("gatewayd/shed/"+name, state)
	}
	b.moves()
	a.published()
	a.reload(strings.NewReplacer("name: more", "name: less", "chip: more", "chip: less", "relays", "others").Replace(text))
	a.settled()
	if moved := b.moves(); len(moved) > 0 {
		t.Errorf("pins that move: %q", moved)
	}
	for _, m := range a.published() {
		if want := names[strings.TrimPrefix(m.Topic, "gatewayd/shed/")]; want != "" && string(m.Payload) != want {
			t.Errorf("told %s %s", m.Topic, m.Payload)
		}
	}
	for name, state := range names {
		a.send("gatewayd/shed/"+name+"/set", "TOGGLE")
		a.wants("gatewayd/shed/"+name, map[string]string{"ON": "OFF", "OFF": "ON"}[state])
	}
}
