package bridge

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDiscoveryRandom sees of random configurations that their documents are in order, and that the gateway serves all that they
// promise: it understands every command, and tells everything that is waited for, in the words that are waited for.
func TestDiscoveryRandom(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 30
	}
	for seed := range uint64(runs) {
		d := &dice{Rand: rand.New(rand.NewPCG(seed, 1))}
		cfg, about := d.config()
		for _, problem := range promises(t, cfg, about) {
			t.Errorf("seed %d: %s", seed, problem)
		}
		if t.Failed() {
			return
		}
	}
}

func TestDiscoveryKept(t *testing.T) {
	cfg, about := mansion()
	for _, problem := range promises(t, cfg, about) {
		t.Error(problem)
	}
}

// promises looks for what a configuration's documents promise and the gateway does not do.
func promises(t *testing.T, cfg *Config, about *About) (problems []string) {
	topics := NewTopics(cfg)
	books := discover(cfg, topics, about)
	var documents [][]byte
	for _, b := range books {
		documents = append(documents, b.document(b.Components))
	}
	problems = checkDocuments(documents...)
	problems = append(problems, checkBooks(books)...)
	s, err := newState(cfg, *about)
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, s: s, now: time.Now(), last: map[string]string{}, told: map[string][]string{}}
	b.live(cfg, about)
	problems = append(problems, b.announced(len(documents))...)
	status := topics.StatusOf(cfg.Status)
	b.told[status.Topic] = []string{status.Online, status.Offline, status.Stopped} // by the session
	b.last[status.Topic] = status.Online
	for _, book := range books {
		for i := range book.Components {
			c := &book.Components[i]
			available := c.Available
			if available == nil {
				available = book.Available
			}
			for _, err := range []error{b.hears(cfg, c), b.watched(c), b.available(available)} {
				if err != nil {
					problems = append(problems, fmt.Sprintf("%s: %v", c.key, err))
				}
			}
		}
	}
	return problems
}

// announced sees that the documents that went out are in order, and on topics that Home Assistant takes.
func (b *broker) announced(least int) []string {
	var documents [][]byte
	var problems []string
	for topic, payload := range b.last {
		if rest, is := strings.CutPrefix(topic, "homeassistant/device/"); is {
			documents = append(documents, []byte(payload))
			if !regexp.MustCompile(`^([a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config$`).MatchString(rest) {
				problems = append(problems, "illegal discovery topic "+topic)
			}
		}
	}
	if len(documents) < least {
		problems = append(problems, fmt.Sprintf("%d documents announced, want %d at least", len(documents), least))
	}
	return append(problems, checkDocuments(documents...)...)
}

// checkBooks looks at what documents are put together by.
func checkBooks(books []*book) (problems []string) {
	seen := map[string]bool{}
	for i, b := range books {
		if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(b.name) && i > 0 || b.name != "" && i == 0 {
			problems = append(problems, fmt.Sprintf("book %q: not a topic level", b.name))
		}
		for _, once := range []string{"name " + b.name, "identifier " + b.Device.Identifiers[0], "area " + sameArea(b.Device.Area)} {
			if seen[once] && once != "area " {
				problems = append(problems, "books: twice: "+once)
			}
			seen[once] = true
		}
		if i > 0 && len(b.Components) == 0 {
			problems = append(problems, "an empty book "+b.name)
		}
	}
	return problems
}
