//go:build linux

// Package client talks to an i2c-dev device by its ioctls, for measuring and
// for tests.
package client

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Msg is a message of I2C_RDWR, laid out as struct i2c_msg.
type Msg struct {
	Addr, Flags, Len uint16
	_                uint16
	Buf              unsafe.Pointer
}

// Message makes a message of a buffer.
func Message(addr, flags uint16, buf []byte) Msg {
	m := Msg{Addr: addr, Flags: flags, Len: uint16(len(buf))}
	if len(buf) > 0 {
		m.Buf = unsafe.Pointer(&buf[0])
	}
	return m
}

// Ioctl is the bare system call; it gives its result or a negative errno.
func Ioctl(fd int, cmd uint, arg uintptr) int {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), arg)
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

// IoctlPtr is Ioctl with a pointer.
func IoctlPtr(fd int, cmd uint, arg unsafe.Pointer) int {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(arg))
	if e != 0 {
		return -int(e)
	}
	return int(r)
}

// RDWR is I2C_RDWR.
func RDWR(fd int, msgs []Msg) int {
	arg := struct {
		msgs unsafe.Pointer
		n    uint32
	}{n: uint32(len(msgs))}
	if len(msgs) > 0 {
		arg.msgs = unsafe.Pointer(&msgs[0])
	}
	return IoctlPtr(fd, 0x0707, unsafe.Pointer(&arg))
}

// SMBus is I2C_SMBUS.
func SMBus(fd int, rw, cmd byte, size uint32, data *[34]byte) int {
	arg := struct {
		rw, cmd byte
		size    uint32
		data    unsafe.Pointer
	}{rw, cmd, size, unsafe.Pointer(data)}
	return IoctlPtr(fd, 0x0720, unsafe.Pointer(&arg))
}
