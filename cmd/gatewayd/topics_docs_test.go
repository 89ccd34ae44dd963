package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatewayd/internal/config"
)

// The keys of gateway/info that docs/topics.md explains are those that are sent.
func TestTopicPageInfo(t *testing.T) {
	page, err := os.ReadFile("../../docs/topics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n### gateway/info\n")
	_, table, found := strings.Cut(part, "\n| key |")
	if !found {
		t.Fatal("docs/topics.md has no table of the keys of gateway/info")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(first, -1) {
			explained = append(explained, m[1])
		}
	}
	slices.Sort(explained)
	var sent map[string]any
	if err := json.Unmarshal(info(new(config.Config)), &sent); err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(sent)); !slices.Equal(explained, want) {
		t.Errorf("the page explains\n%q\nsent are\n%q", explained, want)
	}
}
