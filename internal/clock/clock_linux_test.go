package clock

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKept(t *testing.T) {
	there, missing := filepath.Join(t.TempDir(), "synchronized"), filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(there, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		now  unix.Timex
		err  error
		mark string
		want bool
	}{
		{"since the start", unix.Timex{Maxerror: 16_000_000, Status: unix.STA_UNSYNC}, nil, there, false},
		{"kept", unix.Timex{Maxerror: 15_999_999}, nil, missing, true},
		{"kept, and the other clock left alone", unix.Timex{Maxerror: 2000, Status: unix.STA_UNSYNC}, nil, missing, true},
		{"forbidden, set", unix.Timex{}, unix.EPERM, there, true},
		{"forbidden, not set", unix.Timex{}, unix.EPERM, missing, false},
	} {
		if got := kept(&test.now, test.err, test.mark); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
