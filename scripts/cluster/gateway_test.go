package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

const (
	inputs  = 4
	outputs = 4
)

// gateway is one with its session, and with banks that do what they are told.
type gateway struct {
	cfg     bridge.Config
	topics  *bridge.Topics
	bridge  *bridge.Bridge
	session *bridge.Session
	wishes  chan gpio.Event

	mu   sync.Mutex // guards the following
	want map[string]string
}

func newGateway(i int, brokers []string, log slog.Handler) (*gateway, error) {
	g := &gateway{cfg: bridge.Config{Device: fmt.Sprintf("g%03d", i)}, wishes: make(chan gpio.Event, 256), want: map[string]string{}}
	kept := bridge.Channel{QoS: 1, Retain: true}
	for n := range inputs {
		g.cfg.Inputs = append(g.cfg.Inputs, bridge.Input{Name: fmt.Sprintf("in%d", n), Channel: kept})
	}
	for n := range outputs {
		g.cfg.Outputs = append(g.cfg.Outputs, bridge.Output{Name: fmt.Sprintf("out%d", n), Channel: kept})
	}
	g.cfg.Rules = []bridge.Rule{{When: "in0", Do: bridge.VerbToggle, Outputs: []string{"out0"}}}
	g.topics = bridge.NewTopics(&g.cfg)
	logger := slog.New(log).With("gateway", g.cfg.Device)
	var err error
	g.bridge, err = bridge.New(&g.cfg, bridge.Parts{
		Set:     func(line string, active bool) { g.wishes <- gpio.Event{Line: line, Active: active} },
		Publish: func(m bridge.Message) { g.session.Publish(m) },
		Log:     logger,
	})
	if err != nil {
		return nil, err
	}
	g.session = bridge.NewSession(bridge.SessionConfig{
		Brokers: brokers, ClientID: "gatewayd-" + g.cfg.Device, Status: g.topics.StatusOf(g.cfg.Status),
		Subscriptions: append(g.topics.Subscriptions(&g.cfg), g.topics.Announcements(&g.cfg)...),
		InfoTopic:     g.topics.Gateway("info"), Info: []byte(`{"serial":"` + g.cfg.Device + `"}`), Identity: g.cfg.Device,
	}, g.bridge.Receive, g.bridge.Link, logger)
	return g, nil
}

// run has it work until ctx ends.
func (g *gateway) run(ctx context.Context) {
	g.expect(g.topics.Status(), "online")
	var parts, bank sync.WaitGroup
	banks, done := context.WithCancel(context.Background()) // must outlive the bridge
	bank.Go(func() {
		for {
			select {
			case e := <-g.wishes:
				g.fact(e)
			case <-banks.Done():
				return
			}
		}
	})
	session, leave := context.WithCancel(context.Background())
	parts.Go(func() { g.session.Run(session) })
	loop := make(chan struct{})
	go func() {
		defer close(loop)
		g.bridge.Run(ctx)
	}()
	for _, p := range g.cfg.Inputs {
		g.fact(gpio.Event{Line: p.Name})
	}
	for _, p := range g.cfg.Outputs {
		g.fact(gpio.Event{Line: p.Name})
	}
	<-loop
	leave()
	parts.Wait()
	done()
	bank.Wait()
	g.expect(g.topics.Status(), "offline")
}

// fact tells what a line is.
func (g *gateway) fact(e gpio.Event) {
	payload := "OFF"
	if e.Active {
		payload = "ON"
	}
	e.At = time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want[g.topics.State(e.Line)] = payload
	g.want[g.topics.Availability(e.Line)] = "online"
	g.bridge.Events() <- e // in the order of want
}

// expect notes what is to be retained on a topic.
func (g *gateway) expect(topic, payload string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.want[topic] = payload
}

// press changes an input.
func (g *gateway) press() {
	line := g.cfg.Inputs[rand.N(inputs)].Name
	g.mu.Lock()
	was := g.want[g.topics.State(line)]
	g.mu.Unlock()
	g.fact(gpio.Event{Line: line, Active: was != "ON", Edge: true})
}
