package config

import (
	"gopkg.in/yaml.v3"
)

// i2cUse is a use of one of the header's pins that an I2C bus might need.
type i2cUse struct {
	n    *yaml.Node
	path string
	line uint32
}

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

// i2cPin remembers that a pin that can be an I2C bus's is used as a line.
func (d *draft) i2cPin(n *yaml.Node, path string, line uint32) {
	if line <= 3 {
		d.i2cPins = append(d.i2cPins, i2cUse{n, path, line})
	}
}

// checkI2CPins tells of pins that a bus in use needs: GPIO0 and GPIO1 are bus 0's, GPIO2 and GPIO3 bus 1's.
func (d *draft) checkI2CPins() {
	for _, u := range d.i2cPins {
		bus := int(u.line / 2)
		if user := d.busUser[bus]; user != "" {
			d.errorf(u.n, u.path, "GPIO%d is a pin of I2C bus %d, which %s uses: choose another line", u.line, bus, user)
		}
	}
}
