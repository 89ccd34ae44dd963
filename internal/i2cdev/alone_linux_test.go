package i2cdev

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Two programs have a Bus each for the same device.
func TestAlone(t *testing.T) {
	a := fake(t)
	b := New(a.number)
	b.dev, b.sysfs = a.dev, a.sysfs
	if _, err := a.Alone(); err == nil {
		t.Error("no error without a device")
	}
	if err := os.WriteFile(a.String(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := a.Alone()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Alone(); err == nil {
		t.Error("both are alone")
	} else {
		wantError(t, err, unix.EWOULDBLOCK, "another gatewayd")
	}
	done()
	for range 2 {
		if done, err = b.Alone(); err != nil {
			t.Fatal(err)
		}
		done()
	}
}
