package hatest

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// message is what came from the broker.
type message struct {
	topic    string
	payload  string
	retained bool
}

// subscription is one part's interest in a filter.
type subscription struct {
	filter  string
	qos     byte
	receive func(m message)
	every   bool            // retained messages again with each subscription, too
	seen    map[string]bool // topics whose retained message has come: Home Assistant gives each part one only
}

var clients atomic.Int64

// connect makes the client: a clean session, and a will.
func (c *Core) connect(broker string) {
	c.tb.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(fmt.Sprintf("homeassistant-%d", clients.Add(1)))
	o.SetCleanSession(true).SetWill(c.opt.BirthTopic, "offline", 0, false).SetOrderMatters(true)
	o.SetAutoReconnect(true).SetMaxReconnectInterval(500 * time.Millisecond).SetKeepAlive(15 * time.Second)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		got := message{m.Topic(), string(m.Payload()), m.Retained()}
		c.do(func() { c.dispatch(got) })
	})
	o.SetOnConnectHandler(func(mqtt.Client) { c.do(c.linked) })
	o.SetConnectionLostHandler(func(mqtt.Client, error) { c.do(c.unlinked) })
	c.client = mqtt.NewClient(o)
	c.wait(c.client.Connect())
}

// do has a function run in order with everything else, with the lock held.
func (c *Core) do(f func()) {
	c.work.add(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.over {
			f()
		}
	})
}

// after has a function run later.
func (c *Core) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { c.do(f) })
}

// linked subscribes to everything again: the session is clean.
func (c *Core) linked() {
	c.connected = true
	for _, s := range c.subs {
		s.seen = nil
		c.want(s)
	}
	c.flush()
	c.writeAll()
	if !c.opt.NoBirth {
		c.after(c.opt.BirthAfter, func() { c.client.Publish(c.opt.BirthTopic, 0, false, c.opt.Birth) })
	}
}

func (c *Core) unlinked() {
	c.connected = false
	c.writeAll()
}

func (c *Core) listening() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected && !c.flushing && len(c.wanted) == 0
}

// want puts a filter on the list of those to be subscribed.
func (c *Core) want(s *subscription) {
	qos := s.qos
	for _, other := range c.subs {
		if other.filter == s.filter {
			qos = max(qos, other.qos)
		}
	}
	c.wanted[s.filter] = qos
}

// subscribe adds a part's interest. Home Assistant gathers new ones for a moment, and subscribes again where it already had the
// topic: so what is not retained is lost until then.
func (c *Core) subscribe(s *subscription) {
	c.subs = append(c.subs, s)
	c.want(s)
	if c.connected && !c.flushing {
		c.flushing = true
		c.after(c.opt.SubscribeAfter, c.flush)
	}
}

// flush subscribes to what is wanted.
func (c *Core) flush() {
	c.flushing = false
	if len(c.wanted) == 0 || !c.connected {
		return
	}
	filters := c.wanted
	c.wanted = map[string]byte{}
	c.flushing = true
	token := c.client.SubscribeMultiple(filters, nil)
	go func() { // the client's answer comes from its own goroutine
		token.WaitTimeout(10 * time.Second)
		c.do(func() {
			c.flushing = false
			for filter, code := range token.(*mqtt.SubscribeToken).Result() {
				if code == 0x80 {
					c.failf("the broker refuses the subscription %q", filter)
				}
			}
			if len(c.wanted) > 0 {
				c.flush()
			}
		})
	}()
}

// unsubscribe takes a part's interest away.
func (c *Core) unsubscribe(s *subscription) {
	c.subs = slices.DeleteFunc(c.subs, func(o *subscription) bool { return o == s })
	if slices.ContainsFunc(c.subs, func(o *subscription) bool { return o.filter == s.filter }) {
		return
	}
	delete(c.wanted, s.filter)
	if c.connected {
		c.client.Unsubscribe(s.filter)
	}
}

// dispatch gives a message to all whom it concerns.
func (c *Core) dispatch(m message) {
	for _, s := range slices.Clone(c.subs) {
		if !matches(s.filter, m.topic) {
			continue
		}
		if m.retained && !s.every {
			if s.seen[m.topic] {
				continue
			}
			if s.seen == nil {
				s.seen = map[string]bool{}
			}
			s.seen[m.topic] = true
		}
		s.receive(m)
	}
}

// matches tells whether a filter covers a topic.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t) || level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}
