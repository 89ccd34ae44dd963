package bridge

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/backlog"
	"gatewayd/internal/clock"
)

func lateReading(sensor, n int) Message {
	topic := fmt.Sprintf("gw/s%d", sensor)
	return Message{Topic: topic, Payload: fmt.Append(nil, n), QoS: 1, Retain: true, State: true,
		Late: &backlog.Message{Topic: topic + "/late", Body: fmt.Sprintf(`"value":%d`, n), At: clock.Now()}}
}

func latePress(n int) Message {
	return Message{Topic: "gw/bell", Payload: fmt.Append(nil, n), QoS: 1,
		Late: &backlog.Message{Topic: "gw/bell/late", Body: fmt.Sprintf(`"value":%d`, n), At: clock.Now()}}
}

// waits gives what waits in a backlog, as topic=value.
func waits(b *backlog.Backlog) (all []string) {
	for n := uint64(0); ; {
		at, topic, payload, ok := b.Next(n)
		if !ok {
			return all
		}
		all, n = append(all, fmt.Sprint(topic, "=", valueOf(payload))), at
	}
}

func valueOf(payload []byte) int {
	var p struct {
		Value int
		Late  bool
	}
	if err := json.Unmarshal(payload, &p); err != nil || !p.Late {
		panic(fmt.Sprintf("%q: %v", payload, err))
	}
	return p.Value
}

// What the outbox cannot tell in time goes to the backlog, each once.
func TestOutboxLate(t *testing.T) {
	t0 := time.Now()
	o := newOutbox()
	o.backlog = backlog.New(backlog.Config{})
	check := func(what string, want ...string) {
		t.Helper()
		got := waits(o.backlog)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
		o.backlog.Done(1 << 62)
	}
	o.put(stateMsg("gw/a", "1"), t0)
	o.put(eventMsg("gw/e", "1"), t0)
	o.put(lateReading(1, 1), t0)
	o.put(lateReading(1, 2), t0)
	o.put(latePress(3), t0)
	check("closed", "gw/s1/late=1", "gw/s1/late=2")
	o.expire(t0.Add(maxAge), false)
	check("an event waits for a while")
	o.put(latePress(4), t0.Add(maxAge))
	o.expire(t0.Add(maxAge+1), false)
	check("and then it is told late", "gw/bell/late=3")
	o.begin(t0.Add(maxAge + 1))
	check("begin")
	if got := drain(o); !slices.Equal(got, []string{"gw/a=1", "gw/s1=2", "online", "gw/bell=4"}) {
		t.Errorf("sent: %q", got)
	}
	o.end([]item{{Message: stateMsg("gw/s1", "2")}})
	check("a state that was told late already and not acknowledged")

	o.begin(t0)
	drain(o)
	for n := range 3 {
		o.put(lateReading(1, 10+n), t0)
		o.put(latePress(20+n), t0)
	}
	var unacked []item
	for range 4 {
		it, _ := o.next()
		unacked = append(unacked, it)
	}
	o.end(append(unacked[1:], item{late: 77, Message: Message{Topic: "gw/s1/late", QoS: 1}}))
	check("one acknowledged, three in flight, two queued", "gw/s1/late=11", "gw/s1/late=12")
	for n := range maxEvents {
		o.put(latePress(100+n), t0)
	}
	check("too many events", "gw/bell/late=20", "gw/bell/late=21", "gw/bell/late=22")
	o.expire(t0, true)
	if got := waits(o.backlog); len(got) != maxEvents || got[0] != "gw/bell/late=100" || got[maxEvents-1] != fmt.Sprint("gw/bell/late=", 99+maxEvents) {
		t.Errorf("at the end: %d wait: %.100q", len(got), got)
	}
	o.backlog.Done(1 << 62)
	if _, dropped, _ := o.counts(); dropped.Expired != 1 || dropped.Overflow != 0 {
		t.Errorf("dropped %+v: want the one event that nobody wants late", dropped)
	}
}

// A queue that overflows while connected loses nothing that is told late.
func TestOutboxLateOverflow(t *testing.T) {
	o := newOutbox()
	o.backlog = backlog.New(backlog.Config{Most: 100000})
	now := time.Now()
	o.begin(now)
	drain(o)
	for n := range 2 * maxQueued {
		o.put(lateReading(n%3, n), now)
		o.put(latePress(n), now)
	}
	seen := map[string]int{}
	last := map[string]int{}
	for _, m := range append(waits(o.backlog), drain(o)...) {
		topic, value, _ := strings.Cut(m, "=")
		topic = strings.TrimSuffix(topic, "/late")
		var n int
		fmt.Sscan(value, &n)
		if n < last[topic] {
			t.Fatalf("%s after %d", m, last[topic])
		}
		last[topic] = n
		seen[fmt.Sprint(topic, n)]++
	}
	if len(seen) != 4*maxQueued {
		t.Errorf("%d of %d are there", len(seen), 4*maxQueued)
	}
}

// wire is a connection that takes whatever is written.
type wire struct {
	net.Conn
	written []byte
}

func (w *wire) Write(p []byte) (int, error)      { w.written = append(w.written, p...); return len(p), nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

type packet struct {
	topic, payload string
	id             uint16
}

// packets takes what was written apart.
func (w *wire) packets() (all []packet) {
	for b := w.written; len(b) > 0; {
		length, n := 0, 1
		for shift := 0; ; shift += 7 {
			length |= int(b[n]&0x7f) << shift
			n++
			if b[n-1] < 0x80 {
				break
			}
		}
		body := b[n : n+length]
		topic := int(binary.BigEndian.Uint16(body))
		all = append(all, packet{string(body[2 : 2+topic]), string(body[4+topic:]), binary.BigEndian.Uint16(body[2+topic:])})
		b = b[n+length:]
	}
	w.written = nil
	return all
}

// house that is measured in, with a broker that comes and goes, and a gateway that is stopped, and killed.
type weather struct {
	t       *testing.T
	rnd     *rand.Rand
	dir     string
	file    string
	runs    int
	b       *backlog.Backlog
	end     func() // stops the backlog and waits for it
	s       *Session
	p       *peer // nil: no connection
	wire    *wire
	under   []packet // written, and not yet at the broker
	unacked []packet // at the broker

	next    int
	all     map[int]bool    // what was measured and must arrive
	arrived map[int]bool    // live or late
	lateAt  map[int]int     // how often it arrived late
	handed  map[int]bool    // was in the backlog
	settled map[int]bool    // was acknowledged, and is not to come late any more
	crashed bool            // since the last late one arrived
	seen    map[string]bool // topic and value
	latest  map[string]int  // the highest that has arrived on each topic
	again   int
	lost    int
}

func (w *weather) start() {
	w.b = backlog.New(backlog.Config{File: w.file, Boot: "one"})
	if n, _ := w.b.Counts(); n == 0 {
		w.crashed = false
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func(b *backlog.Backlog) { b.Run(ctx); close(done) }(w.b)
	w.end = func() { cancel(); <-done }
	w.s = NewSession(SessionConfig{Broker: "tcp://127.0.0.1:1", ClientID: "x", Status: testStatus, Backlog: w.b}, nil, func(Link) {}, slog.New(slog.DiscardHandler))
}

func (w *weather) measure() {
	w.all[w.next] = true
	if w.rnd.IntN(4) == 0 {
		w.s.Publish(latePress(w.next))
	} else {
		w.s.Publish(lateReading(w.rnd.IntN(3), w.next))
		w.handed[w.next] = w.p == nil
	}
	w.next++
}

func (w *weather) connect() {
	f := newFlight()
	w.wire = &wire{}
	w.p = &peer{conn: newConn(w.wire, w.wire, time.Second, f.ack, new(atomic.Uint64)), flight: f}
	w.s.out.begin(time.Now())
}

// work lets the session write, and the broker take some of it.
func (w *weather) work() {
	if err := w.s.work(w.p, time.Now()); err == errNoAck {
		w.lose()
		return
	} else if err != nil {
		w.t.Fatal(err)
	}
	if err := w.p.flush(); err != nil {
		w.t.Fatal(err)
	}
	w.under = append(w.under, w.wire.packets()...)
	w.arrive(w.rnd.IntN(len(w.under) + 1))
	w.acknowledge(w.rnd.IntN(len(w.unacked) + 1))
}

// arrive has the broker take the next n.
func (w *weather) arrive(n int) {
	for _, a := range w.under[:n] {
		w.unacked = append(w.unacked, a)
		v, late := -1, strings.HasSuffix(a.topic, "/late")
		switch {
		case a.topic == testStatus.Topic:
			continue
		case late:
			v = valueOf([]byte(a.payload))
			if w.settled[v] && !w.crashed {
				w.t.Fatalf("%d comes late, and was acknowledged", v)
			}
			if w.lateAt[v]++; w.lateAt[v] > 1 {
				w.again++
			}
		default:
			fmt.Sscan(a.payload, &v)
		}
		w.arrived[v] = true
		here := fmt.Sprint(a.topic, v)
		if w.seen[here] {
			continue // it was not acknowledged then
		}
		w.seen[here] = true
		if v < w.latest[a.topic] {
			w.t.Fatalf("%s: %d after %d", a.topic, v, w.latest[a.topic])
		}
		w.latest[a.topic] = v
	}
	w.under = w.under[n:]
}

func (w *weather) acknowledge(n int) {
	for _, a := range w.unacked[:n] {
		w.p.flight.ack(a.id)
		var v int
		switch {
		case a.topic == testStatus.Topic:
		case strings.HasSuffix(a.topic, "/late"):
			w.settled[valueOf([]byte(a.payload))] = true
		default:
			fmt.Sscan(a.payload, &v)
			w.settled[v] = w.settled[v] || !w.handed[v] // a state is told again with each connection, also when it is told late
		}
	}
	w.unacked = w.unacked[n:]
}

// lose ends the connection: the broker has some of what was written.
func (w *weather) lose() {
	w.arrive(w.rnd.IntN(len(w.under) + 1))
	w.s.lateDone(w.p)
	w.s.out.end(w.p.flight.unacked())
	w.hand()
	w.p, w.under, w.unacked = nil, nil, nil
}

// hand notes what waits in the backlog, and gives it.
func (w *weather) hand() (all []int) {
	for _, m := range waits(w.b) {
		_, value, _ := strings.Cut(m, "=")
		var v int
		fmt.Sscan(value, &v)
		w.handed[v] = true
		all = append(all, v)
	}
	return all
}

// stop ends the gateway as a restart does.
func (w *weather) stop() {
	if w.p != nil {
		w.lose()
	}
	w.s.out.expire(time.Now(), true)
	w.end()
}

// crash ends it without a word: what has waited in the backlog for more than 0.1 s is in the file.
func (w *weather) crash() {
	sure := map[int]bool{}
	if w.rnd.IntN(3) > 0 {
		time.Sleep(300 * time.Millisecond)
		for _, v := range w.hand() {
			sure[v] = true
		}
	}
	data, err := os.ReadFile(w.file)
	w.end()
	w.runs++
	w.file = filepath.Join(w.dir, fmt.Sprint("backlog", w.runs))
	if err == nil {
		if err := os.WriteFile(w.file, data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	for v := range w.all {
		if !w.arrived[v] && !sure[v] {
			delete(w.all, v)
			w.lost++
		}
	}
	w.p, w.under, w.unacked, w.crashed = nil, nil, nil, true
}

// Over random outages, stops and crashes all that was measured arrives, live or late, in the order of each topic; what was acknowledged
// does not come again but after a crash.
func TestLateWeather(t *testing.T) {
	seeds := 36
	if testing.Short() {
		seeds = 10
	}
	var measured, late, again, lost int
	for seed := range seeds {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			w := &weather{t: t, rnd: rand.New(rand.NewPCG(uint64(seed), 1)), dir: dir, file: filepath.Join(dir, "backlog"),
				all: map[int]bool{}, arrived: map[int]bool{}, lateAt: map[int]int{}, handed: map[int]bool{}, settled: map[int]bool{}, latest: map[string]int{}, seen: map[string]bool{}}
			undo := clock.Use(clock.Source{
				Slept:        func() (time.Duration, bool) { return 0, true },
				Boot:         func() time.Duration { return time.Hour },
				Synchronised: func() bool { return true },
			})
			defer undo()
			w.start()
			defer func() { w.end() }()
			for range 600 {
				switch r := w.rnd.IntN(100); {
				case r < 40:
					w.measure()
				case r < 50:
					time.Sleep(time.Duration(w.rnd.IntN(4000)) * time.Millisecond)
					if w.p == nil {
						w.s.out.expire(time.Now(), false)
					}
				case r < 52 && seed%3 > 0:
					w.stop()
					w.start()
				case r < 54 && seed%3 > 1:
					w.crash()
					w.start()
				case r < 60 && w.p != nil:
					w.lose()
				case r < 70 && w.p == nil:
					w.connect()
				case w.p != nil:
					w.work()
				}
			}
			for n := 1; n > 0; n, _ = w.b.Counts() {
				if w.p == nil {
					w.connect()
				}
				for range 20 {
					if w.work(); w.p != nil {
						w.arrive(len(w.under))
						w.acknowledge(len(w.unacked))
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
			w.stop()
			var missing []int
			for v := range w.all {
				if !w.arrived[v] {
					missing = append(missing, v)
				}
			}
			if slices.Sort(missing); len(missing) > 0 {
				t.Fatalf("seed %d: of %d measured, %d never arrived: %v", seed, w.next, len(missing), missing)
			}
			if _, err := os.Stat(w.file); err == nil {
				t.Errorf("seed %d: all is sent, and there still is a file", seed)
			}
			measured, late, again, lost = measured+w.next, late+len(w.lateAt), again+w.again, lost+w.lost
		})
	}
	t.Logf("%d measured, %d of them arrived late, %d more than once, %d were lost by a crash", measured, late, again, lost)
	if late < measured/10 {
		t.Error("hardly anything was late: this test shows nothing")
	}
}
