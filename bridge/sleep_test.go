package bridge

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/gpio"
	"gatewayd/internal/clock"
	"gatewayd/internal/mqtttest"
)

// machine is one that can sleep, and whose clock is set at some time.
type machine struct{ slept, synchronised atomic.Int64 }

// use has package clock ask it, for the rest of the test.
func (m *machine) use(t *testing.T, synchronised int64) {
	m.synchronised.Store(synchronised)
	t.Cleanup(clock.Use(clock.Source{
		Boot:         func() time.Duration { return 0 },
		Slept:        func() (time.Duration, bool) { return time.Duration(m.slept.Load()), true },
		Synchronised: func() bool { return m.synchronised.Load() > 0 },
	}))
}

func (m *machine) sleep(d time.Duration) { m.slept.Add(int64(d)) }

// sleeper is a bridge on a machine that can sleep. Its button knows clicks and long presses.
func sleeper(t *testing.T, m *machine, parts Parts) (*Bridge, *relays, func()) {
	m.use(t, 1)
	r := &relays{delay: 10 * time.Millisecond}
	plain := Channel{QoS: 1, Retain: true}
	cfg := &Config{
		Device: "shed",
		Inputs: []Input{{Name: "button", Channel: plain, Gestures: Gestures{Told: []Trigger{Click, Long}}}},
		Outputs: []Output{
			{Name: "pump", Channel: plain, MaxOn: 2 * time.Hour, OnLost: BrokerLost{After: time.Hour}},
			{Name: "bell", Channel: plain, Pulse: time.Hour},
			{Name: "lamp", Channel: plain, OnLost: BrokerLost{After: time.Hour, Do: VerbOn}},
			{Name: "fan", Channel: plain, MinInterval: time.Hour},
		},
	}
	parts.Set, parts.Publish, parts.Log = r.set, r.publish, slog.New(slog.DiscardHandler)
	b, err := New(cfg, parts)
	if err != nil {
		t.Fatal(err)
	}
	r.bridge = b
	stop := started(t, b)
	for i := range cfg.Outputs {
		b.Events() <- gpio.Event{Line: cfg.Outputs[i].Name, At: time.Now()}
	}
	b.Events() <- gpio.Event{Line: "button", At: time.Now()}
	synctest.Wait()
	return b, r, stop
}

func (r *relays) command(name, payload string) {
	r.bridge.Receive(Inbound{Topic: "gatewayd/shed/" + name + "/set", Payload: []byte(payload)})
	synctest.Wait()
}

// pass lets time go by, and what comes due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// What comes due while the machine sleeps is done when it wakes, and not that much later; what does not, keeps its time.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m machine
		woke := 0
		b, r, stop := sleeper(t, &m, Parts{Woke: func() { woke++ }})
		defer stop()
		b.Link(Link{Up: true})
		synctest.Wait()
		r.command("pump", "ON")
		r.command("bell", "ON")
		r.command("fan", "ON") // waits: it was found an hour ago at most
		pass(10 * time.Second)
		b.Link(Link{}) // lamp is switched on in an hour
		pass(time.Second)
		for _, name := range []string{"pump", "bell"} {
			if got := r.wished(name); !slices.Equal(got, []bool{true}) {
				t.Fatalf("%s was set to %v before the sleep, want on", name, got)
			}
		}
		r.mu.Lock()
		r.sets = nil
		r.mu.Unlock()

		m.sleep(59 * time.Minute) // the hour is not over
		pass(beatEvery)
		if len(r.sets) > 0 || woke != 1 {
			t.Errorf("after 59 m: %q, woke %d, want nothing done, and woke once", r.sets, woke)
		}
		m.sleep(time.Minute)
		pass(beatEvery)
		if got, want := slices.Sorted(slices.Values(r.sets)), []string{"bell false", "fan true", "lamp true", "pump false"}; !slices.Equal(got, want) {
			t.Errorf("after an hour: %q, want %q", got, want) // pump by on_broker_lost
		}
		if age := time.Since(b.Beat()); age < 0 || age > beatEvery {
			t.Errorf("the last beat is %v old, want %v at most", age, beatEvery)
		}
		r.command("pump", "ON")
		m.sleep(90 * time.Minute)
		pass(30*time.Minute - 2*beatEvery)
		if got := r.wished("pump"); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("pump: %v before max_on is over, want on", got)
		}
		pass(2 * beatEvery)
		if got := r.wished("pump"); !slices.Equal(got, []bool{false, true, false}) {
			t.Errorf("pump: %v after max_on, want off", got)
		}
	})
}

// A press that goes on while the machine sleeps is none: nobody has seen what came of it. Those after it are as long as they are.
func TestSleepPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m machine
		b, r, stop := sleeper(t, &m, Parts{})
		defer stop()
		press := func(d time.Duration) {
			b.Events() <- gpio.Event{Line: "button", Active: true, Edge: true, At: time.Now()}
			time.Sleep(d)
			b.Events() <- gpio.Event{Line: "button", Edge: true, At: time.Now()}
			time.Sleep(beatEvery)
		}
		b.Events() <- gpio.Event{Line: "button", Active: true, Edge: true, At: time.Now()}
		time.Sleep(100 * time.Millisecond)
		m.sleep(time.Hour)
		time.Sleep(beatEvery)
		b.Events() <- gpio.Event{Line: "button", At: time.Now()} // read again
		time.Sleep(beatEvery)
		r.mu.Lock()
		long := len(r.sent)
		r.mu.Unlock()
		press(100 * time.Millisecond)
		press(time.Second)
		var got []string
		r.mu.Lock()
		for i, s := range r.sent {
			if topic, payload, _ := strings.Cut(s, " "); topic == "gatewayd/shed/button/event" {
				if i < long {
					payload += " of the press before"
				}
				got = append(got, payload)
			}
		}
		r.mu.Unlock()
		if want := []string{`{"event_type":"click"}`, `{"event_type":"long"}`}; !slices.Equal(got, want) {
			t.Errorf("gestures %q, want %q", got, want)
		}
	})
}

// After a sleep the session does not wait for a broker that has given it up, nor for the end of a pause.
func TestSleepSession(t *testing.T) {
	var m machine
	m.use(t, 1)
	broker := mqtttest.StartEmbedded(t, "")
	r := startSession(t, SessionConfig{Broker: "tcp://" + broker.Addr()})
	r.await(t, true)
	m.sleep(KeepAlive / 2)
	time.Sleep(2500 * time.Millisecond) // it has looked
	if st := r.Stats(); st.Connects != 1 {
		t.Errorf("%d connections, want that a short sleep changes nothing", st.Connects)
	}
	m.sleep(time.Hour)
	if l := r.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), "slept") {
		t.Errorf("%v, want that the machine has slept", l.Err)
	}
	r.await(t, true)
}

func TestSleepPause(t *testing.T) {
	for _, test := range []struct {
		name string
		wake func(*machine)
		want time.Duration
	}{
		{"nothing", func(*machine) {}, time.Hour},
		{"slept", func(m *machine) { m.sleep(time.Hour) }, 11 * time.Second},
		{"clock set", func(m *machine) { m.synchronised.Store(1) }, 11 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m machine
				m.use(t, 0)
				s := NewSession(SessionConfig{Broker: "tcp://127.0.0.1"}, nil, nil, slog.New(slog.DiscardHandler))
				start := time.Now()
				time.AfterFunc(10500*time.Millisecond, func() { test.wake(&m) })
				s.pause(t.Context(), time.Hour)
				if got := time.Since(start); got != test.want {
					t.Errorf("paused for %v, want %v", got, test.want)
				}
			})
		})
	}
}

// A press that waited for the broker over a sleep rings no bell.
func TestSleepExpires(t *testing.T) {
	var m machine
	m.use(t, 1)
	addr := fmt.Sprint("127.0.0.1:", mqtttest.FreePort(t))
	r := startSession(t, SessionConfig{Broker: "tcp://" + addr})
	r.Publish(eventMsg("gw/bell", "old"))
	m.sleep(time.Hour)
	clock.Slept() // somebody looks
	r.Publish(eventMsg("gw/bell", "new"))
	mqtttest.StartEmbedded(t, addr)
	r.await(t, true)
	if st := r.Stats(); st.Dropped.Expired != 1 {
		t.Errorf("%d events were too old, want 1", st.Dropped.Expired)
	}
}
