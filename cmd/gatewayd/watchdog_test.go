package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/clock"
)

// gate lets everybody through, until it is shut; then nobody.
type gate struct{ shut atomic.Pointer[chan struct{}] }

func (g *gate) pass() {
	if wait := g.shut.Load(); wait != nil {
		<-*wait
	}
}

// close shuts it, and gives what opens it.
func (g *gate) close() (open func()) {
	wait := make(chan struct{})
	g.shut.Store(&wait)
	return func() { g.shut.Store(nil); close(wait) }
}

// TestWatchdog has one part after the other stand: those that nothing else can replace starve the watchdog, until they go on; what a
// bad chip, disk or broker holds up does not.
func TestWatchdog(t *testing.T) {
	const every = 10 * time.Second
	var loop, sender, chip, disk gate
	var slept atomic.Int64
	hangs := func(g *gate) func() func() { return func() func() { return g.close() } }
	for _, test := range []struct {
		name  string
		fault func() (undo func())
		part  string // that is named; empty: nothing starves it
		after time.Duration
	}{
		{"nothing", func() func() { return func() {} }, "", 0},
		{"loop", hangs(&loop), "the loop", loopStale},
		{"session", hangs(&sender), "the session with the broker", 2*time.Hour + sessionStale}, // it says each hour why there is no broker
		{"loop after a sleep", func() func() {
			slept.Add(int64(24 * time.Hour))
			time.Sleep(2 * time.Second)
			return loop.close()
		}, "the loop", loopStale},
		{"chip", hangs(&chip), "", 0},
		{"disk", hangs(&disk), "", 0},
		{"sleep", func() func() { slept.Add(int64(24 * time.Hour)); return func() {} }, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer clock.Use(clock.Source{
					Boot:         func() time.Duration { return 0 },
					Slept:        func() (time.Duration, bool) { return time.Duration(slept.Load()), true },
					Synchronised: func() bool { return true },
				})()
				log, out := logged()
				g, w := &gateway{}, &wiring{lines: map[string]*gpio.Bank{}}
				g.wiring.Store(w)
				g.memory = newMemory(filepath.Join(t.TempDir(), "state"), parsed(t, rememberConfig), "a", log)
				g.memory.save = func(string, []byte) error { disk.pass(); return nil }
				var err error
				g.bridge, err = bridge.New(&bridge.Config{Device: "shed", Outputs: []bridge.Output{{Name: "near", Restore: true}}}, bridge.Parts{
					Set:     g.set,
					Publish: func(bridge.Message) { loop.pass() },
					Keep:    g.memory.keep,
					Log:     slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				// Nobody listens on port 1: the session tells so, waits and tries again, in the bubble's time.
				g.session = bridge.NewSession(bridge.SessionConfig{Broker: "tcp://127.0.0.1:1"}, nil, func(bridge.Link) {}, slog.New(&passing{gate: &sender}))
				line := gpio.LineConfig{Name: "near", Offset: 0, Output: true}
				b := gpio.NewBank(gpio.BankConfig{Chip: "relays", Lines: []gpio.LineConfig{line},
					Open: func() (gpio.Chip, error) { return &slow{gpio.NewSim(4), &chip}, nil }}, g.bridge.Events())
				w.chips, w.lines["near"] = append(w.chips, &wiredChip{bank: b}), b

				var mu sync.Mutex // guards fed
				var fed []time.Time
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				for _, run := range []func(context.Context) error{g.bridge.Run, g.watchBanks, b.Run, g.session.Run, g.memory.run} {
					wg.Go(func() { run(ctx) })
				}
				wg.Go(func() {
					feed(ctx, every, g.stuck, func() { mu.Lock(); fed = append(fed, time.Now()); mu.Unlock() }, log)
				})
				meals := func(d time.Duration) int {
					mu.Lock()
					fed = nil
					mu.Unlock()
					time.Sleep(d)
					synctest.Wait()
					mu.Lock()
					defer mu.Unlock()
					return len(fed)
				}
				if got := meals(time.Minute + time.Second); got != 6 {
					t.Errorf("fed %d times in a minute, want 6", got)
				}
				undo := test.fault()
				b.Set("near", true) // something to read, write and keep
				g.bridge.Complain("something to publish")
				meals(test.after + every)
				got := meals(10 * time.Minute)
				if want := map[bool]int{true: 60}[test.part == ""]; got != want {
					t.Errorf("fed %d times in ten minutes, want %d", got, want)
				}
				if said := out.String(); test.part != "" && strings.Count(said, "part: "+test.part) != 1 || test.part == "" && strings.Contains(said, "watchdog") {
					t.Errorf("logged:\n%s", said)
				}
				undo()
				meals(2 * time.Minute)
				if got := meals(time.Minute); got != 6 {
					t.Errorf("fed %d times in the minute afterwards, want 6", got)
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// slow is a chip whose readings wait.
type slow struct {
	gpio.Chip
	gate *gate
}

func (c *slow) Read(mask gpio.Lines) (gpio.Levels, error) {
	c.gate.pass()
	return c.Chip.Read(mask)
}

// passing is a log that waits: whoever writes to it stands.
type passing struct {
	slog.Handler
	gate *gate
}

func (p *passing) Enabled(context.Context, slog.Level) bool { p.gate.pass(); return false }
