//go:build unix

package sensors

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A real EIO: the first page of a process is not there.
func TestAttributeEIO(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc/self/mem")
	}
	path := filepath.Join(t.TempDir(), "temp1_input")
	if err := os.Symlink("/proc/self/mem", path); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Options{}).kernel().number(path); !errors.Is(err, syscall.EIO) || !strings.HasPrefix(err.Error(), "temp1_input: ") {
		t.Errorf("got error %v", err)
	}
}

// A file that says EAGAIN, though it could be waited for, is an error at once.
func TestAttributeEAGAIN(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	syscall.SetNonblock(fds[0], true)
	got := make(chan error, 1)
	go func() {
		_, err := readAll(fds[0], "x")
		got <- err
	}()
	select {
	case err := <-got:
		if !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("got error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

// What hangs is given up, not asked again while it hangs, and asked again after that.
func TestWithin(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "name")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	look := func() (string, error) {
		return within(50*time.Millisecond, t.Name(), func() (string, error) {
			calls.Add(1)
			b, err := sysFiles{}.read(fifo)
			return string(b), err
		})
	}
	for range 3 {
		if _, err := look(); err == nil || !strings.Contains(err.Error(), "what is there") {
			t.Errorf("got error %v", err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("asked %d times", calls.Load())
	}
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // the read goes on
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString("bme280\n")
	w.Close()
	deadline := time.Now().Add(10 * time.Second)
	for hanging(t.Name()) {
		if time.Now().After(deadline) {
			t.Fatal("it is not asked again")
		}
		time.Sleep(time.Millisecond)
	}
	os.Remove(fifo)
	os.WriteFile(fifo, []byte("bme280"), 0o600)
	if s, err := look(); s != "bme280" || err != nil {
		t.Errorf("got %q, error %v", s, err)
	}
}

func hanging(what string) bool {
	hangs.mu.Lock()
	defer hangs.mu.Unlock()
	return hangs.now[what]
}

// A file that never answers: the sensor is stuck, and says so again and again; nothing that asks what there is hangs with it, and when it
// answers, all is well again.
func TestKernelHangs(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, i2c1+"1-0076/ bme280: in_temp_input=21450")
	file := filepath.Join(root, i2c1, "1-0076/iio:device0/in_temp_input")
	os.Remove(file)
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	samples := make(chan Sample)
	o := device(root, "bme280")
	p := NewPoller(PollerConfig{Name: "attic", Driver: Lookup("iio"), Options: o, Every: 50 * time.Millisecond, Timeout: 50 * time.Millisecond, Misses: 1}, samples)
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for range 3 {
		if s := <-samples; s.Err == nil || !strings.Contains(s.Err.Error(), "stuck") {
			t.Errorf("got %v, error %v", s.Readings, s.Err)
		}
		if q, err := Lookup("iio").Quantities(o); len(q) != 1 || err != nil {
			t.Errorf("offers %v, error %v", q, err)
		}
	}
	w, err := os.OpenFile(file, os.O_WRONLY, 0) // the read goes on
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	os.WriteFile(file, []byte("21450\n"), 0o600)
	w.Close()
	for end := time.Now().Add(30 * time.Second); ; {
		p.Soon()
		if s := <-samples; s.Err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(s.Err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
