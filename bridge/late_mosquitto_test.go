package bridge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/backlog"
	"gatewayd/internal/clock"
	"gatewayd/internal/mqtttest"
)

// lateRun is a session with a backlog in a file.
type lateRun struct {
	*sessionRun
	b   *backlog.Backlog
	end func() // stops both in order, as the program does
}

func startLate(t *testing.T, addr, file string) *lateRun {
	t.Helper()
	r := &lateRun{b: backlog.New(backlog.Config{File: file, Most: 20000})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { r.b.Run(ctx); close(done) }()
	r.sessionRun = startSession(t, SessionConfig{Broker: "tcp://" + addr, Backlog: r.b, AckTimeout: time.Second})
	r.end = func() {
		r.stop()
		cancel()
		<-done
	}
	t.Cleanup(r.end)
	return r
}

// Over outages of the connection and restarts of the gateway each reading arrives, live or late, in the order of each topic; what is
// late has a topic of its own, with the time when it was.
func TestLateMosquitto(t *testing.T) {
	right := clock.System
	right.Synchronised = func() bool { return true }
	defer clock.Use(right)()
	m := mqtttest.StartMosquitto(t, nil)
	proxy := mqtttest.StartProxy(t, m.Addr())
	w := observe(t, m.Addr())
	file := filepath.Join(t.TempDir(), "backlog")
	begin := time.Now()
	r := startLate(t, proxy.Addr(), file)
	n := 0
	measure := func(most int) {
		for range rand.IntN(most) {
			r.Publish(lateReading(n%3, n))
			n++
			time.Sleep(time.Millisecond)
		}
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		measure(100)
		proxy.Frozen.Store(round%3 == 1) // noticed only when nothing is acknowledged
		proxy.Closed.Store(true)
		if round%3 != 1 {
			proxy.Kill()
		}
		measure(200)
		if round%4 == 3 {
			r.end()
			r = startLate(t, proxy.Addr(), file)
			measure(100)
		}
		proxy.Kill()
		proxy.Frozen.Store(false)
		proxy.Closed.Store(false)
	}
	arrived, late, again, last := map[int]bool{}, map[int]bool{}, 0, map[string]int{}
	for limit := time.After(30 * time.Second); ; {
		if waiting, _ := r.b.Counts(); waiting == 0 && len(arrived) == n {
			break
		}
		select {
		case message := <-w.seen:
			topic, payload, _ := strings.Cut(strings.TrimSuffix(message, "!"), "=")
			var v int
			var at time.Time
			switch {
			case strings.HasSuffix(topic, "/late"):
				v, at = valueOf([]byte(payload)), atOf(t, payload)
				if at.Before(begin.Add(-time.Millisecond)) || at.After(time.Now()) {
					t.Fatalf("%s: is no time of this test", message)
				}
				switch {
				case late[v]: // it was not acknowledged
					again++
				case v < last[topic]:
					t.Errorf("%s: %d after %d", topic, v, last[topic])
				default:
					late[v], last[topic] = true, v
				}
			case strings.HasPrefix(topic, "gw/s") && topic != testStatus.Topic:
				fmt.Sscan(payload, &v)
			default:
				continue
			}
			if topic = strings.TrimSuffix(topic, "/late"); topic != fmt.Sprintf("gw/s%d", v%3) {
				t.Fatalf("%s: on a wrong topic", message)
			}
			arrived[v] = true
		case <-time.After(10 * time.Millisecond):
		case <-limit:
			t.Fatalf("%d of %d have arrived; %+v", len(arrived), n, r.Stats())
		}
	}
	r.end()
	if _, dropped := r.b.Counts(); dropped > 0 {
		t.Errorf("%d dropped", dropped)
	}
	t.Logf("%d measured over %d outages, %d of them late, %d twice", n, rounds, len(late), again)
}

func atOf(t *testing.T, payload string) time.Time {
	t.Helper()
	_, rest, _ := strings.Cut(payload, `"at":"`)
	text, _, _ := strings.Cut(rest, `"`)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return at
}

// What is live does not wait for what is late.
func TestLateDoesNotStarve(t *testing.T) {
	m := mqtttest.StartMosquitto(t, nil)
	proxy := mqtttest.StartProxy(t, m.Addr())
	w := observe(t, m.Addr())
	r := startLate(t, proxy.Addr(), "") // which a file would slow down
	r.await(t, true)
	const many = 10000
	// live gives how long each of some events takes, and how many late ones come meanwhile.
	live := func(what string, until func(late int) bool) (took []time.Duration, late int) {
		limit := time.After(60 * time.Second)
		for i := 0; !until(late); i++ {
			want := fmt.Sprintf("gw/event=%s %d", what, i)
			begin := time.Now()
			r.Publish(Message{Topic: "gw/event", Payload: fmt.Appendf(nil, "%s %d", what, i), QoS: 1})
			for arrived := false; !arrived; {
				select {
				case got := <-w.seen:
					if arrived = got == want; !arrived && strings.Contains(got, "/late=") {
						late++
					}
				case <-limit:
					t.Fatalf("%s: not complete, %d late, %+v", what, late, r.Stats())
				}
			}
			took = append(took, time.Since(begin))
			time.Sleep(2 * time.Millisecond)
		}
		slices.Sort(took)
		return took, late
	}
	n := 0
	idle, _ := live("idle", func(int) bool { n++; return n > 300 })

	proxy.Closed.Store(true)
	proxy.Kill()
	r.await(t, false)
	for n := range many {
		r.Publish(lateReading(n%3, n))
	}
	if waiting, _ := r.b.Counts(); waiting != many {
		t.Fatalf("%d wait, want %d", waiting, many)
	}
	proxy.Closed.Store(false)
	r.await(t, true)
	begin := time.Now()
	busy, _ := live("busy", func(late int) bool { return late >= many })
	took := time.Since(begin)
	quick, slow := idle[len(idle)/2], busy[len(busy)/2]
	t.Logf("%d late in %v (%.0f/s); an event takes %v meanwhile, %v otherwise (medians of %d and %d): %.1f times; the 99th of 100: %v, %v", many,
		took.Round(time.Millisecond), many/took.Seconds(), slow, quick, len(busy), len(idle), float64(slow)/float64(quick),
		busy[len(busy)*99/100], idle[len(idle)*99/100])
	if len(busy) < 20 || slow > took/20 || slow > max(50*quick, 20*time.Millisecond) {
		t.Errorf("%d events while %d late ones came in %v, half of them in %v or more: they wait for those", len(busy), many, took, slow)
	}
}
