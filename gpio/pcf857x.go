package gpio

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// pcf857x is a PCF8574, PCF8574A or PCF8575. It has no registers: a write sets its latch, a byte for each port, and a read gives the
// levels of the pins (PCF8574 rev. 5, 8.1; PCF8575 rev. 6, 8.1). A pin is pulled to ground while its bit is 0, and held high by 0.1 mA
// while it is 1: that is an input, and an output that is high. After power-on all bits are 1.
//
// So the latch is what was written last and was acknowledged, and what the pins say against it: one that was written low and reads
// high tells that the latch was lost. A line that is high is not driven, so that Keep makes an output of it that is off: whether it was
// written high or was just switched on cannot be told.
type pcf857x struct {
	bus  i2c.Bus
	addr uint16
	kind *ExpanderType
	n    int // bytes of the latch
	w    [2]byte
	r    [32]byte

	latch, outputs uint16 // as they were found, or put: an undriven line's bit is written 1
	ours           bool   // they stand; else they are as the pins are
	found          uint16 // low when they were found, and not put since: who pulls them is not known
	wrote          uint16 // the latch, by what was acknowledged
	against        uint16 // pins that were written low and read high, by the last reading
	tried          uint16 // and were so already when they were written before that: the latch is not to blame
	kept           expanderRegs
	zero           zeros
}

func newPCF(t *ExpanderType, bus i2c.Bus, addr uint16) expanderChip {
	return &pcf857x{bus: bus, addr: addr, kind: t, n: t.Lines / 8, zero: zeros{bus: bus}}
}

// mode is 1 once the latch is ours.
func (c *pcf857x) mode(bool) (want, mask uint16) { return 1, 1 }

// attach reads on: the pins come again and again, where another type's registers follow one another.
func (c *pcf857x) attach() (moved bool, err error) {
	for range 3 {
		r := c.r[:16*c.n]
		if err := c.bus.Tx(c.addr, nil, r); err != nil {
			return false, err
		}
		if !follow(r, c.n) {
			return false, nil
		}
	}
	return false, errOther(c.kind.Name)
}

// read gives the pins, and the latch as far as they tell of it.
func (c *pcf857x) read() (s expanderSample, err error) {
	for again := true; again; {
		r := c.r[:c.n]
		if err := c.bus.Tx(c.addr, nil, r); err != nil {
			return s, err
		}
		if s.pins = word(r); s.pins != 0 {
			c.zero.over()
			break
		}
		if again, err = c.zero.read(); err != nil {
			return s, err
		}
	}
	s.latched = true
	if !c.ours {
		c.latch, c.outputs, c.wrote = s.pins, ^s.pins&c.kind.all(), s.pins
	}
	c.against = s.pins &^ c.wrote
	c.tried &= c.against
	if c.against != 0 && c.against == ^c.wrote&c.kind.all() {
		c.tried = 0 // where none is low, it is the chip that does not obey
	}
	s.latch, s.stuck = c.latch|c.against&^(c.tried|c.found), c.tried
	return s, nil
}

func (c *pcf857x) load() (regs expanderRegs, s expanderSample, err error) {
	if s, err = c.read(); err != nil {
		return regs, s, err
	}
	regs = c.kept
	regs[exLatch], regs[exDriven], regs[exPull] = s.latch, c.outputs, c.kind.fixedPulls()
	if c.ours {
		regs[exMode] = 1
	}
	return regs, s, nil
}

// put writes the latch: once for what outputs drive, and once for which lines are outputs.
func (c *pcf857x) put(reg int, v uint16) error {
	latch, driven := c.latch, c.outputs
	switch reg {
	case exLatch:
		latch = v
	case exDriven:
		driven = v
	case exMode:
		c.found, c.ours = ^c.wrote&c.kind.all(), true
		return nil
	case exAlert:
		c.kept[reg] = v
		return nil
	default: // there is nothing to choose
		return nil
	}
	b := (latch | ^driven) & c.kind.all()
	if b != c.wrote {
		c.zero.over()
	}
	c.w = [2]byte{byte(b), byte(b >> 8)}
	if err := c.bus.Tx(c.addr, c.w[:c.n], nil); err != nil {
		return err
	}
	c.tried = (c.tried | c.against) &^ b
	c.latch, c.outputs, c.wrote, c.found = latch, driven, b, 0
	return nil
}

func (c *pcf857x) scan(_, _ bool) (expanderSample, error) { return c.read() }

func (c *pcf857x) burst() (expanderSample, error) { return c.read() }

func (c *pcf857x) driven() (uint16, error) { return c.outputs, nil }

func (c *pcf857x) tell(r expanderRegs) (text string, reset bool) {
	text = fmt.Sprintf("written=0x%0*x, and high all the same=0x%0*x", 2*c.n, c.wrote, 2*c.n, c.against)
	return text, c.ours && r[exLatch] == c.kind.all()
}
