// Package i2cmux reaches I2C devices behind a multiplexer: PCA9548A, TCA9548A and alike, which switch one bus to eight channels. Devices
// with one and the same address can share a bus so. Where the kernel drives the multiplexer (dtoverlay=i2c-mux), each channel is a bus
// of its own, and nothing of this is needed.
package i2cmux

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// Muxes are the multiplexers of all buses. The zero value is ready.
type Muxes struct {
	mu     sync.Mutex // guards the following
	trunks map[string]*trunk
}

// trunk is a bus with multiplexers on it. At most one channel of them all is open, and only during a transfer: two parts with one
// address would answer together.
type trunk struct {
	mu   sync.Mutex // held during a transfer; guards the following
	open uint16     // the multiplexer that may have a channel open, since it did not say that it closed it; 0: none
}

// Channel gives a channel of the multiplexer at that address, 0 to 7, as a bus. Its transfers wait for each other, and for those of all
// other channels on that bus. A transfer costs two more, of two bytes each.
func (m *Muxes) Channel(bus i2c.Bus, mux uint16, channel int) i2c.Bus {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.trunks[bus.String()]
	if t == nil {
		t = &trunk{}
		if m.trunks == nil {
			m.trunks = map[string]*trunk{}
		}
		m.trunks[bus.String()] = t
	}
	return &branch{bus, t, mux, channel}
}

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
	if open := b.trunk.open; open != 0 && open != b.mux {
		if err := b.sel(open, 0); err != nil {
			return fmt.Errorf("a channel of the mux 0x%02x may still be open, and two parts may answer: %w", open, err)
		}
	}
	b.trunk.open = b.mux
	if err := b.sel(b.mux, 1<<b.channel); err != nil {
		b.shut() // it may have heard it all the same
		return fmt.Errorf("the mux 0x%02x does not open its channel: %w", b.mux, err)
	}
	err := b.bus.Tx(addr, w, r)
	if closing := b.shut(); closing != nil {
		err = errors.Join(err, fmt.Errorf("the mux 0x%02x does not close its channel: %w", b.mux, closing))
	}
	return err
}

// shut closes all channels of the multiplexer.
func (b *branch) shut() error {
	err := b.sel(b.mux, 0)
	if err == nil {
		b.trunk.open = 0
	}
	return err
}

func (b *branch) sel(mux uint16, channels byte) error { return b.bus.Tx(mux, []byte{channels}, nil) }

// SetSpeed cannot change one branch alone.
func (b *branch) SetSpeed(f physic.Frequency) error {
	return errors.New("the speed is that of the whole bus")
}
