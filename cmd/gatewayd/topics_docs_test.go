package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// topicPage gives a part of docs/topics.md: what comes behind one text and before another.
func topicPage(t *testing.T, begin, end string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/topics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(page), begin)
	part, _, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("docs/topics.md has nothing between %q and %q", begin, end)
	}
	return part
}

var inCode = regexp.MustCompile("`([^`]+)`")

// cells are the texts in code of each cell of a table's line.
func cells(line string) (all [][]string) {
	for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
		var words []string
		for _, m := range inCode.FindAllStringSubmatch(cell, -1) {
			words = append(words, m[1])
		}
		all = append(all, words)
	}
	return all
}

// The keys of gateway/info that the page explains are those that are sent.
func TestTopicPageInfo(t *testing.T) {
	var explained []string
	for line := range strings.Lines(topicPage(t, "\n### gateway/info\n", "\n## ")) {
		if strings.HasPrefix(line, "| `") {
			explained = append(explained, cells(line)[0]...)
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

// The page's configuration is one, and makes the topics that stand behind it.
func TestTopicPageExample(t *testing.T) {
	cfg, _, err := config.Parse("topics.md", []byte(topicPage(t, "\n```yaml\n", "\n```\n")))
	if err != nil {
		t.Fatal(err)
	}
	topics := bridge.NewTopics(&cfg.Bridge)
	n := 0
	for line := range strings.Lines(topicPage(t, "\n| point | state |", "\n\n")) {
		c := cells(line)
		if len(c) < 5 || len(c[0]) == 0 {
			continue
		}
		name := c[0][0]
		state, command := topics.State(name), topics.Command(name)
		if command == "" {
			state, c[2] = topics.Reading(name, "temperature"), []string{""}
		}
		for i, want := range []string{state, command, topics.Availability(name), topics.Error(name)} {
			if got := c[i+1][0]; got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		n++
	}
	if n != len(cfg.Bridge.Outputs)+len(cfg.Sensors) {
		t.Errorf("%d points", n)
	}
}

// What the page has people try goes to points that the demo has, and asks for what it has.
func TestTopicPageTry(t *testing.T) {
	cfg, _, err := config.Parse("demo.yaml", demoConfig)
	if err != nil {
		t.Fatal(err)
	}
	topics := bridge.NewTopics(&cfg.Bridge)
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^mosquitto_(pub|sub -C 1) -t (\S+)`).FindAllStringSubmatch(topicPage(t, "\n## Try it\n", "\n## "), -1) {
		n++
		topic, command := m[2], topics.Command(topics.Target(m[2]))
		switch m[1] {
		case "pub":
			if topic != command && topic != topics.Gateway("set") {
				t.Errorf("the demo takes no command on %s", topic)
			}
		default:
			if topic != topics.Gateway("health") && topic != topics.Discovery("") {
				t.Errorf("the demo keeps nothing on %s", topic)
			}
		}
	}
	if n < 7 {
		t.Errorf("%d commands to try", n)
	}
}
