package backlog

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"gatewayd/internal/disk"
)

// journal is the file. After an error nobody knows what it holds, until replace or remove has been right.
type journal struct {
	path    string
	disk    disk.Disk
	open    disk.File // nil: it is not
	exists  bool      // under its name
	size    int
	dirty   bool      // something was written that a power cut may take
	fresh   bool      // as it may its name
	rewrite bool      // what it holds is not known, or not right
	written uint64    // the highest number in it
	synced  time.Time // when the disk was last made to write
	tried   time.Time // when that, or anything else, failed
}

// batch is what is to be brought to the file.
type batch struct {
	waits []entry // those that are not in it; with anew all
	done  uint64  // what is sent
	news  bool    // that is not in it
	empty bool    // nothing waits
	may   bool    // the disk may be made to write
	anew  bool    // all is written, in place of what it holds
}

// bring writes a batch.
func (j *journal) bring(b *batch, now time.Time) error {
	err := j.write(b, now)
	if err != nil {
		j.close()
		j.rewrite, j.tried = true, now
	} else if n := len(b.waits); n > 0 {
		j.written = b.waits[n-1].n
	}
	return err
}

func (j *journal) write(b *batch, now time.Time) error {
	if b.empty && !j.unsure(true) {
		return nil
	}
	if b.empty && b.may {
		j.synced = now
		err := j.remove()
		j.rewrite = err != nil
		return err
	}
	var lines []byte
	if b.news || b.anew {
		lines = appendDone(lines, b.done)
	}
	for i := range b.waits {
		lines = appendEntry(lines, &b.waits[i])
	}
	if b.anew {
		j.synced = now
		err := j.replace(lines)
		j.rewrite = err != nil
		return err
	}
	if len(lines) > 0 {
		if err := j.append(lines); err != nil {
			return err
		}
	}
	if !b.may || !j.unsure(false) {
		return nil
	}
	j.synced = now
	return j.sync()
}

// unsure tells whether there is something to be made sure.
func (j *journal) unsure(empty bool) bool {
	return j.dirty || j.fresh || j.rewrite || empty && j.exists
}

// append adds lines, for which it makes the file if there is none. They outlive the program then, and a power cut after sync.
func (j *journal) append(lines []byte) error {
	if j.open == nil {
		f, err := j.disk.Append(j.path)
		if err != nil {
			return err
		}
		j.open, j.fresh, j.exists = f, j.fresh || !j.exists, true
	}
	j.dirty = true
	n, err := j.open.Write(lines)
	j.size += n
	return err
}

// sync makes sure what was appended.
func (j *journal) sync() error {
	if j.dirty {
		if err := j.open.Sync(); err != nil {
			return err
		}
		j.dirty = false
	}
	if j.fresh {
		if err := j.disk.SyncFolder(filepath.Dir(j.path)); err != nil {
			return err
		}
		j.fresh = false
	}
	return nil
}

// replace has lines take the place of all that the file holds, at once and for sure.
func (j *journal) replace(lines []byte) error {
	j.close()
	fresh := j.path + ".new"
	if err := j.disk.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a crash
		return err
	}
	f, err := j.disk.Append(fresh)
	if err != nil {
		return err
	}
	if _, err = f.Write(lines); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.disk.Rename(fresh, j.path)
	}
	if err != nil {
		f.Close()
		j.disk.Remove(fresh) // a disk that is full has need of the room
		return err
	}
	j.open, j.exists, j.size, j.dirty, j.fresh = f, true, len(lines), false, true
	return j.sync()
}

// remove has the file be gone, for sure.
func (j *journal) remove() error {
	j.close()
	err := j.disk.Remove(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	j.exists, j.size, j.dirty, j.fresh = false, 0, false, err == nil
	return j.sync()
}

func (j *journal) close() {
	if j.open != nil {
		j.open.Close() // what matters was synced
		j.open = nil
	}
}
