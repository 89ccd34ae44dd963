package config

import "gopkg.in/yaml.v3"

// headerPin is a use of one of the header's pins that something else might need.
type headerPin struct {
	n    *yaml.Node
	path string
	line uint32
}

// useHeaderPin remembers that a pin of the header is used as a line.
func (d *draft) useHeaderPin(n *yaml.Node, path string, line uint32) {
	d.headerPins = append(d.headerPins, headerPin{n, path, line})
}

// spokenFor are pins that the Raspberry Pi itself uses, unless told otherwise.
var spokenFor = map[uint32]string{
	0:  "is reserved for the EEPROM of add-on boards (HATs), where the firmware looks for one at every start: choose another line",
	1:  "is reserved for the EEPROM of add-on boards (HATs), where the firmware looks for one at every start: choose another line",
	14: "is the serial console's (TXD): choose another line, or switch the console off with raspi-config (Interface Options, Serial Port)",
	15: "is the serial console's (RXD): choose another line, or switch the console off with raspi-config (Interface Options, Serial Port)",
}

// checkHeaderPins tells of pins that a bus in use needs, GPIO0 and GPIO1 are bus 0's, GPIO2 and GPIO3 bus 1's, and warns of those that
// the system may use.
func (d *draft) checkHeaderPins() {
	for _, u := range d.headerPins {
		bus := int(u.line / 2)
		if user := d.busUser[bus]; u.line <= 3 && user != "" {
			d.errorf(u.n, u.path, "GPIO%d is a pin of I2C bus %d, which %s uses: choose another line", u.line, bus, user)
		} else if why := spokenFor[u.line]; why != "" {
			d.warnf(u.n, u.path, "GPIO%d %s", u.line, why)
		}
	}
}
