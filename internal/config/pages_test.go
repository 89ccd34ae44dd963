package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")

// What people copy from the pages works: each block of YAML is a configuration, or a part of one.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	n := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			block := regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], "")
			if strings.Contains(block, "automation:") { // Home Assistant's own
				continue
			}
			if !regexp.MustCompile("(?m)^(inputs|outputs|sensors):").MatchString(block) {
				block += "\ninputs: [{name: only_for_this_test, line: GPIO26}]"
			}
			n++
			if _, warnings, err := Parse(filepath.Base(page), []byte(block)); err != nil || len(warnings) > 0 {
				t.Errorf("%v %v in\n%s", err, warnings, block)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d blocks", n)
	}
}
