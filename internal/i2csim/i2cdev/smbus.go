//go:build linux

package i2cdev

import (
	"encoding/binary"
	"syscall"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/cuse"
)

// Transaction types of I2C_SMBUS.
const (
	smbusQuick          = 0
	smbusByte           = 1
	smbusByteData       = 2
	smbusWordData       = 3
	smbusProcCall       = 4
	smbusBlockData      = 5
	smbusI2CBlockBroken = 6
	smbusBlockProcCall  = 7
	smbusI2CBlock       = 8

	smbusWrite = 0
	smbusRead  = 1
)

// smbusData is union i2c_smbus_data.
type smbusData [bus.BlockMax + 2]byte

// smbusIoctl fetches the argument and, where the transaction has any, its
// data, then carries it out.
func (f *file) smbusIoctl(c *cuse.Ioctl) cuse.Reply {
	head := cuse.Vec{Base: c.Arg, Len: smbusSize}
	if len(c.In) < smbusSize {
		return more([]cuse.Vec{head}, nil)
	}
	rw, cmd := c.In[0], c.In[1]
	size := binary.NativeEndian.Uint32(c.In[4:])
	ptr := binary.NativeEndian.Uint64(c.In[8:])
	if size > smbusI2CBlock || rw > smbusRead {
		return failed(syscall.EINVAL)
	}

	var data smbusData
	n := 0
	switch size {
	case smbusQuick:
	case smbusByte:
		if rw == smbusRead {
			n = 1
		}
	case smbusByteData:
		n = 1
	case smbusWordData, smbusProcCall:
		n = 2
	default:
		n = len(data)
	}
	if n > 0 && ptr == 0 {
		return failed(syscall.EINVAL)
	}
	call := size == smbusProcCall || size == smbusBlockProcCall
	in, out := 0, 0
	if rw == smbusWrite || call || size == smbusI2CBlock {
		in = n
	}
	if rw == smbusRead || call {
		out = n
	}
	if len(c.In) != smbusSize+in || c.Out != out {
		from, to := []cuse.Vec{head}, []cuse.Vec(nil)
		v := cuse.Vec{Base: ptr, Len: uint64(n)}
		if in > 0 {
			from = append(from, v)
		}
		if out > 0 {
			to = append(to, v)
		}
		return more(from, to)
	}
	copy(data[:], c.In[smbusSize:])
	if size == smbusI2CBlockBroken {
		size = smbusI2CBlock
		if rw == smbusRead {
			data[0] = bus.BlockMax
		}
	}
	if e := f.smbus(rw, cmd, size, &data); e != 0 {
		return failed(e)
	}
	return cuse.Reply{Out: data[:out]}
}

// smbus makes messages of an SMBus transaction, as the kernel does for
// controllers that know plain I2C only (i2c_smbus_xfer_emulated).
func (f *file) smbus(rw, cmd byte, size uint32, data *smbusData) syscall.Errno {
	addr, flags, pec := f.target()
	send := bus.Msg{Addr: addr, Flags: flags, Buf: []byte{cmd}}
	recv := bus.Msg{Addr: addr, Flags: flags | bus.Read}
	reading := rw == smbusRead
	switch size {
	case smbusQuick:
		send.Buf, recv.Buf = nil, nil
		pec = false
	case smbusByte:
		recv.Buf = make([]byte, 1)
	case smbusByteData:
		if reading {
			recv.Buf = make([]byte, 1)
		} else {
			send.Buf = append(send.Buf, data[0])
		}
	case smbusWordData:
		if reading {
			recv.Buf = make([]byte, 2)
		} else {
			send.Buf = append(send.Buf, data[:2]...)
		}
	case smbusProcCall:
		reading = true
		send.Buf = append(send.Buf, data[:2]...)
		recv.Buf = make([]byte, 2)
	case smbusBlockData, smbusBlockProcCall:
		call := size == smbusBlockProcCall
		if call || !reading {
			if data[0] > bus.BlockMax {
				return syscall.EINVAL
			}
			send.Buf = append(send.Buf, data[:data[0]+1]...)
		}
		if reading = reading || call; reading {
			recv.Flags |= bus.RecvLen
			recv.Buf = make([]byte, 1)
		}
	case smbusI2CBlock:
		if data[0] > bus.BlockMax {
			return syscall.EINVAL
		}
		if reading {
			recv.Buf = make([]byte, data[0])
		} else {
			send.Buf = append(send.Buf, data[1:data[0]+1]...)
		}
		pec = false
	}

	var msgs []bus.Msg
	switch {
	case !reading:
		msgs = []bus.Msg{send}
	case size == smbusQuick, size == smbusByte:
		msgs = []bus.Msg{recv}
	default:
		msgs = []bus.Msg{send, recv}
	}
	last := &msgs[len(msgs)-1]
	if pec {
		if reading {
			last.Buf = append(last.Buf, 0)
		} else {
			last.Buf = append(last.Buf, checksum(msgs))
		}
	}
	if e := f.bus.Transfer(msgs); e != 0 {
		return e
	}
	if !reading {
		return 0
	}
	got := last.Buf
	if pec {
		sum := got[len(got)-1]
		last.Buf = got[:len(got)-1]
		got = last.Buf
		if checksum(msgs) != sum {
			return syscall.EBADMSG
		}
	}
	switch size {
	case smbusBlockData, smbusBlockProcCall:
		if got[0] > bus.BlockMax {
			return syscall.EPROTO
		}
		clear(data[:])
		copy(data[:got[0]+1], got)
	case smbusI2CBlock:
		copy(data[1:], got)
	default:
		copy(data[:], got)
	}
	return 0
}

// checksum is SMBus's packet error code over messages with their addresses.
func checksum(msgs []bus.Msg) (c byte) {
	add := func(b byte) {
		c ^= b
		for range 8 {
			if c&0x80 != 0 {
				c = c<<1 ^ 7
			} else {
				c <<= 1
			}
		}
	}
	for _, m := range msgs {
		add(byte(m.Addr<<1) | byte(m.Flags&bus.Read))
		for _, b := range m.Buf {
			add(b)
		}
	}
	return c
}
