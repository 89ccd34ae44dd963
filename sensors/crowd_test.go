package sensors

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is one bus with many parts, on which each transfer takes its time and waits for the others.
type wire struct {
	noSpeed
	turn  chan struct{} // capacity 1
	parts map[uint16]*bmxChip
	byte  time.Duration // that one byte takes
	dead  uint16        // this part holds the bus for
	hold  time.Duration
	busy  time.Duration
	count int
}

func (w *wire) Tx(addr uint16, out, in []byte) error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	took := w.byte * time.Duration(len(out)+len(in)+1+min(len(in), 1))
	if addr == w.dead {
		took = w.hold
	}
	time.Sleep(took)
	w.busy += took
	w.count++
	if addr == w.dead {
		return errNobody
	}
	w.parts[addr].raw[0] ^= 1 // a real part is never as still as that
	return w.parts[addr].Tx(addr, out, in)
}

// crowd starts 64 pollers of BME280s on a wire, at once, and gives their samples after a time.
func crowd(t testing.TB, w *wire, every, lasts time.Duration) map[string][]Sample {
	const n = 64
	samples := make(chan Sample, n)
	all := map[string][]Sample{}
	ctx, cancel := context.WithCancel(t.Context())
	var pollers sync.WaitGroup
	defer pollers.Wait()
	defer cancel()
	for i := range n {
		w.parts[uint16(0x08+i)] = newBMxChip(bmeChipID)
	}
	for i := range n {
		addr := uint16(0x08 + i)
		p := NewPoller(PollerConfig{Name: fmt.Sprint("part", i), Driver: Lookup("bme280"), Options: Options{Bus: w, Addr: addr}, Every: every}, samples)
		pollers.Go(func() { p.Run(ctx) })
	}
	for end := time.After(lasts); ; {
		select {
		case s := <-samples:
			all[s.Sensor] = append(all[s.Sensor], s)
		case <-end:
			return all
		}
	}
}

// 64 parts on one bus of 100 kHz, measured each second: all on time, and one that holds the bus at each transfer delays the others by
// no more than that.
func TestCrowd(t *testing.T) {
	const byteTime = 90 * time.Microsecond // 9 bits at 100 kHz
	for _, hold := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(hold.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{turn: make(chan struct{}, 1), parts: map[uint16]*bmxChip{}, byte: byteTime, hold: hold}
				if hold > 0 {
					w.dead = 0x08
				}
				const lasts = time.Minute
				all := crowd(t, w, time.Second, lasts)
				t.Logf("%d transfers, the bus is busy for %.0f %% of the time", w.count, 100*w.busy.Seconds()/lasts.Seconds())
				var late []time.Duration
				for name, samples := range all {
					if hold > 0 && name == "part0" {
						continue
					}
					if len(samples) < 58 {
						t.Errorf("%s: %d samples in a minute", name, len(samples))
					}
					for i, s := range samples {
						if s.Err != nil {
							t.Fatal(s.Err)
						}
						if i > 1 { // the first opens the part
							late = append(late, s.At.Sub(samples[1].At)-time.Duration(i-1)*time.Second)
						}
					}
				}
				slices.Sort(late)
				t.Logf("drift: %v to %v", late[0], late[len(late)-1])
				// Those that share a moment wait for each other, and for the one that holds the bus.
				if most := 150*time.Millisecond + hold; late[len(late)-1] > most || late[0] < -most {
					t.Errorf("a measurement came %v to %v late, want %v at most", late[0], late[len(late)-1], most)
				}
			})
		})
	}
}

// What 64 parts cost, on a bus that takes no time.
func BenchmarkCrowd(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := &wire{turn: make(chan struct{}, 1), parts: map[uint16]*bmxChip{}}
	readings := 0
	for b.Loop() {
		for name, samples := range crowd(b, w, time.Second, 10*time.Second) {
			readings += len(samples)
			if strings.HasPrefix(name, "part") && samples[0].Err != nil {
				b.Fatal(samples[0].Err)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(readings)/float64(b.N), "readings/op")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/64/1024, "KiB/part")
}
