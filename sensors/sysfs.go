package sensors

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Root is below what folder the kernel's files are, where Options say nothing else. Tests of the whole program put a made tree there.
var Root = "/"

// kernelFiles is how the kernel's files are read and written. Either can take seconds, or hang.
type kernelFiles interface {
	read(path string) ([]byte, error) // at most maxAttribute bytes and one more
	write(path, text string) error
}

// maxAttribute is how long an attribute can be: a page (Documentation/filesystems/sysfs.rst).
const maxAttribute = 4096

// under gives a path below the root.
func (o *Options) under(path ...string) string {
	return filepath.Join(append([]string{cmp.Or(o.Root, Root)}, path...)...)
}

// kernel gives the kernel's files.
func (o *Options) kernel() attributes {
	if o.files != nil {
		return attributes{o.files}
	}
	return attributes{sysFiles{}}
}

// attributes reads files that hold one short text each.
type attributes struct{ kernelFiles }

// once gives the same files, each of which is read once.
func (a attributes) once() attributes { return attributes{&memo{a.kernelFiles, map[string][]byte{}}} }

// memo remembers what files said.
type memo struct {
	kernelFiles
	said map[string][]byte
}

func (m *memo) read(path string) ([]byte, error) {
	if b, known := m.said[path]; known {
		return b, nil
	}
	b, err := m.kernelFiles.read(path)
	if err == nil {
		m.said[path] = b
	}
	return b, err
}

// text gives what an attribute says, without the line's end. The error says which file it is.
func (a attributes) text(path string) (string, error) {
	b, err := a.read(path)
	name := filepath.Base(path)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxAttribute {
		return "", fmt.Errorf("%s is longer than anything that the kernel tells of a device", name)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("%s is empty: the kernel's driver had nothing to tell", name)
	}
	return s, nil
}

// number gives the number that an attribute says.
func (a attributes) number(path string) (float64, error) {
	s, err := a.text(path)
	if err != nil {
		return 0, err
	}
	v, ok := kernelNumber(s)
	if !ok {
		return 0, fmt.Errorf("%s says %s, wanted a number", filepath.Base(path), quoted(s))
	}
	return v, nil
}

// kernelNumber reads a number as the kernel writes them: -12.345000, without exponents, and never infinite. What ParseFloat takes beside
// that is no number of a driver's.
func kernelNumber(s string) (float64, bool) {
	digits := strings.TrimPrefix(s, "-")
	whole, part, dotted := strings.Cut(digits, ".")
	if !decimals(whole) || dotted && !decimals(part) || len(s) > 40 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

func decimals(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// quoted is a file's content for people.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40] + "..."
	}
	return strconv.Quote(s)
}

// alphabet makes a quantity's name of a text.
func alphabet(s string) string {
	var b strings.Builder
	gap := false
	for _, c := range []byte(strings.ToLower(s)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			b.WriteByte(c)
			gap = false
			continue
		}
		gap = true
	}
	return b.String()
}

// patience is how long the kernel may take to say what there is: what it is asked then needs no bus.
const patience = time.Second

var hangs = struct {
	mu  sync.Mutex      // guards the following
	now map[string]bool // what did not come back in time
}{now: map[string]bool{}}

// within has f look at the kernel's files, for so long at most. What hangs is left to itself, and what it looks at is not looked at
// again before it has come back.
func within[T any](limit time.Duration, what string, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	hangs.mu.Lock()
	defer hangs.mu.Unlock()
	if hangs.now[what] {
		return none, fmt.Errorf("%s: the kernel does not say what is there", what)
	}
	hangs.mu.Unlock()
	done := make(chan answer, 1)
	late := false
	go func() {
		v, err := f()
		hangs.mu.Lock()
		if done <- (answer{v, err}); late {
			delete(hangs.now, what)
		}
		hangs.mu.Unlock()
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case a := <-done:
		hangs.mu.Lock()
		return a.v, a.err
	case <-t.C:
	}
	hangs.mu.Lock()
	if len(done) > 0 {
		a := <-done
		return a.v, a.err
	}
	late, hangs.now[what] = true, true
	return none, fmt.Errorf("%s: the kernel has not said within %v what is there", what, limit)
}
