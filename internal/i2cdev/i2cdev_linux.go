package i2cdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
)

// Of include/uapi/linux/i2c-dev.h and i2c.h.
const (
	ioctlRetries = 0x0701 // how often to try again when arbitration is lost; nothing else is tried again (i2c-core-base.c)
	ioctlTimeout = 0x0702 // in units of 10 ms
	ioctlRdwr    = 0x0707
	flagRead     = 0x0001
	maxLen       = 8192 // bytes of one message (i2c-dev.c, i2cdev_ioctl_rdwr)
)

const (
	// timeout10ms bounds one transfer: 300 ms. The kernel's second would make every chip of a bus wait while one of them holds the
	// clock. The setting is the adapter's, so that other programs have it too: a display's frame of 1 KiB takes 92 ms at 100 kHz.
	timeout10ms = 30
	retries     = 3
)

// message is struct i2c_msg, with a pointer that the garbage collector sees.
type message struct {
	addr, flags, length uint16
	buf                 unsafe.Pointer
}

// transfer is struct i2c_rdwr_ioctl_data, followed by what it points to.
type transfer struct {
	data struct {
		msgs *message
		n    uint32
	}
	msgs [2]message
	buf  []byte
}

// The kernel's sizes, with 32-bit pointers (12, 8) as with 64-bit ones (16, 16). This does not compile where they differ.
const word = unsafe.Sizeof(uintptr(0))

var (
	_ [8 + word]byte = [unsafe.Sizeof(message{})]byte{}
	_ [2 * word]byte = [unsafe.Sizeof(transfer{}.data)]byte{}
)

// newTransfer is not inlined, so that its result is always on the heap: the kernel gets addresses, and a stack can move.
//
//go:noinline
func newTransfer() *transfer { return &transfer{} }

// Bus is an I2C bus. Its methods may be called from several goroutines; a program makes one Bus for each adapter and shares
// it among all chips.
type Bus struct {
	number int
	dev    string // folder of the device
	sysfs  string // folder of the bus's devices
	stats  stats

	mu     sync.Mutex // guards the following, and is held over a transfer
	fd     int        // -1: not open
	closed bool
	free   map[uint16]bool // addresses that no kernel driver had when we looked
	tx     *transfer
}

// New makes the bus of /dev/i2c-<number>. It opens nothing: the first transfer does.
func New(number int) *Bus {
	return &Bus{number: number, dev: "/dev", sysfs: "/sys/bus/i2c/devices", fd: -1, free: map[uint16]bool{}, tx: newTransfer()}
}

// String gives the device: /dev/i2c-1.
func (b *Bus) String() string { return fmt.Sprintf("%s/i2c-%d", b.dev, b.number) }

// Tx writes w to the chip and then reads r from it, as one transaction with a repeated start; either may be empty. With both
// empty it sends the address alone, which not every adapter can. It blocks while others use the bus, and then for 300 ms at
// most where the adapter keeps to its limit. After an error r is as it was. The error wraps the kernel's errno.
func (b *Bus) Tx(addr uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.try(addr, w, r)
	b.stats.count(addr, c, err)
	return err
}

func (b *Bus) try(addr uint16, w, r []byte) (class, error) {
	switch {
	case b.closed:
		return other, fmt.Errorf("%s: %w", b, os.ErrClosed)
	case addr > 0x7f:
		return other, fmt.Errorf("%s: address %#x: %w: 7 bits are all there is", b, addr, unix.EINVAL)
	case len(w) > maxLen || len(r) > maxLen:
		return other, fmt.Errorf("%s: address %#02x: %w: %d bytes at once are all there is", b, addr, unix.EINVAL, maxLen)
	}
	// The kernel lets I2C_RDWR through to a chip that a driver of its own works with, so look. Not at every transfer: it is a
	// system call more. A driver that takes a free chip later shows in the failures that follow.
	if !b.free[addr] {
		if owner := b.Owner(addr); owner != "" {
			return busy, b.explainOwner(addr, owner)
		}
		b.free[addr] = true
	}
	if err := b.open(); err != nil {
		return other, err
	}
	errno := b.rdwr(addr, w, r)
	if errno == 0 {
		return other, nil
	}
	delete(b.free, addr)
	c := classify(errno)
	if c == other { // ENODEV, EBADF and the like, and with some adapters EIO: open it anew
		b.shut()
	}
	return c, b.explain(addr, errno)
}

// rdwr does the transfer. A read is its last message: i2c-bcm2835 takes it nowhere else.
func (b *Bus) rdwr(addr uint16, w, r []byte) unix.Errno {
	t := b.tx
	if n := len(w) + len(r); cap(t.buf) < n {
		t.buf = make([]byte, n)
	}
	t.buf = t.buf[:cap(t.buf)]
	n := copy(t.buf, w)
	t.data.msgs, t.data.n = &t.msgs[0], 0
	add := func(flags uint16, buf []byte) {
		t.msgs[t.data.n] = message{addr: addr, flags: flags, length: uint16(len(buf)), buf: unsafe.Pointer(unsafe.SliceData(buf))}
		t.data.n++
	}
	if len(w) > 0 || len(r) == 0 {
		add(0, t.buf[:n])
	}
	if len(r) > 0 {
		add(flagRead, t.buf[n:n+len(r)])
	}
	done, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(b.fd), ioctlRdwr, uintptr(unsafe.Pointer(&t.data)))
	if errno == 0 && uint32(done) != t.data.n {
		errno = unix.EIO // an adapter that stops half-way without saying why
	}
	if errno == 0 {
		copy(r, t.buf[n:])
	}
	return errno
}

func (b *Bus) open() error {
	if b.fd >= 0 {
		return nil
	}
	fd, err := unix.Open(b.String(), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return b.explainOpen(err)
	}
	// Both are wishes: an adapter that refuses them works with the kernel's.
	_ = unix.IoctlSetInt(fd, ioctlTimeout, timeout10ms)
	_ = unix.IoctlSetInt(fd, ioctlRetries, retries)
	b.fd = fd
	b.stats.opened()
	return nil
}

func (b *Bus) shut() {
	if b.fd >= 0 {
		_ = unix.Close(b.fd)
		b.fd = -1
	}
	clear(b.free)
}

// SetSpeed fails: on Linux the speed is the adapter's, set when the system starts.
func (b *Bus) SetSpeed(physic.Frequency) error {
	return fmt.Errorf("%s: %w: the speed is set in /boot/firmware/config.txt: dtparam=i2c_arm_baudrate=400000", b, errors.ErrUnsupported)
}

// Owner gives the name of the kernel driver that works with the chip at addr, or "". It does not touch the bus.
func (b *Bus) Owner(addr uint16) string {
	link, err := os.Readlink(filepath.Join(b.sysfs, fmt.Sprintf("%d-%04x", b.number, addr), "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(link)
}

// Stats gives the counters. It does not wait for a transfer.
func (b *Bus) Stats() Stats { return b.stats.snapshot() }

// Close waits for a transfer that is under way and closes the device. Transfers fail with os.ErrClosed after it.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.shut()
	return nil
}
