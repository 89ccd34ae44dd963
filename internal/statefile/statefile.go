// Package statefile keeps a few bytes over restarts, crashes and power cuts: a file of which there is always the old content or the
// new one, whole. What it holds is the caller's affair.
package statefile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gatewayd/internal/disk"
)

// ErrDamaged is of a file that is not as Save left it, or that another version of this program wrote.
var ErrDamaged = errors.New("damaged")

// head is the first line: what the file is, the version of what follows, the SHA-256 of it, and how long it is.
const head = "gatewayd-state 1 %x %d\n"

// most is the longest content that is read: a file that is larger is none of ours.
const most = 16 << 20

// Load gives the content. An error that is ErrDamaged says that the file is truncated, zeroed, garbage or of another version;
// fs.ErrNotExist, that there is none.
func Load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	content, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("%s is %w", path, err)
	}
	return content, nil
}

func pack(content []byte) []byte {
	return append(fmt.Appendf(nil, head, sha256.Sum256(content), len(content)), content...)
}

func unpack(data []byte) ([]byte, error) {
	first, content, ok := bytes.Cut(data, []byte("\n"))
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	case len(data) > most:
		return nil, fmt.Errorf("%w: it is far too large", ErrDamaged)
	case len(bytes.Trim(data, "\x00")) == 0:
		return nil, fmt.Errorf("%w: it is all zeros, as after a power cut", ErrDamaged)
	case ok && bytes.Equal(pack(content), data):
		return content, nil
	case bytes.HasPrefix(first, []byte("gatewayd-state ")) && !bytes.HasPrefix(first, []byte("gatewayd-state 1 ")):
		return nil, fmt.Errorf("%w: another version of gatewayd wrote it", ErrDamaged)
	}
	return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
}

// Save replaces the content. When it returns nil the new one is on the disk; after an error, a crash or a power cut the old one is
// there, or the new. It blocks as long as the disk does. Of several callers at a time for one path one has to be enough.
func Save(path string, content []byte) error { return save(disk.Real{}, path, content) }

// save writes a file of its own beside the old one, and has it take the place of that when all of it is on the disk.
func save(d disk.Disk, path string, content []byte) error {
	fresh := path + ".new"
	if err := d.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a crash
		return err
	}
	f, err := d.Create(fresh)
	if err != nil {
		return err
	}
	_, err = f.Write(pack(content))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.Rename(fresh, path)
	}
	if err != nil {
		d.Remove(fresh) // a disk that is full has need of the room
		return err
	}
	return d.SyncFolder(filepath.Dir(path)) // else the power cut may undo the rename
}
