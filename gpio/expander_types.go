package gpio

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"periph.io/x/conn/v3/i2c"
)

// ExpanderType is a type of I2C port expander, by its data sheet. See Expanders.
type ExpanderType struct {
	Name        string // as its maker writes it: PCA9555
	Lines       int    // 8 or 16: offsets begin with 0
	First, Last uint16 // the addresses that its pins can give it
	Sibling     string // the type that is the same at other addresses, if there is one

	names    lineNames
	pulls    pulls
	latchOut bool // what was written cannot be read, so that it is written again where the pins leave a doubt
	captures bool // it tells which lines pulled the interrupt, and their levels then
	refuse   func(t *ExpanderType, l *LineConfig, lineName string) (key, msg string)
	family   func(t *ExpanderType, bus i2c.Bus, addr uint16) expanderChip
}

// pulls is what holds a line of an expander that nothing drives.
type pulls uint8

const (
	pullsNone   pulls = iota // nothing: a resistor is wanted
	pullsUp                  // a resistor of 100 kOhm, always
	pullsWeak                // a source of 0.1 mA while the line is written high
	pullsChosen              // up or none, line by line
)

var (
	// MCP23017 is the type of the two parts of an IO Pi Plus board too. With an interrupt, INTA or INTB is wired to its line, either one.
	MCP23017 = &ExpanderType{Name: "MCP23017", Lines: 16, First: 0x20, Last: 0x27, names: namesGPAB, pulls: pullsChosen, captures: true,
		refuse: refuseGP7, family: newMCP(2)}

	mcp23008  = &ExpanderType{Name: "MCP23008", Lines: 8, First: 0x20, Last: 0x27, names: namesGP, pulls: pullsChosen, captures: true, family: newMCP(1)}
	pcf8574   = &ExpanderType{Name: "PCF8574", Lines: 8, First: 0x20, Last: 0x27, Sibling: "PCF8574A", names: namesP, pulls: pullsWeak, latchOut: true, family: newPCF}
	pcf8575   = &ExpanderType{Name: "PCF8575", Lines: 16, First: 0x20, Last: 0x27, names: namesPP, pulls: pullsWeak, latchOut: true, family: newPCF}
	pca9534   = &ExpanderType{Name: "PCA9534", Lines: 8, First: 0x20, Last: 0x27, Sibling: "PCA9534A", names: namesP, pulls: pullsNone, family: newPCA}
	pca9554   = &ExpanderType{Name: "PCA9554", Lines: 8, First: 0x20, Last: 0x27, Sibling: "PCA9554A", names: namesP, pulls: pullsUp, family: newPCA}
	pca9535   = &ExpanderType{Name: "PCA9535", Lines: 16, First: 0x20, Last: 0x27, names: namesPP, pulls: pullsNone, family: newPCA}
	pca9555   = &ExpanderType{Name: "PCA9555", Lines: 16, First: 0x20, Last: 0x27, names: namesPP, pulls: pullsUp, family: newPCA}
	expanders = []*ExpanderType{
		MCP23017, mcp23008,
		pcf8574, pcf8574.at38("PCF8574A"), pcf8575,
		pca9534, pca9534.at38("PCA9534A"), pca9535, pca9554, pca9554.at38("PCA9554A"), pca9555,
		pca9535.named("TCA9535"), pca9554.named("TCA9554"), pca9554.named("TCA9554").at38("TCA9554A"), pca9555.named("TCA9555"), pca9535.named("XL9535"),
	}
)

// at38 gives the type that has the addresses from 0x38, and is otherwise the same.
func (t *ExpanderType) at38(name string) *ExpanderType {
	other := *t
	other.Name, other.First, other.Last, other.Sibling = name, 0x38, 0x3f, t.Name
	return &other
}

// named gives the same type as another maker calls it.
func (t *ExpanderType) named(name string) *ExpanderType {
	other := *t
	if other.Name = name; t.Sibling != "" {
		other.Sibling = name + "A"
	}
	return &other
}

// Expanders gives all types of expanders, those of one family together.
func Expanders() []*ExpanderType { return append([]*ExpanderType(nil), expanders...) }

// Expander gives a type by its name, in any case; nil: there is none of that name.
func Expander(name string) *ExpanderType {
	for _, t := range expanders {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}

// Open finds an expander and reads how it is set, so that Claim can leave what runs as it runs. It writes only to an MCP230xx, and only
// where another program left another register layout (IOCON.BANK or SEQOP), or everything zero. It fails if nobody answers, or something
// that cannot be of this type, as far as that shows without writing. With an interrupt, the chip's INT is wired to its line, which several
// chips can share; it needs a pull-up there.
func (t *ExpanderType) Open(cfg ExpanderConfig) (Chip, error) {
	e, err := openExpander(t, cfg)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Line gives the offset of a line: by the data sheets' names, in any case, or the offset itself.
func (t *ExpanderType) Line(name string) (uint32, error) { return t.names.offset(name) }

// LineName gives the data sheet's name of a line.
func (t *ExpanderType) LineName(offset uint32) string {
	if offset >= uint32(t.Lines) {
		return fmt.Sprintf("line %d", offset)
	}
	return t.names.name(offset)
}

// Refuse tells what the chip cannot do with a line that is called lineName: the key of the configuration that asks for it, and why. The
// message is empty if it can.
func (t *ExpanderType) Refuse(l *LineConfig, lineName string) (key, msg string) {
	if l.Output {
		return "", ""
	}
	if t.refuse != nil {
		if key, msg = t.refuse(t, l, lineName); msg != "" {
			return key, msg
		}
	}
	a := t.WithArticle()
	switch {
	case l.Pull == PullAsIs, l.Pull == PullUp && t.pulls != pullsNone, l.Pull == PullNone && (t.pulls == pullsNone || t.pulls == pullsChosen):
		return "", ""
	case l.Pull == PullDown && t.pulls == pullsChosen:
		return "pull", fmt.Sprintf("%s has no pull-down: use up with active_low, or none with a resistor", a)
	case t.pulls == pullsNone:
		return "pull", fmt.Sprintf("%s has no pull-up and no pull-down: put a resistor of 10 kOhm from the line to 3.3 V (a button then goes to ground, with active_low), and leave pull out", a)
	case l.Pull == PullDown:
		return "pull", fmt.Sprintf("%s has no pull-down, and its pull-ups are always on: use up with active_low, and wire the button to ground", a)
	default:
		return "pull", fmt.Sprintf("%s's pull-ups cannot be switched off: write up, or leave pull out", a)
	}
}

// check is Refuse for a chip that is asked for a line.
func (t *ExpanderType) check(l *LineConfig) error {
	name := t.LineName(l.Offset)
	switch key, msg := t.Refuse(l, name); {
	case msg == "":
		return nil
	case key == "line":
		return errors.New(msg)
	default:
		return errors.New(name + ": " + msg)
	}
}

// fixedPulls are the lines with a pull-up that cannot be switched off.
func (t *ExpanderType) fixedPulls() uint16 {
	if t.pulls == pullsUp || t.pulls == pullsWeak {
		return t.all()
	}
	return 0
}

// all are the lines, a bit each.
func (t *ExpanderType) all() uint16 { return 0xffff >> (16 - t.Lines) }

// WithArticle gives the name for a sentence: an MCP23017, a PCF8574.
func (t *ExpanderType) WithArticle() string {
	if strings.ContainsRune("AEFHILMNORSX", rune(t.Name[0])) {
		return "an " + t.Name
	}
	return "a " + t.Name
}

// refuseGP7 has GPA7 and GPB7 as outputs only: data sheet DS20001952, since revision D.
func refuseGP7(t *ExpanderType, l *LineConfig, lineName string) (key, msg string) {
	if l.Offset%8 != 7 {
		return "", ""
	}
	what := t.LineName(l.Offset)
	if what != lineName {
		what = lineName + ", which is " + what + ","
	}
	return "line", what + " must not be an input on an MCP23017 (Microchip erratum: it can garble the bus): use another line"
}

// follow tells whether readings of n bytes that came one after the other are of registers that follow one another, rather than of lines:
// of these few change at once.
func follow(r []byte, n int) bool {
	moved := 0
	for i := range n {
		var m byte
		for k := i + n; k < len(r); k += n {
			m |= r[k] ^ r[i]
		}
		moved += bits.OnesCount8(m)
	}
	return moved > 4
}

// zeros tells a chip whose registers, or pins, are all zero from a bus whose SDA is held low: there every address answers.
type zeros struct {
	bus   i2c.Bus
	asked int // in a row, and nobody answered
}

// nobody is an address that I2C reserves (UM10204, table 4): no part has it.
const nobody = 0x03

// read tells, after zeros were read, whether that is to be done again: until nobody was asked twice and did not answer, with zeros
// before, between and after, as a bus that is held may be let go for a moment, and a bus that fails answers to nobody either. Each
// counts as a failed transfer.
func (z *zeros) read() (again bool, err error) {
	if z.asked == 2 {
		return false, nil
	}
	var r [1]byte
	if z.bus.Tx(nobody, nil, r[:]) == nil {
		z.asked = 0
		return false, errExpanderHeld
	}
	z.asked++
	return true, nil
}

// over has nobody asked again: there was something else than zeros, or they would be news.
func (z *zeros) over() { z.asked = 0 }
