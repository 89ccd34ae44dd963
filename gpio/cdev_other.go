//go:build !linux

package gpio

import (
	"errors"
	"runtime"
)

// OpenCharDev says that hardware is absent here: the GPIO character device is Linux's.
func OpenCharDev(which CharDev) (Chip, error) {
	return nil, errors.New("hardware is absent on " + runtime.GOOS)
}
