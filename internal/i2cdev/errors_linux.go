package i2cdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// classify follows Documentation/i2c/fault-codes.rst and what the Pi's adapters do: i2c-bcm2835 and i2c-designware answer
// EREMOTEIO where nobody acknowledges, i2c-gpio ENXIO.
func classify(errno unix.Errno) class {
	switch errno {
	case unix.ENXIO, unix.EREMOTEIO:
		return noAnswer
	case unix.ETIMEDOUT:
		return timeout
	case unix.EBUSY:
		return busy
	}
	return other
}

// NoAnswer tells whether an error of Tx is that nobody answers at the address.
func NoAnswer(err error) bool {
	var errno unix.Errno
	return errors.As(err, &errno) && classify(errno) == noAnswer
}

// explain says what an errno of a transfer means.
func (b *Bus) explain(addr uint16, errno unix.Errno) error {
	var what string
	switch errno {
	case unix.ENXIO, unix.EREMOTEIO:
		what = fmt.Sprintf("nobody answers at %#02x (%%w): check its wiring, its power and its address; "+
			"`i2cdetect -y %d` shows who answers", addr, b.number)
	case unix.ETIMEDOUT:
		what = fmt.Sprintf("the bus is stuck at %#02x (%%w): a chip holds SDA or SCL low, or a pull-up is missing; "+
			"switching the chips off and on frees it", addr)
	case unix.EBUSY:
		what = fmt.Sprintf("%#02x is in use (%%w): a kernel driver or another program has the bus or the chip", addr)
	case unix.EAGAIN:
		what = fmt.Sprintf("another master keeps the bus from %#02x (%%w): check the wiring for a short", addr)
	case unix.EOPNOTSUPP:
		what = fmt.Sprintf("the adapter cannot do that transfer with %#02x (%%w)", addr)
	case unix.EIO:
		what = fmt.Sprintf("the transfer with %#02x broke off (%%w): check the wiring, shorten it or slow the bus down", addr)
	case unix.ENODEV, unix.EBADF, unix.ENOTCONN, unix.ECONNABORTED, unix.ESHUTDOWN:
		what = fmt.Sprintf("the bus went away while %#02x was used (%%w)", addr)
	default:
		what = fmt.Sprintf("transfer with %#02x: %%w", addr)
	}
	return fmt.Errorf("%s: "+what, b, errno)
}

// explainOwner says that the chip is the kernel's.
func (b *Bus) explainOwner(addr uint16, owner string) error {
	return fmt.Errorf("%s: %#02x belongs to the kernel's driver %q (%w): use what that gives (a gpiochip, IIO, hwmon), "+
		"or remove its dtoverlay from /boot/firmware/config.txt and restart", b, addr, owner, unix.EBUSY)
}

// explainOpen says why the device cannot be opened.
func (b *Bus) explainOpen(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		remedy := fmt.Sprintf("`i2cdetect -l` lists those there are; dtoverlay=i2c%d in /boot/firmware/config.txt may give it", b.number)
		if _, missing := os.Stat(filepath.Join(b.sysfs, fmt.Sprintf("i2c-%d", b.number))); missing == nil {
			remedy = "load the kernel's module i2c-dev (sudo modprobe i2c-dev; a line i2c-dev in /etc/modules-load.d/i2c.conf keeps it)"
		} else if b.number == 1 {
			remedy = "enable I2C (sudo raspi-config, Interface Options, I2C; or dtparam=i2c_arm=on in /boot/firmware/config.txt) and restart"
		}
		return fmt.Errorf("%s: there is no such bus (%w): %s", b, err, remedy)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: not allowed to open it (%w): put the user into the group i2c: sudo usermod -aG i2c %s", b, err, user())
	}
	return fmt.Errorf("%s: %w", b, err)
}

// user names who runs this, for a command to copy.
func user() string {
	if u := os.Getenv("USER"); u != "" {
		return u
	}
	return "gatewayd"
}
