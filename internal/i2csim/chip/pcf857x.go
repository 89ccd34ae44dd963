package chip

// pcf857x is a quasi-bidirectional expander, a PCF8574 or with two ports a PCF8575: a pin written high is an input with a weak pull-up,
// a pin written low is an output. It has no registers: each byte that is written is the latch of the next port, each that is read the
// levels of the next.
type pcf857x struct {
	env     Env
	ports   int
	latch   [2]byte
	outside outside
	shorted outside // pins that something holds, whatever drives them
	last    [2]byte // levels at the last read or write of the port
	shown   uint16
	port    int // the next byte's
}

func newPCF857x(env Env, ports int) *pcf857x { return &pcf857x{env: env, ports: ports} }

func (p *pcf857x) lines() int { return 8 * p.ports }

func (p *pcf857x) Reset() {
	p.latch = [2]byte{0xff, 0xff}
	p.port = 0
	now := p.levels()
	p.last = [2]byte{byte(now), byte(now >> 8)}
	p.shown = ^now
	p.update()
}

func (p *pcf857x) Start(bool) bool {
	p.port = 0
	return true
}

func (p *pcf857x) Write(b byte) bool {
	p.latch[p.port] = b
	p.look()
	return true
}

func (p *pcf857x) Read() byte { return p.look() }

// look is what ends the interrupt of a port: it takes the levels that the next ones are compared with.
func (p *pcf857x) look() byte {
	now := byte(p.levels() >> (8 * p.port))
	p.last[p.port] = now
	p.port = (p.port + 1) % p.ports
	p.update()
	return now
}

func (p *pcf857x) Stop() {}

func (p *pcf857x) written() uint16 { return uint16(p.latch[1])<<8 | uint16(p.latch[0]) }

func (p *pcf857x) levels() uint16 {
	all := uint16(0xffff) >> (16 - p.lines())
	return p.shorted.levels(p.written()&p.outside.levels(all)) & all
}

// interrupt gives the level of INT, which is low while an input differs from what was last read or written.
func (p *pcf857x) interrupt() bool {
	last := uint16(p.last[1])<<8 | uint16(p.last[0])
	return (p.levels()^last)&p.written()&(0xffff>>(16-p.lines())) == 0
}

func (p *pcf857x) update() {
	now := p.levels()
	for i := range p.lines() {
		if (p.shown^now)>>i&1 != 0 {
			p.env.Pin(pinName(i, p.lines()), now>>i&1 != 0)
		}
	}
	p.shown = now
	p.env.Pin("int", p.interrupt())
}

func (p *pcf857x) Vars() []Var {
	latch := regVar("latch", func() byte { return p.latch[0] })
	if p.ports == 2 {
		latch = regVar("latch", p.written)
	}
	return append(p.outside.vars(p.lines(), p.levels, p.update), latch, p.shorted.short(p.lines(), p.update), pinVar("int", p.interrupt))
}
