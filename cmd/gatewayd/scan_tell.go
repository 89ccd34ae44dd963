package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatewayd/sensors"
)

// tell writes what was seen on a bus.
func (b *seenBus) tell(out *strings.Builder) {
	fmt.Fprintf(out, "I2C bus %d", b.number)
	if b.adapter != "" {
		fmt.Fprintf(out, " (%s)", b.adapter)
	}
	if b.left != "" {
		fmt.Fprintf(out, ": %s, and left alone\n", b.left)
		return
	}
	out.WriteString("\n")
	for _, c := range b.chips {
		fmt.Fprintf(out, "  0x%02x  %s\n", c.addr, c.text())
	}
	for _, n := range b.notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
	switch {
	case b.err != nil:
		fmt.Fprintf(out, "  %v\n", b.err)
	case len(b.chips) == 0:
		out.WriteString("  nobody answers: is the part's supply there, are SDA and SCL the right way round?\n")
	}
}

// text says what is at an address.
func (c *seenChip) text() string {
	switch {
	case c.kernel != "":
		held := "UU: the kernel's driver " + c.kernel + " has it"
		if c.part != "" && c.part != c.kernel {
			held += ", as " + c.part
		}
		if c.user != "" {
			held += ", so that it cannot be used by " + c.user + ": remove the overlay"
		}
		return held + "; not touched"
	case c.user != "" && c.fickle:
		return c.user + " of the configuration, but it answers only now and then: look at its wires"
	case c.user != "":
		return c.user + " of the configuration"
	case c.fickle:
		return "answers only now and then: it is behind a multiplexer that is in use, or its wires are bad"
	case c.sure:
		return c.parts[0] + ", it says so itself"
	}
	text, also := "", others[c.addr]
	switch n := len(c.parts); {
	case n == 1:
		text = "probably " + c.parts[0]
	case n > 1:
		text = "one of " + strings.Join(c.parts, ", ")
	case also == "":
		return "something that gatewayd has no driver for"
	default:
		return "perhaps " + also
	}
	if also != "" {
		text += "; or " + also
	}
	return text
}

// others are parts that are common at an address, and are no sensors or chips of the gateway's.
var others = func() map[uint16]string {
	all := map[uint16]string{
		0x3c: "a display (SSD1306, SH1106)", 0x3d: "a display (SSD1306, SH1106)", 0x51: "a memory (24C32), or a clock (PCF8563)",
		0x68: "a clock (DS3231, DS1307, PCF8523), or a motion sensor (MPU6050)", 0x69: "a motion sensor (MPU6050)",
		0x27: "a text display (with a PCF8574)", 0x3f: "a text display (with a PCF8574A)",
		0x40: "a PCA9685", 0x60: "a converter (MCP4725)", 0x61: "a converter (MCP4725)", 0x62: "a converter (MCP4725)",
	}
	for a := uint16(0x48); a <= 0x4f; a++ {
		all[a] = "a converter (PCF8591)"
	}
	for a := uint16(0x50); a <= 0x57; a++ {
		if all[a] == "" {
			all[a] = "a memory (24C32)"
		}
	}
	for a := uint16(0x70); a <= 0x77; a++ {
		all[a] = "a multiplexer (PCA9548, TCA9548), whose channels are not looked at"
	}
	return all
}()

// foundBy is what the kernel has for a driver.
type foundBy struct {
	driver *sensors.Driver
	found  []sensors.Found
}

// kernel gives what the kernel has, by the driver that reads it.
func (s *scan) kernel() (all []foundBy) {
	for _, d := range sensors.Drivers() {
		if d.Find == nil {
			continue
		}
		if found := d.Find(s.root); len(found) > 0 {
			all = append(all, foundBy{d, found})
		}
	}
	return all
}

// tellKernel writes what the kernel has.
func tellKernel(out *strings.Builder, root string, all []foundBy) {
	for _, f := range all {
		fmt.Fprintf(out, "\nThe kernel's, by type: %s\n", f.driver.Name)
		for _, d := range f.found {
			fmt.Fprintf(out, "  %s\n", d.What)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "sys/bus/w1")); err != nil && !slices.ContainsFunc(all, func(f foundBy) bool { return f.driver.Name == "w1" }) {
		out.WriteString("\n1-Wire: not switched on. dtoverlay=w1-gpio in /boot/firmware/config.txt, and a restart, have it on GPIO4.\n")
	}
}
