package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/mqtttest"
)

// largeReload gives a configuration of 2000 points on simulated chips, half of them outputs, each switched by a button of its own; in
// the second version some are others.
func largeReload(broker string, second bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "device: shed\nmqtt: {broker: \"tcp://%s\"}\nchips:\n", broker)
	const chips, each = 20, 50
	for c := range chips {
		fmt.Fprintf(&b, "  - {name: c%d, type: gpiochip, label: k%d}\n", c, c)
	}
	b.WriteString("inputs:\n")
	for n := range chips * each {
		label := "Button"
		if second && n%100 == 7 {
			label = "Bell"
		}
		fmt.Fprintf(&b, "  - {name: i%d, chip: c%d, line: %d, label: %s %d, gestures: none, debounce: 0}\n", n, n/each, n%each, label, n)
	}
	b.WriteString("outputs:\n")
	for n := range chips * each {
		name := fmt.Sprint("o", n)
		if second && n%100 == 13 {
			name = fmt.Sprint("p", n)
		}
		fmt.Fprintf(&b, "  - {name: %s, chip: c%d, line: %d}\n", name, n/each, each+n%each)
	}
	b.WriteString("rules:\n")
	for n := range chips * each {
		if n%100 != 13 {
			fmt.Fprintf(&b, "  - {when: i%d, do: toggle, output: o%d}\n", n, n)
		}
	}
	return b.String()
}

// BenchmarkReload reloads 2000 points, of which 20 have another name or label each time, from the file to the loop that has changed
// over, while somebody presses a button again and again: what a reload adds to that is how long the loop stands.
func BenchmarkReload(b *testing.B) {
	broker := mqtttest.StartEmbedded(b, "")
	bench := &bench{sims: map[string]*gpio.Sim{}, wraps: map[string]func(gpio.Chip) gpio.Chip{}}
	for c := range 20 {
		bench.sims[fmt.Sprint("k", c)] = gpio.NewSim(gpio.MaxLines)
	}
	var files [2]string
	for i := range files {
		files[i] = filepath.Join(b.TempDir(), fmt.Sprint("c", i, ".yaml"))
		if err := os.WriteFile(files[i], []byte(largeReload(broker.Addr(), i == 1)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg, _, err := config.Load(files[0])
	if err != nil {
		b.Fatal(err)
	}
	g, err := newGateway(cfg, bench, slog.New(slog.DiscardHandler), manner{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	defer func() { cancel(); <-done }()
	await(b, 30*time.Second, "all is told", func() bool {
		_, there := broker.Topics.Retained.Get("gatewayd/shed/o999")
		s := g.session.Stats()
		return there && s.Queued+s.InFlight == 0
	})

	// The button, and its light.
	pi := bench.sims["k0"]
	switched := make(chan struct{}, 1)
	pi.OnOutput(func(offset uint32, _ bool) {
		if offset == 50 {
			switched <- struct{}{}
		}
	})
	var slowest, stop atomic.Int64
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		for stop.Load() == 0 {
			began := time.Now()
			pi.Drive(0, true)
			<-switched
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
			pi.Drive(0, false)
			time.Sleep(200 * time.Microsecond)
		}
	}()
	time.Sleep(time.Second)
	b.ReportMetric(float64(slowest.Swap(0))/1e6, "ms-press-before")
	var parse time.Duration
	i := 0
	for b.Loop() {
		i++
		began := time.Now()
		cfg, _, err := config.Load(files[i%2])
		if err != nil {
			b.Fatal(err)
		}
		parse += time.Since(began)
		if _, err := g.reload(ctx, cfg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(parse.Microseconds())/1e3/float64(i), "ms-parse")
	b.ReportMetric(float64(slowest.Load())/1e6, "ms-press")
	stop.Store(1)
	<-pressed
}
