package sensors

import (
	"errors"
	"slices"

	"periph.io/x/conn/v3/i2c"
)

var errNoise = errors.New("the chip reads differently each time: are the bus's wires too long, or its pull-ups too weak?")

// readSure reads registers that stand still until they read the same twice: I2C has no check sum, and most chips have none either.
func readSure(dev *i2c.Dev, reg byte, buf []byte) error {
	if err := dev.Tx([]byte{reg}, buf); err != nil {
		return err
	}
	return makeSure(dev, reg, buf)
}

// makeSure is readSure for what was read once already.
func makeSure(dev *i2c.Dev, reg byte, buf []byte) error { return sameAgain(dev, []byte{reg}, buf) }

// sameAgain is makeSure for a part that has something else than registers; ask is what it is sent before it answers, or nothing.
func sameAgain(dev *i2c.Dev, ask, buf []byte) error {
	again := make([]byte, len(buf))
	for range 3 {
		if err := dev.Tx(ask, again); err != nil {
			return err
		}
		if slices.Equal(buf, again) {
			return nil
		}
		copy(buf, again)
	}
	return errNoise
}
