//go:build linux

package abi

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/client"
	"gatewayd/internal/i2csim/control"
	"gatewayd/internal/i2csim/i2cdev"
)

const (
	mcp  = 0x20 // mcp23017
	mem  = 0x50 // regs
	none = 0x33
)

// open opens the device for one address.
func open(t *testing.T, addr uintptr) int {
	t.Helper()
	dev := os.Getenv("I2CSIM_DEV")
	if dev == "" {
		t.Skip("I2CSIM_DEV names no simulated bus: this runs in the lab, by scripts/lab/abi/run.sh")
	}
	fd, err := unix.Open(dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	want(t, "I2C_SLAVE", client.Ioctl(fd, i2cdev.I2C_SLAVE, addr), 0)
	return fd
}

func want(t *testing.T, what string, got, want int) {
	t.Helper()
	if got == want {
		return
	}
	name := func(n int) any {
		if n < 0 {
			return unix.ErrnoName(unix.Errno(-n))
		}
		return n
	}
	t.Errorf("%s: %v, want %v", what, name(got), name(want))
}

func ctl(t *testing.T, lines ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := control.Client("/run/i2csim.sock", 0, lines, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func w(addr uint16, b ...byte) client.Msg { return client.Message(addr, 0, b) }

func TestSettings(t *testing.T) {
	fd := open(t, mcp)
	want(t, "I2C_SLAVE 0x80", client.Ioctl(fd, i2cdev.I2C_SLAVE, 0x80), -int(unix.EINVAL))
	want(t, "unknown ioctl", client.Ioctl(fd, 0x07ff, 0), -int(unix.ENOTTY))
	want(t, "terminal ioctl", client.Ioctl(fd, unix.TCGETS, 0), -int(unix.ENOTTY))
	var funcs uint64
	want(t, "I2C_FUNCS", client.IoctlPtr(fd, i2cdev.I2C_FUNCS, unsafe.Pointer(&funcs)), 0)
	want(t, "funcs", int(funcs), 0x0eff0009)
	want(t, "I2C_FUNCS to nowhere", client.Ioctl(fd, i2cdev.I2C_FUNCS, 8), -int(unix.EFAULT))
	want(t, "I2C_RDWR from nowhere", client.Ioctl(fd, i2cdev.I2C_RDWR, 8), -int(unix.EFAULT))
	ctl(t, "busy 0x20 on")
	want(t, "busy", client.Ioctl(fd, i2cdev.I2C_SLAVE, mcp), -int(unix.EBUSY))
	want(t, "busy, forced", client.Ioctl(fd, i2cdev.I2C_SLAVE_FORCE, mcp), 0)
	ctl(t, "busy 0x20 off")
	if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
		t.Error(err)
	}
}

func TestReadWrite(t *testing.T) {
	fd := open(t, mem)
	if n, err := unix.Write(fd, []byte{0, 1, 2, 3}); n != 4 || err != nil {
		t.Error(n, err)
	}
	unix.Write(fd, []byte{1})
	p := make([]byte, 2)
	if n, err := unix.Read(fd, p); n != 2 || err != nil || p[0] != 2 || p[1] != 3 {
		t.Error(n, err, p)
	}
	if n, err := unix.Write(fd, make([]byte, 20000)); n != 8192 || err != nil {
		t.Error(n, err)
	}
	if n, err := unix.Read(fd, make([]byte, 20000)); n != 8192 || err != nil {
		t.Error(n, err)
	}
	client.Ioctl(fd, i2cdev.I2C_SLAVE, none)
	if _, err := unix.Write(fd, p); err != unix.EREMOTEIO {
		t.Error(err)
	}
	if _, err := unix.Read(fd, p); err != unix.EREMOTEIO {
		t.Error(err)
	}
}

func TestRDWR(t *testing.T) {
	fd := open(t, none) // the address of I2C_SLAVE plays no part
	r := make([]byte, 3)
	want(t, "write", client.RDWR(fd, []client.Msg{w(mem, 0, 4, 5, 6)}), 1)
	want(t, "write, read", client.RDWR(fd, []client.Msg{w(mem, 0), client.Message(mem, bus.Read, r)}), 2)
	if !bytes.Equal(r, []byte{4, 5, 6}) {
		t.Errorf("% x", r)
	}
	want(t, "absent", client.RDWR(fd, []client.Msg{w(none, 0)}), -int(unix.EREMOTEIO))
	want(t, "read in the middle", client.RDWR(fd, []client.Msg{client.Message(mem, bus.Read, r), w(mem, 0)}), -int(unix.EOPNOTSUPP))
	want(t, "no messages", client.RDWR(fd, nil), -int(unix.EINVAL))
	want(t, "empty message", client.RDWR(fd, []client.Msg{w(mem)}), 1)
	var many []client.Msg
	for i := range 42 {
		many = append(many, w(mem, byte(i), byte(i+1)))
	}
	want(t, "42 messages", client.RDWR(fd, many), 42)
	want(t, "43 messages", client.RDWR(fd, append(many, w(mem, 0))), -int(unix.EINVAL))
	want(t, "8193 bytes", client.RDWR(fd, []client.Msg{w(mem, make([]byte, 8193)...)}), -int(unix.EINVAL))
	want(t, "8192 bytes", client.RDWR(fd, []client.Msg{w(mem, make([]byte, 8192)...)}), 1)
	long := make([]byte, 8192)
	want(t, "read 8192 bytes", client.RDWR(fd, []client.Msg{w(mem, 0), client.Message(mem, bus.Read, long)}), 2)
	bad := client.Msg{Addr: mem, Flags: 0, Len: 4, Buf: nil}
	want(t, "data from nowhere", client.RDWR(fd, []client.Msg{bad}), -int(unix.EFAULT))
}

func TestSMBus(t *testing.T) {
	fd := open(t, mem)
	var d [34]byte
	want(t, "quick", client.SMBus(fd, 0, 0, 0, nil), 0)
	d[0] = 0x42
	want(t, "write byte data", client.SMBus(fd, 0, 9, 2, &d), 0)
	d[0] = 0
	want(t, "read byte data", client.SMBus(fd, 1, 9, 2, &d), 0)
	want(t, "byte", int(d[0]), 0x42)
	d = [34]byte{4, 1, 2, 3, 4}
	want(t, "write i2c block", client.SMBus(fd, 0, 16, 8, &d), 0)
	d = [34]byte{2}
	want(t, "read i2c block", client.SMBus(fd, 1, 17, 8, &d), 0)
	if d[0] != 2 || d[1] != 2 || d[2] != 3 {
		t.Errorf("% x", d)
	}
	want(t, "read word", client.SMBus(fd, 1, 16, 3, &d), 0)
	want(t, "word", int(d[0])|int(d[1])<<8, 0x0201)
	d = [34]byte{3, 7, 8, 9}
	want(t, "write block", client.SMBus(fd, 0, 32, 5, &d), 0)
	want(t, "bad type", client.SMBus(fd, 0, 0, 9, &d), -int(unix.EINVAL))
	client.Ioctl(fd, i2cdev.I2C_SLAVE, none)
	want(t, "absent", client.SMBus(fd, 1, 0, 1, &d), -int(unix.EREMOTEIO))
}

func TestFaults(t *testing.T) {
	fd := open(t, mem)
	one := []client.Msg{w(mem, 0)}
	ctl(t, "fault 0x50 nack 2")
	want(t, "nack", client.RDWR(fd, one), -int(unix.EREMOTEIO))
	want(t, "nack", client.RDWR(fd, one), -int(unix.EREMOTEIO))
	want(t, "no nack", client.RDWR(fd, one), 1)
	ctl(t, "fault 0x50 timeout")
	want(t, "I2C_TIMEOUT", client.Ioctl(fd, i2cdev.I2C_TIMEOUT, 20), 0)
	start := time.Now()
	want(t, "timeout", client.RDWR(fd, one), -int(unix.ETIMEDOUT))
	if d := time.Since(start); d < 200*time.Millisecond || d > 300*time.Millisecond {
		t.Errorf("gave up after %v", d)
	}
	client.Ioctl(fd, i2cdev.I2C_TIMEOUT, 100)
	ctl(t, "absent 0x50")
	want(t, "absent", client.RDWR(fd, one), -int(unix.EREMOTEIO))
	ctl(t, "present 0x50")
	want(t, "present", client.RDWR(fd, one), 1)
}

// A hung transfer blocks the bus, but neither other ioctls nor the control.
func TestHungBus(t *testing.T) {
	fd := open(t, mem)
	ctl(t, "fault 0x50 timeout")
	client.Ioctl(fd, i2cdev.I2C_TIMEOUT, 50)
	var wg sync.WaitGroup
	start := time.Now()
	wg.Go(func() { want(t, "hung", client.RDWR(fd, []client.Msg{w(mem, 0)}), -int(unix.ETIMEDOUT)) })
	time.Sleep(100 * time.Millisecond)
	fd2 := open(t, mcp)
	ctl(t, "list")
	if d := time.Since(start); d > 300*time.Millisecond {
		t.Errorf("blocked for %v", d)
	}
	want(t, "after it", client.RDWR(fd2, []client.Msg{w(mcp, 0)}), 1)
	if d := time.Since(start); d < 500*time.Millisecond {
		t.Errorf("went ahead after %v", d)
	}
	wg.Wait()
	client.Ioctl(fd, i2cdev.I2C_TIMEOUT, 100)
}

// Many callers at once each read back what they wrote.
func TestParallel(t *testing.T) {
	open(t, mem)
	var wg sync.WaitGroup
	for i := range 8 {
		fd := open(t, mem)
		wg.Go(func() {
			at := byte(0x40 + 8*i)
			for n := range 50 {
				r := make([]byte, 2)
				client.RDWR(fd, []client.Msg{w(mem, at, byte(n), byte(i))})
				client.RDWR(fd, []client.Msg{w(mem, at), client.Message(mem, bus.Read, r)})
				if r[0] != byte(n) || r[1] != byte(i) {
					t.Errorf("caller %d, round %d: % x", i, n, r)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A caller killed in the middle of a transfer leaves the bus usable.
func TestKilledCaller(t *testing.T) {
	fd := open(t, mem)
	ctl(t, "latency 300ms")
	cmd := exec.Command("i2cget", "-y", "1", "0x50", "0")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	time.Sleep(100 * time.Millisecond)
	cmd.Process.Kill()
	cmd.Wait()
	ctl(t, "latency off")
	want(t, "after it", client.RDWR(fd, []client.Msg{w(mem, 0)}), 1)
}

// Like i2c-dev, which has no poll, the device is always ready.
func TestPoll(t *testing.T) {
	fd := open(t, mem)
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	if n, err := unix.Poll(p, 1000); n != 1 || err != nil || p[0].Revents != unix.POLLIN|unix.POLLOUT {
		t.Error(n, err, p)
	}
}

// Go's own files work too.
func TestGoFile(t *testing.T) {
	open(t, mem)
	f, err := os.OpenFile(os.Getenv("I2CSIM_DEV"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want(t, "I2C_SLAVE", client.Ioctl(int(f.Fd()), i2cdev.I2C_SLAVE, mem), 0)
	if _, err := f.Write([]byte{0, 0x77}); err != nil {
		t.Error(err)
	}
	if _, err := f.Write([]byte{0}); err != nil {
		t.Error(err)
	}
	p := make([]byte, 1)
	if _, err := f.Read(p); err != nil || p[0] != 0x77 {
		t.Error(err, p)
	}
}
