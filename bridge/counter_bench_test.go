//go:build unix

package bridge

import (
	"context"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// BenchmarkCounter compares what an edge costs, from its chip to the messages, as an ordinary input and where it is counted.
func BenchmarkCounter(bm *testing.B) {
	for _, counts := range []gpio.Count{gpio.CountNone, gpio.CountBoth} {
		bm.Run(map[gpio.Count]string{gpio.CountNone: "input", gpio.CountBoth: "counter"}[counts], func(bm *testing.B) {
			cfg := &Config{Device: "shed"}
			if counts == gpio.CountNone {
				cfg.Inputs = []Input{{Name: "line"}}
			} else {
				cfg.Counters = []Counter{{Name: "line", PerUnit: 1, Every: time.Second, Total: &sensors.Quantity{Name: "count"}}}
			}
			b, err := New(cfg, Parts{Set: func(string, bool) {}, Publish: func(Message) {}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				bm.Fatal(err)
			}
			sim := gpio.NewSim(4)
			bank := gpio.NewBank(gpio.BankConfig{Chip: "c", Open: sim.Open, Lines: []gpio.LineConfig{{Name: "line", Offset: 1, Count: counts}}}, b.Events())
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 2)
			go func() { done <- bank.Run(ctx) }()
			go func() { done <- b.Run(ctx) }()
			time.Sleep(100 * time.Millisecond)
			bm.ResetTimer()
			began := processorTime(bm)
			for i := range bm.N {
				sim.Drive(1, i%2 == 0)
				if i%100 == 99 {
					time.Sleep(time.Millisecond) // as fast as edges come, and no faster
				}
			}
			time.Sleep(200 * time.Millisecond)
			bm.ReportMetric(float64(processorTime(bm)-began)/float64(bm.N), "cpu-ns/edge")
			bm.StopTimer()
			cancel()
			<-done
			<-done
		})
	}
}

func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
