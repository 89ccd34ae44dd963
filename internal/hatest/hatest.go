// Package hatest plays Home Assistant at a real broker, for tests: it takes MQTT discovery as Home Assistant's own code does, with all
// that it refuses, drops and ignores, keeps an entity registry, follows states and calls services.
//
// It is written from what Home Assistant 2026.2 was seen to do, and from its schemas (schema.json), never from how a gateway is
// written, so that it can disagree with one. What it does not know fails the test, and is named.
package hatest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Options are how a Home Assistant is set up.
type Options struct {
	Prefix         string        // of discovery; empty: homeassistant
	BirthTopic     string        // empty: homeassistant/status
	Birth          string        // payload; empty: online. The will is always offline
	BirthAfter     time.Duration // after each connection; 0: 50 ms. Home Assistant takes about 6 s
	NoBirth        bool          // say nothing when it starts; SayBirth does
	LoadAfter      time.Duration // how long a platform loads when its first component comes; 0: 300 ms
	SubscribeAfter time.Duration // how long new subscriptions are gathered; 0: 50 ms
	Registry       *Registry     // what an earlier one left, from Core.Registry; nil: nothing is known yet
}

// Core is a running Home Assistant. Its methods may be called from any goroutine.
type Core struct {
	tb     testing.TB
	opt    Options
	client mqtt.Client
	work   *queue
	ended  sync.Once

	mu         sync.Mutex // guards the following
	over       bool
	connected  bool
	registry   *Registry
	discovered map[string]*component // by hash
	pending    map[string][]payload  // by hash: what waits until a component has been added
	platforms  map[string]*platform
	entities   map[string]*entity // active ones, by platform and unique id
	triggers   map[string]*trigger
	subs       []*subscription
	wanted     map[string]byte // filters that are to be subscribed
	flushing   bool
	emptied    map[string]bool // config topics that were cleared from here
	logs
}

// Start connects to the broker, host and port, and waits until it listens to discovery. It ends with the test.
func Start(tb testing.TB, broker string, opt Options) *Core {
	tb.Helper()
	or(&opt.Prefix, "homeassistant")
	or(&opt.BirthTopic, "homeassistant/status")
	or(&opt.Birth, "online")
	or(&opt.BirthAfter, 50*time.Millisecond)
	or(&opt.LoadAfter, 300*time.Millisecond)
	or(&opt.SubscribeAfter, 50*time.Millisecond)
	c := &Core{
		tb: tb, opt: opt, work: newQueue(), registry: opt.Registry.copy(),
		discovered: map[string]*component{}, pending: map[string][]payload{}, platforms: map[string]*platform{}, entities: map[string]*entity{},
		triggers: map[string]*trigger{}, wanted: map[string]byte{}, emptied: map[string]bool{},
	}
	for _, levels := range []string{"/+/config", "/+/+/config", "/+/+/+/config"} {
		c.subs = append(c.subs, &subscription{filter: opt.Prefix + levels, receive: c.discover, every: true})
	}
	c.connect(broker)
	tb.Cleanup(c.end)
	c.Await(10*time.Second, "Home Assistant is connected", func() bool { return c.listening() })
	return c
}

func or[T comparable](field *T, usual T) {
	var zero T
	if *field == zero {
		*field = usual
	}
}

// Stop ends as a restart of Home Assistant does: it says offline, and what its registry knows is left for the next.
func (c *Core) Stop() *Registry {
	c.wait(c.client.Publish(c.opt.BirthTopic, 0, false, "offline"))
	c.end()
	return c.Registry()
}

// end disconnects; more than once does no harm.
func (c *Core) end() {
	c.ended.Do(func() {
		c.client.Disconnect(100)
		c.work.end()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
	})
}

// Registry is a copy of what Home Assistant keeps over a restart.
func (c *Core) Registry() *Registry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registry.copy()
}

// SayBirth says that Home Assistant is there, as it does after a start and after a reload of its MQTT integration.
func (c *Core) SayBirth() {
	c.wait(c.client.Publish(c.opt.BirthTopic, 0, false, c.opt.Birth))
}

// wait waits for a token, and fails the test where it comes to nothing.
func (c *Core) wait(t mqtt.Token) {
	c.tb.Helper()
	if !t.WaitTimeout(10 * time.Second) {
		c.tb.Error("Home Assistant: the broker does not answer within 10 s")
	} else if t.Error() != nil {
		c.tb.Errorf("Home Assistant: %v", t.Error())
	}
}

// Await waits until a condition holds, or fails the test.
func (c *Core) Await(within time.Duration, what string, holds func() bool) {
	c.tb.Helper()
	for end := time.Now().Add(within); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.tb.Fatalf("not within %v: %s\n%s", within, what, c.Dump())
		}
	}
}

// AwaitState waits 10 s until an entity has a state.
func (c *Core) AwaitState(id, state string) {
	c.tb.Helper()
	c.Await(10*time.Second, fmt.Sprintf("%s is %s", id, state), func() bool { e, ok := c.Find(id); return ok && e.State == state })
}
