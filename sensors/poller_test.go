package sensors

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// part is a sensor whose behaviour a test writes down.
type part struct {
	opened, closed, measured int
	inside                   int // calls under way
	open                     func(n int) error
	measure                  func(ctx context.Context, n int) ([]Reading, error)
}

var good = []Reading{temperature.is(21), humidity.is(50)}

func (p *part) driver() *Driver {
	return &Driver{Name: "part", Measures: []Quantity{temperature, humidity}, Open: func(Options) (Sensor, error) {
		p.opened++
		if p.open != nil {
			if err := p.open(p.opened); err != nil {
				return nil, err
			}
		}
		return p, nil
	}}
}

func (p *part) Measure(ctx context.Context) ([]Reading, error) {
	p.measured++
	if p.inside++; p.inside > 1 {
		panic("two measurements at once")
	}
	defer func() { p.inside-- }()
	if p.measure == nil {
		return good, nil
	}
	return p.measure(ctx, p.measured)
}

func (p *part) Close() error { p.closed++; return nil }

// poll runs a Poller for d and gives its samples, with the log's lines.
func poll(t *testing.T, cfg PollerConfig, d time.Duration) (samples []Sample, log string, err error) {
	t.Helper()
	var buf bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&buf, nil))
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	ch := make(chan Sample)
	end := make(chan error)
	go func() { end <- NewPoller(cfg, ch).Run(ctx) }()
	for {
		select {
		case s := <-ch:
			samples = append(samples, s)
		case err = <-end:
			return samples, buf.String(), err
		}
	}
}

func TestPollerGrid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{measure: func(ctx context.Context, n int) ([]Reading, error) {
			time.Sleep(time.Duration(n) * 100 * time.Millisecond) // must not add up
			return good, nil
		}}
		start := time.Now()
		samples, log, err := poll(t, PollerConfig{Name: "attic", Driver: p.driver(), Every: 10 * time.Second}, 95*time.Second)
		if err != nil || len(samples) != 10 || log != "" {
			t.Fatalf("got %d samples, error %v, log %q", len(samples), err, log)
		}
		first := samples[0].At.Sub(start) - 100*time.Millisecond
		if first < 0 || first >= time.Second {
			t.Errorf("the first measurement began after %v", first)
		}
		for i, s := range samples {
			want := first + time.Duration(i)*10*time.Second + time.Duration(i+1)*100*time.Millisecond
			if got := s.At.Sub(start); got != want || s.Sensor != "attic" || s.Err != nil || !slices.Equal(s.Readings, good) {
				t.Errorf("sample %d at %v, want %v: %+v", i, got, want, s)
			}
		}
		if p.opened != 1 || p.closed != 1 {
			t.Errorf("opened %d times, closed %d times", p.opened, p.closed)
		}
	})
}

func TestPollerSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for _, name := range []string{"attic", "cellar", "garden", "attic"} {
		for _, every := range []time.Duration{200 * time.Millisecond, time.Hour} {
			d := NewPoller(PollerConfig{Name: name, Driver: new(Driver), Every: every}, nil).spread()
			if d < 0 || d >= min(every, time.Second) {
				t.Errorf("%s every %v: %v", name, every, d)
			}
			seen[d] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("got %v: not the same at each start, or the same for all", seen)
	}
}

// A measurement that is longer than the interval leaves out what it has missed.
func TestPollerNeverOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{measure: func(context.Context, int) ([]Reading, error) {
			time.Sleep(2500 * time.Millisecond)
			return good, nil
		}}
		cfg := PollerConfig{Name: "a", Driver: p.driver(), Every: time.Second, Timeout: 3 * time.Second}
		samples, _, err := poll(t, cfg, 30*time.Second)
		if err != nil || len(samples) != 9 && len(samples) != 10 {
			t.Fatalf("got %d samples, error %v", len(samples), err)
		}
		for i := 1; i < len(samples); i++ {
			if d := samples[i].At.Sub(samples[i-1].At); d != 3*time.Second {
				t.Errorf("sample %d after %v", i, d)
			}
		}
	})
}

func TestPollerRetriesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{measure: func(_ context.Context, n int) ([]Reading, error) {
			if n == 2 {
				return nil, errNobody
			}
			return good, nil
		}}
		samples, log, _ := poll(t, PollerConfig{Name: "a", Driver: p.driver(), Every: 10 * time.Second}, 25*time.Second)
		if len(samples) != 3 || samples[1].Err != nil || p.opened != 1 || p.measured != 4 || log != "" {
			t.Errorf("%d samples, opened %d, measured %d, log %q", len(samples), p.opened, p.measured, log)
		}
	})
}

func TestPollerOpensAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		gone := func() bool { d := time.Since(begin); return d > 15*time.Second && d < 10*time.Minute }
		fail := func() error {
			if gone() {
				return errNobody
			}
			return nil
		}
		p := &part{open: func(int) error { return fail() }}
		p.measure = func(context.Context, int) ([]Reading, error) { return good, fail() }
		samples, log, _ := poll(t, PollerConfig{Name: "attic", Driver: p.driver(), Every: 10 * time.Second, Misses: 1}, 15*time.Minute)
		var failed []Sample
		for _, s := range samples {
			if s.Err != nil {
				failed = append(failed, s)
			}
		}
		want := []time.Duration{1, 2, 4, 8, 16, 32, 48, 48}
		if len(failed) < 14 || len(failed) > 20 {
			t.Fatalf("%d failures in ten minutes", len(failed))
		}
		for i, w := range want {
			if d := failed[i+1].At.Sub(failed[i].At); d < w*time.Second || d > w*time.Second*5/4 {
				t.Errorf("wait %d: %v, want %ds and up to a quarter more", i, d, w)
			}
		}
		for _, s := range failed {
			if !errors.Is(s.Err, errNobody) || s.Readings != nil || s.Err.Error() != `sensor "attic" (part): nobody answers` {
				t.Errorf("got %+v", s)
			}
		}
		// Each try while it is gone is one Open; back, it is on the grid again.
		if p.opened != 1+len(failed)-1+1 || p.closed != 2 {
			t.Errorf("opened %d times, closed %d times, %d failures", p.opened, p.closed, len(failed))
		}
		n := len(samples)
		if d := samples[n-1].At.Sub(samples[0].At); d%(10*time.Second) != 0 {
			t.Errorf("the last sample is %v after the first", d)
		}
		if got := strings.Count(log, "\n"); got != 2 || !strings.Contains(log, "works again") {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestPollerWrongReadings(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		readings   []Reading
	}{
		{"none", "no reading of temperature", nil},
		{"one missing", "no reading of humidity", good[:1]},
		{"twice", "two readings of temperature", []Reading{good[0], good[0], good[1]}},
		{"unknown", `"colour"`, []Reading{good[0], good[1], {Quantity: "colour", Value: 1}}},
		{"NaN", "humidity is no number", []Reading{good[0], humidity.is(math.NaN())}},
		{"infinite", "temperature is no number", []Reading{temperature.is(math.Inf(-1)), good[1]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &part{measure: func(context.Context, int) ([]Reading, error) { return tt.readings, nil }}
				samples, _, _ := poll(t, PollerConfig{Name: "a", Driver: p.driver()}, 1500*time.Millisecond)
				if len(samples) == 0 || samples[0].Err == nil || !strings.Contains(samples[0].Err.Error(), tt.want) || samples[0].Readings != nil {
					t.Fatalf("got %+v, want %q", samples, tt.want)
				}
				if p.closed != p.opened {
					t.Errorf("opened %d, closed %d", p.opened, p.closed)
				}
			})
		})
	}
}

// A driver that heeds its context is late, not stuck.
func TestPollerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{measure: func(ctx context.Context, n int) ([]Reading, error) {
			if n == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return good, nil
		}}
		begin := time.Now()
		samples, _, err := poll(t, PollerConfig{Name: "a", Driver: p.driver()}, 10*time.Second)
		if err != nil || len(samples) != 2 || p.closed != 2 {
			t.Fatalf("got %+v, %v, closed %d", samples, err, p.closed)
		}
		if s := samples[0]; s.Err == nil || !strings.Contains(s.Err.Error(), "no measurement within 5s") || s.At.Sub(begin) > 6*time.Second {
			t.Errorf("got %v after %v", s.Err, s.At.Sub(begin))
		}
		if samples[1].Err != nil {
			t.Error(samples[1].Err)
		}
	})
}

// A driver that hangs: one helper, told at each time that is due, and taken up again when it comes back.
func TestPollerStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &part{measure: func(_ context.Context, n int) ([]Reading, error) {
			if n == 2 {
				time.Sleep(55 * time.Second)
			}
			return good, nil
		}}
		samples, log, err := poll(t, PollerConfig{Name: "a", Driver: p.driver(), Every: 10 * time.Second}, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		stuck := 0
		for i, s := range samples {
			if s.Err == nil {
				continue
			}
			stuck++
			if i < 1 || i > 6 || !strings.Contains(s.Err.Error(), "stuck") {
				t.Errorf("sample %d: %v", i, s.Err)
			}
		}
		if stuck != 6 || len(samples) != 12 {
			t.Errorf("%d of %d samples say stuck", stuck, len(samples))
		}
		if p.opened != 2 || p.closed != 2 || strings.Count(log, "\n") != 2 {
			t.Errorf("opened %d, closed %d, log:\n%s", p.opened, p.closed, log)
		}
	})
}

// The end does not wait for a driver that hangs, nor for one that nobody listens to.
func TestPollerEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &part{measure: func(context.Context, int) ([]Reading, error) { <-release; return good, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		end := make(chan error)
		go func() { end <- NewPoller(PollerConfig{Name: "a", Driver: p.driver()}, make(chan Sample)).Run(ctx) }()
		time.Sleep(2 * time.Second)
		cancel()
		begin := time.Now()
		if err := <-end; err == nil || !strings.Contains(err.Error(), "left behind") || time.Since(begin) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		close(release)
		synctest.Wait()
		if p.closed != 1 {
			t.Errorf("closed %d times", p.closed)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := &part{}
		ctx, cancel := context.WithCancel(t.Context())
		end := make(chan error)
		go func() { end <- NewPoller(PollerConfig{Name: "a", Driver: p.driver()}, make(chan Sample)).Run(ctx) }()
		time.Sleep(time.Minute) // blocked in the first send
		cancel()
		if err := <-end; err != nil || p.measured != 1 || p.closed != 1 {
			t.Errorf("got %v, measured %d, closed %d", err, p.measured, p.closed)
		}
	})
}

// Soon measures at once, and changes nothing of the times that follow; also between two attempts to open a device.
func TestPollerSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, broken := range []bool{false, true} {
			p := &part{}
			if broken {
				p.open = func(int) error { return errors.New("not there") }
			}
			ch := make(chan Sample)
			poller := NewPoller(PollerConfig{Name: "attic", Driver: p.driver(), Every: time.Hour}, ch)
			ctx, cancel := context.WithCancel(t.Context())
			end := make(chan error)
			go func() { end <- poller.Run(ctx) }()
			start := (<-ch).At
			at := func(want time.Duration) {
				t.Helper()
				if got := (<-ch).At.Sub(start); got != want {
					t.Errorf("broken %v: measured after %v, want %v", broken, got, want)
				}
			}
			time.Sleep(100 * time.Millisecond)
			poller.Soon()
			at(100 * time.Millisecond)
			if !broken {
				at(time.Hour)
			}
			cancel()
			for done := false; !done; {
				select {
				case <-ch:
				case <-end:
					done = true
				}
			}
		}
	})
}

// A driver that hangs from the first call on is told, too: a rule that heats must know.
func TestPollerStuckFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &part{open: func(int) error { <-release; return errNobody }}
		begin := time.Now()
		samples, _, err := poll(t, PollerConfig{Name: "a", Driver: p.driver(), Every: 10 * time.Second}, 35*time.Second)
		close(release)
		if err == nil || len(samples) < 3 {
			t.Fatalf("%d samples, %v", len(samples), err)
		}
		if s := samples[0]; s.Err == nil || !strings.Contains(s.Err.Error(), "stuck") || s.At.Sub(begin) > 7*time.Second {
			t.Errorf("got %v after %v, want that it is stuck within 7 s", s.Err, s.At.Sub(begin))
		}
		synctest.Wait()
	})
}
