package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// Counters count while a gateway goes through reloads that rename them, change what is made of their pulses, and add and remove others
// beside them: each pulse counts once.
func TestReloadCounts(t *testing.T) {
	const counting = `
home_assistant: {discovery: false}
chips:
  - {name: more, type: gpiochip, label: k1}
inputs:
  - {name: door, line: GPIO5}
  - {name: window, chip: more, line: 1}
counters:
  - {name: house, id: m1, line: GPIO17, type: meter, measures: energy, per_unit: 1000, every: 1s}
  - {name: both, id: m2, line: GPIO18, edges: both}
  - {name: tap, id: m3, chip: more, line: 3, type: meter, measures: water, per_unit: 10}
encoders:
  - {name: knob, a: GPIO20, b: GPIO21}
outputs:
  - {name: lamp, line: GPIO22}
`
	changes := [][]string{
		{"name: house,", "name: main,"}, {"name: both,", "name: all,"}, {"name: tap,", "name: water,"}, {"per_unit: 1000", "per_unit: 800"}, {"every: 1s", "every: 5s"},
		{"  - {name: door, line: GPIO5}\n", ""}, {"GPIO5}", "GPIO6}"}, {", chip: more, line: 1", ", line: GPIO9"}, {"type: meter, measures: water, per_unit: 10", "type: counter"},
		{"name: lamp, line: GPIO22", "name: lamp, line: GPIO23"}, {"name: knob, a: GPIO20", "name: dial, a: GPIO20"},
		{"encoders:\n  - {name: knob, a: GPIO20, b: GPIO21}\n", ""}, {"edges: both}", "edges: both, topic: t/both, retain: false}"},
	}
	reloads := 100
	if testing.Short() {
		reloads = 20
	}
	b := newBench(t)
	m := newMemory("", configured(t, "127.0.0.1:1", counting), "a", slog.New(slog.DiscardHandler))
	a := newAlive(t, b, counting, manner{memory: m})
	made := map[string]uint64{}
	stop := make(chan struct{})
	var driving sync.WaitGroup
	driving.Go(func() {
		high := [3]bool{}
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(400)) * time.Microsecond):
			}
			n := rand.IntN(3)
			sim, line := b.sims["header"], uint32(17+n)
			if n == 2 {
				sim, line = b.sims["k1"], 3
			}
			for range rand.IntN(50) {
				if high[n] = !high[n]; n == 1 || high[n] {
					made[fmt.Sprint("m", n+1)]++
				}
				sim.Drive(line, high[n])
			}
		}
	})
	text := counting
	for range reloads {
		next := counting
		for range 1 + rand.IntN(4) {
			change := changes[rand.IntN(len(changes))]
			next = strings.Replace(next, change[0], change[1], 1)
		}
		if next != text {
			a.reload(next)
		}
		text = next
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	}
	close(stop)
	driving.Wait()
	for id, want := range made {
		await(t, 5*time.Second, fmt.Sprintf("%s has counted %d", id, want), func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			if got := m.totals.now[id]; got > want {
				t.Fatalf("%s has counted %d, of %d", id, got, want)
			}
			return m.totals.now[id] == want
		})
	}
	t.Logf("%d reloads, %v pulses", reloads, made)
}
