package i2cdev

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// labBus gives the bus that GATEWAYD_TEST_I2C names. It must have an MCP23017 at 0x20 that nothing depends on and nobody at 0x33.
func labBus(t *testing.T) *Bus {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(os.Getenv("GATEWAYD_TEST_I2C"), "/dev/i2c-%d", &n); err != nil {
		t.Skip("GATEWAYD_TEST_I2C names no /dev/i2c-N with an MCP23017 at 0x20")
	}
	b := New(n)
	t.Cleanup(func() { b.Close() })
	return b
}

// world tells i2csim what happens to its chips.
func world(t *testing.T, lines ...string) {
	t.Helper()
	conn, err := net.Dial("unix", "/run/i2csim.sock")
	if err != nil {
		t.Skip("no i2csim to disturb the bus: ", err)
	}
	defer conn.Close()
	in := bufio.NewScanner(conn)
	for _, line := range lines {
		fmt.Fprintln(conn, line)
		for in.Scan() && in.Text() != "ok" {
			if bytes.HasPrefix(in.Bytes(), []byte("error")) {
				t.Fatalf("i2csim: %s: %s", line, in.Text())
			}
		}
	}
}

const mcp, nobody = 0x20, 0x33

func TestLabTransfers(t *testing.T) {
	b := labBus(t)
	if err := b.Tx(mcp, []byte{0x00, 0xA5, 0x5A}, nil); err != nil {
		t.Fatal(err)
	}
	var got [2]byte
	if err := b.Tx(mcp, []byte{0x00}, got[:]); err != nil || got != [2]byte{0xA5, 0x5A} {
		t.Errorf("read % x, %v", got, err)
	}
	if err := b.Tx(mcp, []byte{0x00, 0xFF, 0xFF}, nil); err != nil {
		t.Error(err)
	}
	wantError(t, b.Tx(nobody, []byte{0}, got[:]), unix.EREMOTEIO, "nobody answers at 0x33")
	if got != [2]byte{0xA5, 0x5A} {
		t.Errorf("a failed read left % x", got)
	}
	s := b.Stats()
	if s.Opens != 1 || s.Transfers != 4 || s.NoAnswer != 1 || s.Addrs[nobody].NoAnswer != 1 || s.Addrs[mcp].Failed() != 0 {
		t.Errorf("%+v", s)
	}
}

func TestLabFaults(t *testing.T) {
	b := labBus(t)
	one := []byte{0}
	world(t, "fault 0x20 nack 2")
	for range 2 {
		wantError(t, b.Tx(mcp, one, nil), unix.EREMOTEIO)
	}
	if err := b.Tx(mcp, one, nil); err != nil {
		t.Error(err)
	}
	world(t, "fault 0x20 timeout")
	start := time.Now()
	wantError(t, b.Tx(mcp, one, nil), unix.ETIMEDOUT, "stuck")
	if d := time.Since(start); d < 300*time.Millisecond || d > 900*time.Millisecond {
		t.Errorf("gave up after %v, want 300ms", d)
	}
	opens := b.Stats().Opens
	for errno, name := range map[unix.Errno]string{unix.EIO: "EIO", unix.ENODEV: "ENODEV"} {
		world(t, "fault 0x20 errno "+name)
		wantError(t, b.Tx(mcp, one, nil), errno)
		if err := b.Tx(mcp, one, nil); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if s := b.Stats(); s.Opens != opens+2 || s.NoAnswer != 2 || s.Timeout != 1 || s.Other != 2 {
		t.Errorf("%+v, want %d opens", s, opens+2)
	}
	// The descriptor is taken from us, as when the device's file goes.
	unix.Close(b.fd)
	wantError(t, b.Tx(mcp, one, nil), unix.EBADF)
	if err := b.Tx(mcp, one, nil); err != nil {
		t.Error(err)
	}
}

// Many callers at once each get their own answer.
func TestLabParallel(t *testing.T) {
	b := labBus(t)
	regs := []byte{0x02, 0x03, 0x06, 0x07, 0x08, 0x09} // IPOL, DEFVAL, INTCON: registers that do nothing here
	for i, reg := range regs {
		if err := b.Tx(mcp, []byte{reg, byte(i + 1)}, nil); err != nil {
			t.Fatal(err)
		}
		defer b.Tx(mcp, []byte{reg, 0}, nil)
	}
	var callers sync.WaitGroup
	for i, reg := range regs {
		callers.Go(func() {
			var got [1]byte
			for range 50 {
				if err := b.Tx(mcp, []byte{reg}, got[:]); err != nil || got[0] != byte(i+1) {
					t.Errorf("register %#x: got %#x, %v", reg, got[0], err)
					return
				}
			}
		})
	}
	callers.Wait()
	if s := b.Stats(); s.Opens != 1 || s.Failed() != 0 {
		t.Errorf("%+v", s)
	}
}
