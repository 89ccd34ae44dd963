// Package i2cmux reaches I2C devices behind a multiplexer: PCA9548A, TCA9548A and alike, which switch one bus to eight channels. Devices
// with one and the same address can share a bus so. Where the kernel drives the multiplexer (dtoverlay=i2c-mux), each channel is a bus
// of its own, and nothing of this is needed.
package i2cmux

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"gatewayd/internal/i2cdev"
)

// Muxes are the multiplexers of all buses. The zero value is ready.
type Muxes struct {
	mu     sync.Mutex // guards the following
	trunks map[string]*trunk
}

// trunk is a bus with multiplexers on it. At most one channel of them all is open, and only during a transfer: two parts with one
// address would answer together.
type trunk struct {
	mu   sync.Mutex      // held during a transfer; guards the following
	open map[uint16]bool // multiplexers that may have a channel open: it was not closed yet, or closing it has failed

	newMu sync.Mutex // guards the following; never held during a transfer, which can hang
	new   []uint16   // for open: a program that was killed has perhaps left a channel open
}

// Channel gives a channel of the multiplexer at that address, 0 to 7, as a bus. Its transfers wait for each other, and for those of all
// other channels on that bus. A transfer costs two more, of two bytes each.
func (m *Muxes) Channel(bus i2c.Bus, mux uint16, channel int) i2c.Bus {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.trunks[bus.String()]
	if t == nil {
		t = &trunk{open: map[uint16]bool{}}
		if m.trunks == nil {
			m.trunks = map[string]*trunk{}
		}
		m.trunks[bus.String()] = t
	}
	t.newMu.Lock()
	defer t.newMu.Unlock()
	t.new = append(t.new, mux)
	return &branch{bus, t, mux, channel}
}

// shared is a bus that other programs have, too, such as `gatewayd read` beside the gateway. Between Alone and done none of them opens a
// channel.
type shared interface {
	Alone() (done func(), err error)
}

var _ shared = (*i2cdev.Bus)(nil)

type branch struct {
	bus     i2c.Bus
	trunk   *trunk
	mux     uint16
	channel int
}

func (b *branch) String() string {
	return fmt.Sprintf("%s, channel %d of the mux 0x%02x", b.bus, b.channel, b.mux)
}

// Tx opens the channel, does the transfer, and closes the channel whatever has become of it (PCA9548A data sheet, Rev. 5.1, 7.3: the
// control register has a bit for each channel). A channel that does not close is closed before anything else is done.
func (b *branch) Tx(addr uint16, w, r []byte) error {
	b.trunk.mu.Lock()
	defer b.trunk.mu.Unlock()
	if bus, can := b.bus.(shared); can {
		done, err := bus.Alone()
		if err != nil {
			return err
		}
		defer done()
	}
	b.trunk.learn()
	for _, other := range slices.Sorted(maps.Keys(b.trunk.open)) {
		if other == b.mux {
			continue
		}
		// One that does not answer, again and again, is not there, and joins nothing: its sensors alone are not available then.
		if err := b.shut(other); err != nil && !i2cdev.NoAnswer(err) {
			return fmt.Errorf("a channel of the mux 0x%02x may still be open, and two parts may answer: %w", other, err)
		}
	}
	b.trunk.open[b.mux] = true
	if err := b.sel(b.mux, 1<<b.channel); err != nil {
		b.shut(b.mux) // it may have heard it all the same
		return fmt.Errorf("the mux 0x%02x does not open its channel: %w", b.mux, err)
	}
	err := b.bus.Tx(addr, w, r)
	if closing := b.shut(b.mux); closing != nil {
		err = errors.Join(err, fmt.Errorf("the mux 0x%02x does not close its channel: %w", b.mux, closing))
	}
	return err
}

// learn takes multiplexers over that have come.
func (t *trunk) learn() {
	t.newMu.Lock()
	defer t.newMu.Unlock()
	for _, mux := range t.new {
		t.open[mux] = true
	}
	t.new = nil
}

// shut closes all channels of a multiplexer.
func (b *branch) shut(mux uint16) error {
	var err error
	for range shutTries {
		if err = b.sel(mux, 0); err == nil {
			delete(b.trunk.open, mux)
			return nil
		}
		if !i2cdev.NoAnswer(err) { // a bus that is stuck has taken long enough
			return err
		}
	}
	return err
}

// shutTries is after how many a multiplexer that does not answer is taken for gone.
const shutTries = 3

func (b *branch) sel(mux uint16, channels byte) error { return b.bus.Tx(mux, []byte{channels}, nil) }

// SetSpeed cannot change one branch alone.
func (b *branch) SetSpeed(f physic.Frequency) error {
	return errors.New("the speed is that of the whole bus")
}
