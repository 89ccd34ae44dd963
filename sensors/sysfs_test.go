package sensors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes the kernel's files: "path: content", or "path -> target" for a link. Each gets a line's end, unless it ends with "$".
func tree(t testing.TB, lines ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	grow(t, root, lines...)
	return root
}

func grow(t testing.TB, root string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		path, target, link := strings.Cut(line, " -> ")
		content := ""
		if !link {
			path, content, _ = strings.Cut(line, ": ")
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if link {
			err = os.Symlink(target, path)
		} else if bare, cut := strings.CutSuffix(content, "$"); cut {
			err = os.WriteFile(path, []byte(bare), 0o644)
		} else {
			err = os.WriteFile(path, []byte(content+"\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// faulty is the kernel's files, with some that fail.
type faulty struct {
	errs map[string]error // by the end of the path
}

func (f *faulty) read(path string) ([]byte, error) {
	for end, err := range f.errs {
		if err != nil && strings.HasSuffix(path, end) {
			return nil, err
		}
	}
	return os.ReadFile(path)
}

func (f *faulty) write(path, text string) error { return os.WriteFile(path, []byte(text), 0) }

func TestKernelNumber(t *testing.T) {
	for s, want := range map[string]float64{"0": 0, "21300": 21300, "-10": -10, "0.062500000": 0.0625, "-0.000001": -0.000001, "007": 7,
		"18446744073709551615": 18446744073709551615} {
		if got, ok := kernelNumber(s); !ok || got != want {
			t.Errorf("%q: got %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", ".", "1.", ".5", "+1", "1e5", "0x10", "inf", "nan", "NaN", "1_0", "1 2", "1,5", "--1", "12V", strings.Repeat("9", 400)} {
		if got, ok := kernelNumber(s); ok {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func FuzzKernelNumber(f *testing.F) {
	for _, s := range []string{"0", "-12.5", "1e400", "0.0625", "९"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := kernelNumber(s); ok && (v != v || v > 1e41 || v < -1e41 || strings.Trim(s, "-.0123456789") != "") {
			t.Errorf("%q: got %v", s, v)
		}
	})
}

// What a file of the kernel can have in it that is no value.
func TestAttribute(t *testing.T) {
	root := tree(t, "good: 21300", "bare: 21300$", "empty: $", "blank:  ", "garbage: \x00\xff\x00", "word: ready", "huge: "+strings.Repeat("1", 5000))
	a := (&Options{}).kernel()
	for name, want := range map[string]string{"good": "", "bare": "", "empty": "empty", "blank": "empty", "garbage": "wanted a number", "word": "wanted a number",
		"huge": "longer than anything", "none": "no such file"} {
		v, err := a.number(filepath.Join(root, name))
		if want == "" {
			if v != 21300 || err != nil {
				t.Errorf("%s: got %v, error %v", name, v, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: got %v, error %v, want one with %q", name, v, err, want)
		}
	}
}

func TestAlphabet(t *testing.T) {
	for s, want := range map[string]string{"Core 0": "core_0", "+3.3V": "3_3v", "  CPU Temp. ": "cpu_temp", "µ": "", "Größe": "gr_e"} {
		if got := alphabet(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
