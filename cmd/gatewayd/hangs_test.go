package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// stuck is a chip whose next reading does not return before it is let.
type stuck struct {
	gpio.Chip
	mu   sync.Mutex    // guards the following
	wait chan struct{} // nil: it answers
}

func (c *stuck) Read(mask gpio.Lines) (gpio.Levels, error) {
	c.mu.Lock()
	wait := c.wait
	c.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return c.Chip.Read(mask)
}

func (c *stuck) stick(wait chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = wait
}

// TestHangs has a call to a chip hang: its points are not available until it returns, whatever has changed meanwhile is told then,
// and the other chip goes on.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards the following
		last := map[string]string{}
		told := func(want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			var got []string
			for _, name := range []string{"lamp", "door", "bell"} {
				got = append(got, last["gatewayd/shed/"+name+"/availability"]+" "+last["gatewayd/shed/"+name])
			}
			if got := strings.Join(got, ", "); got != want {
				t.Errorf("%v:\n got %s\nwant %s", time.Now(), got, want)
			}
		}
		g, w := &gateway{}, &wiring{lines: map[string]*gpio.Bank{}}
		g.wiring.Store(w)
		var err error
		g.bridge, err = bridge.New(&bridge.Config{Device: "shed", Inputs: []bridge.Input{{Name: "door"}}, Outputs: []bridge.Output{{Name: "lamp"}, {Name: "bell"}}},
			bridge.Parts{
				Set: g.set,
				Publish: func(m bridge.Message) {
					mu.Lock()
					defer mu.Unlock()
					last[m.Topic] = string(m.Payload)
				},
				Log: slog.New(slog.DiscardHandler),
			})
		if err != nil {
			t.Fatal(err)
		}
		sim := gpio.NewSim(4)
		chip := &stuck{Chip: sim}
		add := func(name string, chip gpio.Chip, lines ...gpio.LineConfig) {
			b := gpio.NewBank(gpio.BankConfig{Chip: name, Lines: lines, Open: func() (gpio.Chip, error) { return chip, nil }}, g.bridge.Events())
			w.chips = append(w.chips, &wiredChip{bank: b})
			for _, l := range lines {
				w.lines[l.Name] = b
			}
		}
		add("relays", chip, gpio.LineConfig{Name: "lamp", Offset: 0, Output: true}, gpio.LineConfig{Name: "door", Offset: 1})
		add("header", gpio.NewSim(4), gpio.LineConfig{Name: "bell", Offset: 0, Output: true})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, run := range []func(context.Context) error{g.bridge.Run, g.watchBanks, w.chips[0].bank.Run, w.chips[1].bank.Run} {
			wg.Go(func() { run(ctx) })
		}
		defer func() { cancel(); wg.Wait() }()
		command := func(name, payload string) {
			g.bridge.Receive(bridge.Inbound{Topic: "gatewayd/shed/" + name + "/set", Payload: []byte(payload)})
		}
		time.Sleep(5 * time.Second)
		command("lamp", "ON")
		told("online ON, online OFF, online OFF")

		wait := make(chan struct{})
		chip.stick(wait)
		time.Sleep(bankStale - 2*time.Second)
		told("online ON, online OFF, online OFF")
		time.Sleep(5 * time.Second)
		told("offline ON, offline OFF, online OFF")
		mu.Lock()
		health, why := last["gatewayd/shed/gateway/health"], last["gatewayd/shed/lamp/error"]
		mu.Unlock()
		for _, want := range []string{`"level":"degraded"`, `"reasons":["chip \"relays\": a call to it hangs`, `"chips":{"header":"ok","relays":"chip \"relays\": a call`} {
			if !strings.Contains(health, want) {
				t.Errorf("health has no %s:\n%s", want, health)
			}
		}
		if !strings.Contains(why, "a call to it hangs") {
			t.Errorf("lamp's error: %s", why)
		}
		command("bell", "ON")
		told("offline ON, offline OFF, online ON")
		command("lamp", "OFF") // is kept
		sim.Press(1)
		time.Sleep(time.Hour)
		told("offline ON, offline OFF, online ON")

		chip.stick(nil)
		close(wait)
		time.Sleep(3 * time.Second)
		told("online OFF, online ON, online ON")
		mu.Lock()
		health = last["gatewayd/shed/gateway/health"]
		mu.Unlock()
		if !strings.Contains(health, `"chips":{"header":"ok","relays":"ok"}`) {
			t.Errorf("health:\n%s", health)
		}
	})
}

func TestLinesOf(t *testing.T) {
	a, b := gpio.NewBank(gpio.BankConfig{Chip: "a"}, nil), gpio.NewBank(gpio.BankConfig{Chip: "b"}, nil)
	w := &wiring{lines: map[string]*gpio.Bank{"z": a, "y": b, "x": a}}
	if got := w.linesOf(a); !slices.Equal(got, []string{"x", "z"}) {
		t.Errorf("got %q", got)
	}
}
