package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// A broker is killed, and Home Assistant at the other one has the whole gateway; the local rules have not waited for that.
func TestGatewayChangesBroker(t *testing.T) {
	starting.Lock()
	first, second := mqtttest.StartMosquitto(t, nil), mqtttest.StartMosquitto(t, nil)
	starting.Unlock()
	h := &home{t: t, broker: first.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, second.Addr(), hatest.Options{})
	h.start(`broker: "tcp://`+first.Addr()+`"`, `brokers: ["tcp://`+first.Addr()+`", "tcp://`+second.Addr()+`"]`,
		"sensors:", "rules: [{when: l01_button, is: pressed, do: toggle, output: l01}]\nsensors:")
	c := newClient(t, "tcp://"+first.Addr())
	c.wants(t, "gatewayd/shed/status", "online")
	c.wants(t, "light/l01", "OFF")
	c.wants(t, "light/l01/button", "OFF")
	soon(t, "all is read", func() bool {
		health := c.saw("gatewayd/shed/gateway/health")
		return strings.Contains(health, `"level":"ok"`) && strings.Contains(health, `"attic":"ok"`)
	})
	if n := len(h.ha.Entities()); n > 0 {
		t.Fatalf("%d entities where the gateway is not", n)
	}
	first.Stop()
	killed := time.Now()
	h.put("l01_button", true) // nobody is there to hear it
	h.ha.Await(5*time.Second, "the light is there, and on", func() bool { e, ok := h.ha.Find("light.shed_l01"); return ok && e.State == "on" })
	t.Logf("in Home Assistant after %v", time.Since(killed).Round(time.Millisecond))
	h.settled("light.shed_l01", "switch.shed_pump", "sensor.shed_attic_temperature")
	h.ha.TurnOff("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "off")
	h.stop()
	h.unavailableAll("stopped")
}

// The broker that is good is in the state file, and the next start knows it; nothing is written as long as it is the same.
func TestMemoryLastBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		cfg, quiet := parsed(t, rememberConfig), slog.New(slog.DiscardHandler)
		m := newMemory(path, cfg, "a", quiet)
		if got := m.lastGood(); got != "" {
			t.Errorf("nothing is known, got %q", got)
		}
		writes, save := 0, m.save
		m.save = func(path string, content []byte) error {
			writes++
			return save(path, content)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.run(ctx) }()
		for range 3 {
			m.remember("tcp://b:1883")
			time.Sleep(time.Minute)
		}
		cancel()
		<-done
		if writes != 1 {
			t.Errorf("written %d times, want once", writes)
		}
		if got := newMemory(path, cfg, "b", quiet).lastGood(); got != "tcp://b:1883" {
			t.Errorf("the next start knows %q", got)
		}
		if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := newMemory(path, cfg, "b", quiet).lastGood(); got != "" {
			t.Errorf("garbage: got %q", got)
		}
	})
}
