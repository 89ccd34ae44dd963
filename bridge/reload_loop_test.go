package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// The loop hands out what the old configuration still wants, swaps, and goes on with the new one; what was on its way is not lost.
func TestReloadLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := prepared(t, 10*time.Millisecond, nil)
		stop := started(t, b)
		for _, name := range []string{"l01", "l02", "pump"} {
			b.Events() <- gpio.Event{Line: name}
		}
		b.Receive(Inbound{Topic: "gatewayd/shed/l02/set", Payload: []byte("1")})
		b.Receive(Inbound{Topic: "gatewayd/shed/pump/set", Payload: []byte(`{"state":"ON","for":"10s"}`)})
		time.Sleep(time.Second)
		next := cloned(house())
		without("l02")(next)
		changed("l01", func(o *Output) { o.Topic = "lamp/l01" })(next)
		var sets, sent []string
		b.Receive(Inbound{Topic: "light/l01/set", Payload: []byte("ON")})
		err := b.Reload(t.Context(), Next{Config: next, Swap: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			sets, sent = slices.Clone(r.sets), slices.Clone(r.sent)
		}})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"l01 true", "l02 false"}; !slices.Equal(sets[len(sets)-2:], want) {
			t.Errorf("before the swap %v, want the end to be %v: a command that had come, and on_exit", sets, want)
		}
		if want := "gatewayd/shed/l02 "; !slices.Contains(sent, want) || slices.Contains(sent, "lamp/l01 ON") {
			t.Errorf("before the swap was told %q; want what is gone cleared, and nothing new", sent)
		}
		time.Sleep(time.Second)
		b.Receive(Inbound{Topic: "lamp/l01/set", Payload: []byte("OFF")})
		time.Sleep(20 * time.Second)
		if got, want := r.saw("lamp/l01"), []string{"OFF", "ON", "OFF"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if got, want := r.saw("gatewayd/shed/pump"), []string{"OFF", "ON", "OFF"}; !slices.Equal(got, want) {
			t.Errorf("the pump told %q, want %q", got, want)
		}
		before := len(r.wished("l01"))
		bad := cloned(house())
		bad.Rules = append(bad.Rules, Rule{When: "nobody"})
		if err := b.Reload(t.Context(), Next{Config: bad, Swap: func() { t.Error("swapped") }}); err == nil {
			t.Error("a configuration that does not hold together is taken")
		}
		b.Receive(Inbound{Topic: "lamp/l01/set", Payload: []byte("ON")})
		time.Sleep(time.Second)
		if got := len(r.wished("l01")); got != before+1 {
			t.Error("what is refused has an effect")
		}
		stop()
		if err := b.Reload(t.Context(), Next{Config: house()}); !errors.Is(err, errStopping) {
			t.Errorf("at the end: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

// What has come before is the old configuration's, and what comes afterwards the new one's, also when there is too much of it.
func TestReloadOnTheWay(t *testing.T) {
	b, r := prepared(t, time.Hour, nil)
	now := time.Now()
	b.step(&gpio.Event{Line: "l01"}, now)
	next := cloned(house())
	next.Device = "barn"
	changed("l01", func(o *Output) { o.Topic = "lamp/l01" })(next)
	is, err := newState(next, About{})
	if err != nil {
		t.Fatal(err)
	}
	b.samples <- sensors.Sample{Sensor: "attic", Readings: []sensors.Reading{{Quantity: "temperature", Value: 20}}}
	b.Receive(Inbound{Topic: "light/l01/set", Payload: []byte("ON")})
	b.events <- gpio.Event{Line: "door", Active: true, Edge: true}
	b.swap(&reload{next: is, how: &Next{Config: next}, done: make(chan error, 1)}, now)
	if got := r.wished("l01"); !slices.Equal(got, []bool{true}) {
		t.Errorf("l01 was set to %v", got)
	}
	for _, topic := range []string{"gatewayd/shed/attic/temperature", "gatewayd/shed/door"} {
		if got := r.saw(topic); len(got) != 2 || got[0] == "" || got[1] != "" {
			t.Errorf("%s: told %q, want what has come, and then that it is cleared", topic, got)
		}
	}
	for range queueMost {
		b.Receive(Inbound{Topic: "lamp/l01/set", Payload: []byte("ON")})
	}
	b.Receive(Inbound{Topic: "gatewayd/barn/l02/set", Payload: []byte("0")})
	if commands, _ := b.queue.take(); len(commands) != queueMost+1 {
		t.Errorf("%d commands wait: the OFF is not among them", len(commands))
	}
}

// A reload that nobody takes ends with its context.
func TestReloadContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := prepared(t, time.Millisecond, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Reload(ctx, Next{Config: house()}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// RELOAD asks the program; where nobody does it, it is refused.
func TestReloadAsked(t *testing.T) {
	for _, somebody := range []bool{true, false} {
		asked := 0
		parts := Parts{Set: func(string, bool) {}, Publish: func(Message) {}, Log: slog.New(slog.DiscardHandler)}
		if somebody {
			parts.Reload = func() { asked++ }
		}
		b, err := New(house(), parts)
		if err != nil {
			t.Fatal(err)
		}
		b.step(Inbound{Topic: "gatewayd/shed/gateway/set", Payload: []byte("reload")}, time.Now())
		if (asked == 1) != somebody {
			t.Errorf("asked %d times, somebody: %v", asked, somebody)
		}
		if refused := b.state.health.refused > 0; refused == somebody {
			t.Errorf("refused: %v, somebody: %v", refused, somebody)
		}
	}
}

// estateOf makes a configuration with n inputs, n outputs and a tenth of sensors, groups and interlocks, in ten rooms.
func estateOf(n int) *Config {
	cfg := big(n)
	cfg.HomeAssistant.Discovery = true
	for i := range n {
		room := fmt.Sprint("room ", i%10)
		cfg.Inputs[i].Entity.Area, cfg.Outputs[i].Entity.Area = room, room
		if i%10 == 0 {
			cfg.Sensors = append(cfg.Sensors, Sensor{Name: fmt.Sprint("sensor", i), QoS: 1, Retain: true,
				Quantities: []sensors.Quantity{{Name: "temperature", Precision: 1}, {Name: "humidity", Precision: 1}}})
			cfg.Groups = append(cfg.Groups, Group{Name: fmt.Sprint("group", i), Outputs: []string{fmt.Sprint("out", i), fmt.Sprint("out", i+1)},
				Channel: Channel{QoS: 1, Retain: true}})
			cfg.Interlocks = append(cfg.Interlocks, Interlock{Name: fmt.Sprint("lock", i), Outputs: []string{fmt.Sprint("out", i+2), fmt.Sprint("out", i+3)}})
		}
	}
	return cfg
}

// How long a reload takes in all, and how long the loop is busy with it: events wait that long.
func BenchmarkReload(b *testing.B) {
	for _, how := range []string{"nothing", "one", "all"} {
		b.Run(how+"/points=2200", func(b *testing.B) {
			was, is := estateOf(1000), estateOf(1000)
			switch how {
			case "one":
				is.Outputs[7].Topic, is.Outputs[7].Label = "lamp", "Lamp"
			case "all":
				is.Device = "other"
			}
			configs := []*Config{was, is}
			br, err := New(was, Parts{Set: func(string, bool) {}, Publish: func(Message) {}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			br.step(start{}, now)
			for i := range was.Inputs {
				br.step(&gpio.Event{Line: was.Inputs[i].Name}, now)
				br.step(&gpio.Event{Line: was.Outputs[i].Name}, now)
				br.step(Inbound{Topic: "gatewayd/big/" + was.Outputs[i].Name + "/set", Payload: []byte("ON")}, now)
				br.step(&gpio.Event{Line: was.Outputs[i].Name, Active: true}, now)
			}
			br.step(Link{Up: true}, now)
			var busy, most time.Duration
			for i := 1; b.Loop(); i++ {
				next, err := newState(configs[i%2], About{})
				if err != nil {
					b.Fatal(err)
				}
				r := &reload{next: next, how: &Next{Config: configs[i%2]}, done: make(chan error, 1)}
				begun := time.Now()
				br.swap(r, now)
				d := time.Since(begun)
				busy, most = busy+d, max(most, d)
			}
			b.ReportMetric(float64(busy.Microseconds())/float64(b.N), "loop-µs/op")
			b.ReportMetric(float64(most.Microseconds()), "loop-max-µs")
		})
	}
}
