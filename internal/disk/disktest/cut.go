// Package disktest has disks for tests: one whose power fails, and one of which operations fail.
package disktest

import (
	"io/fs"

	"gatewayd/internal/disk"
)

// Cut is a disk in memory whose power can fail: what was written is sure only once it was synced, and names are sure only once their folder
// was. Till then each may be there or not; of what was not synced any part, or zeros. There is one folder.
type Cut struct {
	files []*cutFile     // all that ever were
	names map[string]int // as the running system sees them
	sure  map[string]int // as they are on the disk
	log   []change       // of names since the folder was synced, in their order
	left  int            // operations until the power fails
}

type cutFile struct {
	data   []byte
	synced int // of them
}

type change struct {
	name string
	file int // -1: removed
}

type powerCut struct{}

// NewCut makes an empty one.
func NewCut() *Cut { return &Cut{names: map[string]int{}, sure: map[string]int{}} }

// Run has the power fail after a number of operations, and reports whether f had ended by then.
func (d *Cut) Run(operations int, f func()) (ended bool) {
	d.left = operations
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(powerCut); !ok {
				panic(p)
			}
		}
	}()
	f()
	return true
}

// After gives all that may be found under a name when the power is back; nil: no file.
func (d *Cut) After(name string) (all [][]byte) {
	add := func(n int, ok bool) {
		if !ok {
			all = append(all, nil)
			return
		}
		f := d.files[n]
		for i := f.synced; i <= len(f.data); i++ {
			zeros := make([]byte, len(f.data))
			copy(zeros, f.data[:i])
			all = append(all, f.data[:i:i], zeros)
		}
	}
	n, ok := d.sure[name]
	add(n, ok)
	for _, c := range d.log { // the disk may have come to any of them
		if c.name == name {
			add(c.file, c.file >= 0)
		}
	}
	return all
}

func (d *Cut) spend() {
	if d.left--; d.left < 0 {
		panic(powerCut{})
	}
}

func (d *Cut) set(name string, file int) {
	if file < 0 {
		delete(d.names, name)
	} else {
		d.names[name] = file
	}
	d.log = append(d.log, change{name, file})
}

// Create is disk.Disk's.
func (d *Cut) Create(path string) (disk.File, error) {
	if _, there := d.names[path]; there {
		d.spend()
		return nil, fs.ErrExist
	}
	return d.Append(path)
}

// Append is disk.Disk's.
func (d *Cut) Append(path string) (disk.File, error) {
	d.spend()
	n, there := d.names[path]
	if !there {
		n = len(d.files)
		d.files = append(d.files, &cutFile{})
		d.set(path, n)
	}
	return &openFile{d, d.files[n]}, nil
}

// Rename is disk.Disk's.
func (d *Cut) Rename(from, to string) error {
	d.spend()
	n := d.names[from]
	d.set(to, n)
	d.set(from, -1)
	return nil
}

// Remove is disk.Disk's.
func (d *Cut) Remove(path string) error {
	d.spend()
	if _, there := d.names[path]; !there {
		return fs.ErrNotExist
	}
	d.set(path, -1)
	return nil
}

// SyncFolder is disk.Disk's.
func (d *Cut) SyncFolder(string) error {
	d.spend()
	for _, c := range d.log {
		if c.file < 0 {
			delete(d.sure, c.name)
		} else {
			d.sure[c.name] = c.file
		}
	}
	d.log = nil
	return nil
}

type openFile struct {
	d *Cut
	f *cutFile
}

func (o *openFile) Write(p []byte) (int, error) {
	o.f.data = append(o.f.data, p...) // any part of it may be there, see After
	o.d.spend()
	return len(p), nil
}

func (o *openFile) Sync() error {
	o.d.spend()
	o.f.synced = len(o.f.data)
	return nil
}

func (o *openFile) Close() error { o.d.spend(); return nil }
