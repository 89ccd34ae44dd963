package statefile

import (
	"bytes"
	"io/fs"
	"testing"
)

// cutDisk is a disk whose power can fail: what was written is sure only once it was synced, and names are sure only once their
// folder was. Till then each may be there or not; of a file that was not synced any part, or zeros.
type cutDisk struct {
	files  []*cutFile     // all that ever were
	names  map[string]int // as the running system sees them
	sure   map[string]int // as they are on the disk
	log    []change       // of names since the folder was synced, in their order
	budget int            // operations until the power fails
}

type cutFile struct{ data, synced []byte }

type change struct {
	name string
	file int // -1: removed
}

type cut struct{}

func (d *cutDisk) spend() {
	if d.budget--; d.budget < 0 {
		panic(cut{})
	}
}

func (d *cutDisk) set(name string, file int) {
	if file < 0 {
		delete(d.names, name)
	} else {
		d.names[name] = file
	}
	d.log = append(d.log, change{name, file})
}

func (d *cutDisk) create(path string) (file, error) {
	d.spend()
	d.files = append(d.files, &cutFile{})
	d.set(path, len(d.files)-1)
	return &openFile{d, d.files[len(d.files)-1]}, nil
}

func (d *cutDisk) rename(from, to string) error {
	d.spend()
	n := d.names[from]
	d.set(to, n)
	d.set(from, -1)
	return nil
}

func (d *cutDisk) remove(path string) error {
	d.spend()
	if _, ok := d.names[path]; !ok {
		return fs.ErrNotExist
	}
	d.set(path, -1)
	return nil
}

func (d *cutDisk) syncFolder(string) error {
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
	d *cutDisk
	f *cutFile
}

func (o *openFile) Write(p []byte) (int, error) {
	for i := range p { // the power may fail at each byte
		o.d.spend()
		o.f.data = append(o.f.data, p[i])
	}
	return len(p), nil
}

func (o *openFile) Sync() error {
	o.d.spend()
	o.f.synced = bytes.Clone(o.f.data)
	return nil
}

func (o *openFile) Close() error { o.d.spend(); return nil }

// after gives all that may be found under a name when the power is back.
func (d *cutDisk) after(name string) (all [][]byte) {
	add := func(n int, ok bool) {
		if !ok {
			all = append(all, nil)
			return
		}
		f := d.files[n]
		if bytes.Equal(f.synced, f.data) {
			all = append(all, f.data)
			return
		}
		for i := range len(f.data) + 1 {
			zeros := make([]byte, len(f.data))
			copy(zeros, f.data[:i])
			all = append(all, f.data[:i], zeros)
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

// A power cut at any byte leaves the old content or the new one; once Save has said that it is done, the new one.
func TestPowerCut(t *testing.T) {
	cuts := 0
	for budget := 0; ; budget++ {
		d := &cutDisk{names: map[string]int{}, sure: map[string]int{}, budget: 1 << 30}
		if err := save(d, "dir/state", []byte("old")); err != nil {
			t.Fatal(err)
		}
		d.budget = budget
		done := func() (done bool) {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(cut); !ok {
						panic(p)
					}
				}
			}()
			return save(d, "dir/state", []byte("new")) == nil
		}()
		for _, data := range d.after("dir/state") {
			cuts++
			got, err := unpack(data)
			if err != nil || string(got) != "new" && (done || string(got) != "old") {
				t.Fatalf("cut after %d operations, done %v: %q: got %q, %v", budget, done, data, got, err)
			}
		}
		if done {
			t.Logf("%d cuts, %d outcomes", budget, cuts)
			return
		}
	}
}
