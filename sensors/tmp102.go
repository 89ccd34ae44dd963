package sensors

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// TI, TMP102, SBOS397H; TI, TMP117, SNOSD82D.
func init() {
	addrs := []uint16{0x48, 0x49, 0x4A, 0x4B} // SBOS397H 7.3.4, SNOSD82D 7.5.3.1: ADD0 to GND, V+, SDA, SCL
	Register(Driver{
		Name:     "tmp102",
		Doc:      "TI TMP102: temperature",
		Addrs:    addrs,
		Measures: []Quantity{temperature.within(-40, 125)},
		IDs: []ID{
			{Reg: tmp102Config, Value: []byte{tmp102Always >> 8, 0}, Mask: []byte{tmp102Always >> 8, tmp102Never}},
			{Reg: lmHyst, Value: []byte{0, 0}, Mask: []byte{0, byte(lmUnused)}},
			{Reg: lmLimit, Value: []byte{0, 0}, Mask: []byte{0, byte(lmUnused)}},
		},
		Time: tmp102First,
		Open: tmp102Kind.open,
	})
	Register(Driver{
		Name:     "tmp117",
		Doc:      "TI TMP117: temperature, to 0.1 °C without calibration",
		Addrs:    addrs,
		Measures: []Quantity{temperature.within(-55, 150)},
		IDs:      []ID{{Reg: tmp117ID, Value: []byte{tmp117Part >> 8, tmp117Part & 0xFF}, Mask: []byte{tmp117PartMsk >> 8, 0xFF}}},
		Every:    time.Second, // it measures so often
		Time:     tmp117First,
		Open:     tmp117Kind.open,
	})
}

// Registers, SBOS397H 7.5.1.
const (
	tmp102Value  byte = 0
	tmp102Config byte = 1

	// SBOS397H 7.5.3. The first byte: 12 bits, which can only be read, and an alarm after six values, which nothing here uses: it tells
	// that the part has kept its power, without which this is 0x60, and the value 0 until there is one (7.5.2). The second: four values a
	// second, from -55 to 128 °C.
	tmp102Set1   byte = 3<<5 | 3<<3
	tmp102Set2   byte = 2 << 6
	tmp102Mask1  byte = 0x7F // the highest begins a single measurement
	tmp102Mask2  byte = 0xDF // the alarm's state can only be read
	tmp102Always      = 0x6000
	tmp102Never       = 0x000F // unused

	tmp102First = 35 * time.Millisecond // SBOS397H 6.5: the maximum
)

var tmp102Kind = &thermometerKind{
	value:    tmp102Value,
	config:   tmp102Config,
	settings: []byte{tmp102Set1, tmp102Set2},
	mask:     []byte{tmp102Mask1, tmp102Mask2},
	first:    tmp102First,
	celsius:  left(12, 0.0625), // SBOS397H 7.3.1
	check: func(dev *i2c.Dev) error {
		config, err := word(dev, tmp102Config)
		if err == nil && config&(tmp102Always|tmp102Never) != tmp102Always {
			err = fmt.Errorf("the chip at %#02x has the settings %#04x, which no TMP102 can have: it is another part, perhaps an LM75 or a TMP117",
				dev.Addr, config)
		}
		return err
	},
}

// Registers, SNOSD82D 7.6.
const (
	tmp117Value  byte = 0x00 // 0x8000 after power-on: -256 °C, which is out of range
	tmp117Config byte = 0x01
	tmp117ID     byte = 0x0F

	tmp117Part    = 0x117 // the part is the lower 12 bits
	tmp117PartMsk = 0xFFF

	// 7.6.3: all the time, one second from one to the next, each the mean of eight.
	tmp117Set1  byte = 0x02
	tmp117Set2  byte = 0x20
	tmp117Mask1 byte = 0x0F // what it has to say: alarms, data ready, its memory busy
	tmp117Mask2 byte = 0xE0 // alarms, a reset

	tmp117First = 150 * time.Millisecond // 6.5: eight times 17.5 ms, and a bit
)

var tmp117Kind = &thermometerKind{
	value:    tmp117Value,
	config:   tmp117Config,
	settings: []byte{tmp117Set1, tmp117Set2},
	mask:     []byte{tmp117Mask1, tmp117Mask2},
	first:    tmp117First,
	celsius:  left(16, 0.0078125), // 7.6.2
	check: func(dev *i2c.Dev) error {
		id, err := word(dev, tmp117ID)
		if err == nil && id&tmp117PartMsk != tmp117Part {
			err = fmt.Errorf("the chip at %#02x has the id %#04x, want 0x0117: it is no TMP117", dev.Addr, id)
		}
		return err
	},
}
