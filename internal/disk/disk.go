// Package disk is what files that must survive a power cut do to a disk, so that tests can have it fail at any step.
package disk

import (
	"io"
	"os"
)

// Disk is a place for files.
type Disk interface {
	Create(path string) (File, error) // fails if there is one
	Append(path string) (File, error) // makes it if there is none
	Rename(from, to string) error
	Remove(path string) error
	SyncFolder(path string) error // brings the names in it to the disk
}

// File is one that is open for writing.
type File interface {
	io.WriteCloser
	Sync() error
}

// Real is this machine's.
type Real struct{}

// Create makes a file that only its owner may read.
func (Real) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Append opens a file at its end.
func (Real) Append(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// Rename is os.Rename.
func (Real) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is os.Remove.
func (Real) Remove(path string) error { return os.Remove(path) }

// SyncFolder syncs a folder.
func (Real) SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
