//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Expanders without the MCP23017's comforts: relays that switch on when low on a PCF8574, which has no registers, and buttons on a
// PCA9555, on their interrupt.
func TestOtherExpanders(t *testing.T) {
	i2c := newBus(t, "pcf8574@0x20", "pca9555@0x21", "pca9535@0x22", "mcp23008@0x23", "pcf8575@0x24")
	i2c.do("wire pca9555@0x21 int " + string(header(t, 4)) + "/pull")
	i2c.do("0x22 input p05 high")
	b := newBroker(t)
	o := b.observe()
	const config = `
chips:
  - {name: relays, type: pcf8574, address: 0x20}
  - {name: buttons, type: tca9555, address: 0x21, interrupt: GPIO4}
  - {name: more, type: xl9535, address: 0x22}
  - {name: small, type: mcp23008, address: 0x23}
  - {name: wide, type: pcf8575, address: 0x24}
inputs:
  - {name: b1, chip: buttons, line: P13, pull: up, active_low: true}
  - {name: b2, chip: small, line: GP6, pull: up, active_low: true}
  - {name: b3, chip: more, line: IO0_5, active_low: true}
  - {name: b4, chip: wide, line: P17, active_low: true}
outputs:
  - {name: l1, chip: relays, line: P0, active_low: true}
  - {name: l2, chip: relays, line: P7, active_low: true}
  - {name: l3, chip: more, line: P12}
  - {name: l4, chip: small, line: GP0}
  - {name: l5, chip: wide, line: P02, active_low: true}
rules:
  - {when: b1, is: pressed, do: toggle, output: [l1, l3, l4, l5]}
`
	g := newGateway(t, b, config)
	o.shows(root+"status", "online")
	for _, p := range []string{"b1", "b2", "b3", "b4", "l1", "l2", "l3", "l4", "l5"} {
		o.shows(root+p, "OFF")
	}
	time.Sleep(100 * time.Millisecond)
	for _, on := range []bool{true, false, true} {
		mark := o.mark()
		i2c.do("0x21 input p13 low")
		o.shows(root+"b1", "ON")
		i2c.do("0x21 input p13 open")
		o.shows(root+"b1", "OFF")
		if got := o.changes(mark, root+"b1"); !slices.Equal(got, []string{"ON", "OFF"}) {
			t.Errorf("a press is told as %q", got)
		}
		for _, p := range []string{"l1", "l3", "l4", "l5"} {
			o.shows(root+p, map[bool]string{true: "ON", false: "OFF"}[on])
		}
		i2c.becomes("0x20", "p0", !on)
		i2c.becomes("0x22", "p12", on)
		i2c.becomes("0x23", "gp0", on)
		i2c.becomes("0x24", "p02", !on)
	}
	for chip, press := range map[string][2]string{"0x23": {"b2", "gp6"}, "0x22": {"b3", "p05"}, "0x24": {"b4", "p17"}} {
		mark := o.mark()
		i2c.do(chip + " input " + press[1] + " low")
		o.shows(root+press[0], "ON")
		i2c.do(chip + " input " + press[1] + " high")
		eventually(t, press[0]+" is told", func() bool { return slices.Equal(o.changes(mark, root+press[0]), []string{"ON", "OFF"}) })
	}
	b.pub("-t", root+"l2/set", "-m", "ON")
	o.shows(root+"l2", "ON")
	if i2c.high("0x20", "p7") {
		t.Error("l2 is not on")
	}

	// Killed, and started again: what is on stays on.
	saw := i2c.watch()
	g.kill()
	g.start()
	o.showsWithin(time.Minute, root+"status", "online")
	time.Sleep(3 * time.Second)
	for _, pin := range []string{"pcf8574@0x20 p0", "pcf8574@0x20 p7", "pca9535@0x22 p12", "mcp23008@0x23 gp0", "pcf8575@0x24 p02"} {
		if got := of(saw(), pin); len(got) > 0 {
			t.Errorf("%s moved %v when the gateway was started again", pin, got)
		}
	}
	// They lose their supply for a moment, all of them.
	i2c.do("0x20 reset", "0x21 reset", "0x22 reset", "0x23 reset", "0x24 reset")
	i2c.becomes("0x20", "p0", false)
	i2c.becomes("0x20", "p7", false)
	i2c.becomes("0x22", "p12", true)
	i2c.becomes("0x23", "gp0", true)
	i2c.becomes("0x24", "p02", false)
	if n := g.said("chip was reset, repaired"); n < 4 {
		t.Errorf("%d resets are in the log, want 4", n)
	}
	i2c.do("0x21 input p13 low")
	o.shows(root+"l1", "OFF")
	i2c.becomes("0x20", "p0", true)

	// The device's own program agrees.
	if got := run(t, "i2cget", "-y", "1", "0x20"); got != "0x7f" {
		t.Errorf("i2cget shows 0x20 %s, want 0x7f", got)
	}
	if got := run(t, "i2cget", "-y", "1", "0x22", "0x07"); got != "0xfb" {
		t.Errorf("i2cget shows the configuration of port 1 of 0x22 as %s, want 0xfb", got)
	}
}

// A PCA9555 that is taken for an MCP23017 is told, and nothing is written to it.
func TestOtherExpanderTaken(t *testing.T) {
	i2c := newBus(t, "pca9555@0x20", "mcp23017@0x21")
	b := newBroker(t)
	o := b.observe()
	saw := i2c.watch()
	g := newGateway(t, b, `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: more, type: pca9555, address: 0x21}
outputs:
  - {name: l1, chip: relays, line: GPA0, initial: on}
  - {name: l2, chip: more, line: P00, initial: on}
`)
	o.shows(root+"l1/availability", "offline")
	o.shows(root+"l2/availability", "offline")
	time.Sleep(2 * time.Second)
	for _, want := range []string{"no MCP23017", "no PCA9555"} {
		if g.said(want) == 0 {
			t.Errorf("the log does not say %q", want)
		}
	}
	for _, c := range saw() {
		if !strings.Contains(c.pin, " int") {
			t.Errorf("%s became %v", c.pin, c.high)
		}
	}
}
