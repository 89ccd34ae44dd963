package bridge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatewayd/internal/backlog"
)

// A palace is a mansion with all that there is to topics.
func palace() (*Config, *About) {
	cfg, about := mansion()
	cfg.Status = Status{}
	cfg.Outputs = append(cfg.Outputs, Output{Name: "pump", CommandTopic: "pump/do", Channel: Channel{QoS: 1, Retain: true}})
	cfg.Groups = append(cfg.Groups, Group{Name: "water", Outputs: []string{"pump"}, CommandTopic: "water/do", Channel: Channel{Topic: "water"}})
	for i := range cfg.Inputs {
		cfg.Inputs[i].Keep = true
	}
	for i := range cfg.Sensors {
		cfg.Sensors[i].Keep = true
	}
	return cfg, about
}

// late gives what is told late of messages that no broker has taken.
func late(all []Message) (late []Message) {
	b := backlog.New(backlog.Config{})
	for _, m := range all {
		if m.Late != nil {
			b.Add(*m.Late)
		}
	}
	for n := uint64(0); ; {
		at, topic, payload, ok := b.Next(n)
		if !ok {
			return late
		}
		n = at
		late = append(late, Message{Topic: topic, Payload: payload, QoS: 1})
	}
}

// Every message and subscription is in the table, with the flags that this says, and all that the table says happens.
func TestTopicTable(t *testing.T) {
	cfg, about := palace()
	all := places(cfg)
	at := func(topic string) (found []place) {
		for _, p := range all {
			if regexp.MustCompile("^" + p.filter + "$").MatchString(topic) {
				found = append(found, p)
			}
		}
		return found
	}
	w := newWitness(t, cfg, about)
	w.live()
	var h eavesdropper
	h.connect(t, cfg)

	met := map[*topicRow]bool{}
	said := map[*topicRow]map[string]bool{}
	for _, m := range slices.Concat(w.sent, h.heard, late(w.sent)) {
		found := at(m.Topic)
		if len(found) != 1 {
			t.Errorf("%s %s: in %d rows of the table", m.Topic, cut(string(m.Payload)), len(found))
			continue
		}
		p := found[0]
		if !p.row.writes() || m.Retain != p.retain || m.QoS != p.qos {
			t.Errorf("%s %s: retain %v, QoS %d; the table has it written by %s, retain %v, QoS %d",
				m.Topic, cut(string(m.Payload)), m.Retain, m.QoS, p.row.by, p.retain, p.qos)
		}
		met[p.row] = true
		if said[p.row] == nil {
			said[p.row] = map[string]bool{}
		}
		said[p.row][string(m.Payload)] = true
	}
	for i, filter := range h.filters {
		if h.qos[i] != 1 {
			t.Errorf("subscribes to %s with QoS %d", filter, h.qos[i])
		}
		if !slices.ContainsFunc(all, func(p place) bool { return p.row.reads && Matches(filter, p.example()) }) {
			t.Errorf("subscribes to %s, which no row of the table has", filter)
		}
	}
	for _, p := range all {
		n := 0
		for _, filter := range h.filters {
			if Matches(filter, p.example()) {
				n++
			}
		}
		if want := map[bool]int{true: 1}[p.row.reads]; n != want {
			t.Errorf("%s: %d subscriptions bring it, want %d: the table says that %s writes it", p.filter, n, want, p.row.by)
		}
	}
	published := NewTopics(cfg).published(cfg) // what the configuration's checks and the clearing of old topics go by
	for _, p := range all {
		if p.row.writes() && p.row.section != "Home Assistant" && p.row.by != "gatewayd forget" && !published[p.filter] {
			t.Errorf("%s is not among the topics that we know to be ours", p.filter)
		}
	}
	for i := range topicTable {
		r := &topicTable[i]
		if r.writes() && !met[r] {
			t.Errorf("%s: never published", r.topic)
		}
		for _, e := range r.examples {
			if r.writes() && !said[r][e] {
				t.Errorf("%s: %s is never said", r.topic, e)
			}
		}
	}
}

// example is a topic that the place has.
func (p *place) example() string { return strings.Replace(p.filter, "[a-z0-9_-]+", "kitchen", 1) }

// A document that is too large for one message goes on in further ones, which are in the table, too.
func TestTopicTableParts(t *testing.T) {
	cfg := &Config{Device: "shed", HomeAssistant: HomeAssistant{Discovery: true}}
	for i := range 400 {
		cfg.Inputs = append(cfg.Inputs, Input{Name: fmt.Sprint("door", i), Channel: Channel{QoS: 1, Retain: true}})
	}
	w := newWitness(t, cfg, new(About))
	w.step(Link{Up: true})
	n := 0
	for _, m := range w.sent {
		if rest, ok := strings.CutPrefix(m.Topic, "homeassistant/device/gatewayd_shed/"); ok && rest != "config" {
			n++
			if !slices.ContainsFunc(places(cfg), func(p place) bool { return regexp.MustCompile("^" + p.filter + "$").MatchString(m.Topic) }) {
				t.Errorf("%s is not in the table", m.Topic)
			}
		}
	}
	if n == 0 {
		t.Error("no further parts")
	}
}
