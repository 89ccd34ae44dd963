package clock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// System is the machine that the program runs on.
var System = Source{Slept: slept, Boot: boot, Synchronised: synchronised}

func read(id int32) (time.Duration, bool) {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// boot reads CLOCK_BOOTTIME, since Linux 2.6.39.
func boot() time.Duration {
	d, _ := read(unix.CLOCK_BOOTTIME)
	return d
}

// slept gives by how much CLOCK_BOOTTIME, which goes on while the machine sleeps, is ahead of CLOCK_MONOTONIC, which does not and is
// what Go compares times by. They cannot be read at once: where something came between, it is not known now.
func slept() (time.Duration, bool) {
	before, ok1 := read(unix.CLOCK_MONOTONIC)
	boot, ok2 := read(unix.CLOCK_BOOTTIME)
	after, ok3 := read(unix.CLOCK_MONOTONIC)
	return boot - before, ok1 && ok2 && ok3 && after-before < sleepLeast/2
}

// unsure is the error of a clock that nobody keeps: the kernel starts with it, and comes to it within hours after the last time that
// it was set right.
const unsure = 16 * time.Second

// timesyncd's mark that it has set the clock, since systemd 239.
const timesyncd = "/run/systemd/timesync/synchronized"

// synchronised asks the kernel how wrong its clock may be, as systemd does: some set STA_UNSYNC only to keep the kernel from writing
// to another clock (adjtimex(2)). Where a sandbox forbids the question, as systemd's ProtectClock does, the mark of what keeps the
// clock on a Raspberry Pi answers.
func synchronised() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return kept(&t, err, timesyncd)
}

func kept(t *unix.Timex, err error, mark string) bool {
	if err == nil {
		return time.Duration(t.Maxerror)*time.Microsecond < unsure
	}
	_, err = os.Stat(mark)
	return err == nil
}
