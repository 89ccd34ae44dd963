//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatewayd/internal/i2csim/control"
)

// bus is /dev/i2c-1 with simulated chips.
type bus struct {
	t      testing.TB
	socket string
	chips  []string
	cmd    *exec.Cmd // nil: it is not there
	log    *buffer
}

// newBus gives one that goes away with the test. A chip is called KIND@ADDR.
func newBus(t testing.TB, chips ...string) *bus {
	t.Helper()
	b := &bus{t: t, socket: filepath.Join(t.TempDir(), "bus"), chips: chips}
	t.Cleanup(func() {
		if b.cmd != nil {
			b.vanish()
		}
	})
	b.appear()
	return b
}

// appear makes the device, with new chips.
func (b *bus) appear() {
	b.t.Helper()
	os.Remove(b.socket)
	args := []string{"-stub", os.Getenv("STUB"), "-socket", b.socket}
	for _, c := range b.chips {
		args = append(args, "-chip", c)
	}
	b.cmd, b.log = exec.Command(program(b.t, "i2csim"), args...), new(buffer)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "i2csim answers", func() bool {
		_, err := os.Stat(b.socket)
		return err == nil
	})
}

// vanish takes the device away.
func (b *bus) vanish() {
	b.cmd.Process.Signal(unix.SIGTERM)
	if err := b.cmd.Wait(); err != nil || b.t.Failed() {
		b.t.Logf("i2csim: %v\n%s", err, last(b.log.String(), 20))
	}
	b.cmd = nil
}

// do carries out control lines and gives the answers.
func (b *bus) do(lines ...string) string {
	b.t.Helper()
	var out strings.Builder
	if err := control.Client(b.socket, time.Second, lines, &out); err != nil {
		b.t.Fatal("i2csim: ", err)
	}
	return strings.TrimSpace(out.String())
}

// high is a pin's level, such as of 0x20, a0.
func (b *bus) high(chip, pin string) bool {
	b.t.Helper()
	return b.do("get "+chip+" pin "+pin) == "high"
}

func (b *bus) becomes(chip, pin string, high bool) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s %s: high is %v", chip, pin, high), func() bool { return b.high(chip, pin) == high })
}

// press holds an input low for a while, as a button to ground does.
func (b *bus) press(chip, pin string) {
	b.t.Helper()
	b.do(chip + " input " + pin + " low")
	time.Sleep(250 * time.Millisecond) // seen twice by the slowest scan here
	b.do(chip + " input " + pin + " open")
	time.Sleep(100 * time.Millisecond)
}

var statsLine = regexp.MustCompile(`(?m)^0x([0-9a-f]+) transfers=(\d+) `)

// transfers gives the transactions of each chip since it was asked last.
func (b *bus) transfers() map[uint64]int {
	b.t.Helper()
	n := map[uint64]int{}
	for _, m := range statsLine.FindAllStringSubmatch(b.do("stats"), -1) {
		addr, _ := strconv.ParseUint(m[1], 16, 8)
		n[addr], _ = strconv.Atoi(m[2])
	}
	return n
}

// pinChange is what the simulated bus saw at a pin: every level that it ever had.
type pinChange struct {
	pin  string // "mcp23017@0x20 a0"
	high bool
}

// watch begins to record all pins, until the function that it gives is called, which tells the changes.
func (b *bus) watch() (saw func() []pinChange) {
	b.t.Helper()
	c, err := net.Dial("unix", b.socket)
	if err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprintln(c, "watch")
	in := bufio.NewScanner(c)
	for in.Scan() && in.Text() != "watching" {
	}
	var changes []pinChange
	lost := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		for in.Scan() {
			f := strings.Fields(in.Text())
			if len(f) != 4 {
				lost = true
				continue
			}
			changes = append(changes, pinChange{f[1] + " " + f[2], f[3] == "high"})
		}
	}()
	var once sync.Once
	saw = func() []pinChange {
		once.Do(func() {
			time.Sleep(50 * time.Millisecond) // what has happened is on its way
			c.Close()
		})
		<-done
		if lost {
			b.t.Error("changes of pins were lost")
		}
		return changes
	}
	b.t.Cleanup(func() { saw() })
	return saw
}

// of gives the levels that one pin took.
func of(changes []pinChange, pin string) (levels []bool) {
	for _, c := range changes {
		if c.pin == pin {
			levels = append(levels, c.high)
		}
	}
	return levels
}
