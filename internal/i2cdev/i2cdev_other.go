//go:build !linux

package i2cdev

import (
	"fmt"
	"runtime"

	"periph.io/x/conn/v3/physic"
)

// Bus stands for a bus that this system does not have.
type Bus struct {
	number int
	stats  stats
}

// New makes the bus of /dev/i2c-<number>, on Linux.
func New(number int) *Bus { return &Bus{number: number} }

// String gives the device, as it would be on Linux.
func (b *Bus) String() string { return fmt.Sprintf("/dev/i2c-%d", b.number) }

// Tx fails.
func (b *Bus) Tx(addr uint16, _, _ []byte) error {
	err := b.none()
	b.stats.count(addr, other, err)
	return err
}

// NoAnswer gives false.
func NoAnswer(error) bool { return false }

// Alone fails.
func (b *Bus) Alone() (done func(), err error) { return nil, b.none() }

// SetSpeed fails.
func (b *Bus) SetSpeed(physic.Frequency) error { return b.none() }

// Owner gives "".
func (b *Bus) Owner(uint16) string { return "" }

// Stats gives the counters.
func (b *Bus) Stats() Stats { return b.stats.snapshot() }

// Close does nothing.
func (b *Bus) Close() error { return nil }

func (b *Bus) none() error {
	return fmt.Errorf("%s: there is no I2C on %s: run on Linux", b, runtime.GOOS)
}
