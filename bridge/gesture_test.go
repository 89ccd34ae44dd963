package bridge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
)

// buttons is the configuration of the transcripts of gestures.
func buttons() *Config {
	button := func(name string, told ...Trigger) Input {
		return Input{Name: name, Channel: Channel{QoS: 1, Retain: true}, Gestures: Gestures{Told: told}}
	}
	stuck := button("stuck", Hold)
	stuck.Gestures.Every = 20 * time.Second
	fast := button("fast", Pressed, Click, Double)
	fast.Gestures.Gap, fast.QoS = 50*time.Millisecond, 0
	return &Config{
		Device: "shed",
		Inputs: []Input{
			button("bell", Pressed, Released, Click, Long),
			button("lamp"), // nothing told: rules alone
			button("scene", Click, Double, Triple, Long, Hold),
			button("odd", Click, Triple),
			button("slow", Click),
			button("dim", Hold),
			button("door"),
			fast, stuck,
		},
		Outputs: []Output{{Name: "l01"}, {Name: "l02"}, {Name: "horn"}},
		Rules: []Rule{
			{When: "lamp", Is: Pressed, Do: VerbToggle, Outputs: []string{"l01"}},
			{When: "lamp", Is: Double, Do: VerbToggle, Outputs: []string{"l02"}},
			{When: "lamp", Is: Click, Do: VerbPulse, For: time.Second, Outputs: []string{"horn"}, Only: Offline},
		},
	}
}

func onlyButtons(c *Config) { *c = *buttons() }

// asked is what an input of a test asks for.
func asked(told ...Trigger) *presses {
	p := &presses{long: DefaultLong, gap: DefaultGap, every: DefaultEvery}
	for _, t := range told {
		p.ask(t)
	}
	return p
}

// TestPresses plays recorded presses: the times between the edges in milliseconds, a press first.
func TestPresses(t *testing.T) {
	all := []Trigger{Click, Double, Triple, Long, Hold}
	for _, c := range []struct {
		name  string
		asked []Trigger
		edges []int // pressed, not pressed, pressed, ...
		want  string
	}{
		{"a good press", all, []int{120}, "click"},
		{"a slow one", all, []int{499}, "click"},
		{"too slow for a click", all, []int{500}, "long"},
		{"very fast", all, []int{1, 1, 1}, "double"},
		{"a slow double click", all, []int{450, 299, 450}, "double"},
		{"too slow for a double click", all, []int{100, 300, 100}, "click click"},
		{"three", all, []int{80, 100, 80, 100, 80}, "triple"},
		{"four", all, []int{80, 100, 80, 100, 80, 100, 80}, "triple click"},
		{"five", all, []int{80, 100, 80, 100, 80, 100, 80, 100, 80}, "triple double"},
		{"three, only two asked for", []Trigger{Click, Double}, []int{80, 100, 80, 100, 80}, "double click"},
		{"two, one or three asked for", []Trigger{Click, Triple}, []int{80, 100, 80}, "click click"},
		{"two, three asked for", []Trigger{Triple}, []int{80, 100, 80}, ""},
		{"three, three asked for", []Trigger{Triple}, []int{80, 100, 80, 100, 80}, "triple"},
		{"one, two asked for", []Trigger{Double}, []int{80}, ""},
		{"held", all, []int{950}, "long hold hold"},
		{"held, nobody asks how long", []Trigger{Click, Double}, []int{5000}, "click"},
		{"held, only hold asked for", []Trigger{Click, Hold}, []int{950}, "hold hold"},
		{"a click and a long one", all, []int{100, 100, 600}, "click long"},
		{"two clicks and a long one", all, []int{100, 100, 100, 100, 600}, "double long"},
		{"a long one and a click", all, []int{600, 50, 100}, "long click"},
		{"stuck", []Trigger{Hold}, []int{3600_000}, strings.TrimSpace(strings.Repeat("hold ", 300))},
		{"bouncing for 30 ms", all, []int{3, 2, 4, 3, 9, 2, 100}, "triple click"}, // why there is debounce
	} {
		t.Run(c.name, func(t *testing.T) {
			p, now := asked(c.asked...), time.Now()
			var got []string
			took := func(found []Trigger) {
				for _, g := range found {
					if g >= Click {
						got = append(got, g.String())
					}
				}
			}
			ticks := func(until time.Time) {
				for !p.due.IsZero() && !p.due.After(until) {
					took(p.pass(p.due))
				}
			}
			for i, ms := range append(c.edges, 1000) {
				took(p.edge(i%2 == 0, now))
				now = now.Add(time.Duration(ms) * time.Millisecond)
				ticks(now)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A loop that was held up tells what is so, and no burst of what was.
func TestHoldMissed(t *testing.T) {
	p, now := asked(Long, Hold), time.Now()
	p.edge(true, now)
	if got := p.pass(now.Add(10 * time.Second)); !slices.Equal(got, []Trigger{Long, Hold}) {
		t.Errorf("after 10 s got %v, want long and one hold", got)
	}
	if want := now.Add(10*time.Second + 100*time.Millisecond); !p.due.Equal(want) {
		t.Errorf("the next is due after %v, want %v", p.due.Sub(now), want.Sub(now))
	}
	if got := p.edge(false, now.Add(10050*time.Millisecond)); !slices.Equal(got, []Trigger{Released}) {
		t.Errorf("let go, got %v, want release", got)
	}
}

// arrival is an edge on its way.
type arrival struct {
	active, lost bool
	at, comes    time.Duration
}

// deliver hands the edges to a bell of the given gestures, each when it comes, with the ticks between, and gives what was told.
func deliver(t *testing.T, told []Trigger, edges []arrival) (got []Trigger) {
	t.Helper()
	s, err := newState(&Config{Device: "shed", Inputs: []Input{{Name: "bell", Gestures: Gestures{Told: told}}}}, About{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var next time.Time
	step := func(in any, now time.Time) {
		var send []Message
		_, send, next = s.step(in, now)
		for _, m := range send {
			if at := slices.IndexFunc(payloads[:], func(p []byte) bool { return string(p) == string(m.Payload) }); at >= 0 {
				got = append(got, Trigger(at))
			}
		}
	}
	step(&gpio.Event{Line: "bell", At: began}, began)
	for i := 0; i <= len(edges); i++ {
		until := began.Add(time.Hour)
		if i < len(edges) {
			until = began.Add(edges[i].comes)
		}
		for !next.IsZero() && !next.After(until) {
			step(tick{}, next)
		}
		if i < len(edges) {
			e := &gpio.Event{Line: "bell", Active: edges[i].active, Edge: true, At: began.Add(edges[i].at)}
			if edges[i].lost {
				e.Lost = 1
			}
			step(e, until)
		}
	}
	return got
}

// checkDelivery: however late edges come within the grace, they make what they make at once; and no click is told that was not
// seen, nor one forgotten where somebody asks for it. Where edges went missing, what was told before that is known may differ.
func checkDelivery(t *testing.T, told []Trigger, edges []arrival) {
	t.Helper()
	atOnce := slices.Clone(edges)
	presses, gaps := 0, false
	for i := range atOnce {
		atOnce[i].comes = atOnce[i].at
		gaps = gaps || atOnce[i].lost
		if i > 0 && atOnce[i-1].active && !atOnce[i].active && !atOnce[i].lost {
			presses++
		}
	}
	want, got := deliver(t, told, atOnce), deliver(t, told, edges)
	if !slices.Equal(got, want) && !gaps {
		t.Fatalf("%v asked for, of %+v\nlate %v\nwant %v", told, edges, got, want)
	}
	clicks, longs := 0, 0
	for _, g := range got {
		switch g {
		case Click, Double, Triple:
			clicks += int(g-Click) + 1
		case Long:
			longs++
		}
	}
	held := slices.Contains(told, Long)
	switch {
	case clicks > presses:
		t.Fatalf("%v asked for, of %+v\n%d clicks in %v, of %d presses", told, edges, clicks, got, presses)
	case slices.Contains(told, Click) && (held || !slices.Contains(told, Hold)) && !gaps && clicks+longs < presses:
		t.Fatalf("%v asked for, of %+v\n%d clicks and %d long ones in %v, of %d presses", told, edges, clicks, longs, got, presses)
	}
}

// randomly makes edges from a source of numbers below n.
func randomly(number func(n int) int) (told []Trigger, edges []arrival) {
	for t := Click; t <= Hold; t++ {
		if number(2) == 1 {
			told = append(told, t)
		}
	}
	now, came, losing := time.Duration(0), time.Duration(0), number(3) == 0
	for i := range 2 * (1 + number(15)) { // let go in the end
		lengths := [...]int{5, 60, 300, 302, 502, 1100}
		now += time.Duration(number(lengths[number(len(lengths))]*1000)) * time.Microsecond
		came = max(came, now+time.Duration(number(int(grace/time.Microsecond)))*time.Microsecond)
		edges = append(edges, arrival{active: i%2 == 0, at: now, comes: came})
		if losing && number(8) == 0 { // two in a row of one kind, as after edges that went missing
			edges[i].active, edges[i].lost = number(2) == 0, true
		}
	}
	for i := 1; i < len(edges); i++ {
		if edges[i].active == edges[i-1].active {
			edges[i].lost = true
		}
	}
	return told, edges
}

func TestDelivery(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		told, edges := randomly(r.IntN)
		checkDelivery(t, told, edges)
	}
}

func FuzzDelivery(f *testing.F) {
	for seed := range byte(8) {
		f.Add([]byte(fmt.Sprint(seed, seed*7, seed*31)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		told, edges := randomly(func(n int) int {
			v := 0
			for range 4 {
				if len(data) > 0 {
					v, data = v<<8|int(data[0]), data[1:]
				}
			}
			return v % n
		})
		checkDelivery(t, told, edges)
	})
}

// TestGestureCost: an input that nobody asks anything of pays nothing for gestures, and one that is asked makes no garbage.
func TestGestureCost(t *testing.T) {
	s, err := newState(buttons(), About{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, name := range []string{"door", "bell", "scene"} {
		e := &gpio.Event{Line: name, At: now}
		press := func() {
			e.Active, e.At = !e.Active, now
			_, _, next := s.step(e, now)
			if name == "door" && !next.IsZero() {
				t.Fatalf("%s: a tick is wanted, which nobody needs", name)
			}
			now = now.Add(100 * time.Millisecond)
		}
		press()
		e.Edge = true
		if n := testing.AllocsPerRun(100, press); n > 0 {
			t.Errorf("%s: an edge allocates %v times", name, n)
		}
		for len(s.timers) > 0 {
			now = s.timers[0].due
			s.step(tick{}, now)
		}
	}
}

// What has waited together is looked at before the time decides: a release that stands behind another line's edge is a click,
// though the button was held for long by the clock.
func TestGestureBehindOthers(t *testing.T) {
	cfg := house()
	onlyButtons(cfg)
	s, err := newState(cfg, About{})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	var told []string
	step := func(in any, now time.Time) time.Time {
		_, send, next := s.step(in, now)
		for _, m := range send {
			if m.Topic == "gatewayd/shed/bell/event" {
				told = append(told, string(m.Payload))
			}
		}
		return next
	}
	step(&gpio.Event{Line: "bell"}, at(0))
	step(&gpio.Event{Line: "scene"}, at(0))
	step(&gpio.Event{Line: "bell", Active: true, Edge: true, At: at(1000)}, at(1000))
	next := step(&gpio.Event{Line: "scene", Active: true, Edge: true, At: at(1100)}, at(1700)) // the loop was late
	if next.After(at(1700)) {
		t.Errorf("what is due is put off until %v", next.Sub(begin))
	}
	step(&gpio.Event{Line: "bell", Edge: true, At: at(1200)}, at(1700))
	step(tick{}, at(1700))
	if got, want := strings.Join(told, " "), `{"event_type":"press"} {"event_type":"release"} {"event_type":"click"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
