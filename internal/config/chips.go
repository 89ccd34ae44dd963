package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// chip is an item of the list chips, or the header.
type chip struct {
	place
	name          string
	kind          *chipType // nil: not known
	label, device string
	bus           int
	addr          uint16   // of one chip
	addrs         []uint16 // of an IO Pi Plus
	interrupts    []string // the header's lines, as they are written
	poll          time.Duration
	parts         []Chip // what it becomes, once checked
}

// chipType is what the types of chips differ in.
type chipType struct {
	name     string
	keys     []key[*chip]
	expander *gpio.ExpanderType   // what its parts are; nil: the kernel's
	parts    func(c *chip) []Chip // without interrupts and lines
	line     func(name string) (part int, offset uint32, err error)
	lineName func(part int, offset uint32) string
	refuse   func(l *gpio.LineConfig, lineName string) (key, msg string) // what the chip cannot do; msg is empty if it can
}

var headerType = &chipType{
	name:  string(Header),
	parts: func(c *chip) []Chip { return []Chip{{Name: c.name, Type: Header}} },
	line: func(name string) (int, uint32, error) {
		offset, err := gpio.HeaderLine(name)
		return 0, offset, err
	},
	lineName: func(_ int, offset uint32) string { return fmt.Sprintf("GPIO%d", offset) },
	refuse:   func(*gpio.LineConfig, string) (string, string) { return "", "" },
}

var offset = integer[uint32]("the line's number on its chip", 0, gpio.MaxLines-1)

var gpiochipType = &chipType{
	name: string(GPIOChip),
	keys: []key[*chip]{
		field("label", "what the kernel calls the chip, as gpioinfo shows it", text("a label, such as mcp23017", 64),
			func(c *chip) *string { return &c.label }),
		field("device", "the chip's device, where the label does not tell it from others", text("a path, such as /dev/gpiochip2", 200),
			func(c *chip) *string { return &c.device }),
	},
	parts: func(c *chip) []Chip { return []Chip{{Name: c.name, Type: GPIOChip, Label: c.label, Device: c.device}} },
	line: func(name string) (int, uint32, error) {
		var msg error
		o, _ := offset.parse(plain(name), func(_ *yaml.Node, m string) { msg = fmt.Errorf("%s", m) })
		return 0, o, msg
	},
	lineName: func(_ int, offset uint32) string { return fmt.Sprint(offset) },
	refuse:   func(*gpio.LineConfig, string) (string, string) { return "", "" },
}

var chipTypes = append(expanderTypes(), iopiplusType, gpiochipType)

// lineText is a line's name on any chip, which is understood once the chip is known.
var lineText = scalar("a line, such as 17, GPIO17, P1-11, GPA3, bus1-3", func(s string) (string, error) { return s, checkText(s, 40) },
	func(s string) *yaml.Node {
		if s == "" {
			return nil
		}
		return plain(s)
	})

var chipKeys = []key[*chip]{
	field("name", "what points call it", name, func(c *chip) *string { return &c.name }).required(),
	field("type", "what it is", chipTypeValue, func(c *chip) **chipType { return &c.kind }).required(),
}

var chipTypeValue = func() value[*chipType] {
	var all []choice[*chipType]
	for _, t := range chipTypes {
		all = append(all, choice[*chipType]{t.name, t})
	}
	v := oneOf(all...)
	parse := v.parse
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (*chipType, bool) {
		return parse(n, func(at *yaml.Node, msg string) { complain(at, chipTypeMistake(n, msg)) })
	}
	return v
}()

// chipTypeMistake says better than msg what was meant: a sensor, or a multiplexer, is no chip here.
func chipTypeMistake(n *yaml.Node, msg string) string {
	switch s := n.Value; {
	case n.Kind != yaml.ScalarNode:
	case isMux(s):
		return noMuxType(s).Error()
	case sensors.ForPart(s) != nil:
		return fmt.Sprintf("%s has no lines: it belongs into the list sensors, as type: %s", quote(s), sensors.ForPart(s).Name)
	}
	return msg
}

var chipList = list("chips", "what has lines, other than the header", func() *chip { return new(chip) }, chipKeysOf,
	func(d *draft, c *chip) { d.chips = append(d.chips, c) }, func(d *draft) []*chip { return d.chips })

// chipKeysOf gives the keys of the chip's type, which stands among them. As long as it is not known, every type's keys will do.
func chipKeysOf(n *yaml.Node, c *chip) (keys, elsewhere []key[*chip]) {
	kind := c.kind
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "type" {
				kind, _ = chipTypeValue.parse(n.Content[i+1], func(*yaml.Node, string) {})
			}
		}
	}
	for _, t := range chipTypes {
		for _, k := range t.keys {
			if !slices.Contains(names(elsewhere), k.name) {
				k.must = false
				elsewhere = append(elsewhere, k)
			}
		}
	}
	if kind == nil {
		return slices.Concat(chipKeys, elsewhere), nil
	}
	return slices.Concat(chipKeys, kind.keys), elsewhere
}

// pin is a line of a chip, for finding what is used twice.
type pin struct {
	chip   string
	offset uint32
}

// headerLabels are the kernel's names of the chips that the header belongs to: Zero to 3, 4, 5.
var headerLabels = []string{"pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"}

// chipOf gives what pin calls the chip: a gpiochip that is the header's own chip shares its lines.
func (c *chip) chipOf(part *Chip) string {
	if c.kind == gpiochipType && slices.Contains(headerLabels, c.label) {
		return string(Header)
	}
	return part.Name
}

// broken tells that the chip is known, but not well enough to say what its lines are.
func (c *chip) broken() bool { return c.parts == nil }

func (d *draft) checkChips() {
	d.header.parts = headerType.parts(d.header)
	used := map[string]*chip{}   // names
	kernel := map[string]*chip{} // labels and devices
	for _, c := range d.chips {
		if c.name == d.header.name {
			c.errorf(&d.notes, "name", "header is the Raspberry Pi's own header, which needs no entry: choose another name")
		} else if other := used[c.name]; other != nil && !c.bad["name"] {
			c.errorf(&d.notes, "name", "there is a chip %q already (line %d)", c.name, other.node.Line)
		} else {
			used[c.name] = c
		}
		if c.kind == nil {
			continue
		}
		if c.kind == gpiochipType {
			d.checkGPIOChip(c, kernel)
		} else {
			d.checkExpander(c)
		}
	}
}

func (d *draft) checkGPIOChip(c *chip, known map[string]*chip) {
	if c.has("label") == c.has("device") {
		d.errorf(c.node, c.path, "label or device is wanted, one of the two: label: mcp23017, as gpioinfo shows it, or device: /dev/gpiochip2")
	}
	for _, k := range []string{"label", "device"} {
		id := k + " " + c.label + c.device
		if !c.has(k) || c.bad[k] {
			continue
		} else if other := known[id]; other != nil {
			c.errorf(&d.notes, k, "this is chip %q already (line %d)", other.name, other.node.Line)
		} else {
			known[id] = c
		}
	}
	c.parts = c.kind.parts(c)
}

// perhapsHeader are the devices that the header's own chip can be: the second was a Pi 5's with older kernels.
var perhapsHeader = []string{"/dev/gpiochip0", "/dev/gpiochip4"}

// checkDevices warns of a chip whose lines may be the header's, whose lines are in use too: one used twice would not be seen.
func (d *draft) checkDevices() {
	header := false
	for p := range d.taken {
		header = header || p.chip == string(Header)
	}
	for _, c := range d.chips {
		if c.kind == gpiochipType && header && !c.bad["device"] && slices.Contains(perhapsHeader, filepath.Clean(c.device)) {
			n, path := c.at("device")
			d.warnf(n, path, "if this is the header's own chip (gpioinfo says %s), a line used twice is not seen: give its points no chip: key instead",
				join(headerLabels, "or"))
		}
	}
}
