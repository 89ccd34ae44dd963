//go:build unix

package bridge

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/mqtttest"
)

var week = flag.Float64("week", 0, "the part of a compressed week that TestWeek lives through: 1 takes half an hour; 0: a thousandth")

// A week: what a busy house sees in far more than that.
const (
	weekEdges      = 10_000_000
	weekMessages   = 1_000_000 // that the broker has acknowledged, at least
	weekReconnects = 10_000
	weekReloads    = 1_000
)

const (
	weekButtons = 8 // on lines 0 to 7, each with a light on lines 8 to 15
	weekBurst   = 50
)

// weekHouse is a chip, its bank, the loop, the session, and a real broker behind a proxy that cuts connections.
type weekHouse struct {
	sim     *gpio.Sim
	bank    *gpio.Bank
	bridge  *Bridge
	session *Session
	proxy   *mqtttest.Proxy
	pressed [weekButtons]atomic.Uint64 // edges that were told
	lost    atomic.Uint64
	read    atomic.Int64             // lines that were told without an edge
	lights  [weekButtons]atomic.Bool // what the chip drives
}

func weekConfig(reloads int) (*Config, []gpio.LineConfig) {
	c := &Config{Device: "week", HomeAssistant: HomeAssistant{Discovery: true, Prefix: "homeassistant"}}
	var lines []gpio.LineConfig
	for i := range weekButtons {
		in, out := fmt.Sprintf("b%d", i), fmt.Sprintf("l%d", i)
		c.Inputs = append(c.Inputs, Input{Name: in, Channel: Channel{Retain: true, QoS: 1}})
		c.Outputs = append(c.Outputs, Output{Name: out, Channel: Channel{Retain: true, QoS: 1}})
		c.Rules = append(c.Rules, Rule{When: in, Is: Pressed, Do: VerbToggle, Outputs: []string{out}})
		lines = append(lines, gpio.LineConfig{Name: in, Offset: uint32(i)}, gpio.LineConfig{Name: out, Offset: uint32(weekButtons + i), Output: true})
	}
	// A further point, which comes, goes, and has another name each time.
	if reloads%2 == 1 {
		name := fmt.Sprintf("x%d", reloads%7)
		c.Outputs = append(c.Outputs, Output{Name: name, Channel: Channel{Retain: true, QoS: 1}})
		lines = append(lines, gpio.LineConfig{Name: name, Offset: 2 * weekButtons, Output: true})
	}
	return c, lines
}

// at is what the process holds at one time, when nothing is on its way.
type at struct {
	heap        uint64
	goroutines  int
	descriptors int
}

// TestWeek lives through a compressed week: edges as fast as they can be told, rules, messages, connections that are cut, reloads. Nothing
// is lost, what was so at the end is so everywhere, and nothing grows.
func TestWeek(t *testing.T) {
	part := *week
	if part == 0 {
		part = 1.0 / 1000
	}
	n := func(whole int) int { return max(1, int(part*float64(whole))) }
	m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
		return fmt.Sprintf("log_type error\nlistener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", port)
	})
	h := &weekHouse{sim: gpio.NewSim(3 * weekButtons), proxy: mqtttest.StartProxy(t, m.Addr())}
	cfg, lines := weekConfig(0)
	h.sim.OnOutput(func(line uint32, high bool) {
		if line -= weekButtons; line < weekButtons {
			h.lights[line].Store(high)
		}
	})
	var err error
	log := slog.New(slog.DiscardHandler)
	if h.bridge, err = New(cfg, Parts{
		Set:     func(line string, active bool) { h.bank.Set(line, active) },
		Publish: func(m Message) { h.session.Publish(m) },
		Drop:    func(topics ...string) { h.session.Drop(topics...) },
		Log:     log,
	}); err != nil {
		t.Fatal(err)
	}
	events := make(chan gpio.Event, factsMost)
	h.bank = gpio.NewBank(gpio.BankConfig{Chip: "sim", Lines: lines, Open: h.sim.Open}, events)
	forward := func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case e := <-events:
				h.bridge.Events() <- e
				if e.Edge {
					h.pressed[e.Line[1]-'0'].Add(1)
				} else if e.Line != "" {
					h.read.Add(1)
				}
				h.lost.Add(uint64(e.Lost))
			}
		}
	}
	sessionOf := func(c *Config) SessionConfig {
		topics := NewTopics(c)
		return SessionConfig{Broker: "tcp://" + h.proxy.Addr(), ClientID: "gatewayd-week", Status: topics.StatusOf(c.Status),
			Subscriptions: append(topics.Subscriptions(c), topics.Announcements(c)...), RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond}
	}
	h.session = NewSession(sessionOf(cfg), h.bridge.Receive, h.bridge.Link, log)
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{forward, h.bank.Run, h.session.Run, h.bridge.Run} {
		parts.Go(func() { run(ctx) })
	}
	defer parts.Wait()
	defer cancel()

	until := func(what string, so func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatalf("not %s: %+v", what, h.session.Stats())
			}
		}
	}
	online := func() bool { return h.session.Stats().Connected }
	until("online", online)
	until("all read for the first time", func() bool { return h.read.Load() == 2*weekButtons })

	var edges, reloads int
	var look []at
	reconnects := func() int { return int(h.session.Stats().Connects) - 1 }
	// One hand for all buttons: a burst is told before the next, so that the chip's memory of 1024 edges does not overflow.
	press := func(times int) {
		for range times {
			for i := range uint32(weekButtons) {
				h.sim.Press(i)
				h.sim.Release(i)
			}
			edges += 2 * weekButtons
		}
		for i := range weekButtons {
			until(fmt.Sprintf("%d edges told", edges), func() bool { return h.pressed[i].Load() == uint64(edges/weekButtons) })
		}
	}
	reload := func() {
		reloads++
		cfg, lines := weekConfig(reloads)
		if err := h.bridge.Reload(ctx, Next{Config: cfg, Swap: func() {
			h.bank.Change(lines, nil)
			h.session.Change(sessionOf(cfg))
		}}); err != nil {
			t.Fatal(err)
		}
	}
	rest := func() {
		until("online", online)
		until("all sent", func() bool { s := h.session.Stats(); return s.Queued == 0 && s.InFlight == 0 })
		runtime.GC()
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		look = append(look, at{mem.HeapAlloc, runtime.NumGoroutine(), descriptors(t)})
	}
	const looks = 40
	var cut uint64 // the messages that were acknowledged when the connection was cut last
	began := time.Now()
	for i := 1; i <= looks; i++ {
		due := func(whole int) int { return n(whole) * i / looks }
		for edges < due(weekEdges) || reconnects() < due(weekReconnects) || reloads < due(weekReloads) || int(h.session.Stats().Sent) < due(weekMessages) {
			s := h.session.Stats()
			switch {
			case edges < due(weekEdges):
				press(weekBurst)
			case s.Queued == 0: // more messages, or more of them for the next connection
				press(1)
			default:
				time.Sleep(50 * time.Microsecond)
			}
			if reloads < due(weekReloads) {
				reload()
			}
			if s.Connected && reconnects() < due(weekReconnects) && s.Sent >= cut+weekMessages/weekReconnects {
				cut = s.Sent // each connection gets its share of the messages
				h.proxy.Kill()
			}
		}
		rest()
	}
	took := time.Since(began)

	// The whole chain is as the last edges have left it: each light was toggled by each press.
	press(weekBurst)
	rest()
	for i := range weekButtons {
		want := edges/weekButtons/2%2 == 1
		until(fmt.Sprintf("light %d driven %v", i, want), func() bool { return h.lights[i].Load() == want })
	}
	s := h.session.Stats()
	if n := h.lost.Load(); s.Dropped.Invalid+s.Dropped.Overflow > 0 || n > 0 {
		t.Errorf("dropped %+v, lost %d edges", s.Dropped, n)
	}
	t.Logf("%d edges, %d messages acknowledged (%d states gave way to newer ones), %d reconnects, %d reloads in %v", edges, s.Sent, s.Superseded, reconnects(), reloads, took.Round(time.Second))

	// Nothing grows: the last quarter against the second.
	median := func(from, to int, of func(at) int) int {
		var all []int
		for _, a := range look[from:to] {
			all = append(all, of(a))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for _, c := range []struct {
		what  string
		of    func(at) int
		slack int
	}{
		{"heap, KiB", func(a at) int { return int(a.heap >> 10) }, 256},
		{"goroutines", func(a at) int { return a.goroutines }, 2},
		{"descriptors", func(a at) int { return a.descriptors }, 2},
	} {
		early, late := median(looks/4, looks/2, c.of), median(3*looks/4, looks, c.of)
		t.Logf("%-12s %6d in the second quarter, %6d in the last", c.what, early, late)
		if late > early+early/10+c.slack {
			t.Errorf("%s grew from %d to %d", c.what, early, late)
		}
	}
}
