package gpio

import (
	"cmp"
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
)

// Registers of the MCP23017 with IOCON.BANK = 0, port A's; port B's follows each. DS20001952, table 3-5.
// The MCP23008 has the same ones in the same order, a byte each: at half the address. DS20001919, table 1-2.
const (
	mcpIODIR   = 0x00 // 1: input
	mcpIPOL    = 0x02 // 1: GPIO reads inverted
	mcpGPINTEN = 0x04 // 1: a change pulls the interrupt
	mcpDEFVAL  = 0x06
	mcpINTCON  = 0x08 // 1: it is the difference to DEFVAL that does
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
	mcpUnused = 0x01 // reads 0, as BANK and MIRROR do in an MCP23008
)

// mcpOf gives the register for each of expanderRegs.
var mcpOf = [exRegs]byte{
	exLatch: mcpOLAT, exPull: mcpGPPU, exInvert: mcpIPOL, exMode: mcpIOCON, exCompare: mcpINTCON, exAlert: mcpGPINTEN, exDriven: mcpIODIR,
}

// mcp230xx is the registers of an MCP23017, or of an MCP23008, which has one port. The methods speak of both as if they were an
// MCP23017's. The kernel's i2c-bcm2835 takes a read as the last message only, so one Tx reads one row of registers.
//
// I2C has no check sum. So what is read counts when a second reading, or the interrupt's own registers, say the same; what is written is
// read back with all registers. Two readings that are spoilt alike in the same bit are believed; and of a line without debounce that has
// an interrupt, a pulse that was over before it was read rests on one reading.
type mcp230xx struct {
	bus   i2c.Bus
	addr  uint16
	name  string
	ports int
	w     [3]byte
	r     [mcpSize + 1]byte
	all   [mcpSize]byte
}

func newMCP(ports int) func(t *ExpanderType, bus i2c.Bus, addr uint16) expanderChip {
	return func(t *ExpanderType, bus i2c.Bus, addr uint16) expanderChip {
		return &mcp230xx{bus: bus, addr: addr, name: t.Name, ports: ports}
	}
}

// read reads n bytes of an MCP23017, or of an MCP23008 the half of them that it has; the others are 0.
func (c *mcp230xx) read(reg byte, n int) ([]byte, error) {
	if c.ports == 2 {
		return c.tx(reg, n)
	}
	r, err := c.tx(reg/2, n/2)
	for i := n/2 - 1; i >= 0; i-- {
		c.r[2*i], c.r[2*i+1] = r[i], 0
	}
	return c.r[:n], err
}

// tx reads n bytes as they are.
func (c *mcp230xx) tx(reg byte, n int) ([]byte, error) {
	c.w[0] = reg
	err := c.bus.Tx(c.addr, c.w[:1], c.r[:n])
	return c.r[:n], err
}

// write writes a register: one byte for each port, or one alone.
func (c *mcp230xx) write(reg byte, v ...byte) error {
	if c.ports == 1 {
		reg, v = reg/2, v[:1]
	}
	c.w[0] = reg
	return c.bus.Tx(c.addr, c.w[:1+copy(c.w[1:], v)], nil)
}

// iocon reads IOCON alone.
func (c *mcp230xx) iocon() (byte, error) {
	r, err := c.tx(mcpIOCON*byte(c.ports)/2, 1)
	return r[0], err
}

// none are the bits of IOCON that must be 0.
func (c *mcp230xx) none() byte {
	if c.ports == 1 {
		return mcpBANK | mcpMIRROR | mcpUnused
	}
	return mcpBANK | mcpUnused
}

// mode has open drain in any case: registers that are all zero are then nobody's, but a bus's whose SDA is held low.
func (c *mcp230xx) mode(interrupt bool) (want, mask uint16) {
	switch {
	case interrupt && c.ports == 1:
		return mcpODR, mcpSEQOP | mcpODR | mcpINTPOL
	case interrupt:
		return mcpMIRROR | mcpODR, mcpBANK | mcpMIRROR | mcpSEQOP | mcpODR | mcpINTPOL
	}
	return mcpODR, uint16(c.none())&^(mcpMIRROR|mcpUnused) | mcpSEQOP | mcpODR
}

// attach makes BANK and SEQOP 0. Each step reads one byte, for with SEQOP set the rows are not what they seem.
func (c *mcp230xx) attach() (moved bool, err error) {
	var was byte
	if c.ports == 2 {
		r, err := c.tx(mcpBankIOCON, 1)
		if err != nil {
			return false, err
		}
		was = r[0]
	}
	if was&mcpBANK != 0 && was&mcpUnused == 0 && c.repeats(mcpBankIOCON, was) { // with four registers, as a PCA9534
		return false, errOther(c.name)
	}
	if was&mcpBANK != 0 && was&mcpUnused == 0 { // else it is no IOCON, but a bus that reads as FF
		// IOCON with BANK set, or else GPINTENB with the bit of GPB7, which is no input: the bit goes in either case.
		if err := c.write(mcpBankIOCON, was&^mcpBANK); err != nil {
			return moved, err
		}
	}
	iocon := c.none()
	for i := 0; i < 3 && iocon&c.none() != 0; i++ { // more than once, for a bit may flip on the wire
		if iocon, err = c.iocon(); err != nil {
			return moved, err
		}
	}
	if iocon&c.none() != 0 {
		return moved, errOther(c.name)
	}
	moved = was&mcpBANK != 0 && iocon == was&^mcpBANK // it was IOCON that was written
	if iocon&mcpSEQOP != 0 {
		// With it the address stays where it is, or goes to and fro between the two that IOCON has.
		r, err := c.tx(mcpIOCON*byte(c.ports)/2, 4)
		if err != nil {
			return moved, err
		}
		if slices.ContainsFunc(r, func(b byte) bool { return b != iocon }) || c.repeats(mcpIOCON*byte(c.ports)/2, iocon) {
			return moved, errOther(c.name)
		}
		return true, c.write(mcpIOCON, iocon&^mcpSEQOP)
	}
	if iocon != 0 {
		return moved, nil
	}
	// Another program may have left everything zero, all lines outputs that are low: then the chip takes what it is told, and a bus
	// whose SDA is held low does not.
	r, err := c.turn()
	if err != nil || !allZero(r) {
		return moved, err
	}
	for _, reg := range []byte{mcpIODIR, mcpDEFVAL, mcpOLAT} { // another type has something else there: a PCA9534 its directions at the second
		if r, err := c.tx(reg*byte(c.ports)/2, 2); err != nil || reg == mcpIODIR && !allZero(r) || r[0] != 0 {
			return moved, cmp.Or(err, errOther(c.name))
		}
	}
	return moved, c.write(mcpIOCON, mcpODR)
}

// repeats tells that a register reads like that and comes again at every fourth or eighth address, as in a PCA95xx.
func (c *mcp230xx) repeats(at, v byte) bool {
	for _, step := range []byte{4, 8} {
		same := true
		for _, reg := range []byte{at ^ step, at + 2*step} {
			r, err := c.tx(reg, 1)
			same = same && err == nil && r[0] == v
		}
		if same {
			return true
		}
	}
	return false
}

func (c *mcp230xx) load() (regs expanderRegs, s expanderSample, err error) {
	r, err := c.row()
	if err != nil {
		return regs, s, err
	}
	for i, reg := range mcpOf {
		regs[i] = pair(r[reg:])
	}
	regs[exDriven] = ^regs[exDriven] & c.lines()
	regs[exMode] &= 0xff
	return regs, mcpSample(r, 0), nil
}

// lines are those that there are.
func (c *mcp230xx) lines() uint16 { return 0xffff >> (16 - 8*c.ports) }

// row reads all registers, until they can be this chip's: a bus that hangs gives zeros, and a chip that is just being reset ones.
func (c *mcp230xx) row() (r []byte, err error) {
	var before [mcpSize]byte
	for i := range 3 {
		if r, err = c.turn(); err != nil || c.possible(r) {
			return r, err
		}
		if i == 2 && !allZero(r) && [mcpSize]byte(r) == before {
			return r, errOther(c.name)
		}
		before = [mcpSize]byte(r)
	}
	return r, errExpanderNoise
}

// turn reads all registers once. It begins and ends with IOCON, an MCP23017's with its two addresses, by way of the last register, after
// which comes the first (data sheets, 3.2.1 and 1.3.2.3): in our mode that is neither 00 nor FF, and a reading that broke off shows. The
// directions come after the latches, so that a reset between them shows too.
func (c *mcp230xx) turn() ([]byte, error) {
	const first = mcpIOCON + 1
	if c.ports == 2 {
		r, err := c.tx(first, mcpSize)
		copy(c.all[first:], r)
		copy(c.all[:], r[mcpSize-first:])
		return c.all[:], err
	}
	const regs, from = mcpSize / 2, mcpIOCON / 2
	r, err := c.tx(from, regs+1)
	for i, v := range r[:regs] {
		c.all[2*((from+i)%regs)] = v
	}
	c.all[mcpIOCON+1] = r[regs]
	return c.all[:], err
}

func allZero(p []byte) bool { return !slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) }

// possible tells whether a row can be the chip's in the layout that we use: IOCON is the same twice, only lines that may do so pull the
// interrupt, and it is not one register again and again, as a PCA95xx gives it.
func (c *mcp230xx) possible(r []byte) bool {
	same := true
	for i := 2; i < len(r); i++ {
		same = same && (r[i] == r[i-2] || c.ports == 1 && i%2 == 1)
	}
	return !same && r[mcpIOCON] == r[mcpIOCON+1] && r[mcpIOCON]&(c.none()|mcpSEQOP) == 0 &&
		pair(r[mcpINTF:])&^pair(r[mcpGPINTEN:]) == 0
}

func (c *mcp230xx) put(reg int, v uint16) error {
	if reg == exMode {
		return c.write(mcpIOCON, byte(v))
	}
	if reg == exDriven {
		v = ^v
	}
	return c.write(mcpOf[reg], byte(v), byte(v>>8))
}

func (c *mcp230xx) scan(alerts, _ bool) (expanderSample, error) {
	if alerts {
		return c.sample(mcpINTF, mcpSize-mcpINTF)
	}
	return c.sample(mcpGPIO, mcpSize-mcpGPIO)
}

func (c *mcp230xx) burst() (expanderSample, error) { return c.sample(mcpINTF, mcpOLAT-mcpINTF) }

func (c *mcp230xx) sample(first byte, n int) (expanderSample, error) {
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

func (c *mcp230xx) driven() (uint16, error) {
	r, err := c.read(mcpIODIR, 2)
	if err != nil {
		return 0, err
	}
	return ^pair(r) & c.lines(), nil
}

func (c *mcp230xx) tell(r expanderRegs) (text string, reset bool) {
	text = fmt.Sprintf("IODIR=0x%04x GPPU=0x%04x IPOL=0x%04x IOCON=0x%02x GPINTEN=0x%04x INTCON=0x%04x OLAT=0x%04x",
		^r[exDriven]&c.lines(), r[exPull], r[exInvert], r[exMode], r[exAlert], r[exCompare], r[exLatch])
	r[exLatch] = 0 // may survive
	return text, r == expanderRegs{}
}

func pair(r []byte) uint16 { return uint16(r[0]) | uint16(r[1])<<8 }
