package chip

// Registers of the PCA95xx, a byte for each port.
const (
	pcaInput = iota
	pcaOutput
	pcaInvert
	pcaConfig
	pcaRegs
)

var pcaNames = [pcaRegs]string{"in", "out", "invert", "config"}

// pca95xx is a PCA9534 or PCA9554, or with two ports a PCA9535 or PCA9555. The command names a register, and of a pair the port that
// comes first; further bytes are of the pair's ports by turns, and with one port all of the same register.
//
// Where the data sheet is silent: of a command the bits that it does not use count for nothing, and an open input without pull-up reads low.
type pca95xx struct {
	env     Env
	ports   int
	pulled  uint16 // lines with a pull-up
	reg     [pcaRegs][2]byte
	outside outside
	shorted outside // pins that something holds, whatever drives them
	last    [2]byte // levels at the last read of the port
	shown   uint16
	command byte // of the last message that had one
	pointer byte
	named   bool // the command of this message has come
}

func newPCA95xx(env Env, ports int, pulled uint16) *pca95xx {
	return &pca95xx{env: env, ports: ports, pulled: pulled}
}

func (p *pca95xx) lines() int { return 8 * p.ports }

func (p *pca95xx) all() uint16 { return 0xffff >> (16 - p.lines()) }

func (p *pca95xx) Reset() {
	ones := [2]byte{0xff, 0xff}
	p.reg = [pcaRegs][2]byte{pcaOutput: ones, pcaConfig: ones}
	p.command = 0
	now := p.levels()
	p.last = [2]byte{byte(now), byte(now >> 8)}
	p.shown = ^now
	p.update()
}

func (p *pca95xx) Start(bool) bool {
	p.named = false
	p.pointer = p.command
	return true
}

// next gives what the next byte is of.
func (p *pca95xx) next() (reg, port int) {
	at := int(p.pointer)
	if p.ports == 2 {
		p.pointer ^= 1
		return at / 2, at % 2
	}
	return at, 0
}

func (p *pca95xx) Write(b byte) bool {
	if !p.named {
		p.named = true
		p.command = b & byte(pcaRegs*p.ports-1)
		p.pointer = p.command
		return true
	}
	if reg, port := p.next(); reg != pcaInput {
		p.reg[reg][port] = b
		p.update()
	}
	return true
}

func (p *pca95xx) Read() byte {
	reg, port := p.next()
	if reg != pcaInput {
		return p.reg[reg][port]
	}
	now := byte(p.levels() >> (8 * port))
	p.last[port] = now
	p.update()
	return now ^ p.reg[pcaInvert][port]
}

func (p *pca95xx) Stop() {}

func (p *pca95xx) word(reg int) uint16 {
	if reg == pcaInput {
		return p.levels() ^ p.word(pcaInvert)
	}
	return (uint16(p.reg[reg][1])<<8 | uint16(p.reg[reg][0])) & p.all()
}

func (p *pca95xx) levels() uint16 {
	in := p.word(pcaConfig)
	return p.shorted.levels(p.word(pcaOutput)&^in|p.outside.levels(p.pulled)&in) & p.all()
}

// interrupt gives the level of INT, which is low while an input differs from what was last read of its port.
func (p *pca95xx) interrupt() bool {
	last := uint16(p.last[1])<<8 | uint16(p.last[0])
	return (p.levels()^last)&p.word(pcaConfig) == 0
}

func (p *pca95xx) update() {
	now := p.levels()
	for i := range p.lines() {
		if (p.shown^now)>>i&1 != 0 {
			p.env.Pin(pinName(i, p.lines()), now>>i&1 != 0)
		}
	}
	p.shown = now
	p.env.Pin("int", p.interrupt())
}

func (p *pca95xx) Vars() []Var {
	vs := append(p.outside.vars(p.lines(), p.levels, p.update), p.shorted.short(p.lines(), p.update), pinVar("int", p.interrupt))
	for reg, name := range pcaNames {
		if p.ports == 1 {
			vs = append(vs, regVar(name, func() byte { return byte(p.word(reg)) }))
		} else {
			vs = append(vs, regVar(name, func() uint16 { return p.word(reg) }))
		}
	}
	return vs
}
