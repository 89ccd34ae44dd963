package sensors

import (
	"fmt"
	"syscall"
)

// diskUsed gives how much of a disk is used, in percent, as df counts it: without what is kept for root.
func diskUsed(path, called string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("%s: %w", called, err)
	}
	used, left := s.Blocks-s.Bfree, s.Bavail
	if s.Bfree > s.Blocks || used+left == 0 {
		return 0, fmt.Errorf("%s is on no disk", called)
	}
	return 100 * float64(used) / float64(used+left), nil
}
