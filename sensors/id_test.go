package sensors

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// registers is a chip that is asked for its registers, and nothing else.
type registers map[byte][]byte

func (r registers) String() string                  { return "registers" }
func (r registers) SetSpeed(physic.Frequency) error { return errors.ErrUnsupported }

func (r registers) Tx(_ uint16, w, out []byte) error {
	if len(w) != 1 || len(out) == 0 {
		return errors.New("this is more than asking for a register")
	}
	copy(out, r[w[0]])
	return nil
}

func TestIs(t *testing.T) {
	for _, c := range []struct {
		name string
		ids  []ID
		chip i2c.Bus
		want bool
	}{
		{"none", nil, registers{}, false},
		{"one", []ID{{Reg: 0xD0, Value: []byte{0x60}}}, registers{0xD0: {0x60}}, true},
		{"another value", []ID{{Reg: 0xD0, Value: []byte{0x60}}}, registers{0xD0: {0x58}}, false},
		{"all have to", []ID{{Reg: 6, Value: []byte{0, 0x54}}, {Reg: 7, Value: []byte{4, 0}}}, registers{6: {0, 0x54}, 7: {5, 0}}, false},
		{"other bits do not count", []ID{{Reg: 7, Value: []byte{4, 0}, Mask: []byte{0xFF, 0}}}, registers{7: {4, 0x31}}, true},
		{"bits that count", []ID{{Reg: 7, Value: []byte{4, 0}, Mask: []byte{0xFF, 0xF0}}}, registers{7: {4, 0x31}}, false},
	} {
		if got, err := (&Driver{IDs: c.ids}).Is(c.chip, 0x18); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// A driver's ids are those of the chip that it works with, and asking for them changes nothing.
func TestIDs(t *testing.T) {
	for _, d := range Drivers() {
		if len(d.IDs) == 0 || parts[d.Name] == nil {
			continue
		}
		if ok, err := d.Is(asked{t, parts[d.Name]()}, d.Addrs[0]); !ok || err != nil {
			t.Errorf("%s: its own chip has other ids (%v)", d.Name, err)
		}
	}
}

// asked is a bus on which registers are read, one byte being written for each.
type asked struct {
	*testing.T
	i2c.Bus
}

func (a asked) String() string { return a.Bus.String() }

func (a asked) Tx(addr uint16, w, r []byte) error {
	if len(w) != 1 || len(r) == 0 {
		a.Errorf("a transfer of %d bytes written and %d read", len(w), len(r))
	}
	return a.Bus.Tx(addr, w, r)
}
