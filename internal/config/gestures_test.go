package config

import (
	"fmt"
	"strings"
	"testing"

	"gatewayd/bridge"
)

// TestGestures: what is told unless the file says it.
func TestGestures(t *testing.T) {
	for _, c := range []struct {
		input string // besides the line
		rules string // what rules wait for
		want  string
	}{
		{"name: door", "", "[]"},
		{"name: door", "pressed released changed", "[]"},
		{"name: door", "long click pressed click", "[click long]"},
		{"name: l01_button", "", "[click long]"},
		{"name: button2", "", "[click long]"},
		{"name: buttons", "", "[click long]"},
		{"name: s1, label: Lichttaster Flur", "", "[click long]"},
		{"name: s1, label: Push for light", "", "[click long]"},
		{"name: s1, topic: light/l01/button", "", "[click long]"},
		{"name: wall_switch", "", "[]"}, // stays where it is put
		{"name: unbuttoned", "", "[]"},
		{"name: s1, topic: pushed/door", "", "[]"},
		{"name: l01_button", "double", "[click double long]"}, // so that its click waits, as the rule has it
		{"name: l01_button, gestures: none", "double", "[]"},
		{"name: l01_button, gestures: []", "", "[]"},
		{"name: l01_button, gestures: release", "hold", "[release]"},
		{"name: l01_button, gestures: [hold, press]", "", "[hold press]"},
	} {
		in := fmt.Sprintf("device: button\ninputs: [{%s, line: 4}]\noutputs: [{name: o, line: 5}]\nrules:\n", c.input)
		name := strings.Trim(strings.Fields(c.input)[1], ",")
		for i, is := range strings.Fields(c.rules) {
			in += fmt.Sprintf("  - {when: %s, is: %s, do: on, for: %ds, output: o}\n", name, is, i+1)
		}
		cfg, warnings, err := Parse("c.yaml", []byte(in))
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", in, err, warnings)
			continue
		}
		if got := fmt.Sprint(cfg.Bridge.Inputs[0].Gestures.Told); got != c.want {
			t.Errorf("%s, rules wait for %q: %s is told, want %s", c.input, c.rules, got, c.want)
		}
		again, _, err := Parse("printed.yaml", printed(t, cfg))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, c.input+" printed and read", exported(again), exported(cfg))
	}
}

// TestGestureTimes: a rule alone has its input's times.
func TestGestureTimes(t *testing.T) {
	cfg, warnings, err := Parse("c.yaml", []byte("inputs: [{name: a, line: 4, gestures: none, multi_click: 400ms}]\noutputs: [{name: o, line: 5}]\n"+
		"rules: [{when: a, is: double, do: on, output: o}]\n"))
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	equal(t, "gestures", cfg.Bridge.Inputs[0].Gestures, bridge.Gestures{Gap: 400e6})
	equal(t, "the rule", cfg.Bridge.Rules[0].Is, bridge.Double)
}
