package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/disk/disktest"
)

func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	for _, want := range []string{"", "one", strings.Repeat("x\n\x00", 100_000), "two"} {
		if err := Save(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || string(got) != want {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if names := listed(t, filepath.Dir(path)); names != "state" {
		t.Errorf("in the folder: %s", names)
	}
}

func listed(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// A file that is not whole is never believed: each prefix, each flipped bit, and whatever else disks make of files.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	whole := pack([]byte(`{"boot":"1234","outputs":{"pump":{"on":true,"end":123456789}}}`))
	damaged := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if !errors.Is(err, ErrDamaged) || got != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %q, %v", what, got, err)
		}
	}
	for n := range whole {
		damaged(fmt.Sprintf("the first %d bytes", n), whole[:n])
		zeroed := bytes.Clone(whole)
		clear(zeroed[n:])
		damaged(fmt.Sprintf("zeroed from byte %d on", n), zeroed)
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[n] ^= 1 << bit
			damaged(fmt.Sprintf("bit %d of byte %d", bit, n), flipped)
		}
	}
	damaged("appended", append(bytes.Clone(whole), 'x'))
	damaged("garbage", []byte("\x7fELF\x02\x01\x01"))
	damaged("a later version", bytes.Replace(whole, []byte(" 1 "), []byte(" 2 "), 1))
	damaged("too large", make([]byte, most+1))
}

// An operation that fails leaves the old content, or the new one where nothing but the folder's sync failed, and no litter.
func TestFaults(t *testing.T) {
	for at := range 7 {
		path := filepath.Join(t.TempDir(), "state")
		if err := Save(path, []byte("old")); err != nil {
			t.Fatal(err)
		}
		n, failed := 0, ""
		err := save(&disktest.Faulty{Fails: func(what string) error {
			if n++; n-1 != at {
				return nil
			}
			failed = what
			return syscall.ENOSPC
		}}, path, []byte("new"))
		got, lerr := Load(path)
		if lerr != nil || string(got) != "old" && string(got) != "new" {
			t.Errorf("operation %d (%s): got %q, %v", at, failed, got, lerr)
		}
		if want := failed != ""; (err != nil) != want {
			t.Errorf("operation %d (%s): error %v", at, failed, err)
		}
		if err == nil && string(got) != "new" {
			t.Errorf("no error, and the old content")
		}
		if names := listed(t, filepath.Dir(path)); names != "state" && failed != "remove" {
			t.Errorf("operation %d (%s) leaves %s", at, failed, names)
		}
		if err := Save(path, []byte("newer")); err != nil {
			t.Errorf("operation %d (%s), the next: %v", at, failed, err)
		}
	}
}

// A process that is killed at any moment leaves what it saved last, or what it was just saving.
func TestKilled(t *testing.T) {
	if path := os.Getenv("STATEFILE_TEST_SAVES"); path != "" {
		for n := 0; ; n++ {
			if err := Save(path, numbered(n)); err != nil {
				t.Fatal(err)
			}
			fmt.Println("saved", n) // unbuffered
		}
	}
	kills := 60
	if testing.Short() {
		kills = 10
	}
	path := filepath.Join(t.TempDir(), "state")
	last := 0
	for i := range kills {
		var out bytes.Buffer
		child := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		child.Env = append(os.Environ(), "STATEFILE_TEST_SAVES="+path)
		child.Stdout = &out
		os.Remove(path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for { // until it is at work; its start takes longer than it may live
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Duration(i) * 137 * time.Microsecond)
		child.Process.Kill()
		child.Wait()
		told := -1
		for line := range strings.Lines(out.String()) {
			if strings.HasSuffix(line, "\n") { // whole
				fmt.Sscanf(line, "saved %d", &told)
			}
		}
		got, err := Load(path)
		if err != nil {
			t.Fatalf("kill %d, after %d saves: %v", i, told+1, err)
		}
		if !bytes.Equal(got, numbered(max(told, 0))) && !bytes.Equal(got, numbered(told+1)) && !bytes.Equal(got, numbered(told+2)) {
			t.Fatalf("kill %d: got %.40q, want what was saved last, %d, or the next", i, got, told)
		}
		last = max(last, told)
	}
	t.Logf("%d kills, up to %d saves before one", kills, last+1)
}

func numbered(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d ", n), 3000) }

// What is believed is exactly what was saved.
func FuzzUnpack(f *testing.F) {
	f.Add(pack([]byte(`{"boot":"a"}`)))
	f.Add([]byte("gatewayd-state 1 00 5\nhello"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if content, err := unpack(data); err == nil && !bytes.Equal(pack(content), data) {
			t.Errorf("%q is believed", data)
		}
		if content, err := unpack(pack(data)); err != nil || !bytes.Equal(content, data) {
			t.Errorf("%q saved gives %q, %v", data, content, err)
		}
	})
}
