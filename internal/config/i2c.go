package config

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// takeAddress notes who is at an address of a bus, and tells of two at one.
func (d *draft) takeAddress(n *yaml.Node, path string, at busAddr, who string) {
	trunk := busAddr{bus: at.bus, addr: at.addr}
	other := d.addresses[at]
	if other.who == "" && at != trunk { // whoever is before the mux hears everything
		other = d.addresses[trunk]
	}
	if other.who == "" && at == trunk {
		for behind, user := range d.addresses {
			if behind.bus == at.bus && behind.addr == at.addr && (other.who == "" || user.line < other.line) {
				other = user
			}
		}
	}
	if other.who != "" {
		d.errorf(n, path, "address 0x%02x on bus %d is taken already, by %s (line %d)", at.addr, at.bus, other.who, other.line)
		return
	}
	d.addresses[at] = addrUser{who, n.Line}
}

// takeMux notes that there is a mux, and tells of something else at its address. Several sensors are behind one.
func (d *draft) takeMux(n *yaml.Node, path string, bus int, addr uint16) {
	at, who := busAddr{bus: bus, addr: addr}, fmt.Sprintf("the mux 0x%02x", addr)
	if d.addresses[at].who != who {
		d.takeAddress(n, path, at, who)
	}
}

// busAddr is a place on a bus, or behind a mux on it.
type busAddr struct {
	bus     int
	mux     uint16 // 0: none
	channel int
	addr    uint16
}

type addrUser struct {
	who  string
	line int
}
