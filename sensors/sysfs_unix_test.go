//go:build unix

package sensors

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
		t.Skip(err)
	}
	calls := 0
	look := func() (string, error) {
		return within(50*time.Millisecond, t.Name(), func() (string, error) {
			calls++
			b, err := sysFiles{}.read(fifo)
			return string(b), err
		})
	}
	for range 3 {
		if _, err := look(); err == nil || !strings.Contains(err.Error(), "what is there") {
			t.Errorf("got error %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
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
