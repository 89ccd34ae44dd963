package gpio

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// Registers of the PCA9555 and its kin, a pair each where there are 16 lines, port 0's first: PCA9555 rev. 10, table 4. With 8 lines they
// are 0 to 3: PCA9554 rev. 9, table 3.
const (
	pcaInput  = iota // levels of the pins; reading it ends the interrupt
	pcaOutput        // what outputs drive; 1 after power-on
	pcaInvert        // 1: the input register reads inverted
	pcaConfig        // 1: input
)

// pca95xx is the registers of a PCA9534, PCA9535, PCA9554 or PCA9555, or of another maker's part like them. The address steps on within a
// pair only (PCA9555, 6.5.2), and with 8 lines not at all: so each register costs a transaction, and reads the same again in one that
// goes on. That is read too, as there is no check sum: a reading that broke off shows, and a part of another type, whose registers
// follow one another.
//
// No line's interrupt can be masked, pulses that are over leave nothing to read, and pull-ups are there or not: what is written for these
// is only kept here.
type pca95xx struct {
	bus  i2c.Bus
	addr uint16
	kind *ExpanderType
	n    int // bytes of a register
	w    [3]byte
	r    [4]byte
	kept expanderRegs // exMode, exCompare and exAlert, as they were put
	zero zeros
}

func newPCA(t *ExpanderType, bus i2c.Bus, addr uint16) expanderChip {
	return &pca95xx{bus: bus, addr: addr, kind: t, n: t.Lines / 8, zero: zeros{bus: bus}}
}

func (c *pca95xx) mode(bool) (want, mask uint16) { return 0, 0 }

func (c *pca95xx) command(reg int) byte { return byte(reg * c.n) }

func (c *pca95xx) tx(reg, n int) error {
	c.w[0] = c.command(reg)
	return c.bus.Tx(c.addr, c.w[:1], c.r[:n])
}

// once reads a register.
func (c *pca95xx) once(reg int) (uint16, error) {
	if err := c.tx(reg, c.n); err != nil {
		return 0, err
	}
	return word(c.r[:c.n]), nil
}

// twice reads a register two times in one transaction, until both are the same.
func (c *pca95xx) twice(reg int) (uint16, error) {
	var first [4]byte
	same := 0
	for range 3 {
		if err := c.tx(reg, 2*c.n); err != nil {
			return 0, err
		}
		v := word(c.r[:c.n])
		if v == word(c.r[c.n:2*c.n]) {
			return v, nil
		}
		if c.r == first {
			same++
		}
		first = c.r
	}
	if same == 2 {
		return 0, errOther(c.kind.Name)
	}
	return 0, errExpanderNoise
}

// attach looks whether the registers are where they belong.
func (c *pca95xx) attach() (moved bool, err error) {
	for range 3 { // an input may change meanwhile
		if err := c.tx(pcaInput, 2*c.n); err != nil || !follow(c.r[:2*c.n], c.n) {
			return false, err
		}
	}
	return false, errOther(c.kind.Name)
}

// load reads the levels among what is compared: what spoils them and the reading before for a while shows. The directions come last, so that a
// reset in between shows too.
func (c *pca95xx) load() (regs expanderRegs, s expanderSample, err error) {
	regs = c.kept
	regs[exPull] = c.kind.fixedPulls()
	var r [pcaConfig + 1]uint16
	for _, reg := range [...]int{pcaOutput, pcaInput, pcaInvert, pcaConfig} {
		if reg == pcaInput {
			r[reg], err = c.once(reg)
		} else {
			r[reg], err = c.twice(reg)
		}
		if err != nil {
			return regs, s, err
		}
	}
	s.pins = r[pcaInput]
	config := r[pcaConfig]
	regs[exLatch], regs[exInvert] = r[pcaOutput], r[pcaInvert]
	regs[exDriven] = ^config & c.kind.all()
	s.latched, s.latch = true, regs[exLatch]
	echo := true // as a PCF857x, which drives what it is told, commands too
	for reg := pcaOutput; reg <= pcaConfig; reg++ {
		echo = echo && byte(r[reg]) == c.command(reg)
	}
	switch all := c.kind.all(); {
	case echo:
		return regs, s, errOther(c.kind.Name)
	case regs[exLatch] == all && regs[exInvert] == all && config == all: // nobody inverts what nobody uses
		return regs, s, errOther(c.kind.Name)
	case s.pins|regs[exLatch]|regs[exInvert]|config == 0:
		if again, err := c.zero.read(); !again {
			return regs, s, err
		}
		return c.load()
	}
	c.zero.over()
	return regs, s, nil
}

func (c *pca95xx) put(reg int, v uint16) error {
	c.zero.over()
	switch reg {
	case exLatch:
		return c.write(pcaOutput, v)
	case exInvert:
		return c.write(pcaInvert, v)
	case exDriven:
		return c.write(pcaConfig, ^v)
	case exPull: // has no register, and check refuses what is not so anyway
	default:
		c.kept[reg] = v
	}
	return nil
}

func (c *pca95xx) write(reg int, v uint16) error {
	c.w = [3]byte{c.command(reg), byte(v), byte(v >> 8)}
	return c.bus.Tx(c.addr, c.w[:1+c.n], nil)
}

func (c *pca95xx) scan(_, latch bool) (s expanderSample, err error) {
	if s.pins, err = c.once(pcaInput); err != nil || !latch {
		return s, err
	}
	s.latched = true
	s.latch, err = c.once(pcaOutput)
	return s, err
}

func (c *pca95xx) burst() (expanderSample, error) { return c.scan(false, false) }

func (c *pca95xx) driven() (uint16, error) {
	v, err := c.once(pcaConfig)
	return ^v & c.kind.all(), err
}

func (c *pca95xx) tell(r expanderRegs) (text string, reset bool) {
	text = fmt.Sprintf("output=0x%0[1]*[2]x polarity=0x%0[1]*[3]x configuration=0x%0[1]*[4]x", 2*c.n, r[exLatch], r[exInvert], ^r[exDriven]&c.kind.all())
	return text, r[exLatch] == c.kind.all() && r[exInvert]|r[exDriven] == 0
}

// word makes a number of a register's bytes, port 0's first.
func word(r []byte) (v uint16) {
	for i, b := range r {
		v |= uint16(b) << (8 * i)
	}
	return v
}
