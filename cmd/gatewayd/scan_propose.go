package main

import (
	"fmt"
	"strings"

	"gatewayd/sensors"
)

// proposal is a configuration that is put together.
type proposal struct {
	names   map[string]bool // that are taken
	chips   strings.Builder
	sensors strings.Builder
	active  int    // sensors that are not commented out
	told    string // the types that a chip can have instead
}

// propose writes a configuration with what was found, as far as the one there is does not have it.
func (s *scan) propose(out *strings.Builder, buses []*seenBus, kernel []foundBy) {
	p := proposal{names: map[string]bool{}}
	for n := range s.names {
		p.names[n] = true
	}
	for _, b := range buses {
		for _, c := range b.chips {
			if c.kernel == "" && c.user == "" && !c.fickle && len(c.parts) > 0 {
				p.add(b.number, c)
			}
		}
	}
	for _, k := range kernel {
		for _, f := range k.found {
			p.item(k.driver, k.driver.Name, f.Keys)
		}
	}
	if p.chips.Len()+p.sensors.Len() == 0 {
		out.WriteString("\nNothing was found that could be configured.\n")
		return
	}
	out.WriteString("\n# For the configuration; names can be chosen. Of lines with one name only one is right: the part's print tells which.\n")
	if p.chips.Len() > 0 {
		out.WriteString("chips:\n" + p.chips.String())
	}
	if p.sensors.Len() > 0 {
		out.WriteString("sensors:\n" + p.sensors.String())
	}
	if p.active == 0 {
		out.WriteString("inputs: # at least one input, output or sensor is wanted\n  - {name: " + p.name("button") + ", line: GPIO17, pull: up, active_low: true}\n")
	}
}

// add proposes a part on a bus, and what it can be instead.
func (p *proposal) add(bus int, c *seenChip) {
	at := fmt.Sprintf("bus: %d, address: 0x%02x", bus, c.addr)
	name := func(part string) string {
		if bus != 1 {
			return fmt.Sprintf("%s_%d_%02x", part, bus, c.addr)
		}
		return fmt.Sprintf("%s_%02x", part, c.addr)
	}
	first := c.parts[0]
	d := sensors.Lookup(first)
	if d == nil {
		if others := strings.Join(c.parts[1:], ", "); others != p.told && others != "" {
			p.told = others
			fmt.Fprintf(&p.chips, "  # The type is what is printed on the part; a wrong one can switch its outputs. It can also be\n  # %s.\n", others)
		}
		fmt.Fprintf(&p.chips, "  - {name: %s, type: %s, %s}\n", p.name(name("chip")), first, at)
		return
	}
	var drivers []*sensors.Driver
	var chips []string
	for _, part := range c.parts {
		if d := sensors.Lookup(part); d != nil {
			drivers = append(drivers, d)
		} else {
			chips = append(chips, part)
		}
	}
	part := first
	if len(c.parts) > 1 {
		part = "sensor"
	}
	var called string
	if len(chips) == 0 {
		called = p.item(d, name(part), at)
		drivers = drivers[1:]
	} else {
		called = p.name(name(part))
		fmt.Fprintf(&p.sensors, "  # A sensor, or a chip of outputs, which a sensor's driver would switch. By what is printed on the part, one of these\n"+
			"  # or, below chips: {name: %s, type: %s, %s}; also %s\n", called, chips[0], at, strings.Join(chips[1:], ", "))
	}
	for _, d := range drivers {
		p.sensors.WriteString("  # - " + line(d, called, at) + "\n")
	}
}

// item proposes a sensor and gives its name.
func (p *proposal) item(d *sensors.Driver, name, keys string) string {
	called := p.name(name)
	p.sensors.WriteString("  - " + line(d, called, keys) + "\n")
	p.active++
	return called
}

// line is a sensor's item. On a bus it has the keys of the driver's example, some of which have to be given.
func line(d *sensors.Driver, name, keys string) string {
	all := []string{"name: " + name, "type: " + d.Name}
	if keys != "" {
		all = append(all, keys)
	}
	if len(d.Addrs) > 0 && d.Example != "" {
		all = append(all, d.Example)
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// name gives a name that is not taken, and takes it.
func (p *proposal) name(want string) string {
	name := want
	for i := 2; p.names[name]; i++ {
		name = fmt.Sprintf("%s_%d", want, i)
	}
	p.names[name] = true
	return name
}
