package config

import (
	"fmt"
	"testing"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// TestYAML11 writes on and off as tools do that follow YAML 1.1, for which they are booleans.
func TestYAML11(t *testing.T) {
	for _, on := range []struct {
		word string
		yes  bool
	}{{"on", true}, {"true", true}, {"True", true}, {"yes", true}, {`"on"`, true}, {"ON", true},
		{"off", false}, {"false", false}, {"FALSE", false}, {"no", false}, {"'off'", false}} {
		in := fmt.Sprintf("inputs: [{name: a, line: 4, active_low: %[1]s, retain: %[1]s}]\n"+
			"outputs: [{name: b, line: 5, initial: %[1]s, on_exit: %[1]s}]\nrules: [{when: a, is: %[1]s, do: %[1]s, output: b}]\n", on.word)
		c, _, err := Parse("c.yaml", []byte(in))
		if err != nil {
			t.Errorf("%s: %v", on.word, err)
			continue
		}
		want := map[bool][]any{
			true:  {true, true, gpio.On, bridge.ExitOn, bridge.Pressed, bridge.VerbOn},
			false: {false, false, gpio.Off, bridge.ExitOff, bridge.Released, bridge.VerbOff},
		}[on.yes]
		lines, rule := c.Chips[0].Lines, c.Bridge.Rules[0]
		equal(t, on.word, []any{lines[0].ActiveLow, c.Bridge.Inputs[0].Retain, lines[1].Initial, c.Bridge.Outputs[0].OnExit, rule.Is, rule.Do}, want)
	}
}
