// Package i2csim puts a simulated I2C bus with chips on it where a program expects a real one: in process, as periph's
// i2c.BusCloser. The packages below it are the bus with its faults and counters (bus), the models (chip), the text interface
// that plays the world around them (control), and what makes a Linux device of it (cuse, i2cdev, client).
//
//	b := bus.New(bus.Profiles["bcm2835"], nil)
//	defer b.Close()
//	b.Add("mcp23017", 0x20, nil)
//	b.OnPin(0x20, "inta", func(high bool) { ... }) // to the header line that INTA is wired to
//	dev := i2csim.New(b, "/dev/i2c-1")
//	dev.Tx(0x20, []byte{0x12}, levels[:])
//	control.Exec(b, "mcp23017@0x20 input a3 low") // somebody presses a button
package i2csim

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"gatewayd/internal/i2csim/bus"
)

// maxLen is the longest message that i2c-dev takes (Linux 6.1, drivers/i2c/i2c-dev.c, i2cdev_ioctl_rdwr).
const maxLen = 8192

// Adapter is a simulated bus as a program sees it: what it says and how it fails is as with Linux's i2c-dev. Several may be
// open on one bus. Its methods may be called at the same time.
type Adapter struct {
	bus    *bus.Bus
	name   string
	closed atomic.Bool
}

var _ i2c.BusCloser = (*Adapter)(nil)

// New opens a bus under a name for messages. It starts nothing, and Close leaves the bus as it is: that belongs to the caller.
func New(b *bus.Bus, name string) *Adapter { return &Adapter{bus: b, name: name} }

// String gives the name.
func (a *Adapter) String() string { return a.name }

// Tx writes w, then reads r, in one transaction, as I2C_RDWR does; either may be empty. With both empty it sends the address alone, where
// the adapter can. It blocks while the bus is
// in use and as long as the bus takes, a second where it hangs. Errors wrap a syscall.Errno: EREMOTEIO or ENXIO where nobody
// answers (bus.EREMOTEIO, for programs that are built elsewhere too), ETIMEDOUT where the bus hangs, EBUSY where a kernel
// driver has the address.
func (a *Adapter) Tx(addr uint16, w, r []byte) error {
	if a.closed.Load() {
		return fmt.Errorf("%s: %w", a.name, os.ErrClosed)
	}
	if e := a.tx(addr, w, r); e != 0 {
		return fmt.Errorf("%s: address 0x%02x: %w", a.name, addr, e)
	}
	return nil
}

func (a *Adapter) tx(addr uint16, w, r []byte) syscall.Errno {
	if len(w) > maxLen || len(r) > maxLen || addr > 0x7f {
		return syscall.EINVAL
	}
	if a.bus.Busy(addr) {
		return syscall.EBUSY
	}
	msgs := make([]bus.Msg, 0, 2)
	if len(w) > 0 || len(r) == 0 {
		msgs = append(msgs, bus.Msg{Addr: addr, Buf: w})
	}
	if len(r) > 0 {
		msgs = append(msgs, bus.Msg{Addr: addr, Flags: bus.Read, Buf: r})
	}
	return a.bus.Transfer(msgs)
}

// SetSpeed makes transactions take their time on the wire, for all who use the bus.
func (a *Adapter) SetSpeed(f physic.Frequency) error {
	if f < physic.Hertz || f > 10*physic.MegaHertz {
		return fmt.Errorf("%s: a speed of %v: %w", a.name, f, syscall.EINVAL)
	}
	a.bus.SetSpeed(int(f / physic.Hertz))
	return nil
}

// Close makes further calls of Tx fail. The bus and other adapters work on.
func (a *Adapter) Close() error {
	if a.closed.Swap(true) {
		return fmt.Errorf("%s: %w", a.name, os.ErrClosed)
	}
	return nil
}
