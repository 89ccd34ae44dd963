package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each test that docs/reliability.md names is there, in the folder that it names.
func TestReliabilityPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOf(t, "../..")
	named := regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z][A-Za-z0-9]*)((?:/[a-z0-9_]+)?)`|`([a-z][a-z0-9/]*)`:")
	n := 0
	for row := range strings.Lines(string(page)) {
		columns := strings.Split(row, " | ")
		if !strings.HasPrefix(row, "| ") || len(columns) < 3 {
			continue
		}
		folder := ""
		for _, m := range named.FindAllStringSubmatch(columns[1], -1) {
			name, part := m[1], m[2]
			if m[3] != "" {
				folder = m[3]
				continue
			}
			n++
			if in, ok := tests[name]; !ok || folder != "" && !in[folder] {
				t.Errorf("there is no %s in %q, for: %.60s", name, folder, row)
			}
			if name == "TestStep" && part != "" {
				if found, err := filepath.Glob("../../" + folder + "/testdata/step/" + path.Base(part) + ".*"); err != nil || len(found) == 0 {
					t.Errorf("there is no transcript %s, for: %.60s", part, row)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("found %d tests in the page, it names far more", n)
	}
}

// testsOf gives the folders, relative to root, in which there are tests of a name.
func testsOf(t *testing.T, root string) map[string]map[string]bool {
	t.Helper()
	begin := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	tests := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		folder, _ := filepath.Rel(root, filepath.Dir(file))
		for _, m := range begin.FindAllStringSubmatch(string(text), -1) {
			if tests[m[1]] == nil {
				tests[m[1]] = map[string]bool{}
			}
			tests[m[1]][filepath.ToSlash(folder)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
