package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// cells are the row as the page has it.
func (r *topicRow) cells() []string {
	topic := code(r.topic)
	switch {
	case r.commands():
		topic += "<br>or " + code(r.given) + "<br>or `<command_topic>`"
	case r.given != "":
		topic += "<br>or " + code(r.given)
	}
	by := r.by
	if strings.HasPrefix(by, "gatewayd ") {
		by = code(by)
	}
	var words []string
	for _, e := range r.examples {
		words = append(words, code(e))
	}
	payload := strings.TrimSpace(r.payload + " " + strings.Join(words, ", "))
	keep := [...]string{"yes", "no", "no: refused"}[r.keep]
	qos := "1"
	if r.own {
		qos = "1, or `qos`"
		if r.keep == retained {
			keep = "yes, unless `retain: false`"
		}
	}
	return []string{topic, by, payload, keep, qos, r.means}
}

func code(s string) string { return "`" + s + "`" }

// topicPage writes the tables of the page.
func topicPage() string {
	var out strings.Builder
	section := ""
	for i := range topicTable {
		r := &topicTable[i]
		if r.section != section {
			section = r.section
			fmt.Fprintf(&out, "\n**%s**\n\n| topic | written by | payload | retained | QoS | |\n| --- | --- | --- | --- | --- | --- |\n", section)
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(r.cells(), " | "))
	}
	return out.String() + "\n"
}

const (
	topicsFile  = "../docs/topics.md"
	tableBegins = "<!-- made from bridge/topic_table_test.go: go test ./bridge -run TopicPage -update -->\n"
	tableEnds   = "<!-- end -->\n"
)

// The tables of the page are made from the table that is held against the gateway.
func TestTopicPage(t *testing.T) {
	page, err := os.ReadFile(topicsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	got, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s: no table between %q and %q", topicsFile, tableBegins, tableEnds)
	}
	want := topicPage()
	if *update {
		if err := os.WriteFile(topicsFile, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s has another table than bridge/topic_table_test.go: go test ./bridge -run TopicPage -update\n%s", topicsFile, difference(got, want))
	}
}

// Links within the page lead somewhere.
func TestTopicPageLinks(t *testing.T) {
	page, err := os.ReadFile(topicsFile)
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(page), -1) {
		headings[strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`).FindAllStringSubmatch(string(page), -1)
	for _, m := range links {
		if m[1] == "" && !headings[m[2]] {
			t.Errorf("no heading for #%s", m[2])
		}
		if m[1] != "" {
			if _, err := os.Stat("../docs/" + m[1]); err != nil {
				t.Error(err)
			}
		}
	}
	if len(links) < 5 {
		t.Errorf("%d links", len(links))
	}
}

// The picture shows topics of the table, as the table has them: who writes, and what is retained.
func TestTopicPicture(t *testing.T) {
	picture, err := os.ReadFile("../docs/topics.svg")
	if err != nil {
		t.Fatal(err)
	}
	root, n := "", 0
	for _, m := range regexp.MustCompile(`(?m)class="topic( branch)?" .* y="(\d+)">(.*)</text>((?:\n  <(?:text class="payload"|circle|path).*)*)`).FindAllStringSubmatch(string(picture), -1) {
		if m[1] != "" {
			root = m[3]
			continue
		}
		topic := root + regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[3], "")
		kept, up := strings.Contains(m[4], `class="kept"`), strings.Contains(m[4], `class="up"`)
		i := slices.IndexFunc(topicTable, func(r topicRow) bool {
			return topic == strings.NewReplacer("<device>", "shed", "<id>", "shed", "<input>", "button", "<output>", "l01", "<sensor>", "attic",
				"<quantity>", "temperature", "<point>", "point").Replace(r.topic)
		})
		if i < 0 {
			t.Errorf("%s is in no row of the table", topic)
			continue
		}
		n++
		if r := &topicTable[i]; kept != (r.keep == retained) || up != r.writes() || strings.Count(m[4], "<path") != 2 {
			t.Errorf("%s: drawn as retained %v, from the gateway %v, with %d arrows; the table has it otherwise", topic, kept, up, strings.Count(m[4], "<path"))
		}
	}
	if n != 14 {
		t.Errorf("%d topics in the picture", n)
	}
}

// keysOf gives what stands in the first column of the first table below a heading of the page.
func keysOf(t *testing.T, heading string) (keys []string) {
	t.Helper()
	page, err := os.ReadFile(topicsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n"+heading+"\n")
	_, table, found := strings.Cut(part, "\n| key |")
	if !found {
		t.Fatalf("%s: no table of keys below %q", topicsFile, heading)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(first, -1) {
			keys = append(keys, m[1])
		}
	}
	slices.Sort(keys)
	return keys
}

// The keys of gateway/health that the page explains are those that are sent.
func TestTopicPageHealth(t *testing.T) {
	w := newWitness(t, house(), new(About))
	sent := map[string]bool{}
	w.step(start{})
	w.says("gatewayd/shed/l1/set", "ON", false)
	w.step(w.vitals())
	for _, m := range w.sent {
		if m.Topic != "gatewayd/shed/gateway/health" {
			continue
		}
		var health map[string]any
		if err := json.Unmarshal(m.Payload, &health); err != nil {
			t.Fatal(err)
		}
		for key := range health {
			sent[key] = true
		}
	}
	if got, want := keysOf(t, "### gateway/health"), slices.Sorted(maps.Keys(sent)); !slices.Equal(got, want) {
		t.Errorf("the page explains\n%q\nsent are\n%q", got, want)
	}
}
