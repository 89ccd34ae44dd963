package bridge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
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

func TestGroupTopics(t *testing.T) {
	c := house()
	withGroups(c)
	topics := NewTopics(c)
	if got, want := topics.Subscriptions(c), []string{"gatewayd/shed/+/set", "light/l01/set", "water/do"}; !slices.Equal(got, want) {
		t.Errorf("subscriptions %q, want %q", got, want)
	}
	for topic, want := range map[string]string{"water/do": "water", "gatewayd/shed/all_lights/set": "all_lights"} {
		if got := topics.Target(topic); got != want {
			t.Errorf("%s is for %q, want %q", topic, got, want)
		}
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

// What comes and goes all the time does not keep the group from telling what is so.
func TestGroupSettles(t *testing.T) {
	c := &Config{Device: "d", Groups: []Group{{Name: "all", Outputs: []string{"a", "b", "c"}}}}
	for _, name := range c.Groups[0].Outputs {
		c.Outputs = append(c.Outputs, Output{Name: name})
	}
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.step(&gpio.Event{Line: "a", Active: true}, begin)
	for at := 60 * time.Millisecond; at < 300*time.Millisecond; at += 60 * time.Millisecond {
		e := &gpio.Event{Line: "b"}
		if at/(60*time.Millisecond)%2 == 0 {
			e.Err = errUnread
		}
		_, send, _ := s.step(e, begin.Add(at))
		told := slices.ContainsFunc(send, func(m Message) bool { return m.Topic == "gatewayd/d/all" && string(m.Payload) == "ON" })
		if want := at == 120*time.Millisecond; told != want {
			t.Errorf("%v: told ON: %v, want %v", at, told, want)
		}
	}
}

// TestGroupTellsTheTruth plays outputs that answer late, wrongly or not at all, and chips that come and go. When all is quiet, a
// group has told what its members say; and after every command it has told something.
func TestGroupTellsTheTruth(t *testing.T) {
	const lines = 5
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := &Config{Device: "d"}
		for i := range lines {
			o := Output{Name: fmt.Sprint("o", i)}
			switch random.IntN(4) {
			case 0:
				o.Pulse = 700 * time.Millisecond
			case 1:
				o.MaxOn = time.Second
			}
			c.Outputs = append(c.Outputs, o)
		}
		c.Interlocks = []Interlock{{Name: "x", Outputs: []string{"o0", "o4"}, DeadTime: 400 * time.Millisecond}}
		c.Groups = []Group{{Name: "g0", Outputs: []string{"o0", "o1", "o2"}}, {Name: "g1", Outputs: []string{"o2", "o3"}}, {Name: "g2", Outputs: []string{"o1"}}}
		s, err := newState(c, About{})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		told := map[string]string{} // by topic
		owes := map[string]time.Time{}
		var next time.Time
		wants := map[string]bool{} // of the hardware: what has been written and not been answered
		step := func(in any) {
			var do []Write
			var send []Message
			do, send, next = s.step(in, now)
			for _, w := range do {
				wants[w.Point] = w.Value != 0
			}
			for _, m := range send {
				if m.State {
					told[m.Topic] = string(m.Payload)
					delete(owes, m.Topic)
				}
			}
		}
		pass := func(d time.Duration) {
			end := now.Add(d)
			for n := 0; !next.IsZero() && !next.After(end); n++ {
				if n > 100 {
					t.Fatalf("seed %d: one tick after the other", seed)
				}
				now = next
				step(tick{})
			}
			now = end
			for topic, until := range owes {
				if now.After(until) {
					t.Fatalf("seed %d: nothing told on %s after a command", seed, topic)
				}
			}
		}
		answer := func() {
			for _, o := range slices.Sorted(maps.Keys(wants)) {
				on := wants[o]
				delete(wants, o)
				step(&gpio.Event{Line: o, Active: on})
			}
		}
		step(start{})
		for range 200 {
			pass(time.Duration(random.IntN(300)) * time.Millisecond)
			o := fmt.Sprint("o", random.IntN(lines))
			switch random.IntN(8) {
			case 0:
				step(&gpio.Event{Line: o, Err: errUnread})
			case 1:
				step(&gpio.Event{Line: o, Active: random.IntN(2) == 0})
			case 2:
				step(Inbound{Topic: "gatewayd/d/" + o + "/set", Payload: []byte("TOGGLE")})
			case 3, 4:
				topic := fmt.Sprint("gatewayd/d/g", random.IntN(3))
				if told[topic] != "" {
					owes[topic] = now.Add(confirmWithin + settleWithin)
				}
				step(Inbound{Topic: topic + "/set", Payload: []byte([]string{"ON", "OFF", "TOGGLE", `{"state":"ON","for":"900ms"}`}[random.IntN(4)])})
			default:
				answer()
			}
		}
		for range 20 { // all answers come, and all that is timed ends
			answer()
			pass(time.Second)
		}
		for _, g := range c.Groups {
			works, on := "offline", "OFF"
			for _, name := range g.Outputs {
				if o := s.outputs[name]; o.err == nil {
					works = "online"
					if o.on {
						on = "ON"
					}
				}
			}
			if got := told["gatewayd/d/"+g.Name+"/availability"]; got != works {
				t.Fatalf("seed %d: %s is told %s, want %s", seed, g.Name, got, works)
			}
			if got := told["gatewayd/d/"+g.Name]; works == "online" && got != on {
				t.Fatalf("seed %d: %s is told %s, want %s", seed, g.Name, got, on)
			}
		}
	}
}
