package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file counts as changed when it is another one than was loaded, and has stood for one look.
func TestWatch(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "c.yaml"), filepath.Join(folder, "other")
	clock := time.Now().Add(-time.Hour)
	write := func(path, text string) {
		t.Helper()
		clock = clock.Add(time.Second)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, clock, clock); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "a: 1\n")
	w := watch(path)
	looks := func(what string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if got := w.changed(); got != want {
				t.Errorf("%s, look %d: changed %v, want %v", what, i+1, got, want)
			}
		}
	}
	looks("untouched", false, false)
	write(path, "a: 2\n")
	looks("written", false, true, true)
	w.look()
	looks("loaded", false, false)
	write(path, "a: 2\nb:")
	looks("half of it", false)
	write(path, "a: 2\nb: 1\n")
	looks("the other half", false, true)
	w.look()
	write(other, "a: 2\nb: 1\n")
	if err := os.Chtimes(other, clock, clock); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	looks("another one in its place", false, true)
	w.look()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	looks("gone", false, false, false)
	write(path, "a: 3\n")
	looks("back", false, true)
	w.look()
	w.doubt()
	looks("it could not be read", true)
}
