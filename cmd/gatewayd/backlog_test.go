package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/bridge"
	"gatewayd/internal/clock"
	"gatewayd/internal/mqtttest"
)

const lateConfig = `
device: shed
mqtt: {broker: "tcp://BROKER"}
backlog: {readings: keep, gestures: keep, store: disk, file: FILE}
sensors: [{name: attic, type: simulated, every: 1s}]
inputs: [{name: bell, line: GPIO17, debounce: 0, gestures: click}]
`

// late runs a gateway of that configuration; read is closed when its button has been read.
func late(t *testing.T, broker, file string) (g *gateway, h *house, read chan struct{}, stop func() string) {
	t.Helper()
	cfg := parsed(t, strings.NewReplacer("BROKER", broker, "FILE", file).Replace(lateConfig))
	h, err := newHouse(cfg)
	if err != nil {
		t.Fatal(err)
	}
	log, out := logged()
	read = make(chan struct{})
	var once, ended sync.Once
	watch := func(m bridge.Message) {
		if m.Topic == "gatewayd/shed/bell/availability" && string(m.Payload) == "online" {
			once.Do(func() { close(read) })
		}
	}
	if g, err = newGateway(cfg, h, log, manner{watch: watch}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	stop = func() string {
		ended.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			h.close()
		})
		return out.String()
	}
	t.Cleanup(func() { stop() })
	return g, h, read, stop
}

// What is measured and pressed while there is no broker is told late, with its time, by the next run; and never as if it were new.
func TestBacklogOverRestart(t *testing.T) {
	right := clock.System
	right.Synchronised = func() bool { return true }
	defer clock.Use(right)()
	file := filepath.Join(t.TempDir(), "backlog")
	begin := time.Now().Add(-time.Millisecond)
	broker := fmt.Sprintf("127.0.0.1:%d", mqtttest.FreePort(t))
	g, h, read, stop := late(t, broker, file)
	<-read
	h.pi.Press(17)
	h.pi.Release(17)
	soon(t, "six readings wait", func() bool { n, _ := g.backlog.Counts(); return n >= 6 })
	stop()
	waiting, _ := g.backlog.Counts()
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("%d wait, and %v", waiting, err)
	}

	mqtttest.StartEmbedded(t, broker)
	var mu sync.Mutex
	var readings, clicks []string
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("database"))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	got := func(list *[]string) mqtt.MessageHandler {
		return func(_ mqtt.Client, m mqtt.Message) {
			mu.Lock()
			defer mu.Unlock()
			if *list = append(*list, string(m.Payload())); m.Retained() || m.Qos() != 1 {
				t.Errorf("%s %s: retained %v, QoS %d", m.Topic(), m.Payload(), m.Retained(), m.Qos())
			}
		}
	}
	c.Subscribe("gatewayd/shed/attic/temperature/late", 1, got(&readings)).Wait()
	c.Subscribe("gatewayd/shed/bell/event/late", 1, got(&clicks)).Wait()
	c.Subscribe("gatewayd/shed/bell/event", 1, func(_ mqtt.Client, m mqtt.Message) { t.Errorf("an old press rings the bell: %s", m.Payload()) }).Wait()
	g, _, _, stop = late(t, broker, file)
	soon(t, "all is told", func() bool { n, _ := g.backlog.Counts(); return n == 0 })
	soon(t, "the file goes", func() bool { _, err := os.Stat(file); return err != nil })
	log := stop()
	mu.Lock()
	defer mu.Unlock()
	type message struct {
		Value float64
		Unit  string
		Event string `json:"event_type"`
		At    time.Time
		Late  bool
	}
	parse := func(payload string, from time.Time) (m message) {
		if err := json.Unmarshal([]byte(payload), &m); err != nil || !m.Late || m.At.Before(from) || m.At.After(time.Now()) {
			t.Errorf("%s: %v; want a time after %v", payload, err, from)
		}
		return m
	}
	last := begin
	for _, payload := range readings {
		m := parse(payload, last)
		if last = m.At; m.Unit != "°C" || m.Value < -50 || m.Value > 100 {
			t.Error(payload)
		}
	}
	for _, payload := range clicks {
		if m := parse(payload, begin); m.Event != "click" {
			t.Error(payload)
		}
	}
	if len(clicks) != 1 || len(readings) < waiting/3-1 || !strings.Contains(log, "wait to be sent late") {
		t.Errorf("%d waited; readings %q, clicks %q\n%s", waiting, readings, clicks, log)
	}
	t.Logf("%d waited; %s", waiting, readings[0])
}

// A file that cannot be written is told, and all is told late nevertheless.
func TestBacklogWithoutDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "away", "backlog") // there is no such folder
	broker := fmt.Sprintf("127.0.0.1:%d", mqtttest.FreePort(t))
	g, _, _, stop := late(t, broker, file)
	soon(t, "it is told", func() bool { return strings.Contains(g.backlog.Trouble(), "no such file") })
	embedded := mqtttest.StartEmbedded(t, broker)
	defer embedded.Stop()
	c := newClient(t, "tcp://"+broker)
	soon(t, "readings are told late", func() bool { return c.saw("gatewayd/shed/attic/temperature/late") != "" })
	soon(t, "health", func() bool {
		return strings.Contains(c.saw("gatewayd/shed/gateway/health"), `"reasons":["the backlog's file cannot be written`)
	})
	if log := stop(); strings.Count(log, "file cannot be written") != 1 {
		t.Errorf("want it told once:\n%s", log)
	}
}
