package sensors

import "periph.io/x/conn/v3/i2c"

// ID is a register that tells a part from others at the same addresses. Asking for it writes one byte, the register's number, and must
// change nothing: neither in the part nor in others that can be there and take that byte for a command. 0xFE, the maker's id of an
// INA226, resets an HTU21D.
type ID struct {
	Reg   byte
	Value []byte // that it has
	Mask  []byte // the bits that count; nil: all
}

// Is tells whether the chip at an address says that it is the driver's part. Without IDs it does not.
func (d *Driver) Is(bus i2c.Bus, addr uint16) (bool, error) {
	for _, id := range d.IDs {
		got := make([]byte, len(id.Value))
		if err := readSure(&i2c.Dev{Bus: bus, Addr: addr}, id.Reg, got); err != nil {
			return false, err
		}
		for i := range got {
			mask := byte(0xFF)
			if id.Mask != nil {
				mask = id.Mask[i]
			}
			if (got[i]^id.Value[i])&mask != 0 {
				return false, nil
			}
		}
	}
	return len(d.IDs) > 0, nil
}

// Found is a device of the kernel's that a driver can read.
type Found struct {
	What string // it is, for people
	Keys string // that a configuration has for it besides name and type, as YAML in one line: "serial: 28-00000abcdef0"
}
