package config

import (
	"slices"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// AfterCrash gives the chips that have outputs with an on_crash other than keep, with these lines alone: their Initial is what they
// are to become. Interrupts are left out.
func (c *Config) AfterCrash() (chips []Chip) {
	crash := map[string]bridge.Exit{}
	for i := range c.Bridge.Outputs {
		o := &c.Bridge.Outputs[i]
		crash[o.Name] = o.OnCrash
	}
	for _, chip := range c.Chips {
		chip.Interrupt = nil
		chip.Lines = slices.Clone(chip.Lines)
		chip.Lines = slices.DeleteFunc(chip.Lines, func(l gpio.LineConfig) bool { return !l.Output || crash[l.Name] == bridge.ExitKeep })
		for i := range chip.Lines {
			l := &chip.Lines[i]
			l.Initial = gpio.Off
			if crash[l.Name] == bridge.ExitOn {
				l.Initial = gpio.On
			}
		}
		if len(chip.Lines) > 0 {
			chips = append(chips, chip)
		}
	}
	return chips
}
