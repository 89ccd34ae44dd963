package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// registry is what Home Assistant, running all the time, makes of documents: a component is known by its document's topic, its key
// and its platform, is removed only by an entry that has the platform alone, and has its unique_id for good.
type registry struct {
	ids      map[string]string // topic, key and platform: unique_id
	refusals []string
}

func (r *registry) take(topic string, payload []byte) {
	if len(payload) == 0 {
		maps.DeleteFunc(r.ids, func(id, _ string) bool { return strings.HasPrefix(id, topic+" ") })
		return
	}
	var d struct {
		Components map[string]map[string]any `json:"components"`
	}
	if err := json.Unmarshal(payload, &d); err != nil {
		panic(err)
	}
	for _, key := range slices.Sorted(maps.Keys(d.Components)) {
		c := d.Components[key]
		id := fmt.Sprint(topic, " ", key, " ", c["platform"])
		if len(c) == 1 {
			delete(r.ids, id)
			continue
		}
		if _, known := r.ids[id]; known {
			continue
		}
		unique := fmt.Sprint(c["unique_id"])
		for other, u := range r.ids {
			if u == unique && strings.HasSuffix(other, fmt.Sprint(" ", c["platform"])) {
				r.refusals = append(r.refusals, id+" has the unique_id of "+other)
			}
		}
		r.ids[id] = unique
	}
}

// world is a broker with Home Assistant behind it, over several runs of the gateway.
type world struct {
	t        *testing.T
	retained map[string][]byte
	ha       registry
	now      time.Time
	sent     []Message
}

func newWorld(t *testing.T) *world {
	return &world{t: t, retained: map[string][]byte{}, ha: registry{ids: map[string]string{}}, now: time.Now()}
}

// gateway starts a run that announces books.
func (w *world) gateway(books ...*book) *gateway {
	cfg := house()
	cfg.HomeAssistant.Discovery = true
	s, err := newState(cfg, About{})
	if err != nil {
		w.t.Fatal(err)
	}
	s.announcer.books = books
	s.announcer.spread = func() time.Duration { return time.Second }
	return &gateway{world: w, state: s}
}

type gateway struct {
	*world
	state *state
	next  time.Time
}

// step takes an input and has the broker take what comes of it.
func (g *gateway) step(in any) {
	_, send, next := g.state.step(in, g.now)
	g.next, g.sent = next, nil
	for _, m := range send {
		m.Payload = slices.Clone(m.Payload)
		g.sent = append(g.sent, m)
		if len(m.Payload) > 0 {
			g.retained[m.Topic] = m.Payload
		} else {
			delete(g.retained, m.Topic)
		}
		if g.state.topics.discovers(m.Topic) {
			g.ha.take(m.Topic, m.Payload)
			defer g.step(Inbound{Topic: m.Topic, Payload: m.Payload}) // we hear ourselves
		}
	}
}

// connect has the broker tell what it keeps, and then that we are connected.
func (g *gateway) connect() {
	for _, topic := range slices.Sorted(maps.Keys(g.retained)) {
		if g.state.topics.discovers(topic) {
			g.step(Inbound{Topic: topic, Payload: g.retained[topic], Retained: true})
		}
	}
	g.step(Link{Up: true})
}

func (g *gateway) disconnect() { g.step(Link{}) }

// pass lets time go by.
func (g *gateway) pass(d time.Duration) {
	for end := g.now.Add(d); ; {
		if g.next.IsZero() || g.next.After(end) {
			g.now = end
			return
		}
		g.now = g.next
		g.step(tick{})
	}
}

// wants compares what Home Assistant has with what it should have: "topic key platform unique_id".
func (w *world) wants(want ...string) {
	w.t.Helper()
	var got []string
	for id, unique := range w.ha.ids {
		got = append(got, strings.TrimPrefix(id, "homeassistant/device/gatewayd_shed/")+" "+unique)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("Home Assistant has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, r := range w.ha.refusals {
		w.t.Error(r)
	}
}

// books are described as "key platform unique_id".
func aBook(name string, components ...string) *book {
	b := &book{name: name, Origin: origin{Name: originName}}
	for _, text := range components {
		f := strings.Fields(text)
		b.Components = append(b.Components, component{key: f[0], Platform: f[1], UniqueID: f[2], StateTopic: "gatewayd/shed/" + f[0]})
	}
	return b
}

func TestAnnounce(t *testing.T) {
	tests := []struct {
		name      string
		was, is   []*book
		want      []string
		documents []string // that are left at the broker
	}{
		{"the same", []*book{aBook("", "l01 light u1")}, []*book{aBook("", "l01 light u1")}, []string{"config l01 light u1"}, []string{"config"}},
		{"removed", []*book{aBook("", "l01 light u1", "door binary_sensor u2")}, []*book{aBook("", "l01 light u1")},
			[]string{"config l01 light u1"}, []string{"config"}},
		{"other platform", []*book{aBook("", "l01 switch u1")}, []*book{aBook("", "l01 light u1")}, []string{"config l01 light u1"}, []string{"config"}},
		{"other id", []*book{aBook("", "l01 light u1")}, []*book{aBook("", "l01 light u2")}, []string{"config l01 light u2"}, []string{"config"}},
		{"other key, same id", []*book{aBook("", "l01 light u1")}, []*book{aBook("", "l1 light u1")}, []string{"config l1 light u1"}, []string{"config"}},
		{"two change places", []*book{aBook("", "a light u1", "b light u2")}, []*book{aBook("", "a light u2", "b light u1")},
			[]string{"config a light u2", "config b light u1"}, []string{"config"}},
		{"into an area", []*book{aBook("", "l01 light u1", "x switch u2")}, []*book{aBook("", "x switch u2"), aBook("attic", "l01 light u1")},
			[]string{"config x switch u2", "attic/config l01 light u1"}, []string{"config", "attic/config"}},
		{"area gone", []*book{aBook(""), aBook("attic", "l01 light u1")}, []*book{aBook("", "l01 light u1")},
			[]string{"config l01 light u1"}, []string{"config"}},
		{"discovery off", []*book{aBook("", "l01 light u1"), aBook("attic", "l02 light u2")}, nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			g := w.gateway(tt.was...)
			g.connect()
			g.pass(time.Minute)
			g = w.gateway(tt.is...)
			g.connect()
			g.pass(time.Minute)
			w.wants(tt.want...)
			var documents []string
			for topic, payload := range w.retained {
				if name, ours := strings.CutPrefix(topic, "homeassistant/device/gatewayd_shed/"); ours {
					documents = append(documents, name)
					for _, c := range readFound(payload).components {
						if c.UniqueID == "" {
							t.Errorf("%s still has the removal of %s", topic, c.key)
						}
					}
				}
			}
			slices.Sort(documents)
			slices.Sort(tt.documents)
			if !slices.Equal(documents, tt.documents) {
				t.Errorf("documents %v, want %v", documents, tt.documents)
			}
		})
	}
}

// Whatever is changed between runs, and whenever a run ends or the connection breaks: Home Assistant comes to have just what is
// configured, and never refuses anything.
func TestAnnounceChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		w := newWorld(t)
		var last []*book
		for range 6 {
			last = randomBooks(random)
			g := w.gateway(last...)
			g.connect()
			for range random.IntN(3) {
				g.pass(time.Duration(random.IntN(8000)) * time.Millisecond)
				g.disconnect()
				g.connect()
			}
			g.pass(time.Duration(random.IntN(8000)) * time.Millisecond)
		}
		g := w.gateway(last...)
		g.connect()
		g.pass(time.Minute)
		var want []string
		for _, b := range last {
			topic := "config"
			if b.name != "" {
				topic = b.name + "/config"
			}
			for _, c := range b.Components {
				want = append(want, fmt.Sprintf("%s %s %s %s", topic, c.key, c.Platform, c.UniqueID))
			}
		}
		if w.wants(want...); t.Failed() {
			return
		}
	}
}

func randomBooks(random *rand.Rand) []*book {
	books := []*book{aBook(""), aBook("attic"), aBook("hall")}
	for i, id := range random.Perm(6) {
		if random.IntN(3) == 0 {
			continue
		}
		b := books[random.IntN(3)]
		more := aBook("", fmt.Sprintf("k%d %s u%d", i, []string{"light", "switch"}[random.IntN(2)], id))
		b.Components = append(b.Components, more.Components...)
	}
	return slices.DeleteFunc(books, func(b *book) bool { return b.name != "" && len(b.Components) == 0 })
}

func TestAnnounceBirth(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(aBook("", "l01 light u1"))
	g.connect()
	g.pass(time.Minute)
	for _, tt := range []struct {
		name    string
		m       Inbound
		pending bool
	}{
		{"retained", Inbound{Topic: "homeassistant/status", Payload: []byte("online"), Retained: true}, false},
		{"offline", Inbound{Topic: "homeassistant/status", Payload: []byte("offline")}, false},
		{"birth", Inbound{Topic: "homeassistant/status", Payload: []byte("online")}, true},
	} {
		g.step(tt.m)
		if got := !g.next.IsZero(); got != tt.pending {
			t.Errorf("%s: pending %v", tt.name, got)
		}
	}
	g.pass(900 * time.Millisecond)
	g.step(Inbound{Topic: "homeassistant/status", Payload: []byte("online")}) // once more: does not put it off
	n := 0
	for end := g.now.Add(time.Minute); !g.next.IsZero() && g.next.Before(end); {
		g.now = g.next
		_, send, next := g.state.step(tick{}, g.now)
		for _, m := range send {
			if g.state.topics.discovers(m.Topic) {
				n++
			}
		}
		g.next = next
	}
	if n != 1 {
		t.Errorf("announced %d times", n)
	}
}

// What Home Assistant has cleared stays away until the next run, also over a new connection and a birth; it is told once.
func TestAnnounceCleared(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(aBook("", "l01 light u1"), aBook("attic", "l02 light u2"))
	g.connect()
	g.pass(time.Minute)
	topic := g.state.topics.Discovery("")
	delete(w.retained, topic)
	w.ha.take(topic, nil)
	told, cleared := 0, 0
	for range 2 {
		_, send, _ := g.state.step(Inbound{Topic: topic}, g.now)
		for _, m := range send {
			if m.Topic == "gatewayd/shed/gateway/error" {
				told++
			}
			if m.Topic == topic && m.clears() { // else the outbox has it still, and sends it with the next connection
				cleared++
			}
		}
	}
	if told != 1 || cleared != 1 {
		t.Errorf("told %d times, cleared %d times", told, cleared)
	}
	g.disconnect()
	g.connect()
	g.step(Inbound{Topic: "homeassistant/status", Payload: []byte("online")})
	g.pass(time.Minute)
	w.wants("attic/config l02 light u2")
	g = w.gateway(aBook("", "l01 light u1"), aBook("attic", "l02 light u2"))
	g.connect()
	g.pass(time.Minute)
	w.wants("config l01 light u1", "attic/config l02 light u2")
}

// A flood of documents fills no memory, and what comes when it is over is taken.
func TestQueueNews(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(s)
	for i := range 100 {
		q.put(Inbound{Topic: s.topics.Discovery(fmt.Sprint("x", i)), Payload: make([]byte, MaxPayload), Retained: true})
	}
	size, took := 0, 0
	taken, _ := q.take()
	for _, m := range taken {
		size, took = size+len(m.Payload), took+1
	}
	if size > newsMost || took < newsMost/MaxPayload/2 {
		t.Errorf("%d documents of %d bytes were kept", took, size)
	}
	q.put(Inbound{Topic: s.topics.birth, Payload: []byte("online")})
	if taken, _ := q.take(); len(taken) != 1 {
		t.Errorf("then %d messages, want 1", len(taken))
	}
}

// Home Assistant refuses a trigger of a type and subtype that its device has already, and does not try again: the old one is gone
// before the new one comes, also when two change places.
func TestAnnounceTriggers(t *testing.T) {
	trigger := func(key, subtype string) component {
		return component{key: key, Platform: "device_automation", AutomationType: "trigger", Type: "button_double_press", Subtype: subtype, Topic: "t"}
	}
	for _, tt := range []struct {
		name    string
		was, is []component
	}{
		{"renamed", []component{trigger("bell-double", "Doorbell")}, []component{trigger("front-double", "Doorbell")}},
		{"change places", []component{trigger("a-double", "A"), trigger("b-double", "B")}, []component{trigger("a-double", "B"), trigger("b-double", "A")}},
	} {
		w := newWorld(t)
		was, is := aBook(""), aBook("")
		was.Components, is.Components = tt.was, tt.is
		g := w.gateway(was)
		g.connect()
		g.pass(time.Minute)
		g = w.gateway(is)
		for _, c := range readFound(w.retained[g.state.topics.Discovery("")]).components {
			if c.Type == "" || c.Subtype == "" {
				t.Errorf("%s: of %s the type and subtype are not read", tt.name, c.key)
			}
		}
		g.connect()
		for _, c := range readFound(w.retained[g.state.topics.Discovery("")]).components {
			if c.Type != "" {
				t.Errorf("%s: %s is there at once: %s %s", tt.name, c.key, c.Type, c.Subtype)
			}
		}
		g.pass(time.Minute)
		if got, want := string(w.retained[g.state.topics.Discovery("")]), string(is.document(tt.is)); got != want {
			t.Errorf("%s: got %s, want %s", tt.name, got, want)
		}
	}
}

// A document that others have spoiled makes none that Home Assistant refuses, and nothing that no broker takes.
func TestAnnounceSpoiled(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(aBook("", "l01 light u1"))
	w.retained[g.state.topics.Discovery("")] = []byte(`{"origin":{"name":"gatewayd"},"components":{"x":{},
		"y":{"platform":"light","unique_id":"u9","state_topic":"gatewayd/+/state"}}}`)
	g.connect()
	if got := string(w.retained[g.state.topics.Discovery("")]); strings.Contains(got, `"platform":""`) || !strings.Contains(got, `"y":{"platform":"light"}`) {
		t.Errorf("got %s", got)
	}
	for topic := range w.retained {
		if !validTopic(topic) {
			t.Errorf("published on %s", topic)
		}
	}
	for _, m := range g.sent {
		if !validTopic(m.Topic) {
			t.Errorf("published on %s", m.Topic)
		}
	}
}

// What others have written on our topics is no reason to remove anything, and is written over.
func TestAnnounceForeign(t *testing.T) {
	for _, payload := range []string{"junk", "{}", `{"origin":{"name":"other"},"components":{"l01":{"platform":"switch"}}}`, `{"components":[]}`} {
		w := newWorld(t)
		topic := "homeassistant/device/gatewayd_shed/config"
		w.retained[topic] = []byte(payload)
		g := w.gateway(aBook("", "l01 light u1"))
		g.connect()
		w.wants("config l01 light u1")
		if g.state.announcer.finish != (time.Time{}) {
			t.Errorf("%s: something is removed", payload)
		}
	}
}

// A point's topics go with it; those that are still in use, or another's, stay.
func TestAnnounceGhosts(t *testing.T) {
	w := newWorld(t)
	old := aBook("", "gone switch u1", "l01 light u2")
	old.Components[1].StateTopic = "light/l01"
	old.Components = append(old.Components, component{key: "door", Platform: "binary_sensor", UniqueID: "u3", StateTopic: "gatewayd/shed/door",
		Available: []availability{{Topic: "gatewayd/old/status"}, {Topic: "house/status"}}})
	old.Components = append(old.Components, component{key: "bell", Platform: "button", UniqueID: "u4", CommandTopic: "gatewayd/old/bell/set"})
	for _, topic := range []string{"gatewayd/shed/gone", "light/l01", "gatewayd/shed/door", "gatewayd/old/status", "house/status", "gatewayd/old/gateway/info",
		"gatewayd/old/bell", "gatewayd/shed/gateway/info"} {
		w.retained[topic] = []byte("x")
	}
	g := w.gateway(old)
	w.retained[g.state.topics.Discovery("")] = old.document(old.Components)
	g.state.announcer.books = []*book{aBook("", "door binary_sensor u3")}
	g.connect()
	g.pass(time.Minute)
	for topic, want := range map[string]bool{
		"gatewayd/shed/gone": false, "gatewayd/old/status": false, "gatewayd/old/gateway/info": false, "gatewayd/old/bell": false, "gatewayd/shed/gateway/info": true,
		"light/l01": true, "gatewayd/shed/door": true, "house/status": true,
	} {
		if _, got := w.retained[topic]; got != want {
			t.Errorf("%s is kept: %v", topic, got)
		}
	}
}

// A point may have its topic below another gateway's name: that one's own are its own.
func TestAnnounceLeavesOthers(t *testing.T) {
	w := newWorld(t)
	old := aBook("", "lamp light u1")
	old.Available = []availability{{Topic: "gatewayd/barn/status"}}
	old.Components[0].StateTopic = "gatewayd/kitchen/lamp"
	old.Components[0].Available = []availability{{Topic: "gatewayd/barn/status"}, {Topic: "gatewayd/hut/lamp/availability"}}
	for _, device := range []string{"kitchen", "barn", "hut"} {
		w.retained["gatewayd/"+device+"/gateway/info"] = []byte("x")
		w.retained["gatewayd/"+device+"/gateway/health"] = []byte("x")
	}
	g := w.gateway(aBook("", "lamp light u1"))
	w.retained[g.state.topics.Discovery("")] = old.document(old.Components)
	g.connect()
	g.pass(time.Minute)
	for device, want := range map[string]bool{"kitchen": true, "barn": false, "hut": false} {
		for _, leaf := range []string{"info", "health"} {
			topic := "gatewayd/" + device + "/gateway/" + leaf
			if _, got := w.retained[topic]; got != want {
				t.Errorf("%s is kept: %v", topic, got)
			}
		}
	}
}

// A broker that keeps many documents below our place shows some of them when we are connected already. They are looked at together.
func TestAnnounceLate(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(aBook("", "l01 light u1"), aBook("attic", "l02 light u2"))
	g.connect()
	g.pass(time.Minute)
	old := aBook("", "gone light u9")
	sent := 0
	for i := range 1000 {
		topic := g.state.topics.Discovery(fmt.Sprint("x", i))
		w.retained[topic] = old.document(old.Components)
		_, send, next := g.state.step(Inbound{Topic: topic, Payload: w.retained[topic], Retained: true}, g.now)
		sent, g.next = sent+len(send), next
	}
	if sent > 0 {
		t.Errorf("%d messages while they come", sent)
	}
	g.pass(time.Minute)
	w.wants("config l01 light u1", "attic/config l02 light u2")
	for topic := range w.retained {
		if strings.Contains(topic, "/x") {
			t.Fatalf("%s is still there", topic)
		}
	}
}

// A large gateway comes in several documents, and what is added or removed later moves nothing from one to another.
func TestAnnounceSplit(t *testing.T) {
	const n = 1000
	large := func(from int) *book {
		b := aBook("")
		for i := from; i < n; i++ {
			c := aBook("", fmt.Sprintf("p%d light u%d", i, i)).Components[0]
			c.Name = marshal(strings.Repeat("x", 200))
			b.Components = append(b.Components, c)
		}
		return b
	}
	w := newWorld(t)
	g := w.gateway(large(0))
	g.connect()
	g.pass(time.Minute)
	if len(w.ha.ids) != n {
		t.Fatalf("%d components, want %d", len(w.ha.ids), n)
	}
	documents := 0
	for topic, payload := range w.retained {
		if !g.state.topics.discovers(topic) {
			continue
		}
		if documents++; len(payload) > documentMost {
			t.Errorf("%s: %d bytes", topic, len(payload))
		}
	}
	if documents < 4 {
		t.Errorf("%d documents", documents)
	}
	before := maps.Clone(w.ha.ids)
	g = w.gateway(large(100))
	g.connect()
	g.pass(time.Minute)
	if len(w.ha.ids) != n-100 {
		t.Errorf("%d components, want %d", len(w.ha.ids), n-100)
	}
	for id := range w.ha.ids {
		if before[id] == "" {
			t.Fatalf("%s has moved", id)
		}
	}
	g = w.gateway(aBook("", "p1 light u1"))
	g.connect()
	g.pass(time.Minute)
	w.wants("config p1 light u1")
}

// States that the broker does not keep are told again once Home Assistant listens, and all of them after a document that is new.
func TestAnnounceRestates(t *testing.T) {
	w := newWorld(t)
	states := func(g *gateway) (all []string) {
		for _, m := range g.sent {
			all = append(all, fmt.Sprintf("%s %s %v", m.Topic, m.Payload, m.Retain))
		}
		return all
	}
	for _, tt := range []struct {
		what string
		book *book
		want []string
	}{
		{"new", aBook("", "l01 light u1"), []string{"gatewayd/shed/all_off 1 false", "gatewayd/shed/door ON true"}},
		{"the same", aBook("", "l01 light u1"), []string{"gatewayd/shed/all_off 1 false"}},
		{"other words", aBook("", "l01 light u1", "l02 light u2"), []string{"gatewayd/shed/all_off 1 false", "gatewayd/shed/door ON true"}},
	} {
		g := w.gateway(tt.book)
		g.connect()
		g.pass(time.Second)
		p := player{t: t, state: g.state, origin: g.now}
		g.step(p.input("", []string{"event", "all_off", "on"}, g.now))
		g.step(p.input("", []string{"event", "door", "on"}, g.now))
		g.pass(900 * time.Millisecond)
		g.sent = nil
		g.pass(time.Second)
		got := states(g)
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
}
