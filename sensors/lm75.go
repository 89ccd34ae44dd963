package sensors

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// TI (National), LM75A, SNOS808P ("LM75A"); NXP, LM75B, Rev. 6.1 ("LM75B"); TI, TMP75, SBOS288 ("TMP75"). The registers are the same; the
// parts differ in the bits that they measure.
func init() {
	addrs := []uint16{0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F} // LM75B 7.2: A0, A1 and A2
	for _, p := range []struct {
		name, doc string
		kind      *thermometerKind
		precision int
	}{
		{"lm75", "LM75 and what is like it (TI's LM75A, LM75C, DS75, STLM75): temperature, in steps of 0.5 °C", lm75Kind(9, lmQueue), 1},
		{"lm75b", "LM75B, NXP's LM75A, PCT2075: temperature, in steps of 0.125 °C", lm75Kind(11, lmQueue), 2},
		{"tmp75", "TI TMP75, TMP175 and what is like it (AT30TS75, CT75): temperature, in steps of 0.0625 °C", lm75Kind(12, lmQueue|tmp75Fine), 2},
	} {
		q := temperature.within(-55, 125)
		q.Precision = p.precision
		Register(Driver{
			Name:     p.name,
			Doc:      p.doc,
			Addrs:    addrs,
			Measures: []Quantity{q},
			Time:     lmFirst,
			Open:     p.kind.open,
		})
	}
}

// Registers, LM75B 7.4.
const (
	lmValue  byte = 0
	lmConfig byte = 1
	lmHyst   byte = 2
	lmLimit  byte = 3

	// The alarm comes after six values beyond its limit instead of one. Nothing here uses it: it tells that the part has kept its power,
	// without which this is 0, and so is what it says to have measured (LM75B 7.4.1).
	lmQueue byte = 3 << 3

	tmp75Fine byte = 3 << 5 // TMP75 "Converter resolution": 12 bits; 0 must be written there to the others

	lmUnused uint16 = 0xF // of the limits, of which no part has more than 12 bits

	lmFirst = 300 * time.Millisecond // LM75A "Temperature conversion time" and TMP75 with 12 bits, the maximum; LM75B: 100 ms
)

func lm75Kind(bits int, set byte) *thermometerKind {
	return &thermometerKind{
		value:    lmValue,
		config:   lmConfig,
		settings: []byte{set},
		mask:     []byte{0x7F}, // TMP75: the highest begins a single measurement
		first:    lmFirst,
		celsius:  left(bits, 1/float64(int(1)<<(bits-8))),
		check:    checkLM75,
		lost:     "; or it is no LM75: a TMP102, ADS1115 or INA219 can have the address too",
	}
}

// checkLM75 does what can be done: the part has no id.
func checkLM75(dev *i2c.Dev) error {
	for _, reg := range []byte{lmHyst, lmLimit} {
		v, err := word(dev, reg)
		if err != nil {
			return err
		}
		if v&lmUnused != 0 {
			return fmt.Errorf("the chip at %#02x has %#04x for register %d, which no LM75 can have: it is another part", dev.Addr, v, reg)
		}
	}
	return nil
}
