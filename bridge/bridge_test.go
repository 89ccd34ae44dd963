package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/gpio"
)

// relays stands for the banks: it confirms every wish after a while.
type relays struct {
	bridge *Bridge
	delay  time.Duration

	mu   sync.Mutex // guards the following
	sets []string
	sent []string
}

func (r *relays) set(line string, active bool) {
	r.mu.Lock()
	r.sets = append(r.sets, fmt.Sprintf("%s %v", line, active))
	r.mu.Unlock()
	time.AfterFunc(r.delay, func() { r.bridge.Events() <- gpio.Event{Line: line, Active: active, At: time.Now()} })
}

func (r *relays) publish(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, m.Topic+" "+string(m.Payload))
}

func (r *relays) saw(topic string) (payloads []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sent {
		if p, ok := strings.CutPrefix(s, topic+" "); ok {
			payloads = append(payloads, p)
		}
	}
	return payloads
}

// wished gives what a line was set to.
func (r *relays) wished(line string) (sets []bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sets {
		if v, ok := strings.CutPrefix(s, line+" "); ok {
			sets = append(sets, v == "true")
		}
	}
	return sets
}

// prepared gives a bridge that does not run yet; log may be nil.
func prepared(t *testing.T, delay time.Duration, log *strings.Builder) (*Bridge, *relays) {
	t.Helper()
	r := &relays{delay: delay}
	handler := slog.Handler(slog.DiscardHandler)
	if log != nil {
		handler = slog.NewTextHandler(log, nil)
	}
	b, err := New(house(), Parts{Set: r.set, Publish: r.publish, Log: slog.New(handler)})
	if err != nil {
		t.Fatal(err)
	}
	r.bridge = b
	return b, r
}

// started runs a bridge until stop is called.
func started(t *testing.T, b *Bridge) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := prepared(t, 10*time.Millisecond, nil)
		stop := started(t, b)
		for _, name := range []string{"l01", "l02", "pump", "bell"} {
			b.Events() <- gpio.Event{Line: name}
		}
		b.Events() <- gpio.Event{Line: "l01_button", Active: true, Edge: true}
		synctest.Wait()
		if got := r.saw("light/l01/button"); len(got) != 1 || got[0] != "ON" {
			t.Errorf("button: %q", got)
		}
		time.Sleep(time.Second)
		if got := r.saw("light/l01"); len(got) != 2 || got[1] != "ON" {
			t.Errorf("light: %q, want its first state and ON", got)
		}
		b.Receive(Inbound{Topic: "gatewayd/shed/l02/set", Payload: []byte("1")})
		b.Receive(Inbound{Topic: "gatewayd/shed/bell/set", Payload: []byte("ON")})
		time.Sleep(2 * time.Second) // the bell's pulse ends by the loop's own timer
		if got := r.saw("gatewayd/shed/bell"); len(got) != 3 || got[2] != "OFF" {
			t.Errorf("bell: %q, want OFF, ON, OFF", got)
		}
		if lag := time.Since(b.Beat()); lag > beatEvery {
			t.Errorf("the loop's last beat is %v old", lag)
		}
		before := time.Now()
		stop()
		if got := r.saw("gatewayd/shed/l02"); got[len(got)-1] != "0" {
			t.Errorf("l02: %q, want it off by on_exit", got)
		}
		if took := time.Since(before); took > exitWithin {
			t.Errorf("stopping took %v", took)
		}
		time.Sleep(time.Minute)
	})
}

// A flood of commands is answered, an OFF gets through, and the loop goes on.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		b, r := prepared(t, time.Millisecond, &log)
		const n = 3000
		for i := range n {
			b.Receive(Inbound{Topic: "light/l01/set", Payload: []byte("ON")})
			if i == n/2 {
				b.Receive(Inbound{Topic: "light/l01/set", Payload: []byte("OFF")})
			}
		}
		b.Events() <- gpio.Event{Line: "l01"}
		stop := started(t, b)
		time.Sleep(time.Second)
		stop()
		time.Sleep(time.Minute)
		if sets := r.wished("l01"); len(sets) == 0 || sets[len(sets)-1] {
			t.Errorf("wishes %v: the OFF is not the last", sets)
		}
		refused := strings.Join(r.saw("gatewayd/shed/l01/error"), "\n")
		if want := fmt.Sprintf("%d commands refused", n-queueMost); !strings.Contains(refused, want) {
			t.Errorf("not told: %s", want)
		}
		if lines := strings.Count(log.String(), "\n"); lines > 40 {
			t.Errorf("%d lines in the log", lines)
		}
	})
}

func TestQueue(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(s)
	in := func(topic, payload string) { q.put(Inbound{Topic: topic, Payload: []byte(payload)}) }
	for range queueMost {
		in("light/l01/set", "ON")
	}
	in("light/l01/set", "OFF")
	in("gatewayd/shed/l02/set", "0")
	in("light/l01/set", "ON")
	in("light/l01/set", strings.Repeat("x", 1<<20))
	for i := range 2 * refusedMost {
		in(fmt.Sprintf("gatewayd/shed/x%d/set", i), "ON")
	}
	commands, refused := q.take()
	offs := map[string]bool{}
	for _, m := range commands[queueMost:] {
		offs[m.Topic] = true
	}
	if len(commands) != queueMost+2 || !offs["light/l01/set"] || !offs["gatewayd/shed/l02/set"] {
		t.Errorf("%d commands, behind them %v, want %d and two OFFs", len(commands), offs, queueMost)
	}
	n := 0
	for _, r := range refused {
		n += r.n
	}
	if want := 2 + 2*refusedMost; n != want || len(refused) > refusedMost+1 {
		t.Errorf("%d refused in %d answers, want %d in %d at most", n, len(refused), want, refusedMost+1)
	}
	in("light/l01/set", strings.Repeat("x", 1<<20))
	if commands, _ = q.take(); len(commands) != 1 || cap(commands[0].Payload) > 2*payloadLimit {
		t.Errorf("a long payload takes %d bytes", cap(commands[0].Payload))
	}
}

// big makes a configuration with n inputs that each toggle one of n outputs.
func big(n int) *Config {
	cfg := &Config{Device: "big"}
	for i := range n {
		in, out := fmt.Sprintf("in%d", i), fmt.Sprintf("out%d", i)
		cfg.Inputs = append(cfg.Inputs, Input{Name: in, Channel: Channel{QoS: 1, Retain: true}})
		cfg.Outputs = append(cfg.Outputs, Output{Name: out, MaxOn: time.Hour, Channel: Channel{QoS: 1, Retain: true}})
		cfg.Rules = append(cfg.Rules, Rule{When: in, Do: VerbToggle, Outputs: []string{out}})
	}
	return cfg
}

// The cost of an event must not grow with the number of points.
func BenchmarkStep(b *testing.B) {
	for _, n := range []int{16, 128, 2000} {
		s, err := newState(big(n), About{})
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		events := make([][2]gpio.Event, n)
		for i := range events {
			in, out := s.cfg.Inputs[i].Name, s.cfg.Outputs[i].Name
			s.step(&gpio.Event{Line: in}, now)
			s.step(&gpio.Event{Line: out}, now)
			events[i] = [2]gpio.Event{{Line: in, Edge: true}, {Line: out}}
		}
		b.Run(fmt.Sprintf("input/points=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := &events[i%n][0]
				e.Active = false // no rule fires
				s.step(e, now)
			}
		})
		b.Run(fmt.Sprintf("rule_and_confirmation/points=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				e := &events[i%n]
				e[0].Active = true
				do, _, _ := s.step(&e[0], now)
				e[1].Active = do[0].Value != 0
				s.step(&e[1], now)
			}
		})
		b.Run(fmt.Sprintf("command/points=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				now = now.Add(time.Millisecond)
				s.step(Inbound{Topic: "gatewayd/big/" + s.cfg.Outputs[i%n].Name + "/set", Payload: []byte("ON")}, now)
			}
		})
	}
}

// The way through the loop: from a bank's event to the write and the message.
func BenchmarkLoop(b *testing.B) {
	for _, n := range []int{16, 2000} {
		b.Run(fmt.Sprintf("points=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			published := make(chan struct{}, 1024)
			br, err := New(big(n), Parts{
				Set: func(string, bool) {},
				Publish: func(m Message) {
					if strings.HasPrefix(m.Topic, "gatewayd/big/in") && !strings.HasSuffix(m.Topic, "availability") {
						published <- struct{}{}
					}
				},
				Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			go func() { done <- br.Run(ctx) }()
			for i := range n {
				br.Events() <- gpio.Event{Line: fmt.Sprintf("in%d", i)}
				<-published
			}
			for i := 0; b.Loop(); i++ {
				br.Events() <- gpio.Event{Line: br.state.cfg.Inputs[i%n].Name, Edge: true, Active: i&1 == 0}
				<-published
			}
			cancel()
			<-done
		})
	}
}
