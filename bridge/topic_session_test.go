package bridge

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"gatewayd/internal/mqtttest"
)

// eavesdropper is a broker's hook that notes what clients publish, their wills, and what they subscribe to.
type eavesdropper struct {
	mochi.HookBase
	mu      sync.Mutex // guards the following
	heard   []Message
	filters []string
	qos     []byte
}

func (h *eavesdropper) ID() string { return "eavesdropper" }
func (h *eavesdropper) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnConnect || b == mochi.OnSubscribe || b == mochi.OnPublish
}
func (h *eavesdropper) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (h *eavesdropper) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func (h *eavesdropper) note(m Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.Payload = slices.Clone(m.Payload)
	h.heard = append(h.heard, m)
}

func (h *eavesdropper) has(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.heard, func(m Message) bool { return m.Topic == topic })
}

func (h *eavesdropper) OnConnect(_ *mochi.Client, p packets.Packet) error {
	if c := p.Connect; c.WillFlag {
		h.note(Message{Topic: c.WillTopic, Payload: c.WillPayload, QoS: c.WillQos, Retain: c.WillRetain})
	}
	return nil
}

func (h *eavesdropper) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	h.note(Message{Topic: p.TopicName, Payload: p.Payload, QoS: p.FixedHeader.Qos, Retain: p.FixedHeader.Retain})
	return p, nil
}

func (h *eavesdropper) OnSubscribe(_ *mochi.Client, p packets.Packet) packets.Packet {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range p.Filters {
		h.filters, h.qos = append(h.filters, f.Filter), append(h.qos, f.Qos)
	}
	return p
}

// connect has the gateway's session come to a broker and go again, and gives what it says and subscribes to there.
func (h *eavesdropper) connect(t *testing.T, cfg *Config) {
	b := mqtttest.StartEmbedded(t, "", h)
	topics := NewTopics(cfg)
	session := SessionConfig{
		Broker: "tcp://" + b.Addr(), ClientID: "gatewayd-" + cfg.Device, Status: topics.StatusOf(cfg.Status),
		Subscriptions: append(topics.Subscriptions(cfg), topics.Announcements(cfg)...),
		InfoTopic:     topics.Gateway("info"), Info: []byte(`{"serial":"1"}`), Identity: "1",
	}
	r := startSession(t, session)
	r.await(t, true)
	for end := time.Now().Add(10 * time.Second); !h.has(session.InfoTopic); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no info")
		}
	}
	r.stop()
	// gatewayd forget tells only of itself here: what it clears has been met.
	var seen eavesdropper
	b = mqtttest.StartEmbedded(t, "", &seen)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := Forget(ctx, SessionConfig{Broker: "tcp://" + b.Addr(), ClientID: "gatewayd-x"}, cfg, Forgetting{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	h.heard = append(h.heard, seen.heard...)
}
