package config

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/gpio"
)

// headerLine is a line's name on the header, which is checked with the others.
var headerLine = func() value[string] {
	v := lineText
	v.want = "a line of the header, such as GPIO4"
	return v
}()

// expanderKeys are what all I2C expanders have, around the key for their addresses.
func expanderKeys(addrs key[*chip]) []key[*chip] {
	return []key[*chip]{
		field("bus", "the I2C bus: 1 is /dev/i2c-1", integer[int]("the number of an I2C bus", 0, 255), func(c *chip) *int { return &c.bus }, 1),
		addrs,
		field("interrupt", "the header's line that the interrupt output is wired to", several(headerLine), func(c *chip) *[]string { return &c.interrupts }),
		{
			name: "poll", doc: "how often inputs are read where no interrupt is wired", want: poll.want,
			preset: func(c *chip) { c.poll = 10 * time.Millisecond },
			read:   field("poll", "", poll, func(c *chip) *time.Duration { return &c.poll }).read,
			node: func(c *chip) *yaml.Node {
				if len(c.interrupts) > 0 { // it has no meaning then, and is refused
					return nil
				}
				return poll.node(c.poll)
			},
		},
	}
}

var poll = duration(time.Millisecond, 10*time.Second)

// expanderTypes are the types of single chips.
func expanderTypes() (all []*chipType) {
	for _, e := range gpio.Expanders() {
		kind := ChipType(strings.ToLower(e.Name))
		doc := fmt.Sprintf("the I2C address, 0x%02x to 0x%02x", e.First, e.Last)
		all = append(all, &chipType{
			name:     string(kind),
			keys:     expanderKeys(field("address", doc, address, func(c *chip) *uint16 { return &c.addr }).required()),
			expander: e,
			parts:    func(c *chip) []Chip { return []Chip{{Name: c.name, Type: kind, Bus: c.bus, Addr: c.addr}} },
			line: func(name string) (int, uint32, error) {
				offset, err := e.Line(name)
				return 0, offset, err
			},
			lineName: func(_ int, offset uint32) string { return e.LineName(offset) },
			refuse:   e.Refuse,
		})
	}
	return all
}

// iopiplusType is an IO Pi Plus: two MCP23017 on one board, whose lines are called as the board's print says.
var iopiplusType = &chipType{
	name:     "iopiplus",
	expander: gpio.MCP23017,
	keys: expanderKeys(field("addresses", "the I2C addresses of bus 1 and bus 2, as the board's jumpers set them", several(address),
		func(c *chip) *[]uint16 { return &c.addrs }, []uint16{0x20, 0x21})),
	parts: func(c *chip) []Chip {
		return []Chip{
			{Name: c.name + "/bus1", Type: MCP23017, Bus: c.bus, Addr: c.addrs[0], Board: 1},
			{Name: c.name + "/bus2", Type: MCP23017, Bus: c.bus, Addr: c.addrs[1], Board: 2},
		}
	},
	line:     gpio.IOPiPlusLine,
	lineName: gpio.IOPiPlusLineName,
	refuse:   gpio.MCP23017.Refuse,
}

func (d *draft) checkExpander(c *chip) {
	key := "address"
	if c.kind == iopiplusType {
		key = "addresses"
	}
	if c.kind == iopiplusType && len(c.addrs) != 2 {
		c.errorf(&d.notes, key, "two addresses are wanted, of bus 1 and bus 2: addresses: [0x20, 0x21]")
		c.addrs, c.bad[key] = []uint16{0, 0}, true
	}
	c.parts = c.kind.parts(c) // of the lines all is known, even when of the addresses nothing is
	for i := range c.parts {
		a := c.parts[i].Addr
		if c.bad[key] {
			break
		}
		n, path := c.at(key)
		if c.has(key) {
			n = elements(n)[i]
		}
		if e := c.kind.expander; a < e.First || a > e.Last {
			d.errorf(n, path, "0x%02x is no address of %s: they go from 0x%02x to 0x%02x%s", a, e.WithArticle(), e.First, e.Last, siblingAt(e, a))
			continue
		}
		if c.bad["bus"] {
			continue
		}
		d.takeAddress(n, path, busAddr{bus: c.bus, addr: a}, fmt.Sprintf("chip %q", c.parts[i].Name))
	}
	if c.bad["bus"] {
		return
	}
	if d.busUser[c.bus] == "" {
		d.busUser[c.bus] = fmt.Sprintf("chip %q", c.name)
	}
	d.checkInterrupts(c)
}

// siblingAt tells which type is the same at that address.
func siblingAt(e *gpio.ExpanderType, addr uint16) string {
	if other := gpio.Expander(e.Sibling); other != nil && other.First <= addr && addr <= other.Last {
		return fmt.Sprintf(" (it is one of %s: type: %s)", other.WithArticle(), strings.ToLower(other.Name))
	}
	return ""
}

func (d *draft) checkInterrupts(c *chip) {
	n, path := c.at("interrupt")
	if c.bad["interrupt"] || !c.has("interrupt") {
		c.setPoll()
		return
	}
	if c.has("poll") {
		c.errorf(&d.notes, "poll", "poll is for chips without interrupt: remove one of the two")
	}
	if len(c.interrupts) > len(c.parts) {
		d.errorf(n, path, "%d lines for %s: %s wanted", len(c.interrupts), c.kind.name,
			map[int]string{1: "one is", 2: "one for both parts, or two are"}[len(c.parts)])
		return
	}
	for i, line := range c.interrupts {
		at := elements(n)[i]
		o, err := gpio.HeaderLine(line)
		if err != nil {
			d.errorf(at, path, "the interrupt is a line of the header: %v%s", err, perhapsList(line))
			continue
		}
		c.interrupts[i] = headerType.lineName(0, o)
		if p := (pin{string(Header), o}); d.taken[p] == "" { // several chips can share it, and points come later
			d.taken[p] = fmt.Sprintf("the interrupt of chip %q (line %d)", c.name, c.node.Line)
			d.useHeaderPin(at, path, o)
		}
		for k := range c.parts {
			if len(c.interrupts) == 1 || k == i {
				// The expander's output is open drain, so that several can share the line: something must pull it up.
				c.parts[k].Interrupt = &gpio.LineConfig{Name: c.interrupts[i], Offset: o, ActiveLow: true, Pull: gpio.PullUp}
			}
		}
	}
	c.setPoll()
}

// setPoll has the parts without interrupt polled.
func (c *chip) setPoll() {
	for i := range c.parts {
		if c.parts[i].Interrupt == nil {
			c.parts[i].Poll = c.poll
		}
	}
}
