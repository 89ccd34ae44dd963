package bridge

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// drain takes everything that waits; the mark for the birth message is "online".
func drain(o *outbox) []string {
	var got []string
	for {
		it, ok := o.next()
		switch {
		case !ok:
			return got
		case it.online:
			got = append(got, "online")
		default:
			got = append(got, it.Topic+"="+string(it.Payload))
		}
	}
}

func TestOutbox(t *testing.T) {
	t0 := time.Now()
	o := newOutbox()
	put := func(at time.Duration, m Message) { o.put(m, t0.Add(at)) }
	check := func(step string, want ...string) {
		t.Helper()
		if got := drain(o); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
	put(0, eventMsg("bell", "old"))
	put(5*time.Second, eventMsg("bell", "new"))
	put(0, stateMsg("a", "1"))
	put(0, stateMsg("b", "1"))
	put(0, stateMsg("a", "2"))
	check("closed: events are not for the taking", "bell=old", "bell=new")

	put(0, eventMsg("bell", "old"))
	put(5*time.Second, eventMsg("bell", "new"))
	o.begin(t0.Add(11 * time.Second))
	put(11*time.Second, stateMsg("a", "3")) // behind the older value
	check("begin", "a=2", "b=1", "online", "bell=new", "a=3")
	if _, dropped, superseded := o.counts(); dropped.Expired != 1 || superseded != 1 {
		t.Errorf("dropped %+v, superseded %d", dropped, superseded)
	}

	put(12*time.Second, stateMsg("b", "2"))
	put(12*time.Second, eventMsg("bell", "queued"))
	unacked := []item{{Message: eventMsg("bell", "unacked"), at: t0.Add(12 * time.Second)}, {Message: stateMsg("a", "3")},
		{Message: Message{Topic: "bell", Payload: []byte("qos0")}, at: t0.Add(12 * time.Second)}}
	o.end(unacked)
	o.begin(t0.Add(13 * time.Second))
	check("after a loss", "a=3", "b=2", "online", "bell=unacked", "bell=queued")

	for _, topic := range []string{"", "a/+", "a/#", "a\x00", "\xff"} {
		if o.put(stateMsg(topic, "x"), t0) {
			t.Errorf("topic %q is taken", topic)
		}
	}
	check("invalid topics")
}

// A topic that was cleared is cleared once: by the next connection it may be somebody else's. What no broker has acknowledged is
// cleared again.
func TestOutboxCleared(t *testing.T) {
	now := time.Now()
	gone := func(topic string) Message { return Message{Topic: topic, QoS: 1, Retain: true, State: true} }
	o := newOutbox()
	o.begin(now)
	drain(o)
	for _, m := range []Message{stateMsg("a", "1"), gone("acknowledged"), stateMsg("b", "1"), gone("in flight"), gone("back"), stateMsg("back", "2")} {
		o.put(m, now)
	}
	drain(o)
	o.put(gone("queued"), now)
	o.end([]item{{Message: gone("in flight")}, {Message: gone("back")}})
	o.put(gone("later"), now)
	o.begin(now)
	if got, want := drain(o), []string{"a=1", "b=1", "in flight=", "back=2", "queued=", "later=", "online"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	o.put(stateMsg("b", "2"), now)
	o.end(nil)
	o.put(stateMsg("a", "2"), now)
	o.begin(now)
	if got, want := drain(o), []string{"a=2", "b=2", "back=2", "online"}; !slices.Equal(got, want) {
		t.Errorf("then got %q, want %q", got, want)
	}
}

func TestOutboxOverflow(t *testing.T) {
	now := time.Now()
	o := newOutbox()
	o.begin(now)
	for i := range 20_000 {
		o.put(stateMsg(fmt.Sprint("s", i%10), fmt.Sprint(i)), now)
		if i%4 == 0 {
			o.put(eventMsg("e", fmt.Sprint(i)), now)
		}
	}
	if n, _, _ := o.counts(); n > maxQueued {
		t.Errorf("%d wait, want at most %d", n, maxQueued)
	}
	last, events := map[string]int{}, 0
	taken := drain(o)
	for _, s := range taken {
		var topic string
		var v int
		if _, err := fmt.Sscanf(s, "s%1s=%d", &topic, &v); err == nil {
			if v < last[topic] {
				t.Fatalf("%s after %d", s, last[topic])
			}
			last[topic] = v
		} else if s != "online" {
			events++
		}
	}
	if taken[0] != "online" {
		t.Errorf("the mark is lost: the first is %q", taken[0])
	}
	for topic, v := range last {
		if v < 19_990 {
			t.Errorf("the latest of %s is lost: %d", topic, v)
		}
	}
	_, dropped, superseded := o.counts()
	if got := events + int(dropped.Overflow); got != 5000 {
		t.Errorf("%d events came and %d were dropped: together %d, want 5000", events, dropped.Overflow, got)
	}
	if got := len(taken) - 1 - events + int(superseded); got != 20_000 {
		t.Errorf("states that came or gave way: %d, want 20000", got)
	}

	o.end(nil)
	for i := range 1000 {
		o.put(eventMsg("e", fmt.Sprint(i)), now)
	}
	if n, _, _ := o.counts(); n != maxEvents {
		t.Errorf("closed: %d events wait, want %d", n, maxEvents)
	}
	if it, _ := o.next(); string(it.Payload) != fmt.Sprint(1000-maxEvents) {
		t.Errorf("the oldest event is %s: the newest ones must be kept", it.Payload)
	}
}

func TestOutboxManyTopics(t *testing.T) {
	now := time.Now()
	o := newOutbox()
	for i := range 10_000 { // more topics than the ring is long
		o.put(stateMsg(fmt.Sprint("s", i), "0"), now)
	}
	o.begin(now)
	for i := range 10_000 {
		o.put(stateMsg(fmt.Sprint("s", i), "1"), now)
	}
	if n := len(drain(o)); n != 20_001 {
		t.Errorf("%d came, want all", n)
	}
}

func TestOutboxWakes(t *testing.T) {
	o := newOutbox()
	o.begin(time.Now())
	drain(o)
	o.put(eventMsg("e", "1"), time.Now())
	select {
	case <-o.wake:
	default:
		t.Error("nobody is woken")
	}
	o.put(eventMsg("e", "2"), time.Now())
	select {
	case <-o.wake:
		t.Error("woken twice")
	default:
	}
}

func TestFlight(t *testing.T) {
	f := newFlight()
	now := time.Now()
	ids := make([]uint16, 0, 70_000)
	for i := range 70_000 { // past the last identifier
		id := f.add(item{Message: eventMsg("e", fmt.Sprint(i))}, now)
		if id < firstID {
			t.Fatalf("identifier %d belongs to the client", id)
		}
		ids = append(ids, id)
		if i >= 3 {
			f.ack(ids[i-3])
		}
	}
	if n, acked := f.counts(); n != 3 || acked != 69_997 {
		t.Errorf("%d in flight, %d acknowledged", n, acked)
	}
	f.ack(ids[0]) // long gone
	f.ack(ids[69_999])
	if got := f.unacked(); len(got) != 2 || string(got[0].Payload) != "69997" {
		t.Errorf("unacked %v", got)
	}
	if f.free(0) || !f.overdue(now.Add(time.Second)) || f.overdue(now) {
		t.Error("free or overdue")
	}
	f.ack(ids[69_997])
	select {
	case <-f.room:
		t.Error("room too early")
	default:
	}
	f.ack(ids[69_998])
	select {
	case <-f.room:
	default:
		t.Error("no room is told")
	}
	if _, acked := f.counts(); !f.free(0) || acked != 70_000 {
		t.Errorf("%d acknowledged", acked)
	}
}

func TestBackoff(t *testing.T) {
	now := time.Now()
	b := backoff{low: time.Second, high: time.Minute}
	check := func(what string, want time.Duration) {
		t.Helper()
		got := b.next(now)
		if got < want/2 || got > want+1 {
			t.Errorf("%s: got %v, want from %v to %v", what, got, want/2, want)
		}
		now = now.Add(got)
	}
	begin := now
	for i, want := range []float64{0.25, 1, 2, 4} {
		check(fmt.Sprintf("wait %d", i), time.Duration(want*float64(time.Second)))
	}
	for now.Sub(begin) < shortOutage {
		check(fmt.Sprintf("after %v", now.Sub(begin)), shortWait)
	}
	for _, want := range []time.Duration{4, 8, 16, 32, 60, 60} {
		check(fmt.Sprintf("after %v", now.Sub(begin)), want*time.Second)
	}
	now = now.Add(10 * 365 * 24 * time.Hour)
	check("after years", time.Minute)

	// The broker comes back, and is restarted again 10 s later, and again.
	for range 3 {
		up := now
		now = now.Add(10 * time.Second)
		b.lost(up, now)
		check("after another restart", shortWait)
	}
	now = now.Add(2 * shortOutage)
	check("away for long again", time.Minute)

	up := now
	now = now.Add(stable)
	b.lost(up, now)
	check("after a stable connection", 250*time.Millisecond)
}

// TestBackoffAfterShortOutages has brokers away for a while, of any length up to five minutes, two times: the next attempt is
// never far.
func TestBackoffAfterShortOutages(t *testing.T) {
	for away := time.Second; away < shortOutage; away += 7 * time.Second {
		b := backoff{low: time.Second, high: time.Minute}
		now := time.Now()
		for range 2 {
			end := now.Add(away)
			for !now.After(end) {
				now = now.Add(b.next(now))
			}
			if late := now.Sub(end); late > shortWait+time.Millisecond {
				t.Errorf("away for %v: back only after %v more", away, late)
			}
			up := now
			now = now.Add(2 * time.Second)
			b.lost(up, now)
		}
	}
}

func TestRivalry(t *testing.T) {
	t0 := time.Now()
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	var r rivalry
	for i, s := range []struct {
		up, down float64
		want     bool
	}{{0, 1, false}, {2, 3, false}, {4, 30, false}, {31, 32, false}, {33, 34, false}, {35, 36, true}, {56, 57, true}, {100, 101, true}, {120, 200, false}, {201, 202, false}} {
		if r.lost(at(s.up), at(s.down)); r.suspected != s.want {
			t.Errorf("%d: got %v, want %v", i, r.suspected, s.want)
		}
	}
	r = rivalry{}
	for i := range 10 { // seldom enough to be anything
		if r.lost(at(float64(40*i)), at(float64(40*i+1))); r.suspected {
			t.Error("a loss every 40 s is no rival")
		}
	}
}

func TestNoticeAndHealing(t *testing.T) {
	var n notice
	t0 := time.Now()
	if !n.again("down", "a", t0) || n.again("down", "a", t0.Add(time.Minute)) || !n.again("down", "b", t0) || !n.again("down", "b", t0.Add(2*time.Hour)) {
		t.Error("again")
	}
	for i := range 1000 {
		n.first(fmt.Sprint(i))
	}
	if len(n.said) > maxNotices {
		t.Errorf("%d kept", len(n.said))
	}
	var h healing
	count := 0
	for s := range 600 {
		if h.due(t0.Add(time.Duration(s) * time.Second)) {
			count++
		}
	}
	if count < 5 || count > 20 {
		t.Errorf("healed %d times in ten minutes", count)
	}
}
