package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/troubleshooting.md promises remedies by the message that a person sees: each message is one that the program says.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| it says | what to do |")
	if !found {
		t.Fatal("docs/troubleshooting.md has no table of messages")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var source strings.Builder
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		source.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(table) {
		says, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(says, -1) {
			if strings.HasPrefix(m[1], "config.yaml:") {
				continue
			}
			n++
			if !strings.Contains(source.String(), m[1]) {
				t.Errorf("docs/troubleshooting.md: nothing says %q", m[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("%d messages in the table", n)
	}
}
