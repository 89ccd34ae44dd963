package backlog

import (
	"bytes"
	"io/fs"
	"testing"
	"time"
)

// cutDisk is a disk whose power can fail: what was written is sure only once it was synced, and names are sure only once their
// folder was. Till then each may be there or not; of what was not synced any part, or zeros.
type cutDisk struct {
	files  []*cutFile     // all that ever were
	names  map[string]int // as the running system sees them
	sure   map[string]int // as they are on the disk
	log    []change       // of names since the folder was synced, in their order
	budget int            // operations until the power fails
}

type cutFile struct {
	data   []byte
	synced int // of them
}

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

func (d *cutDisk) append(path string) (file, error) {
	d.spend()
	n, ok := d.names[path]
	if !ok {
		n = len(d.files)
		d.files = append(d.files, &cutFile{})
		d.set(path, n)
	}
	return &openFile{d, d.files[n]}, nil
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
	o.f.data = append(o.f.data, p...) // any part of it may be there, see after
	o.d.spend()
	return len(p), nil
}

func (o *openFile) Sync() error {
	o.d.spend()
	o.f.synced = len(o.f.data)
	return nil
}

func (o *openFile) Close() error { o.d.spend(); return nil }

// after gives all that may be found under a name when the power is back; nil: no file.
func (d *cutDisk) after(name string) (all [][]byte) {
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

// history drives a backlog over a few outages, and says what must be found after a power cut.
type history struct {
	b     *Backlog
	bodys map[uint64]string
	kept  uint64 // all up to it came before the disk was made to write
	done  uint64 // all up to it were done then
}

func (h *history) add(n int) {
	for range n {
		m := numbered(len(h.bodys))
		h.b.Add(m)
		h.bodys[uint64(len(h.bodys)+1)] = m.Body
	}
}

// write has the file written; where the disk may be made to write, all that came is sure then.
func (h *history) write(later time.Duration) {
	h.b.file.synced = h.b.file.synced.Add(-later)
	came, done, may := h.b.last, h.b.done, time.Since(h.b.file.synced) >= syncEvery
	h.b.write(false)
	if may {
		h.kept, h.done = came, done
	}
}

func (h *history) run() {
	for outage := range 3 {
		h.add(3)
		h.write(time.Hour)
		h.add(2)
		h.write(0) // too soon
		h.add(4)
		h.write(syncEvery)
		h.b.Done(h.b.done + 3)
		h.write(0)
		h.b.file.rewrite = outage > 0 // as when it has grown
		h.write(syncEvery)
		h.b.Done(h.b.done + 2)
		h.write(syncEvery)
		h.add(2)
		h.b.Done(h.b.last)
		h.write(syncEvery)
	}
}

// A power cut at any operation leaves all that was there when the disk was last made to write, and nothing that never was; what was done
// by then is not sent again.
func TestPowerCut(t *testing.T) {
	outcomes := 0
	for budget := 0; ; budget++ {
		d := &cutDisk{names: map[string]int{}, sure: map[string]int{}, budget: budget}
		b := New(Config{})
		b.file = &journal{path: "dir/backlog", disk: d, synced: time.Now()}
		h := history{b: b, bodys: map[uint64]string{}}
		finished := func() (finished bool) {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(cut); !ok {
						panic(p)
					}
				}
			}()
			h.run()
			return true
		}()
		for _, data := range d.after("dir/backlog") {
			outcomes++
			again := New(Config{})
			again.file = &journal{}
			again.take(data)
			found := map[uint64]bool{}
			for _, e := range again.queue[again.head:] {
				found[e.n] = true
				if e.body != h.bodys[e.n] || e.n <= h.done {
					t.Fatalf("cut after %d operations, %d sure and %d done: %q gives %+v", budget, h.kept, h.done, data, e)
				}
			}
			for n := b.done + 1; n <= h.kept; n++ {
				if !found[n] {
					t.Fatalf("cut after %d operations, %d sure and %d done: %q has lost %d", budget, h.kept, h.done, data, n)
				}
			}
			if again.done > b.done {
				t.Fatalf("cut after %d operations: %q says that %d are done, %d were", budget, data, again.done, b.done)
			}
		}
		if finished {
			if !bytes.Equal(nil, d.after("dir/backlog")[0]) {
				t.Error("all is done, and there still is a file")
			}
			t.Logf("%d cuts, %d outcomes", budget, outcomes)
			return
		}
	}
}
