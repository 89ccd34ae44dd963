//go:build linux

package i2cdev

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/cuse"
)

// caller stands for a process and the kernel's part of an ioctl: memory, and
// the copying that the device asks for.
type caller struct {
	*testing.T
	bus    *bus.Bus
	f      cuse.File
	mem    [1 << 16]byte
	next   uint64
	rounds int
}

func newCaller(t *testing.T, profile string) *caller {
	b := bus.New(bus.Profiles[profile], func(time.Duration) {})
	for addr, kind := range map[uint16]string{0x20: "mcp23017", 0x50: "regs"} {
		if _, err := b.Add(kind, addr, nil); err != nil {
			t.Fatal(err)
		}
	}
	return &caller{T: t, bus: b, f: (&Device{Bus: b}).Open(), next: 0x100}
}

// alloc puts data into memory and gives its address.
func (c *caller) alloc(p []byte) uint64 {
	at := c.next
	copy(c.mem[at:], p)
	c.next += uint64(len(p)+15) &^ 15
	return at
}

// ioctl does what fuse_do_ioctl does.
func (c *caller) ioctl(cmd uint32, arg uint64) int {
	c.Helper()
	call := &cuse.Ioctl{Cmd: cmd, Arg: arg}
	var to []cuse.Vec
	for c.rounds = 1; c.rounds < 10; c.rounds++ {
		r := c.f.Ioctl(call)
		if !r.Retry {
			if len(r.Out) > call.Out {
				c.Fatalf("%d bytes for %d", len(r.Out), call.Out)
			}
			for _, v := range to {
				n := min(int(v.Len), len(r.Out))
				copy(c.mem[v.Base:], r.Out[:n])
				r.Out = r.Out[n:]
			}
			return int(r.Result)
		}
		if len(r.ReadFrom)+len(r.WriteTo) > 256 {
			c.Fatal("too many pieces")
		}
		call.In, call.Out, to = nil, 0, r.WriteTo
		for _, v := range r.ReadFrom {
			call.In = append(call.In, c.mem[v.Base:v.Base+v.Len]...)
		}
		for _, v := range to {
			call.Out += int(v.Len)
		}
	}
	c.Fatal("no end of retries")
	return 0
}

func (c *caller) want(what string, got, want int) {
	c.Helper()
	if got != want {
		c.Errorf("%s: %d, want %d", what, got, want)
	}
}

// rdwr is I2C_RDWR; read buffers are filled in place.
func (c *caller) rdwr(msgs ...bus.Msg) int {
	c.Helper()
	var array []byte
	bufs := make([]uint64, len(msgs))
	for i, m := range msgs {
		bufs[i] = c.alloc(m.Buf)
		array = binary.NativeEndian.AppendUint16(array, m.Addr)
		array = binary.NativeEndian.AppendUint16(array, m.Flags)
		array = binary.NativeEndian.AppendUint32(array, uint32(len(m.Buf)))
		array = binary.NativeEndian.AppendUint64(array, bufs[i])
	}
	head := binary.NativeEndian.AppendUint64(nil, c.alloc(array))
	head = binary.NativeEndian.AppendUint64(head, uint64(len(msgs)))
	r := c.ioctl(I2C_RDWR, c.alloc(head))
	for i, m := range msgs {
		copy(m.Buf, c.mem[bufs[i]:])
	}
	return r
}

// smbus is I2C_SMBUS; data is filled in place.
func (c *caller) smbus(rw, cmd byte, size uint32, data *smbusData) int {
	c.Helper()
	var ptr uint64
	if data != nil {
		ptr = c.alloc(data[:])
	}
	head := binary.NativeEndian.AppendUint32([]byte{rw, cmd, 0, 0}, size)
	head = binary.NativeEndian.AppendUint64(head, ptr)
	r := c.ioctl(I2C_SMBUS, c.alloc(head))
	if data != nil {
		copy(data[:], c.mem[ptr:])
	}
	return r
}

func TestSettings(t *testing.T) {
	c := newCaller(t, "bcm2835")
	c.want("I2C_SLAVE", c.ioctl(I2C_SLAVE, 0x20), 0)
	c.want("I2C_SLAVE 0x80", c.ioctl(I2C_SLAVE, 0x80), -int(syscall.EINVAL))
	c.want("I2C_TENBIT", c.ioctl(I2C_TENBIT, 1), 0)
	c.want("I2C_SLAVE 0x80", c.ioctl(I2C_SLAVE, 0x80), 0)
	c.want("I2C_SLAVE 0x400", c.ioctl(I2C_SLAVE, 0x400), -int(syscall.EINVAL))
	c.want("I2C_TENBIT", c.ioctl(I2C_TENBIT, 0), 0)
	c.bus.SetBusy(0x20, true)
	c.want("I2C_SLAVE busy", c.ioctl(I2C_SLAVE, 0x20), -int(syscall.EBUSY))
	c.want("I2C_SLAVE_FORCE busy", c.ioctl(I2C_SLAVE_FORCE, 0x20), 0)
	at := c.alloc(make([]byte, 8))
	c.want("I2C_FUNCS", c.ioctl(I2C_FUNCS, at), 0)
	c.want("funcs", int(binary.NativeEndian.Uint64(c.mem[at:])), 0x0eff0009)
	c.want("I2C_TIMEOUT", c.ioctl(I2C_TIMEOUT, 10), 0)
	c.want("I2C_TIMEOUT", c.ioctl(I2C_TIMEOUT, 1<<31), -int(syscall.EINVAL))
	c.want("I2C_RETRIES", c.ioctl(I2C_RETRIES, 3), 0)
	c.want("I2C_RETRIES", c.ioctl(I2C_RETRIES, 1<<31), -int(syscall.EINVAL))
	c.want("unknown", c.ioctl(0x0799, 0), -int(syscall.ENOTTY))
}

func TestReadWrite(t *testing.T) {
	c := newCaller(t, "bcm2835")
	if _, e := c.f.Write([]byte{0}); e != syscall.EREMOTEIO {
		t.Errorf("without an address: %v", e)
	}
	c.ioctl(I2C_SLAVE, 0x50)
	if n, e := c.f.Write([]byte{0, 1, 2, 3}); n != 4 || e != 0 {
		t.Errorf("%d %v", n, e)
	}
	c.f.Write([]byte{1})
	p := make([]byte, 2)
	if n, e := c.f.Read(p); n != 2 || e != 0 || p[0] != 2 || p[1] != 3 {
		t.Errorf("%d %v % x", n, e, p)
	}
	if n, e := c.f.Write(make([]byte, 9000)); n != 8192 || e != 0 {
		t.Errorf("%d %v", n, e)
	}
}

func TestRDWR(t *testing.T) {
	c := newCaller(t, "gpio")
	write := func(b ...byte) bus.Msg { return bus.Msg{Addr: 0x50, Buf: b} }
	read := func(n int) bus.Msg { return bus.Msg{Addr: 0x50, Flags: bus.Read, Buf: make([]byte, n)} }
	c.want("write", c.rdwr(write(0, 1, 2, 3, 4)), 1)
	c.want("rounds", c.rounds, 4)
	a, b := read(1), read(2)
	c.want("two reads", c.rdwr(write(1), a, write(2), b), 4)
	if a.Buf[0] != 2 || b.Buf[0] != 3 || b.Buf[1] != 4 {
		t.Errorf("% x % x", a.Buf, b.Buf)
	}
	c.want("empty", c.rdwr(write()), 1)
	c.want("rounds", c.rounds, 3)
	c.want("absent", c.rdwr(bus.Msg{Addr: 0x33, Buf: []byte{1}}), -int(syscall.ENXIO))
	c.want("no messages", c.rdwr(), -int(syscall.EINVAL))
	many := make([]bus.Msg, 42)
	for i := range many {
		many[i] = write(byte(i), byte(i))
	}
	c.want("42 messages", c.rdwr(many...), 42)
	c.want("43 messages", c.rdwr(append(many, write(0))...), -int(syscall.EINVAL))
	c.want("too long", c.rdwr(write(make([]byte, 8193)...)), -int(syscall.EINVAL))
	c.want("long", c.rdwr(write(make([]byte, 8192)...)), 1)

	// A length from the chip leaves the rest of the buffer alone.
	c.rdwr(write(0, 3, 7, 8, 9))
	m := bus.Msg{Addr: 0x50, Flags: bus.Read | bus.RecvLen, Buf: bytes.Repeat([]byte{0xee}, 33)}
	m.Buf[0] = 1
	c.want("block", c.rdwr(write(0), m), 2)
	if !bytes.Equal(m.Buf[:6], []byte{3, 7, 8, 9, 0xee, 0xee}) {
		t.Errorf("% x", m.Buf)
	}
	m.Buf[0] = 2
	c.want("block without room", c.rdwr(write(0), m), -int(syscall.EINVAL))
}

func TestSMBus(t *testing.T) {
	c := newCaller(t, "gpio")
	c.ioctl(I2C_SLAVE, 0x50)
	block := func(b ...byte) *smbusData {
		var d smbusData
		copy(d[:], b)
		return &d
	}
	step := func(what string, rw, cmd byte, size uint32, d *smbusData, want ...byte) {
		t.Helper()
		c.want(what, c.smbus(rw, cmd, size, d), 0)
		if d != nil && rw == smbusRead && !bytes.HasPrefix(d[:], want) {
			t.Errorf("%s: % x, want % x", what, d, want)
		}
	}
	step("quick", smbusWrite, 0, smbusQuick, nil)
	step("write byte data", smbusWrite, 5, smbusByteData, block(0x12))
	step("read byte data", smbusRead, 5, smbusByteData, block(), 0x12)
	step("write word", smbusWrite, 6, smbusWordData, block(0x34, 0x56))
	step("read word", smbusRead, 6, smbusWordData, block(), 0x34, 0x56)
	step("send byte", smbusWrite, 5, smbusByte, nil)
	step("receive byte", smbusRead, 0, smbusByte, block(), 0x12)
	step("receive byte", smbusRead, 0, smbusByte, block(), 0x34)
	step("write i2c block", smbusWrite, 8, smbusI2CBlock, block(3, 7, 8, 9))
	step("read i2c block", smbusRead, 7, smbusI2CBlock, block(4), 4, 0x56, 7, 8, 9)
	step("old i2c block", smbusRead, 8, smbusI2CBlockBroken, block(), 32, 7, 8, 9)
	step("write block", smbusWrite, 16, smbusBlockData, block(2, 0xaa, 0xbb))
	step("read block", smbusRead, 16, smbusBlockData, block(), 2, 0xaa, 0xbb, 0)
	c.smbus(smbusWrite, 32, smbusI2CBlock, block(4, 1, 2, 3, 4))
	d := block(0x99, 0x98)
	c.want("process call", c.smbus(smbusWrite, 30, smbusProcCall, d), 0)
	if d[0] != 1 || d[1] != 2 { // the register after the two written
		t.Errorf("process call gave % x", d[:2])
	}
	c.want("bad size", c.smbus(smbusRead, 0, 9, block()), -int(syscall.EINVAL))
	c.want("bad direction", c.smbus(2, 0, smbusByte, block()), -int(syscall.EINVAL))
	c.want("no data", c.smbus(smbusRead, 0, smbusByte, nil), -int(syscall.EINVAL))
	c.want("long block", c.smbus(smbusWrite, 0, smbusI2CBlock, block(33)), -int(syscall.EINVAL))
	c.ioctl(I2C_SLAVE, 0x33)
	c.want("absent", c.smbus(smbusRead, 0, smbusByte, block()), -int(syscall.ENXIO))
}

func TestPEC(t *testing.T) {
	c := newCaller(t, "bcm2835")
	c.ioctl(I2C_SLAVE, 0x50)
	c.ioctl(I2C_PEC, 1)
	var d smbusData
	d[0] = 0x42
	c.want("write", c.smbus(smbusWrite, 1, smbusByteData, &d), 0)
	sum := checksum([]bus.Msg{{Addr: 0x50, Buf: []byte{1, 0x42}}})
	c.ioctl(I2C_PEC, 0)
	c.smbus(smbusRead, 2, smbusByteData, &d)
	c.want("checksum after the data", int(d[0]), int(sum))
	// The register after holds no checksum that fits a read.
	c.ioctl(I2C_PEC, 1)
	c.want("read", c.smbus(smbusRead, 1, smbusByteData, &d), -int(syscall.EBADMSG))
	sum = checksum([]bus.Msg{{Addr: 0x50, Buf: []byte{1}}, {Addr: 0x50, Flags: bus.Read, Buf: []byte{0x42}}})
	c.ioctl(I2C_PEC, 0)
	c.smbus(smbusWrite, 2, smbusByteData, &smbusData{sum})
	c.ioctl(I2C_PEC, 1)
	c.want("read", c.smbus(smbusRead, 1, smbusByteData, &d), 0)
	c.want("data", int(d[0]), 0x42)
}
