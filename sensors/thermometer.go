package sensors

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// thermometerKind is a part that measures all the time and has no check sum. Its settings are read back after each value: one that has
// lost its power since may say anything. So they differ from those after power-on, or the value there is one that cannot be measured.
type thermometerKind struct {
	value, config byte                     // registers
	settings      []byte                   // what config is set to, one byte or two, high byte first
	mask          []byte                   // the bits of config that read as they were written
	first         time.Duration            // until there is a value, after config was set
	celsius       func(raw uint16) float64 // of the register's content
	check         func(dev *i2c.Dev) error // whether it is this part; it writes to nothing else
	lost          string                   // what other settings may mean, beside lost power
}

type thermometer struct {
	*thermometerKind
	dev   i2c.Dev
	set   bool      // config is
	ready time.Time // there is a value from then on
}

// open is the Driver.Open of such a part.
func (k *thermometerKind) open(o Options) (Sensor, error) {
	t := &thermometer{thermometerKind: k, dev: i2c.Dev{Bus: o.Bus, Addr: o.Addr}}
	if err := k.check(&t.dev); err != nil {
		return nil, err
	}
	if err := t.configure(); err != nil {
		return nil, err
	}
	return t, t.verify()
}

func (t *thermometer) configure() error {
	t.set = false
	if err := t.dev.Tx(append([]byte{t.config}, t.settings...), nil); err != nil {
		return err
	}
	t.set, t.ready = true, time.Now().Add(t.first)
	return nil
}

// verify reads the settings back.
func (t *thermometer) verify() error {
	want := t.settings
	got := make([]byte, len(want))
	if err := t.dev.Tx([]byte{t.config}, got); err != nil {
		return err
	}
	kept := bytes.Clone(got)
	for i := range kept {
		kept[i] &= t.mask[i]
	}
	if bytes.Equal(kept, want) {
		return nil
	}
	t.set = false
	return fmt.Errorf("the chip at %#02x has lost its settings (% x, want % x): check its power%s", t.dev.Addr, got, want, t.lost)
}

// Measure costs 3 transfers: the value twice, and the settings.
func (t *thermometer) Measure(ctx context.Context) ([]Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !t.set {
		if err := t.configure(); err != nil {
			return nil, err
		}
	}
	if wait := time.Until(t.ready); wait > 0 && !sleep(ctx, wait) {
		return nil, ctx.Err()
	}
	var raw [2]byte
	if err := readSure(&t.dev, t.value, raw[:]); err != nil {
		return nil, err
	}
	if err := t.verify(); err != nil {
		return nil, err
	}
	return []Reading{temperature.is(t.celsius(binary.BigEndian.Uint16(raw[:])))}, nil
}

// left gives what a register with a sign and that many bits, at its high end, says in steps of so many degrees.
func left(bits int, step float64) func(uint16) float64 {
	return func(raw uint16) float64 { return float64(int16(raw)>>(16-bits)) * step }
}

// word reads a register of 16 bits, high byte first, that stands still.
func word(dev *i2c.Dev, reg byte) (uint16, error) {
	var buf [2]byte
	err := readSure(dev, reg, buf[:])
	return binary.BigEndian.Uint16(buf[:]), err
}
