package gpio

import (
	"errors"
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
)

// Registers of the MCP23017 with IOCON.BANK = 0, port A's; port B's follows each. DS20001952, table 3-5.
// The MCP23008 has the same ones in the same order, a byte each.
const (
	mcpIODIR   = 0x00 // 1: input
	mcpIPOL    = 0x02 // 1: GPIO reads inverted
	mcpGPINTEN = 0x04 // 1: a change pulls the interrupt
	mcpINTCON  = 0x08 // 1: it is the difference to DEFVAL (0x06) that does
	mcpIOCON   = 0x0a // one register at both addresses
	mcpGPPU    = 0x0c // 1: 100 kOhm pull-up, 40 to 115 uA
	mcpINTF    = 0x0e // 1: pulled the interrupt; reading GPIO or INTCAP ends it
	mcpINTCAP  = 0x10 // levels at the interrupt
	mcpGPIO    = 0x12
	mcpOLAT    = 0x14
	mcpSize    = 0x16

	mcpBankIOCON = 0x05 // IOCON's address while BANK = 1; else GPINTENB
)

// Bits of IOCON, register 3-6.
const (
	mcpBANK   = 0x80 // another register layout
	mcpMIRROR = 0x40 // INTA and INTB are one
	mcpSEQOP  = 0x20 // the address does not step on
	mcpODR    = 0x04 // INT is open drain; overrides INTPOL
	mcpINTPOL = 0x02 // INT is active high
	mcpUnused = 0x01 // reads 0
)

// mcpOf gives the register for each of expanderRegs.
var mcpOf = [exRegs]byte{
	exLatch: mcpOLAT, exPull: mcpGPPU, exInvert: mcpIPOL, exMode: mcpIOCON, exCompare: mcpINTCON, exAlert: mcpGPINTEN, exDriven: mcpIODIR,
}

// OpenMCP23017 finds an MCP23017 and reads how it is set, so that Claim can leave what runs as it runs. It writes only where another
// program left another register layout (IOCON.BANK or SEQOP). It fails if nobody answers. Lines are 0 to 7 for GPA0 to GPA7, 8 to 15 for
// GPB0 to GPB7. With an interrupt, INTA or INTB is wired to its line, either one: they are mirrored, and open drain, so that several
// chips can share the line; it needs a pull-up there.
//
// I2C has no check sum. So what is read counts when a second reading, or the interrupt's own registers, say the same; what is written is
// read back with all registers. Two readings that are spoilt alike in the same bit are believed; and of a line without debounce that has
// an interrupt, a pulse that was over before it was read rests on one reading.
func OpenMCP23017(cfg ExpanderConfig) (Chip, error) {
	e, err := openExpander(fmt.Sprintf("MCP23017 at 0x%02x", cfg.Addr), cfg, &mcp23017{bus: cfg.Bus, addr: cfg.Addr})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// mcp23017 is its registers. The kernel's i2c-bcm2835 takes a read as the last message only, so one Tx reads one row of registers.
type mcp23017 struct {
	bus  i2c.Bus
	addr uint16
	w    [3]byte
	r    [mcpSize]byte
	all  [mcpSize]byte
}

func (c *mcp23017) read(reg byte, n int) ([]byte, error) {
	c.w[0] = reg
	err := c.bus.Tx(c.addr, c.w[:1], c.r[:n])
	return c.r[:n], err
}

func (c *mcp23017) write(reg byte, v ...byte) error {
	c.w[0] = reg
	return c.bus.Tx(c.addr, c.w[:1+copy(c.w[1:], v)], nil)
}

func (c *mcp23017) check(l *LineConfig) error {
	pin := fmt.Sprintf("GP%c%d", "AB"[l.Offset/8], l.Offset%8)
	switch {
	case l.Output:
	case l.Offset%8 == 7:
		return fmt.Errorf("%s cannot be an input: by Microchip's erratum its changes corrupt the I2C bus (data sheet DS20001952 from revision D): "+
			"use another line, or this one as an output", pin)
	case l.Pull == PullDown:
		return fmt.Errorf("%s has no pull-down: use a resistor to ground and pull none, or pull up and active low", pin)
	}
	return nil
}

// mode has open drain in any case: registers that are all zero are then nobody's, but a bus's whose SDA is held low.
func (c *mcp23017) mode(interrupt bool) (want, mask uint16) {
	if interrupt {
		return mcpMIRROR | mcpODR, mcpBANK | mcpMIRROR | mcpSEQOP | mcpODR | mcpINTPOL
	}
	return mcpODR, mcpBANK | mcpSEQOP | mcpODR
}

// attach makes BANK and SEQOP 0. Each step reads one byte, for with SEQOP set the rows are not what they seem.
func (c *mcp23017) attach() (moved bool, err error) {
	r, err := c.read(mcpBankIOCON, 1)
	if err != nil {
		return false, err
	}
	was := r[0]
	if was&mcpBANK != 0 && was&mcpUnused == 0 { // else it is no IOCON, but a bus that reads as FF
		// IOCON with BANK set, or else GPINTENB with the bit of GPB7, which is no input: the bit goes in either case.
		if err := c.write(mcpBankIOCON, was&^mcpBANK); err != nil {
			return moved, err
		}
	}
	iocon := byte(mcpUnused)
	for i := 0; i < 3 && iocon&(mcpBANK|mcpUnused) != 0; i++ { // more than once, for a bit may flip on the wire
		if r, err = c.read(mcpIOCON, 1); err != nil {
			return moved, err
		}
		iocon = r[0]
	}
	if iocon&(mcpBANK|mcpUnused) != 0 {
		return moved, errors.New("something answers that is no MCP23017: compare the chip's type and address with the configuration")
	}
	moved = was&mcpBANK != 0 && iocon == was&^mcpBANK // it was IOCON that was written
	if iocon&mcpSEQOP != 0 {
		moved = true
		return moved, c.write(mcpIOCON, iocon&^mcpSEQOP)
	}
	if iocon != 0 {
		return moved, nil
	}
	// Another program may have left everything zero, all lines outputs that are low: then the chip takes what it is told, and a bus
	// whose SDA is held low does not.
	if r, err = c.turn(); err == nil && allZero(r) {
		err = c.write(mcpIOCON, mcpODR)
	}
	return moved, err
}

func (c *mcp23017) load() (regs expanderRegs, s expanderSample, err error) {
	r, err := c.row()
	if err != nil {
		return regs, s, err
	}
	for i, reg := range mcpOf {
		regs[i] = pair(r[reg:])
	}
	regs[exDriven] = ^regs[exDriven]
	regs[exMode] &= 0xff
	return regs, mcpSample(r, 0), nil
}

// row reads all registers, until they can be an MCP23017's: a bus that hangs gives zeros, and a chip that is just being reset ones.
func (c *mcp23017) row() (r []byte, err error) {
	for range 3 {
		if r, err = c.turn(); err != nil || mcpPossible(r) {
			return r, err
		}
	}
	return r, errExpanderNoise
}

// turn reads all registers once. It begins and ends with the two addresses of IOCON, by way of the last register, after which comes
// the first (data sheet, 3.2.1): in our mode that is neither 00 nor FF, and a reading that broke off shows. The directions come after
// the latches, so that a reset between them shows too.
func (c *mcp23017) turn() ([]byte, error) {
	const first = mcpIOCON + 1
	r, err := c.read(first, mcpSize)
	copy(c.all[first:], r)
	copy(c.all[:], r[mcpSize-first:])
	return c.all[:], err
}

func allZero(p []byte) bool { return !slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) }

// mcpPossible tells whether a row can be an MCP23017's in the layout that we use: IOCON is one register at two addresses, and only
// lines that may do so pull the interrupt.
func mcpPossible(r []byte) bool {
	return !allZero(r) && r[mcpIOCON] == r[mcpIOCON+1] && r[mcpIOCON]&(mcpBANK|mcpSEQOP|mcpUnused) == 0 &&
		pair(r[mcpINTF:])&^pair(r[mcpGPINTEN:]) == 0
}

func (c *mcp23017) put(reg int, v uint16) error {
	if reg == exMode {
		return c.write(mcpIOCON, byte(v))
	}
	if reg == exDriven {
		v = ^v
	}
	return c.write(mcpOf[reg], byte(v), byte(v>>8))
}

func (c *mcp23017) scan(alerts bool) (expanderSample, error) {
	if alerts {
		return c.sample(mcpINTF, mcpSize-mcpINTF)
	}
	return c.sample(mcpGPIO, mcpSize-mcpGPIO)
}

func (c *mcp23017) burst() (expanderSample, error) { return c.sample(mcpINTF, mcpOLAT-mcpINTF) }

func (c *mcp23017) sample(first byte, n int) (expanderSample, error) {
	r, err := c.read(first, n)
	if err != nil {
		return expanderSample{}, err
	}
	return mcpSample(r, first), nil
}

// mcpSample takes the lines' registers from a row that begins at first.
func mcpSample(r []byte, first byte) (s expanderSample) {
	s.pins = pair(r[mcpGPIO-first:])
	if first <= mcpINTF {
		s.alerts = true
		s.flagged, s.captured = pair(r[mcpINTF-first:]), pair(r[mcpINTCAP-first:])
		if s.flagged&0x00ff != 0 {
			s.caught |= 0x00ff // INTCAP keeps the whole port
		}
		if s.flagged&0xff00 != 0 {
			s.caught |= 0xff00
		}
	}
	if int(first)+len(r) == mcpSize {
		s.latched, s.latch = true, pair(r[mcpOLAT-first:])
	}
	return s
}

func (c *mcp23017) driven() (uint16, error) {
	r, err := c.read(mcpIODIR, 2)
	if err != nil {
		return 0, err
	}
	return ^pair(r), nil
}

func (c *mcp23017) tell(r expanderRegs) (text string, reset bool) {
	text = fmt.Sprintf("IODIR=0x%04x GPPU=0x%04x IPOL=0x%04x IOCON=0x%02x GPINTEN=0x%04x INTCON=0x%04x OLAT=0x%04x",
		^r[exDriven], r[exPull], r[exInvert], r[exMode], r[exAlert], r[exCompare], r[exLatch])
	r[exLatch] = 0 // may survive
	return text, r == expanderRegs{}
}

func pair(r []byte) uint16 { return uint16(r[0]) | uint16(r[1])<<8 }
