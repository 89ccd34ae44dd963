package sensors

import (
	"encoding/binary"
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// reg16 is a part whose registers have 16 bits, the high byte first.
type reg16 struct{ i2c.Dev }

func (d *reg16) read(reg byte) (uint16, error) {
	var buf [2]byte
	err := d.Tx([]byte{reg}, buf[:])
	return binary.BigEndian.Uint16(buf[:]), err
}

// readSure is for registers that stand still: see there.
func (d *reg16) readSure(reg byte) (uint16, error) {
	var buf [2]byte
	err := readSure(&d.Dev, reg, buf[:])
	return binary.BigEndian.Uint16(buf[:]), err
}

// regValue is a register and what it was read as.
type regValue struct {
	reg   byte
	value uint16
}

// still tells whether a part with its settings in register 0 has kept them, and reads the same again. The settings are read in between:
// what spoils both readings of a value in the same way spoils them too.
func (d *reg16) still(settings uint16, all ...regValue) error {
	got, err := d.read(0)
	if err != nil {
		return err
	}
	if got != settings {
		return fmt.Errorf("the chip at %#02x lost its settings, or did not take them (it has %#04x, want %#04x): check its power", d.Addr, got, settings)
	}
	for _, w := range all {
		if got, err = d.read(w.reg); err != nil {
			return err
		}
		if got != w.value {
			return errNoise
		}
	}
	return nil
}

func (d *reg16) write(reg byte, v uint16) error {
	return d.Tx([]byte{reg, byte(v >> 8), byte(v)}, nil)
}
