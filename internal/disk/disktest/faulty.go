package disktest

import "gatewayd/internal/disk"

// Faulty is the machine's disk, of which operations fail. Fails is asked before each: create, append, rename, remove, folder, write, sync
// and close. A write that fails has written half.
type Faulty struct {
	disk.Real
	Fails func(what string) error
}

// Create is disk.Real's, unless it fails.
func (d *Faulty) Create(path string) (disk.File, error) { return d.open("create", d.Real.Create, path) }

// Append is disk.Real's, unless it fails.
func (d *Faulty) Append(path string) (disk.File, error) { return d.open("append", d.Real.Append, path) }

func (d *Faulty) open(what string, open func(string) (disk.File, error), path string) (disk.File, error) {
	if err := d.Fails(what); err != nil {
		return nil, err
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

// Rename is disk.Real's, unless it fails.
func (d *Faulty) Rename(from, to string) error {
	if err := d.Fails("rename"); err != nil {
		return err
	}
	return d.Real.Rename(from, to)
}

// Remove is disk.Real's, unless it fails.
func (d *Faulty) Remove(path string) error {
	if err := d.Fails("remove"); err != nil {
		return err
	}
	return d.Real.Remove(path)
}

// SyncFolder is disk.Real's, unless it fails.
func (d *Faulty) SyncFolder(path string) error {
	if err := d.Fails("folder"); err != nil {
		return err
	}
	return d.Real.SyncFolder(path)
}

type faultyFile struct {
	disk.File
	d *Faulty
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.Fails("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.d.Fails("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Close() error {
	closed := f.File.Close()
	if err := f.d.Fails("close"); err != nil {
		return err
	}
	return closed
}
