package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// withGroups puts outputs of the house into groups.
func withGroups(c *Config) {
	c.Groups = []Group{
		{Name: "all_lights", Outputs: []string{"l01", "l02"}, Channel: Channel{QoS: 1, Retain: true}},
		{Name: "water", Outputs: []string{"pump", "up"}, CommandTopic: "water/do", Channel: Channel{PayloadOn: "open", PayloadOff: "shut"}},
	}
	c.Rules = []Rule{
		{When: "door", Do: VerbToggle, Outputs: []string{"all_lights"}},
		{When: "up_button", Do: VerbPulse, For: time.Second, Outputs: []string{"all_lights", "bell"}},
	}
}

func TestGroupNeedsOutputs(t *testing.T) {
	for _, name := range []string{"door", "nothing", "water"} {
		c := house()
		withGroups(c)
		c.Groups[0].Outputs = []string{"l01", name}
		if _, err := newState(c, About{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no output %q", name)) {
			t.Errorf("a group with %q: %v", name, err)
		}
	}
	c := house()
	c.Groups = []Group{{Name: "l01", Outputs: []string{"l01"}}}
	if _, err := newState(c, About{}); err == nil {
		t.Error("no error for a group with the name of an output")
	}
}

// A group that many refuse says so in one message that can be read.
func TestGroupRefusedByMany(t *testing.T) {
	c := &Config{Device: "big", Groups: []Group{{Name: "all"}}}
	for i := range 1000 {
		name := fmt.Sprint("out", i)
		c.Outputs = append(c.Outputs, Output{Name: name})
		c.Groups[0].Outputs = append(c.Groups[0].Outputs, name)
	}
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	_, send, _ := s.step(Inbound{Topic: "gatewayd/big/all/set", Payload: []byte("ON")}, time.Now())
	var texts []string
	for _, m := range send {
		if m.Topic == "gatewayd/big/all/error" {
			texts = append(texts, string(m.Payload))
		}
	}
	if len(texts) != 1 || !strings.Contains(texts[0], "refused by 1000 of 1000: out0: not available") || !strings.HasSuffix(texts[0], "and 990 more") || len(texts[0]) > 600 {
		t.Errorf("got %q", texts)
	}
	if len(send) != 1001 {
		t.Errorf("%d messages, want one for each output and one for the group", len(send))
	}
}

// An OFF to a group has a place of its own when the queue is full.
func TestGroupOffIsKept(t *testing.T) {
	c := house()
	withGroups(c)
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(s)
	for range queueMost {
		q.put(Inbound{Topic: "light/l01/set", Payload: []byte("ON")})
	}
	q.put(Inbound{Topic: "water/do", Payload: []byte("open")})
	q.put(Inbound{Topic: "water/do", Payload: []byte("shut")})
	q.put(Inbound{Topic: "water/do", Payload: []byte("OFF"), Retained: true})
	commands, refused := q.take()
	if len(commands) != queueMost+1 || string(commands[queueMost].Payload) != "shut" {
		t.Errorf("%d commands wait, the last %q", len(commands), commands[len(commands)-1].Payload)
	}
	if want := []overflow{{"water/do", 2}}; fmt.Sprint(refused) != fmt.Sprint(want) {
		t.Errorf("refused %v, want %v", refused, want)
	}
}
