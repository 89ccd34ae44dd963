//go:build unix

package bridge

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var torture = flag.Int("torture", 0, "how many times TestTorture breaks the broker; 0: once in each way at each place")

// Ways to break a broker.
var breakages = []string{"killed", "frozen", "half-open", "dropped", "slow", "password", "access list"}

// TestTorture breaks a real broker in each way at each place of a session's life. Within 5 s of its return every state and the status are
// right there, no event is lost, and at the end nothing is left behind.
func TestTorture(t *testing.T) {
	type turn struct{ how, place string }
	var turns []turn
	for _, how := range breakages {
		for _, place := range moments {
			if how == "access list" && !slices.Contains([]string{"TCP", "CONNECT", "SUBSCRIBE"}, place) {
				continue // mosquitto acknowledges what it forbids: what is told then is lost, and nothing tells
			}
			turns = append(turns, turn{how, place})
		}
	}
	each := len(turns)
	for len(turns) < *torture {
		turns = append(turns, turns[:each]...)
	}
	if *torture > 0 {
		turns = turns[:*torture]
	}
	rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })

	const ranches = 12
	base, files := runtime.NumGoroutine(), descriptors(t)
	var next, connects atomic.Int64
	var mu sync.Mutex // guards the following
	longest, sum, count := map[string]time.Duration{}, map[string]time.Duration{}, map[string]int{}
	var heap [2]uint64
	var all sync.WaitGroup
	for range ranches {
		r := newRanch(t)
		all.Go(func() {
			defer func() {
				r.end()
				connects.Add(int64(r.connects))
			}()
			for !t.Failed() {
				i := int(next.Add(1)) - 1
				if i >= len(turns) {
					break
				}
				took := r.suffer(turns[i].how, turns[i].place)
				mu.Lock()
				key := turns[i].how
				longest[key], sum[key], count[key] = max(longest[key], took), sum[key]+took, count[key]+1
				if i == len(turns)/5 || i == len(turns)-1 {
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					heap[min(i/(len(turns)/5+1), 1)] = m.HeapAlloc
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, how := range breakages {
		if count[how] > 0 {
			t.Logf("%-12s %4d times, right again after %5d ms at most, %4d ms on average", how, count[how], longest[how].Milliseconds(), (sum[how] / time.Duration(count[how])).Milliseconds())
		}
	}
	settled(t, base)
	now := descriptors(t)
	if now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	t.Logf("%d connections; goroutines %d, %d before; descriptors %d, %d before; heap %d KiB, %d after a fifth of it",
		connects.Load(), runtime.NumGoroutine(), base, now, files, heap[1]>>10, heap[0]>>10)
	if *torture > 500 && heap[1] > heap[0]+4<<20 {
		t.Errorf("the heap grew from %d to %d", heap[0], heap[1])
	}
}
