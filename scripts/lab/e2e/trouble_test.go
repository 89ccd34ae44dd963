//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

const twoChips = `
chips:
  - {name: relays, type: mcp23017, bus: 1, address: 0x20}
inputs:
  - {name: contact, chip: relays, line: GPB0, pull: up, active_low: true}
outputs:
  - {name: pump, chip: relays, line: GPA0}
  - {name: valve, chip: relays, line: GPA1}
  - {name: lamp, line: GPIO27}
`

// online waits until points are available, or not.
func (o *observer) online(limit time.Duration, want bool, names ...string) {
	o.t.Helper()
	for _, name := range names {
		o.showsWithin(limit, root+name+"/availability", map[bool]string{true: "online", false: "offline"}[want])
	}
}

// An output that is commanded on and whose pin stays off, as by a short circuit, is a fault of that point and of no other.
func TestPinFault(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20")
	header(t, 27)
	b := newBroker(t)
	o := b.observe()
	newGateway(t, b, twoChips)
	o.online(patience, true, "pump", "valve", "contact", "lamp")
	i2c.do("0x20 short a0 low")
	mark := o.mark()
	o.send(root+"pump/set", "ON")
	o.online(patience, false, "pump")
	o.hears(mark, root+"pump/error", "the pin does not follow")
	o.health("the point is named", func(h *health) bool {
		return h.Level == "degraded" && strings.Contains(h.Faults["pump"], "does not follow") && len(h.Faults) == 1 && h.Chips["relays"] == "ok"
	})
	o.send(root+"valve/set", "ON")
	o.shows(root+"valve", "ON")
	for _, name := range []string{"valve", "contact", "lamp"} {
		if m, _ := o.last(root + name + "/availability"); m.payload != "online" {
			t.Errorf("%s is %s", name, m.payload)
		}
	}
	i2c.do("0x20 short a0 open")
	o.online(patience, true, "pump")
	o.shows(root+"pump", "ON")
	o.health("all is well again", func(h *health) bool { return h.Level == "ok" && len(h.Faults) == 0 })
}

// The bus's adapter goes away, with all that is on it, and comes back with chips as after power-on.
func TestBusGone(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20")
	lamp := header(t, 27)
	b := newBroker(t)
	o := b.observe()
	g := newGateway(t, b, twoChips)
	o.online(patience, true, "pump", "valve", "contact", "lamp")
	o.send(root+"pump/set", "ON")
	o.shows(root+"pump", "ON")
	for round := range 2 {
		i2c.vanish()
		if _, err := os.Stat("/dev/i2c-1"); err == nil {
			t.Fatal("/dev/i2c-1 is still there")
		}
		o.online(patience, false, "pump", "valve", "contact")
		o.health("the chip is named", func(h *health) bool {
			return h.Level == "degraded" && strings.Contains(h.Chips["relays"], "/dev/i2c-1") && h.Chips["header"] == "ok"
		})
		o.send(root+"lamp/set", "TOGGLE")
		lamp.becomes(t, round == 0)
		time.Sleep(3 * time.Second)
		i2c.appear()
		o.online(40*time.Second, true, "pump", "valve", "contact")
		o.shows(root+"pump", "ON")
		i2c.becomes("0x20", "a0", true)
		o.health("all is well again", func(h *health) bool { return h.Level == "ok" })
		i2c.press("0x20", "b0")
		o.shows(root+"contact", "OFF")
	}
	if n := g.said("the chip is not available"); n > 6 {
		t.Errorf("the log says %d times that the chip is not available", n)
	}
}
