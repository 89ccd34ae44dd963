package config

import (
	"gopkg.in/yaml.v3"
)

// takeAddress notes who is at an address of a bus, and tells of two at one.
func (d *draft) takeAddress(n *yaml.Node, path string, bus int, addr uint16, who string) {
	at := busAddr{bus, addr}
	if other := d.addresses[at]; other.who != "" {
		d.errorf(n, path, "address 0x%02x on bus %d is taken already, by %s (line %d)", addr, bus, other.who, other.line)
		return
	}
	d.addresses[at] = addrUser{who, n.Line}
}

type busAddr struct {
	bus  int
	addr uint16
}

type addrUser struct {
	who  string
	line int
}
