package i2cdev

import (
	"errors"
	"testing"
)

func TestValidAddr(t *testing.T) {
	for addr, want := range map[uint16]bool{0: false, 0x02: false, 0x03: true, 0x20: true, 0x77: true, 0x78: false, 0x120: false} {
		if got := ValidAddr(addr); got != want {
			t.Errorf("ValidAddr(%#x) = %v", addr, got)
		}
	}
}

func TestInARow(t *testing.T) {
	var s stats
	bad := errors.New("bad")
	for i, test := range []struct {
		err  error
		want uint64
	}{{nil, 0}, {bad, 1}, {bad, 2}, {nil, 0}, {bad, 1}} {
		s.count(0x20, noAnswer, test.err)
		if got := s.snapshot().InARow; got != test.want {
			t.Errorf("after %d: %d failed in a row, want %d", i, got, test.want)
		}
	}
}
