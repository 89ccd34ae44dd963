//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	relays  = "0x20"
	buttons = "0x21"
)

// seed is the scenario that the project began with: an IO Pi Plus with lights on one of its buses and wall buttons on the other.
const seed = `
chips:
  - {name: io, type: iopiplus, bus: 1, addresses: [0x20, 0x21]%s}
inputs:
  - {name: l01_button, chip: io, line: bus2-1, pull: up, active_low: true, topic: light/l01/button}
  - {name: l02_button, chip: io, line: bus2-2, pull: up, active_low: true, topic: light/l02/button}
outputs:
  - {name: l01, chip: io, line: bus1-1, topic: light/l01}
  - {name: l02, chip: io, line: bus1-2, topic: light/l02, command_topic: light/l02/set}
  - {name: l10, chip: io, line: bus1-10, topic: light/l10}
rules:
  - {when: l01_button, is: pressed, do: toggle, output: l01}
  - {when: l02_button, is: pressed, do: toggle, output: l02}
`

func TestSeedPolled(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21")
	playSeed(t, i2c, fmt.Sprintf(seed, ", poll: 100ms"))

	// At rest one transaction for each scan of a chip, and a few every 2 s to compare its registers and read its outputs back.
	i2c.transfers()
	began := time.Now()
	time.Sleep(6 * time.Second)
	n, d := i2c.transfers(), time.Since(began)
	scans, checks := int(d/(100*time.Millisecond)), int(d/(2*time.Second))+1
	t.Logf("at rest in %v: %d transactions with the buttons, %d with the relays", d.Round(time.Millisecond), n[0x21], n[0x20])
	if got := n[0x21]; got < scans*3/4 || got > scans+3*checks {
		t.Errorf("%d transactions with the buttons for %d scans and %d checks", got, scans, checks)
	}
	if got, slow := n[0x20], int(d/(500*time.Millisecond)); got > slow+4*checks {
		t.Errorf("%d transactions with the relays for %d slow scans and %d checks", got, slow, checks)
	}
}

func TestSeedInterrupt(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21")
	irq := header(t, 4)
	i2c.do("wire mcp23017@0x20 inta "+string(irq)+"/pull", "wire mcp23017@0x21 inta "+string(irq)+"/pull") // wired together: open drains
	o := playSeed(t, i2c, fmt.Sprintf(seed, ", interrupt: GPIO4"))
	scarce(t, i2c, o)
}

// With an interrupt line that only the buttons' chip has, the relays' chip is not asked in vain.
func TestSeedInterruptOfOne(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21")
	i2c.do("wire mcp23017@0x21 intb " + string(header(t, 4)) + "/pull")
	o := playSeed(t, i2c, strings.NewReplacer(
		"- {name: io, type: iopiplus, bus: 1, addresses: [0x20, 0x21]%s}",
		"- {name: relays, type: mcp23017, address: 0x20}\n  - {name: buttons, type: mcp23017, address: 0x21, interrupt: GPIO4}",
		"chip: io, line: bus1-10,", "chip: relays, line: GPB1,", "chip: io, line: bus1-1,", "chip: relays, line: GPA0,",
		"chip: io, line: bus1-2,", "chip: relays, line: GPA1,", "chip: io, line: bus2-1,", "chip: buttons, line: GPA0,",
		"chip: io, line: bus2-2,", "chip: buttons, line: GPA1,",
	).Replace(seed))
	scarce(t, i2c, o)
}

// playSeed proves the scenario, and leaves l01 off.
func playSeed(t *testing.T, i2c *bus, config string) *observer {
	t.Helper()
	b := newBroker(t)
	o := b.observe()
	g := newGateway(t, b, config)
	o.shows(root+"status", "online")
	o.shows("light/l01/button", "OFF")
	o.shows("light/l01", "OFF")
	time.Sleep(100 * time.Millisecond) // a press within 30 ms of the start could be the pull-up's doing, and counts for none
	for _, want := range []string{"ON", "OFF", "ON"} {
		mark := o.mark()
		i2c.press(buttons, "a0")
		o.shows("light/l01", want)
		i2c.becomes(relays, "a0", want == "ON")
		eventually(t, "the press is told", func() bool { return slices.Equal(o.changes(mark, "light/l01/button"), []string{"ON", "OFF"}) })
	}
	if got := run(t, "i2cget", "-y", "1", relays, "0x14"); got != "0x01" {
		t.Errorf("i2cget shows OLATA %s, want 0x01", got)
	}
	b.pub("-t", "light/l01/set", "-m", "OFF", "-q", "1")
	o.shows("light/l01", "OFF")
	i2c.becomes(relays, "a0", false)
	b.pub("-t", "light/l10/set", "-m", "ON")
	o.shows("light/l10", "ON")
	i2c.becomes(relays, "b1", true)
	if got := run(t, "i2cget", "-y", "1", relays, "0x15"); got != "0x02" {
		t.Errorf("i2cget shows OLATB %s, want 0x02", got)
	}
	if i2c.high(relays, "a1") {
		t.Error("l02 is on, which nobody wished")
	}
	if n := g.said("warning: ") + g.said("error: "); n > 0 {
		t.Errorf("%d warnings in the log", n)
	}
	return o
}

// scarce proves that a press costs few transactions until the light is confirmed. A scan or check that is due meanwhile comes on
// top, so the least of several presses counts.
func scarce(t *testing.T, i2c *bus, o *observer) {
	t.Helper()
	least := 1000
	var counts []int
	for range 12 {
		mark := o.mark()
		i2c.transfers()
		i2c.do(buttons + " input a0 low")
		eventually(t, "the light is confirmed", func() bool { return len(o.since(mark, "light/l01")) > 0 })
		n := i2c.transfers()
		counts = append(counts, n[0x20]+n[0x21])
		least = min(least, n[0x20]+n[0x21])
		i2c.do(buttons + " input a0 open")
		time.Sleep(150 * time.Millisecond)
	}
	t.Logf("transactions from a press to the confirmed light: %v", counts)
	if least > 4 {
		t.Errorf("%d transactions from a press to the confirmed light, want at most 4", least)
	}
	i2c.transfers()
	began := time.Now()
	time.Sleep(4 * time.Second)
	n, d := i2c.transfers(), time.Since(began)
	slow, checks := int(d/(500*time.Millisecond))+1, int(d/(2*time.Second))+1
	t.Logf("at rest in %v: %d transactions with the buttons, %d with the relays", d.Round(time.Millisecond), n[0x21], n[0x20])
	for chip, got := range n {
		if got > slow+4*checks {
			t.Errorf("0x%x: %d transactions at rest in %v: with an interrupt nothing need be polled", chip, got, d)
		}
	}
}

// A chip that goes, loses all it knew, and returns: its points say so, the others work on, and no output clicks.
func TestExpanderGoesAndReturns(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21", "mcp23017@0x22")
	i2c.do("0x20 input a3 high") // a relay board that switches on when low has a pull-up of its own
	lamp := header(t, 22)
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: buttons, type: mcp23017, address: 0x21}
  - {name: more, type: mcp23017, address: 0x22}
inputs:
  - {name: button, chip: buttons, line: GPA0, pull: up, active_low: true}
  - {name: contact, chip: relays, line: GPB0, pull: up}
outputs:
  - {name: stays_on, chip: relays, line: GPA0}
  - {name: goes_off, chip: relays, line: GPA1}
  - {name: stays_off, chip: relays, line: GPA2}
  - {name: board, chip: relays, line: GPA3, active_low: true}
  - {name: other, chip: more, line: GPA0}
  - {name: lamp, line: GPIO22}
rules:
  - {when: button, do: toggle, output: lamp}
`)
	o.shows(root+"status", "online")
	for _, name := range []string{"stays_on", "goes_off", "other"} {
		o.shows(root+name, "OFF")
		o.send(root+name+"/set", "ON")
		o.shows(root+name, "ON")
	}
	o.shows(root+"contact", "ON")
	o.shows(root+"board", "OFF")
	o.shows(root+"button", "OFF")
	o.shows(root+"lamp", "OFF")
	saw := i2c.watch()
	sawLamp := watch(t, lamp)

	i2c.do("absent 0x20")
	for _, name := range []string{"contact", "stays_on", "goes_off", "stays_off"} {
		o.shows(root+name+"/availability", "offline")
	}
	o.health("the chip is named", func(h *health) bool {
		return h.Level == "degraded" && strings.Contains(h.Chips["relays"], "0x20") && h.Chips["buttons"] == "ok"
	})
	mark := o.mark()
	o.send(root+"goes_off/set", "OFF")
	o.hears(mark, root+"goes_off/error", "is kept until it succeeds", "0x20")
	o.send(root+"stays_off/set", "ON")
	o.hears(mark, root+"stays_off/error", "refused", "not available", "0x20")
	i2c.press(buttons, "a0")
	o.shows(root+"lamp", "ON")
	lamp.becomes(t, true)
	for _, name := range []string{"button", "other", "lamp"} {
		if m, _ := o.last(root + name + "/availability"); m.payload != "online" {
			t.Errorf("%s is %s", name, m.payload)
		}
	}
	i2c.do("0x20 reset", "0x20 input b0 low", "present 0x20")
	for _, name := range []string{"contact", "stays_on", "goes_off", "stays_off"} {
		within(t, 20*time.Second, name+" is available again", func() bool {
			m, _ := o.last(root + name + "/availability")
			return m.payload == "online"
		})
	}
	o.shows(root+"stays_on", "ON")
	o.shows(root+"goes_off", "OFF")
	o.shows(root+"stays_off", "OFF")
	o.shows(root+"contact", "OFF")
	o.health("all is well again", func(h *health) bool { return h.Level == "ok" })
	changes := saw()
	for pin, want := range map[string][]bool{
		"mcp23017@0x20 a0": {false, true}, // by the reset, and back
		"mcp23017@0x20 a1": {false},
		"mcp23017@0x20 a2": nil,
		"mcp23017@0x20 a3": nil,
		"mcp23017@0x22 a0": nil,
	} {
		if got := of(changes, pin); !slices.Equal(got, want) {
			t.Errorf("%s: changes to high %v, want %v", pin, got, want)
		}
	}
	if n := len(sawLamp()); n != 2 {
		t.Errorf("the lamp's pin changed %d times, want once", n-1)
	}
}

// A brown-out resets a chip while it runs: it gets its registers again, and its outputs what they were.
func TestExpanderBrownOut(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21")
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, fmt.Sprintf(seed, ""))
	o.shows(root+"status", "online")
	o.shows("light/l01", "OFF")
	o.send("light/l01/set", "ON")
	o.shows("light/l01", "ON")
	o.shows("light/l02", "OFF")
	o.shows("light/l01/button", "OFF")
	for range 3 {
		saw := i2c.watch()
		mark := o.mark()
		i2c.do("0x20 reset", "0x21 reset")
		began := time.Now()
		i2c.becomes(relays, "a0", true)
		i2c.becomes(relays, "a1", false)
		eventually(t, "the buttons' pull-ups are on", func() bool { return i2c.do("get 0x21 gppu") == "0x0003" })
		t.Logf("repaired after %v", time.Since(began).Round(time.Millisecond))
		time.Sleep(300 * time.Millisecond)
		if got := o.payloads(mark, "light/l01/button"); slices.Contains(got, "ON") {
			t.Errorf("the reset was told as a press: %q", got)
		}
		if got := of(saw(), "mcp23017@0x20 a1"); len(got) > 0 {
			t.Errorf("l02 clicked: %v", got)
		}
	}
	// And works.
	i2c.press(buttons, "a0")
	o.shows("light/l01", "OFF")
	i2c.becomes(relays, "a0", false)
}

// An expander behind a bus that hangs for a moment, or refuses a transfer, is no reason for anything.
func TestExpanderHiccup(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21")
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, fmt.Sprintf(seed, ""))
	o.shows(root+"status", "online")
	o.shows("light/l01", "OFF")
	o.shows(root+"l01_button/availability", "online")
	o.send("light/l01/set", "ON")
	o.shows("light/l01", "ON")
	saw := i2c.watch()
	mark := o.mark()
	for _, fault := range []string{"fault 0x20 nack", "fault 0x21 nack 2", "fault 0x20 timeout", "fault 0x21 errno EIO"} {
		i2c.do(fault)
		time.Sleep(700 * time.Millisecond)
		i2c.do("fault all off")
	}
	i2c.press(buttons, "a1")
	o.shows("light/l02", "ON")
	for _, name := range []string{"l01", "l02", "l01_button"} {
		if got := o.payloads(mark, root+name+"/availability"); len(got) > 0 {
			t.Errorf("%s was told to be %q", name, got)
		}
	}
	if got := of(saw(), "mcp23017@0x20 a0"); len(got) > 0 {
		t.Errorf("l01 clicked: %v", got)
	}
}

func TestSensor(t *testing.T) {
	i2c := newBus(t, "bme280@0x76")
	i2c.do("0x76 temperature 21.5", "0x76 humidity 47", "0x76 pressure 1003.2")
	b := newBroker(t)
	o := b.observe()
	g := newGateway(t, b, `
sensors:
  - {name: climate, type: bme280, bus: 1, address: 0x76, every: 1s}
`)
	reads := func(quantity string, low, high float64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s from %v to %v, not %q", quantity, low, high, o.payloads(0, root+"climate/"+quantity)), func() bool {
			m, ok := o.last(root + "climate/" + quantity)
			var v float64
			_, err := fmt.Sscanf(m.payload, "%g", &v)
			return ok && err == nil && v >= low && v <= high
		})
	}
	o.shows(root+"climate/availability", "online")
	reads("temperature", 21.4, 21.6)
	reads("humidity", 46.5, 47.5)
	reads("pressure", 1002.7, 1003.7)
	i2c.do("0x76 temperature -12.25")
	reads("temperature", -12.4, -12.1)
	i2c.do("absent 0x76")
	o.shows(root+"climate/availability", "offline")
	o.health("the sensor is named", func(h *health) bool {
		return h.Level == "degraded" && strings.Contains(h.Sensors["climate"], "0x76") && strings.Contains(strings.Join(h.Reasons, "\n"), `sensor "climate"`)
	})
	mark := o.mark()
	time.Sleep(1500 * time.Millisecond)
	if got := o.since(mark, root+"climate/temperature"); len(got) > 0 {
		t.Errorf("a sensor that does not answer says %v", got)
	}
	i2c.do("0x76 reset", "0x76 temperature 8", "present 0x76")
	o.showsWithin(30*time.Second, root+"climate/availability", "online")
	reads("temperature", 7.9, 8.1)
	o.health("all is well again", func(h *health) bool { return h.Level == "ok" })
	if n := g.said("sensor fails"); n > 3 {
		t.Errorf("the log says %d times that the sensor fails", n)
	}
}
