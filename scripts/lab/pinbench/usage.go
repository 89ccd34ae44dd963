//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

type use struct {
	cpu time.Duration
	rss int // KB
}

// usage is what a process and those that it has started have taken so far; nothing for process 0.
func usage(root int) (sum use) {
	if root == 0 {
		return sum
	}
	for _, p := range family(root) {
		// The process's CPU clock (clock_getcpuclockid(3)): exact on a Pi. The lab's kernel knows it by ticks of 10 ms, which
		// ask who runs just then: good to a few per cent for a burst of seconds.
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^p)<<3|2, &ts); err != nil {
			continue // it has ended
		}
		sum.cpu += time.Duration(ts.Nano())
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		for l := range strings.Lines(string(b)) {
			if s, ok := strings.CutPrefix(l, "VmRSS:"); ok {
				kb, _ := strconv.Atoi(strings.Fields(s)[0])
				sum.rss += kb
			}
		}
	}
	return sum
}

// family gives a process, its children, theirs, and so on.
func family(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		// "PID (NAME) STATE PARENT ...", where the name may hold anything.
		text := string(b)
		fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
		p, _ := strconv.Atoi(strings.Fields(text)[0])
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], p)
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}
