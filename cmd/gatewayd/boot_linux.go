package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// thisBoot tells of the kernel that runs.
func thisBoot() boot {
	id, _ := readSmall("/proc/sys/kernel/random/boot_id") // else every start counts as one of the machine
	return boot{id: id, since: func() time.Duration {
		var t unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil { // since Linux 2.6.39
			return 0
		}
		return time.Duration(t.Nano())
	}}
}
