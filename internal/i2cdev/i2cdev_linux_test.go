package i2cdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fake gives bus 1 with empty folders instead of /dev and /sys.
func fake(t *testing.T) *Bus {
	t.Helper()
	b := New(1)
	b.dev, b.sysfs = t.TempDir(), t.TempDir()
	t.Cleanup(func() { b.Close() })
	return b
}

// wantError looks for the errno and for words that a person needs.
func wantError(t *testing.T, err error, is error, words ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Fatalf("got error %v, want %v", err, is)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
}

func TestLayout(t *testing.T) {
	word := unsafe.Sizeof(uintptr(0))
	want := map[uintptr][4]uintptr{4: {12, 8, 8, 4}, 8: {16, 8, 16, 8}}[word] // include/uapi/linux/i2c.h, i2c-dev.h
	var m message
	var d transfer
	if got := [4]uintptr{unsafe.Sizeof(m), unsafe.Offsetof(m.buf), unsafe.Sizeof(d.data), unsafe.Offsetof(d.data.n)}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMissing(t *testing.T) {
	b := fake(t)
	wantError(t, b.Tx(0x20, []byte{0}, nil), unix.ENOENT, b.dev+"/i2c-1: ", "raspi-config", "dtparam=i2c_arm=on")
	os.Mkdir(filepath.Join(b.sysfs, "i2c-1"), 0o755)
	wantError(t, b.Tx(0x20, []byte{0}, nil), unix.ENOENT, "modprobe i2c-dev")
	b.number = 3
	wantError(t, b.Tx(0x20, []byte{0}, nil), unix.ENOENT, "i2cdetect -l", "dtoverlay=i2c3")
	got := b.Stats()
	if c := got.Addrs[0x20]; c.Transfers != 3 || c.Other != 3 || c.Failed() != 3 || c.LastError == nil || c.LastAt.IsZero() || got.Opens != 0 {
		t.Errorf("counters %+v, opens %d", c, got.Opens)
	}
}

// A file that knows no ioctl stands for a bus that went away: each transfer opens it anew.
func TestOpensAnew(t *testing.T) {
	b := fake(t)
	wantError(t, b.Tx(0x20, []byte{0}, nil), unix.ENOENT)
	if err := os.WriteFile(b.String(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantError(t, b.Tx(0x20, []byte{0}, make([]byte, 2)), unix.ENOTTY, "transfer with 0x20")
	}
	if got := b.Stats().Opens; got != 2 {
		t.Errorf("opened %d times, want 2", got)
	}
	b.Close()
	wantError(t, b.Tx(0x20, []byte{0}, nil), os.ErrClosed)
	if got := b.Stats().Opens; got != 2 {
		t.Errorf("opened after Close")
	}
}

func TestOwner(t *testing.T) {
	b := fake(t)
	if err := os.WriteFile(b.String(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	device := filepath.Join(b.sysfs, "1-0020")
	os.Mkdir(device, 0o755)
	if got := b.Owner(0x20); got != "" {
		t.Errorf("a device without driver has the owner %q", got)
	}
	wantError(t, b.Tx(0x20, nil, nil), unix.ENOTTY)
	// A driver that comes later is seen after the failure.
	if err := os.Symlink("../../drivers/mcp230xx", filepath.Join(device, "driver")); err != nil {
		t.Fatal(err)
	}
	opens := b.Stats().Opens
	wantError(t, b.Tx(0x20, nil, nil), unix.EBUSY, `kernel's driver "mcp230xx"`, "dtoverlay")
	wantError(t, b.Tx(0x21, nil, nil), unix.ENOTTY)
	if got := b.Stats(); got.Addrs[0x20].Busy != 1 || got.Busy != 1 || got.Opens != opens+1 {
		t.Errorf("counters %+v", got)
	}
	os.Remove(filepath.Join(device, "driver"))
	wantError(t, b.Tx(0x20, nil, nil), unix.ENOTTY)
}

func TestLimits(t *testing.T) {
	b := fake(t)
	wantError(t, b.Tx(0x80, []byte{0}, nil), unix.EINVAL, "0x80")
	wantError(t, b.Tx(0x20, make([]byte, maxLen+1), nil), unix.EINVAL, "8192")
	wantError(t, b.Tx(0x20, nil, make([]byte, maxLen+1)), unix.EINVAL, "8192")
	wantError(t, b.SetSpeed(400000), errors.ErrUnsupported, "i2c_arm_baudrate")
}

func TestErrorTexts(t *testing.T) {
	b := New(1)
	for _, c := range []struct {
		errno unix.Errno
		class class
		words string
	}{
		{unix.ENXIO, noAnswer, "nobody answers at 0x20|i2cdetect -y 1|wiring"},
		{unix.EREMOTEIO, noAnswer, "nobody answers at 0x20|power"},
		{unix.ETIMEDOUT, timeout, "the bus is stuck"},
		{unix.EBUSY, busy, "0x20 is in use"},
		{unix.EAGAIN, other, "another master"},
		{unix.EIO, other, "broke off"},
		{unix.EOPNOTSUPP, other, "adapter cannot"},
		{unix.ENODEV, other, "went away"},
		{unix.EPROTO, other, "transfer with 0x20"},
	} {
		t.Run(fmt.Sprint(unix.ErrnoName(c.errno)), func(t *testing.T) {
			if got := classify(c.errno); got != c.class {
				t.Errorf("class %d, want %d", got, c.class)
			}
			wantError(t, b.explain(0x20, c.errno), c.errno, append(strings.Split(c.words, "|"), "/dev/i2c-1: ")...)
		})
	}
	wantError(t, b.explainOpen(unix.EACCES), unix.EACCES, "group i2c", "usermod -aG i2c")
	wantError(t, b.explain(0x03, unix.ENXIO), unix.ENXIO, "at 0x03")
}
