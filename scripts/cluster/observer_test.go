package cluster

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats.go"
)

// person is another client of a node. A node refuses it while a stream has no leader: so it tries again.
func person(n *node) (mqtt.Client, error) {
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(n.broker()).SetClientID(fmt.Sprint("person-", rand.Int64())).
			SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(20 * time.Second).SetOrderMatters(true))
		token := c.Connect()
		if token.WaitTimeout(20*time.Second) && token.Error() == nil {
			return c, nil
		}
		err = token.Error()
		c.Disconnect(0)
	}
	return nil, fmt.Errorf("%s: a person cannot connect: %v", n.Name, err)
}

// listener is a person that hears everything, and knows what each topic said last.
type listener struct {
	mqtt.Client

	mu   sync.Mutex // guards the following
	seen map[string]string
}

func listen(n *node) (*listener, error) {
	c, err := person(n)
	if err != nil {
		return nil, err
	}
	l := &listener{Client: c, seen: map[string]string{}}
	token := c.Subscribe("gatewayd/#", 0, func(_ mqtt.Client, m mqtt.Message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seen[m.Topic()] = string(m.Payload())
	})
	if !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		c.Disconnect(0)
		return nil, fmt.Errorf("%s: a person cannot subscribe: %v", n.Name, token.Error())
	}
	return l, nil
}

func (l *listener) heard() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.seen)
}

// retained is what a node gives to somebody who has just begun to listen.
func retained(n *node) (map[string]string, error) {
	l, err := listen(n)
	if err != nil {
		return nil, err
	}
	defer l.Disconnect(100)
	for last := -1; ; time.Sleep(500 * time.Millisecond) { // until nothing more comes
		got := l.heard()
		if len(got) == last {
			return got, nil
		}
		last = len(got)
	}
}

// prefix is where a NATS server keeps retained messages, in the stream $MQTT_rmsgs; a / of the topic is a dot there.
const prefix = "$MQTT.rmsgs."

// stored looks, by way of a node, which of these topics are not retained by the cluster as wanted. That is what a node gives that has
// just begun. One that runs reads from a memory of its own, which it does not always have told what is new: see estate.stale.
func stored(n *node, want map[string]string) (wrong []string, err error) {
	c, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", n.NATS), nats.NoReconnect(), nats.Timeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	defer c.Close()
	js, err := c.JetStream(nats.MaxWait(2 * time.Second))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	got := map[string]string{}
	var asking sync.WaitGroup
	for topics := range slices.Chunk(slices.Sorted(maps.Keys(want)), len(want)/8+1) { // side by side: each question goes to another node and back
		asking.Go(func() {
			for _, topic := range topics {
				m, failed := js.GetLastMsg("$MQTT_rmsgs", prefix+strings.ReplaceAll(topic, "/", "."))
				mu.Lock()
				if failed == nil {
					got[topic] = string(m.Data)
				} else if !errors.Is(failed, nats.ErrMsgNotFound) {
					err = fmt.Errorf("%s: what is retained: %w", n.Name, failed)
				}
				ends := err != nil
				mu.Unlock()
				if ends {
					return
				}
			}
		})
	}
	asking.Wait()
	return differ(got, want), err
}

// differ gives the topics where there is not what is wanted.
func differ(got, want map[string]string) (wrong []string) {
	for _, topic := range slices.Sorted(maps.Keys(want)) {
		if got[topic] != want[topic] {
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %q", topic, got[topic], want[topic]))
		}
	}
	return wrong
}

// complete waits until what is wanted is what the cluster has stored, by way of each node.
func complete(nodes []*node, want map[string]string, limit time.Duration) error {
	look := func(n *node) error {
		wrong, err := stored(n, want)
		if err == nil && len(wrong) > 0 {
			err = fmt.Errorf("%s: %d of %d are wrong:\n  %s", n.Name, len(wrong), len(want), strings.Join(wrong[:min(8, len(wrong))], "\n  "))
		}
		return err
	}
	left := slices.Clone(nodes)
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		err := look(left[0])
		if err == nil { // nothing changes any more
			if left = left[1:]; len(left) == 0 {
				return nil
			}
			continue
		}
		if time.Now().After(end) {
			return err
		}
	}
}
