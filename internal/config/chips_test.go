package config

import (
	"os"
	"testing"
	"time"

	"gatewayd/gpio"
)

// TestChips looks at what becomes of boards, interrupts and polling.
func TestChips(t *testing.T) {
	data, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := Parse("everything.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	type summary struct {
		Name          string
		Type          ChipType
		Label, Device string
		Bus           int
		Addr          uint16
		Interrupt     string
		Poll          time.Duration
		Lines         int
	}
	var got []summary
	for _, ch := range c.Chips {
		s := summary{ch.Name, ch.Type, ch.Label, ch.Device, ch.Bus, ch.Addr, "", ch.Poll, len(ch.Lines)}
		if i := ch.Interrupt; i != nil {
			s.Interrupt = i.Name
			equal(t, ch.Name+" interrupt", *i, gpio.LineConfig{Name: i.Name, Offset: i.Offset, ActiveLow: true, Pull: gpio.PullUp})
		}
		got = append(got, s)
	}
	equal(t, "chips", got, []summary{
		{"header", Header, "", "", 0, 0, "", 0, 8},
		{"io/bus1", MCP23017, "", "", 1, 0x20, "GPIO4", 0, 1},
		{"io/bus2", MCP23017, "", "", 1, 0x21, "GPIO5", 0, 1},
		{"io2/bus2", MCP23017, "", "", 1, 0x24, "", 5 * time.Millisecond, 1}, // nothing uses its bus 1
		{"a", MCP23017, "", "", 1, 0x22, "GPIO4", 0, 1},
		{"b", MCP23017, "", "", 3, 0x22, "", 10 * time.Millisecond, 1},
		{"p", "pcf8574a", "", "", 4, 0x38, "", 10 * time.Millisecond, 1},
		{"q", "tca9555", "", "", 4, 0x27, "GPIO4", 0, 1},
		{"k", GPIOChip, "pca9555", "", 0, 0, "", 0, 4},
		{"k2", GPIOChip, "", "/dev/gpiochip3", 0, 0, "", 0, 1},
	})
}
