package sensors

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Microchip, MCP9808, DS25095A.
func init() {
	Register(Driver{
		Name:     "mcp9808",
		Doc:      "Microchip MCP9808: temperature",
		Addrs:    []uint16{0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F}, // 3.1: A0, A1 and A2
		Measures: []Quantity{temperature.within(-40, 125)},
		IDs: []ID{
			{Reg: mcp9808Maker, Value: []byte{mcp9808MakerID >> 8, mcp9808MakerID}},
			{Reg: mcp9808ID, Value: []byte{mcp9808Part, 0}, Mask: []byte{0xFF, 0}},
		},
		Time: mcp9808First,
		Open: mcp9808Kind.open,
	})
}

// Registers, table 5-1.
const (
	mcp9808Config     byte = 1
	mcp9808Value      byte = 5
	mcp9808Maker      byte = 6
	mcp9808ID         byte = 7
	mcp9808Resolution byte = 8

	mcp9808MakerID = 0x0054 // 5.1.4
	mcp9808Part    = 0x04   // 5.1.5: the higher byte; the lower one is a revision

	// 5.1.1: the widest hysteresis, 6 °C, for alarms that are switched off. It tells that the part has kept its power, without which this is
	// 0, and so is the value until there is one (5.1.3).
	mcp9808Set1  byte = 3 << 1
	mcp9808Set2  byte = 0
	mcp9808Mask2 byte = 0xEF // the alarm's state can only be read

	mcp9808Fine byte = 3 // 5.1.6: 0.0625 °C, as after power-on

	mcp9808First = 300 * time.Millisecond // table 5-2: 250 ms
)

var mcp9808Kind = &thermometerKind{
	value:    mcp9808Value,
	config:   mcp9808Config,
	settings: []byte{mcp9808Set1, mcp9808Set2},
	mask:     []byte{0xFF, mcp9808Mask2},
	first:    mcp9808First,
	// 5.1.3: the highest three bits are alarms.
	celsius: func(raw uint16) float64 { return left(13, 0.0625)(raw << 3) },
	check: func(dev *i2c.Dev) error {
		maker, err := word(dev, mcp9808Maker)
		if err != nil {
			return err
		}
		id, err := word(dev, mcp9808ID)
		if err != nil {
			return err
		}
		if maker != mcp9808MakerID || id>>8 != mcp9808Part {
			return fmt.Errorf("the chip at %#02x has the maker's number %#04x and the id %#04x, want 0x0054 and 0x04..: it is no MCP9808", dev.Addr, maker, id)
		}
		if err := dev.Tx([]byte{mcp9808Resolution, mcp9808Fine}, nil); err != nil {
			return err
		}
		var got [1]byte
		if err := readSure(dev, mcp9808Resolution, got[:]); err != nil {
			return err
		}
		if got[0]&3 != mcp9808Fine {
			return fmt.Errorf("the chip at %#02x does not take its resolution (%#02x)", dev.Addr, got[0])
		}
		return nil
	},
	lost: "; if another program has locked them, switch it off and on",
}
