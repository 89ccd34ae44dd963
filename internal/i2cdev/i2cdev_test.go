package i2cdev

import "testing"

func TestValidAddr(t *testing.T) {
	for addr, want := range map[uint16]bool{0: false, 0x02: false, 0x03: true, 0x20: true, 0x77: true, 0x78: false, 0x120: false} {
		if got := ValidAddr(addr); got != want {
			t.Errorf("ValidAddr(%#x) = %v", addr, got)
		}
	}
}
