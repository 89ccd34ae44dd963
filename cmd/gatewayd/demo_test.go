package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/bridge"
	"gatewayd/internal/mqtttest"
)

// screen is what a person sees.
type screen struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// soon waits until a condition holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// playing runs the demo until stop is called, which gives its error.
func playing(t *testing.T, d *demo) (out *screen, stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	out = new(screen)
	done := make(chan error, 1)
	go func() { done <- d.play(ctx, out) }()
	return out, func() error { cancel(); return <-done }
}

// client is somebody with an MQTT program, who sees the latest payload of every topic.
type client struct {
	mqtt.Client
	mu      sync.Mutex // guards the following
	seen    map[string]string
	cleared []string // topics of messages without a payload
}

// newClient looks at topics, or at all if none are given: only while nobody else is connected, as the embedded broker looks through what it
// keeps without a lock when it is asked for a pattern.
func newClient(t *testing.T, broker string, topics ...string) *client {
	t.Helper()
	filters := map[string]byte{}
	for _, topic := range topics {
		filters[topic] = 1
	}
	if len(topics) == 0 {
		filters["#"] = 1
	}
	c := &client{seen: map[string]string{}}
	c.Client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker(broker).SetAutoReconnect(false). // not to a broker that is ending: its Disconnect would hang then
													SetClientID(fmt.Sprint("somebody-", time.Now().UnixNano())))
	for _, token := range []func() mqtt.Token{c.Connect, func() mqtt.Token {
		return c.SubscribeMultiple(filters, func(_ mqtt.Client, m mqtt.Message) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.seen[m.Topic()] = string(m.Payload())
			if len(m.Payload()) == 0 {
				c.cleared = append(c.cleared, m.Topic())
			}
		})
	}} {
		if token := token(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func (c *client) saw(topic string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[topic]
}

func (c *client) wants(t *testing.T, topic, payload string) {
	t.Helper()
	soon(t, topic+" "+payload, func() bool { return c.saw(topic) == payload })
}

func TestDemo(t *testing.T) {
	before := runtime.NumGoroutine()
	out, stop := playing(t, &demo{address: "127.0.0.1:0", quiet: true})
	address := regexp.MustCompile(`broker +(tcp://127\.0\.0\.1:\d+) \(embedded\)`)
	soon(t, "the demo tells its broker", func() bool { return address.MatchString(out.String()) })
	c := newClient(t, address.FindStringSubmatch(out.String())[1], "gatewayd/demo/status", "gatewayd/demo/attic/availability", "light/l01", "light/l02", "light/l03",
		"gatewayd/demo/all_lights", "gatewayd/demo/boiler", "gatewayd/demo/l01/error")
	c.wants(t, "gatewayd/demo/status", "online")
	c.wants(t, "gatewayd/demo/attic/availability", "online")
	c.wants(t, "light/l01", "OFF")
	c.Publish("light/l01/set", 1, false, "toggle")
	c.wants(t, "light/l01", "ON")
	c.wants(t, "gatewayd/demo/all_lights", "ON")
	c.Publish("gatewayd/demo/all_lights/set", 1, false, "toggle")
	c.wants(t, "light/l01", "OFF")
	c.wants(t, "gatewayd/demo/all_lights", "OFF")
	c.Publish("gatewayd/demo/all_lights/set", 1, false, "ON")
	for _, topic := range []string{"light/l01", "light/l02", "light/l03", "gatewayd/demo/all_lights"} {
		c.wants(t, topic, "ON")
	}
	c.Publish("gatewayd/demo/all_lights/set", 1, false, "OFF")
	c.wants(t, "gatewayd/demo/all_lights", "OFF")
	c.Publish("light/l01/set", 1, false, "ON")
	c.wants(t, "light/l01", "ON")
	c.Publish("gatewayd/demo/boiler/set", 1, false, `{"state":"ON","for":"100ms"}`)
	c.wants(t, "gatewayd/demo/boiler", "ON")
	c.wants(t, "gatewayd/demo/boiler", "OFF")
	c.Publish("light/l01/set", 1, false, "banana")
	soon(t, "a reason", func() bool { return strings.Contains(c.saw("gatewayd/demo/l01/error"), "banana") })
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"-> light/l01 ON", "warning: l01: command refused"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the screen lacks %q:\n%s", want, out)
		}
	}
	c.Disconnect(100)
	soon(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// A demo on somebody's own broker leaves nothing there.
func TestDemoForgets(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	c := newClient(t, "tcp://"+b.Addr())
	out, stop := playing(t, &demo{broker: "mqtt://somebody:SECRET@" + b.Addr(), quiet: true})
	c.wants(t, "gatewayd/demo/status", "online")
	c.wants(t, "gatewayd/demo/attic/availability", "online")
	if err := stop(); err != nil {
		t.Error(err)
	}
	late := newClient(t, "tcp://"+b.Addr()) // it gets what is retained
	late.Publish("end", 1, false, "end")
	late.wants(t, "end", "end")
	late.mu.Lock()
	defer late.mu.Unlock()
	for topic, payload := range late.seen {
		if topic != "end" && payload != "" && !strings.HasPrefix(topic, "$SYS") {
			t.Errorf("left behind: %s %s", topic, payload)
		}
	}
	if s := out.String(); strings.Contains(s, "warning") || strings.Contains(s, "SECRET") || !strings.Contains(s, "tcp://"+b.Addr()) {
		t.Errorf("the screen:\n%s", out)
	}
}

// A demo on somebody's broker that restarts stays known there.
func TestDemoRestartsOnABroker(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	c := newClient(t, "tcp://"+b.Addr())
	out, stop := playing(t, &demo{broker: "tcp://" + b.Addr(), quiet: true})
	c.wants(t, "light/l01", "OFF")
	soon(t, "the document", func() bool { return c.saw("homeassistant/device/gatewayd_demo/config") != "" })
	cleared := func() []string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Clone(c.cleared)
	}
	first := len(cleared())
	before := len(out.String())
	c.Publish("gatewayd/demo/gateway/set", 1, false, "RESTART")
	soon(t, "it restarts and is there again", func() bool {
		s := out.String()[before:]
		return strings.Contains(s, "the gateway restarts") && strings.Contains(s[strings.Index(s, "the gateway restarts"):], "light/l01 OFF")
	})
	c.wants(t, "gatewayd/demo/status", "online")
	if all := cleared(); len(all) > first {
		t.Errorf("cleared: %q", all[first:])
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	soon(t, "it is forgotten at the end", func() bool { return len(cleared()) > first+10 })
}

// While there is no broker nothing is shown as sent, and no payload fills the screen.
func TestTeller(t *testing.T) {
	var out screen
	tell := &teller{out: &out}
	lamp := bridge.Message{Topic: "light/l01", Payload: []byte("ON")}
	tell.published(lamp)
	tell.linked(bridge.Link{Err: errors.New("x")})
	tell.published(lamp)
	tell.linked(bridge.Link{Up: true, Broker: "tcp://b:1"})
	tell.linked(bridge.Link{Up: true, Broker: "tcp://b:1"})
	tell.published(bridge.Message{Topic: "a", Payload: bytes.Repeat([]byte("x"), 1000)})
	tell.published(bridge.Message{Topic: "b"})
	got := regexp.MustCompile(`(?m)^[0-9:]{8}  `).ReplaceAllString(out.String(), "")
	want := "  -> light/l01 ON\n  (no broker) light/l01 ON\nconnected to tcp://b:1: it is told all states\n  -> a (1000 bytes)\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestDemoAddress(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0"} {
		d := demo{address: address}
		if l, err := d.listen(); err == nil || !strings.Contains(err.Error(), "--insecure") {
			t.Errorf("listen %s: %v, %v", address, l, err)
		}
	}
	d := demo{address: "nonsense"}
	if _, err := d.listen(); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("listen nonsense: %v", err)
	}
}
