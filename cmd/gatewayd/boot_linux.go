package main

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
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

// reloading is what systemd is told at the beginning of a reload, with the time of CLOCK_MONOTONIC (sd_notify(3)).
func reloading() string {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return daemon.SdNotifyReloading
	}
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, t.Nano()/1000)
}
