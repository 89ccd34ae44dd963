//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long anything may take: the lab has one processor, and that is shared. Times that matter are told where they do.
const patience = 10 * time.Second

// program is the path of one that was built for the lab.
func program(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("SIM") == "" || os.Getenv("BIN") == "" {
		t.Skip("SIM and BIN are not set: this runs in the lab, by scripts/lab/test.sh")
	}
	return filepath.Join(os.Getenv("BIN"), name)
}

// eventually waits until ok, and fails the test if that does not come.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// run runs a tool and gives its output.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// buffer takes a process's output.
type buffer struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// line is one of gpio-sim: the folder of its files.
type line string

// header gives a line of the Pi's header, as after power-on: an input that reads low.
func header(t testing.TB, n int) line {
	t.Helper()
	program(t, "")
	l := line(fmt.Sprintf("%s/sim_gpio%d", os.Getenv("SIM"), n))
	run(t, "gpioget", "gpiochip0", fmt.Sprint(n))
	l.pull(t, false)
	return l
}

// pull is the world driving an input.
func (l line) pull(t testing.TB, high bool) {
	t.Helper()
	text := "pull-down"
	if high {
		text = "pull-up"
	}
	write(t, string(l)+"/pull", text)
}

// high is what an output drives.
func (l line) high(t testing.TB) bool {
	t.Helper()
	return read(t, string(l)+"/value") == "1"
}

// becomes waits for an output's level.
func (l line) becomes(t testing.TB, high bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s: value %v", filepath.Base(string(l)), high), func() bool { return l.high(t) == high })
}

// stays fails the test if an output leaves its level within a time in which nothing should happen.
func (l line) stays(t testing.TB, high bool, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if l.high(t) != high {
			t.Fatalf("%s left value %v", filepath.Base(string(l)), high)
		}
	}
}

// sight is a look at an output that found another level than the one before.
type sight struct {
	at   time.Time
	line int // index into what is watched
	high bool
}

// watch looks at outputs as often as the lab can bear until the function that it gives is called, which tells what it saw: first
// each line's level, then every change.
func watch(t testing.TB, lines ...line) (saw func() []sight) {
	t.Helper()
	var files []*os.File
	for _, l := range lines {
		f, err := os.Open(string(l) + "/value")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	var sights []sight
	stop, ready, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		last := make([]byte, len(files))
		ended := false
		for first := true; ; first = false {
			for i, f := range files {
				var b [1]byte
				if _, err := f.ReadAt(b[:], 0); err == nil && b[0] != last[i] {
					last[i] = b[0]
					sights = append(sights, sight{time.Now(), i, b[0] == '1'})
				}
			}
			if first {
				close(ready)
			}
			if ended {
				return
			}
			select {
			case <-stop:
				ended = true // after one more look: what has happened was perhaps not seen yet
			default:
				pause(200 * time.Microsecond)
			}
		}
	}()
	<-ready
	var once sync.Once
	saw = func() []sight {
		once.Do(func() { close(stop) })
		<-done
		for _, f := range files {
			f.Close()
		}
		return sights
	}
	t.Cleanup(func() { saw() })
	return saw
}

// pause is more precise than time.Sleep.
func pause(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	unix.Nanosleep(&ts, nil)
}

// gpioChip is a further chip of gpio-sim, with 8 lines.
type gpioChip struct{ label, folder, lines string }

func newGPIOChip(t testing.TB, label string) *gpioChip {
	t.Helper()
	program(t, "")
	c := &gpioChip{label: label, folder: "/sys/kernel/config/gpio-sim/" + label}
	for _, folder := range []string{c.folder, c.folder + "/bank0"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, c.folder+"/bank0/num_lines", "8")
	write(t, c.folder+"/bank0/label", label)
	c.comeBack(t)
	t.Cleanup(func() {
		if read(t, c.folder+"/live") == "1" {
			c.vanish(t)
		}
		os.Remove(c.folder + "/bank0")
		os.Remove(c.folder)
	})
	return c
}

func (c *gpioChip) vanish(t testing.TB) {
	t.Helper()
	write(t, c.folder+"/live", "0")
}

func (c *gpioChip) comeBack(t testing.TB) {
	t.Helper()
	write(t, c.folder+"/live", "1")
	c.lines = "/sys/devices/platform/" + read(t, c.folder+"/dev_name") + "/" + read(t, c.folder+"/bank0/chip_name")
}

// line gives one, until the chip vanishes.
func (c *gpioChip) line(n int) line { return line(fmt.Sprintf("%s/sim_gpio%d", c.lines, n)) }
