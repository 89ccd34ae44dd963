//go:build unix

package bridge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// complete waits until the broker has all that was told last, and gives how long that took, and whether the broker denied it for a while
// without a word: mosquitto does, to a client that connects while it reads its files. All is told again each minute then.
func (r *ranch) complete(begin time.Time) (took time.Duration, denied bool) {
	r.mu.Lock()
	want := maps.Clone(r.told)
	r.mu.Unlock()
	want[testStatus.Topic] = testStatus.Online
	var wrong []string
	for !r.t.Failed() {
		got := retainedAt(r.m.Addr())
		wrong = wrong[:0]
		for topic, payload := range want {
			if got[topic] != payload {
				wrong = append(wrong, fmt.Sprintf("%s=%q, want %q", topic, got[topic], payload))
			}
		}
		if len(wrong) == 0 {
			break
		}
		limit := 3 * back
		if denied = denied || r.session.Stats().Unheard; denied {
			limit = 90 * time.Second
		}
		if time.Since(begin) > limit {
			r.t.Errorf("wrong at the broker: %s; %+v", strings.Join(wrong, ", "), r.session.Stats())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin), denied
}

// retainedAt gives what a broker has retained.
func retainedAt(addr string) map[string]string {
	got := map[string]string{}
	c := looking(addr)
	if c == nil {
		return got
	}
	defer c.Disconnect(50)
	seen := make(chan mqtt.Message, 1000)
	end := fmt.Sprint("end/", rand.Int64())
	c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { seen <- m })
	c.Publish(end, 1, false, "x")
	for limit := time.After(2 * time.Second); ; {
		select {
		case m := <-seen:
			if m.Topic() == end {
				return got
			}
			got[m.Topic()] = string(m.Payload())
		case <-limit:
			return got
		}
	}
}

// lost looks that each event has been acknowledged, or counted as dropped, and that they were said in order. What a broker did not take
// at the end is lost.
func (r *ranch) lost(st Stats, stopped bool) {
	if r.t.Failed() {
		return // it has not been waited for
	}
	dropped := st.Dropped.Expired + st.Dropped.Overflow - r.dropped // those that waited for more than 10 s
	r.dropped += dropped
	r.gate.set(func() {
		missing := 0
		for i := 1; i <= r.events && !stopped; i++ {
			if r.gate.acked[fmt.Sprint(i)] == 0 {
				missing++
			}
		}
		if missing > int(dropped) {
			r.t.Errorf("%d of %d events were never acknowledged, and %d dropped", missing, r.events, dropped)
		}
		for i := 1; i < len(r.gate.order); i++ {
			var a, b int
			fmt.Sscan(r.gate.order[i-1], &a)
			fmt.Sscan(r.gate.order[i], &b)
			if b < a {
				r.t.Errorf("event %d after %d", b, a)
			}
		}
		clear(r.gate.said)
		clear(r.gate.acked)
		r.gate.order = r.gate.order[:0]
		r.mu.Lock()
		r.events = 0
		r.mu.Unlock()
	})
}
