package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// peakMost is how much memory the gateway may have taken at its most, in KiB. Idle it takes 20 MiB in this test.
const peakMost = 96 << 10

// detected is how many times as much it may be.
var detected = 1

// A broker that sends all that it can does not end the gateway, fills no memory, and switches nothing that it may not: the demo's house,
// whose outputs are all off, stays so, and takes a command as it should afterwards.
func TestHostileBroker(t *testing.T) {
	lasts := 500 * time.Millisecond
	if s := os.Getenv("GATEWAYD_TEST_FLOOD"); s != "" { // how long each takes, for a longer run
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range mqtttest.Floods("demo", lasts) {
		t.Run(a.Name, func(t *testing.T) {
			var mu sync.Mutex // guards the following
			on, states, commanded := "", map[string]string{}, false
			finished := make(chan bool)
			rogue := mqtttest.StartRogue(t, func(g *mqtttest.Guest) {
				a.Play(g)
				patience := 5 * time.Second
				if !a.Ends {
					patience = 100 * time.Millisecond
				}
				finished <- g.Ended(patience)
			}, func(topic string, payload []byte) {
				mu.Lock()
				defer mu.Unlock()
				states[topic] = string(payload)
				if string(payload) == "ON" && !commanded && regexp.MustCompile(`^(light/l0[123]|gatewayd/demo/(boiler|bell|all_lights))$`).MatchString(topic) {
					on = topic
				}
			})
			saw := func(topic string) string { mu.Lock(); defer mu.Unlock(); return states[topic] }
			p := starts(t, nil, "demo", "--quiet", "--broker", "tcp://"+rogue.Addr())
			select {
			case ended := <-finished:
				if ended != a.Ends {
					t.Errorf("the connection is ended: %v, want %v", ended, a.Ends)
				}
			case <-time.After(lasts + 15*time.Second):
				t.Fatal("it does not end")
			}
			mu.Lock()
			if on != "" {
				t.Errorf("%s is on", on)
			}
			commanded = true
			clear(states)
			mu.Unlock()

			// From now on the broker is what it should be.
			guest := make(chan *mqtttest.Guest, 1)
			rogue.Play(func(g *mqtttest.Guest) {
				g.Live()
				guest <- g
				g.Ended(time.Minute)
			})
			var g *mqtttest.Guest
			select {
			case g = <-guest:
			case err := <-p.ended:
				t.Fatalf("the gateway has ended: %v\n%s", err, p.out)
			case <-time.After(15 * time.Second):
				t.Fatalf("the gateway does not come back\n%s", p.out)
			}
			soon(t, "the boiler's state", func() bool { return saw("gatewayd/demo/boiler") == "OFF" })
			g.Write(mqtttest.Publish(0x32, "gatewayd/demo/boiler/set", 1, []byte("ON")))
			soon(t, "the boiler switches as it is told", func() bool { return saw("gatewayd/demo/boiler") == "ON" })
			soon(t, "health", func() bool { return saw("gatewayd/demo/gateway/health") != "" })
			peak := peakMemory(t, p.Process.Pid)
			t.Logf("%d KiB at most", peak)
			if peak > detected*peakMost {
				t.Errorf("%d KiB of memory, want %d at most", peak, detected*peakMost)
			}
			p.ends(t, os.Interrupt)
		})
	}
}

// peakMemory is the most that a process has had in memory, in KiB (proc(5), VmHWM).
func peakMemory(t *testing.T, pid int) (kib int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	if err != nil || kib == 0 {
		t.Fatalf("no VmHWM: %v\n%s", err, b)
	}
	return kib
}
