package config

import (
	"testing"

	"gatewayd/gpio"
)

func TestAfterCrash(t *testing.T) {
	c, _, err := Parse("c.yaml", []byte(`
chips:
  - {name: relays, type: mcp23017, address: 0x20, interrupt: GPIO4}
  - {name: idle, type: mcp23017, address: 0x21}
inputs: [{name: in, chip: relays, line: GPA1}]
outputs:
  - {name: a, line: GPIO22}
  - {name: b, chip: relays, line: GPA0, on_crash: off, initial: on, active_low: true}
  - {name: c, chip: relays, line: GPA2}
  - {name: d, chip: relays, line: GPA3, on_crash: on}
  - {name: e, chip: idle, line: GPA0, initial: restore}
`))
	if err != nil {
		t.Fatal(err)
	}
	chips := c.AfterCrash()
	if len(chips) != 1 || chips[0].Name != "relays" || chips[0].Interrupt != nil {
		t.Fatalf("got %+v", chips)
	}
	equal(t, "lines", chips[0].Lines, []gpio.LineConfig{
		{Name: "b", Offset: 0, Output: true, ActiveLow: true, Initial: gpio.Off},
		{Name: "d", Offset: 3, Output: true, Initial: gpio.On},
	})
	for _, chip := range c.Chips { // they are the gateway's still
		for _, l := range chip.Lines {
			if want := map[string]gpio.Initial{"b": gpio.On}[l.Name]; l.Initial != want {
				t.Errorf("%s of the configuration: initial %v, want %v", l.Name, l.Initial, want)
			}
		}
	}
	for i := range c.Bridge.Outputs {
		if o := &c.Bridge.Outputs[i]; o.Restore != (o.Name == "e") {
			t.Errorf("%s: restore %v", o.Name, o.Restore)
		}
	}
}
