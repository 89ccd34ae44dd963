package main

import (
	"os"
	"time"
)

// watchEvery is how often a file is looked at. A change counts when it has stood for that long: who writes a file may take a while.
const watchEvery = 2 * time.Second

// watched is a file, as it was when it was looked at.
type watched struct {
	path   string
	loaded os.FileInfo // nil: it was not there
	seen   os.FileInfo
}

// watch begins to look at a file, before it is loaded.
func watch(path string) watched {
	w := watched{path: path}
	w.look()
	return w
}

// look takes the file as it is for the one that is loaded.
func (w *watched) look() {
	w.seen = w.stat()
	w.loaded = w.seen
}

// doubt has the file count as changed until it is loaded.
func (w *watched) doubt() { w.loaded = nil }

// changed tells whether the file is another one than the one that was loaded, and the same as at the look before. One that is gone is
// no change: it is being replaced, or comes back; what runs goes on.
func (w *watched) changed() bool {
	was := w.seen
	w.seen = w.stat()
	return w.seen != nil && alike(was, w.seen) && !alike(w.loaded, w.seen)
}

func (w *watched) stat() os.FileInfo {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil
	}
	return info
}

// alike tells whether nobody has written the file in between, or put another one in its place.
func alike(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b)
}
