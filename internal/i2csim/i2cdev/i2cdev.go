//go:build linux

// Package i2cdev behaves like Linux's i2c-dev driver, on top of a simulated
// bus: the ioctls of linux/i2c-dev.h, read and write.
package i2cdev

import (
	"encoding/binary"
	"sync"
	"syscall"
	"time"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/cuse"
)

// The ioctls.
const (
	I2C_RETRIES     = 0x0701
	I2C_TIMEOUT     = 0x0702
	I2C_SLAVE       = 0x0703
	I2C_TENBIT      = 0x0704
	I2C_FUNCS       = 0x0705
	I2C_SLAVE_FORCE = 0x0706
	I2C_RDWR        = 0x0707
	I2C_PEC         = 0x0708
	I2C_SMBUS       = 0x0720
)

const (
	maxMsgs = 42   // of I2C_RDWR
	maxLen  = 8192 // of a message, a read and a write
	maxInt  = 1<<31 - 1

	msgsSize  = 16 // struct i2c_rdwr_ioctl_data
	msgSize   = 16 // struct i2c_msg
	smbusSize = 16 // struct i2c_smbus_ioctl_data
)

// Device is the character device of a bus.
type Device struct {
	Bus *bus.Bus
}

// Open makes an open file, not yet bound to an address.
func (d *Device) Open() cuse.File { return &file{bus: d.Bus} }

type file struct {
	bus *bus.Bus

	mu   sync.Mutex
	addr uint16
	ten  bool
	pec  bool
}

func (f *file) Release() {}

// target gives the address set by I2C_SLAVE, the flags of its messages and
// whether they have a checksum.
func (f *file) target() (addr, flags uint16, pec bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ten {
		flags = bus.Ten
	}
	return f.addr, flags, f.pec
}

func (f *file) Read(p []byte) (int, syscall.Errno) {
	addr, flags, _ := f.target()
	p = p[:min(len(p), maxLen)]
	if e := f.bus.Transfer([]bus.Msg{{Addr: addr, Flags: flags | bus.Read, Buf: p}}); e != 0 {
		return 0, e
	}
	return len(p), 0
}

func (f *file) Write(p []byte) (int, syscall.Errno) {
	addr, flags, _ := f.target()
	p = p[:min(len(p), maxLen)]
	if e := f.bus.Transfer([]bus.Msg{{Addr: addr, Flags: flags, Buf: p}}); e != 0 {
		return 0, e
	}
	return len(p), 0
}

func (f *file) Ioctl(c *cuse.Ioctl) cuse.Reply {
	switch c.Cmd {
	case I2C_SLAVE, I2C_SLAVE_FORCE:
		return f.setAddress(c.Cmd, c.Arg)
	case I2C_TENBIT, I2C_PEC:
		f.mu.Lock()
		defer f.mu.Unlock()
		if c.Cmd == I2C_PEC {
			f.pec = c.Arg != 0
		} else {
			f.ten = c.Arg != 0
		}
		return cuse.Reply{}
	case I2C_FUNCS:
		if c.Out < 8 {
			return more(nil, []cuse.Vec{{Base: c.Arg, Len: 8}})
		}
		return cuse.Reply{Out: binary.NativeEndian.AppendUint64(nil, f.bus.Profile.Funcs)}
	case I2C_RETRIES:
		if c.Arg > maxInt {
			return failed(syscall.EINVAL)
		}
		f.bus.SetRetries(int(c.Arg))
		return cuse.Reply{}
	case I2C_TIMEOUT: // in units of 10 ms
		if c.Arg > maxInt/10 {
			return failed(syscall.EINVAL)
		}
		f.bus.SetTimeout(time.Duration(c.Arg) * 10 * time.Millisecond)
		return cuse.Reply{}
	case I2C_RDWR:
		return f.rdwr(c)
	case I2C_SMBUS:
		return f.smbusIoctl(c)
	}
	return failed(syscall.ENOTTY)
}

func failed(e syscall.Errno) cuse.Reply { return cuse.Reply{Result: -int32(e)} }

func more(from, to []cuse.Vec) cuse.Reply {
	return cuse.Reply{Retry: true, ReadFrom: from, WriteTo: to}
}

func (f *file) setAddress(cmd uint32, arg uint64) cuse.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	if arg > 0x3ff || !f.ten && arg > 0x7f {
		return failed(syscall.EINVAL)
	}
	if cmd == I2C_SLAVE && f.bus.Busy(uint16(arg)) {
		return failed(syscall.EBUSY)
	}
	f.addr = uint16(arg)
	return cuse.Reply{}
}

// userMsg is struct i2c_msg.
type userMsg struct {
	addr, flags, len uint16
	buf              uint64
}

// rdwr goes through two levels of pointers: the argument leads to the array
// of messages, and those to their data. Each level takes one more request.
func (f *file) rdwr(c *cuse.Ioctl) cuse.Reply {
	head := cuse.Vec{Base: c.Arg, Len: msgsSize}
	if len(c.In) < msgsSize {
		return more([]cuse.Vec{head}, nil)
	}
	array := cuse.Vec{Base: binary.NativeEndian.Uint64(c.In)}
	n := int(binary.NativeEndian.Uint32(c.In[8:]))
	if array.Base == 0 || n == 0 || n > maxMsgs {
		return failed(syscall.EINVAL)
	}
	array.Len = uint64(n * msgSize)
	if len(c.In) < msgsSize+n*msgSize {
		return more([]cuse.Vec{head, array}, nil)
	}

	from := []cuse.Vec{head, array}
	var to []cuse.Vec
	in, out := msgsSize+n*msgSize, 0
	user := make([]userMsg, n)
	for i := range user {
		p := c.In[msgsSize+i*msgSize:]
		m := userMsg{
			addr:  binary.NativeEndian.Uint16(p),
			flags: binary.NativeEndian.Uint16(p[2:]),
			len:   binary.NativeEndian.Uint16(p[4:]),
			buf:   binary.NativeEndian.Uint64(p[8:]),
		}
		if m.len > maxLen {
			return failed(syscall.EINVAL)
		}
		if m.flags&bus.RecvLen != 0 && (m.flags&bus.Read == 0 || m.len < 1) {
			return failed(syscall.EINVAL)
		}
		user[i] = m
		if m.len == 0 {
			continue
		}
		v := cuse.Vec{Base: m.buf, Len: uint64(m.len)}
		if m.flags&bus.Read != 0 {
			to = append(to, v)
			out += int(m.len)
		}
		if m.flags&bus.Read == 0 || m.flags&bus.RecvLen != 0 {
			from = append(from, v)
			in += int(m.len)
		}
	}
	if len(c.In) != in || c.Out != out {
		return more(from, to)
	}

	data := c.In[msgsSize+n*msgSize:]
	msgs := make([]bus.Msg, n)
	orig := make([][]byte, n) // what a RecvLen buffer held
	for i, m := range user {
		msgs[i] = bus.Msg{Addr: m.addr, Flags: m.flags, Buf: make([]byte, m.len)}
		switch {
		case m.flags&bus.RecvLen != 0:
			// The first byte tells how many bytes come besides the block.
			extra := int(data[0])
			if extra < 1 || int(m.len) < extra+bus.BlockMax {
				return failed(syscall.EINVAL)
			}
			orig[i], data = data[:m.len], data[m.len:]
			msgs[i].Buf = msgs[i].Buf[:extra]
		case m.flags&bus.Read == 0:
			copy(msgs[i].Buf, data)
			data = data[m.len:]
		}
	}
	if e := f.bus.Transfer(msgs); e != 0 {
		return failed(e)
	}
	reply := cuse.Reply{Result: int32(n)}
	for i := range msgs {
		if msgs[i].Flags&bus.Read == 0 {
			continue
		}
		reply.Out = append(reply.Out, msgs[i].Buf...)
		if orig[i] != nil {
			reply.Out = append(reply.Out, orig[i][len(msgs[i].Buf):]...)
		}
	}
	return reply
}
