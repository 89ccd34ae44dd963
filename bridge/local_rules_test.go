package bridge

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/mqtttest"
)

// switching is a gateway's loop with its session; how long a button needs to switch its relay is measured.
type switching struct {
	bridge  *Bridge
	session *Session
	sets    chan time.Time
	on      bool
	took    []time.Duration
}

func newSwitching(t *testing.T, broker string) *switching {
	w := &switching{sets: make(chan time.Time, 1)}
	quiet := slog.New(slog.DiscardHandler)
	b, err := New(house(), Parts{
		Set: func(line string, _ bool) {
			if line == "l01" {
				w.sets <- time.Now()
			}
		},
		Publish: func(m Message) { w.session.Publish(m) }, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.bridge = b
	w.session = NewSession(SessionConfig{Broker: "tcp://" + broker, ClientID: "gatewayd-test", Status: testStatus}, b.Receive, b.Link, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { b.Run(ctx) })
	all.Go(func() { w.session.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	b.Events() <- gpio.Event{Line: "l01"}
	return w
}

// press measures from the edge to the relay's wish, which is confirmed then.
func (w *switching) press(t *testing.T) {
	begin := time.Now()
	w.bridge.Events() <- gpio.Event{Line: "l01_button", Active: true, Edge: true, At: begin}
	select {
	case at := <-w.sets:
		w.took = append(w.took, at.Sub(begin))
	case <-time.After(10 * time.Second):
		t.Fatal("a button does not switch")
	}
	w.on = !w.on
	w.bridge.Events() <- gpio.Event{Line: "l01", Active: w.on, At: time.Now()}
	w.bridge.Events() <- gpio.Event{Line: "l01_button", Edge: true, At: time.Now()}
}

// TestLocalRulesDoNotWait compares a gateway whose broker hangs in the middle of all with one that has none.
func TestLocalRulesDoNotWait(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	way := mqtttest.StartProxy(t, b.Addr())
	without, hung := newSwitching(t, "127.0.0.1:1"), newSwitching(t, way.Addr())
	for end := time.Now().Add(10 * time.Second); !hung.session.Stats().Connected; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not connected")
		}
	}
	way.Frozen.Store(true)
	for end := time.Now().Add(10 * time.Second); hung.session.Stats().InFlight < inFlight; time.Sleep(time.Millisecond) {
		hung.session.Publish(eventMsg("gw/e", "1"))
		if time.Now().After(end) {
			t.Fatal("the broker does not hang")
		}
	}
	for range 40 {
		for _, w := range []*switching{without, hung} { // in turns, so that both meet the same machine
			for range 25 {
				w.press(t)
			}
		}
	}
	median := func(w *switching) time.Duration {
		slices.Sort(w.took)
		return w.took[len(w.took)/2]
	}
	m, n := median(hung), median(without)
	t.Logf("from edge to wish: %v while the broker hangs, %v without one, ratio %.2f; of a hundred 99 within %v and %v",
		m, n, float64(m)/float64(n), hung.took[len(hung.took)*99/100], without.took[len(without.took)*99/100])
	if m > 3*n+time.Millisecond {
		t.Errorf("a button takes %v while the broker hangs, and %v without one", m, n)
	}
}
