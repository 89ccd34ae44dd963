package bridge

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// filtersMost is how many filters are sent in one packet: AWS IoT takes no more.
const filtersMost = 8

// subscribe subscribes to everything.
func (s *Session) subscribe(ctx context.Context, p *peer) error {
	filters := append([]string{p.status.Topic}, s.cfg.Subscriptions...)
	if s.asksInfo() {
		p.asked = s.cfg.InfoTopic
		filters = append(filters, p.asked)
	}
	p.heard = s.cfg.Subscriptions
	s.note(func(st *Stats) { st.Refused = nil })
	p.qos = 1
	if s.modest {
		p.qos, s.modest = 0, false
	}
	return s.ask(ctx, p, filters)
}

// resubscribe makes the subscriptions those of the configuration, where they are not. The new ones come first, so that what they have
// in common with the old ones is missed at no time.
func (s *Session) resubscribe(ctx context.Context, p *peer) error {
	without := func(all, some []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(f string) bool { return slices.Contains(some, f) })
	}
	begun, gone := without(s.cfg.Subscriptions, p.heard), without(p.heard, s.cfg.Subscriptions)
	p.heard = s.cfg.Subscriptions
	s.note(func(st *Stats) { st.Refused = without(st.Refused, gone) })
	for _, filter := range gone {
		s.told.forget("refused " + filter)
	}
	err := s.ask(ctx, p, begun)
	for batch := range slices.Chunk(gone, filtersMost) {
		p.client.Unsubscribe(batch...) // its answer changes nothing
	}
	return err
}

// ask subscribes and looks at what the broker granted. It waits for that until the time limit, or ctx ends, which is no error.
// A broker that does not answer in time is asked for less with the next connection: one that keeps each subscription at QoS 1 in a
// cluster may need longer than the limit while a node is away (NATS: 4 to 9 s), and would never have us. As the session ends with the
// connection, what is lost with QoS 0 is what a broker drops when it is busy.
func (s *Session) ask(ctx context.Context, p *peer, filters []string) error {
	var tokens []*mqtt.SubscribeToken
	for some := range slices.Chunk(filters, filtersMost) {
		batch := make(map[string]byte, len(some))
		for _, f := range some {
			batch[f] = p.qos
		}
		tokens = append(tokens, p.client.SubscribeMultiple(batch, nil).(*mqtt.SubscribeToken))
	}
	var refused []string
	limit := time.NewTimer(s.cfg.Timeout)
	defer limit.Stop()
	for _, t := range tokens {
		select {
		case <-t.Done():
		case <-ctx.Done():
			return nil
		case <-limit.C:
			s.modest = true
			return fmt.Errorf("the broker did not answer a subscription: %w", os.ErrDeadlineExceeded)
		}
		if t.Error() != nil {
			return errCut
		}
		for filter, code := range t.Result() {
			if code == 0x80 {
				refused = append(refused, filter)
			}
		}
	}
	s.note(func(st *Stats) { st.Refused = append(st.Refused, refused...) })
	for _, filter := range refused {
		if s.told.first("refused " + filter) {
			s.log.Error("the broker refuses a subscription: allow it there; it is tried again with the next connection", "filter", filter,
				"client_id", s.cfg.ClientID, "username", s.turn.now().user)
		}
	}
	return nil
}

// incoming takes a message from the client, in its goroutine.
func (s *Session) incoming(p *peer, m mqtt.Message) {
	switch topic := m.Topic(); {
	case topic == p.status.Topic:
		// Mosquitto publishes the will of a session that is taken over by our new one, and so can say that we are offline.
		// What was retained came before our birth message.
		if !m.Retained() && string(m.Payload()) == p.status.Online {
			p.echo.Store(true)
		}
		if m.Retained() || !p.live.Load() || string(m.Payload()) == p.status.Online {
			return
		}
		p.heal.Store(true)
	case topic == p.asked:
		if !m.Retained() {
			return
		}
		b := m.Payload()
		p.info.CompareAndSwap(nil, &b)
	default:
		s.receive(Inbound{Topic: topic, Payload: m.Payload(), Retained: m.Retained()})
		return
	}
	select {
	case p.nudge <- struct{}{}:
	default:
	}
}

// infoWait is how long a retained info may take to come; it comes right behind the answer to the subscription.
const infoWait = 300 * time.Millisecond

// asksInfo reports whether we look who wrote the retained info before we write ours.
func (s *Session) asksInfo() bool {
	return s.cfg.InfoTopic != "" && s.cfg.Info != nil && s.cfg.Identity != ""
}

// inform looks at the info that was found, and publishes ours.
func (s *Session) inform(p *peer) error {
	if s.cfg.InfoTopic == "" || s.cfg.Info == nil {
		return nil
	}
	if p.asked != "" && !p.informed {
		p.client.Unsubscribe(p.asked) // its answer changes nothing
		if found := p.info.Load(); found != nil {
			if other := serialOf(*found); other != "" && other != s.cfg.Identity {
				s.note(func(st *Stats) { st.OtherBoard = other })
				if s.told.first("serial " + other) {
					s.log.Error("another board uses our name: give each gateway a device name of its own, or ignore this once after "+
						"a board was replaced", "topic", s.cfg.InfoTopic, "its_serial", other, "our_serial", s.cfg.Identity)
				}
			}
		}
	}
	p.informed = true
	now := time.Now()
	return s.send(p, item{Message: Message{Topic: s.cfg.InfoTopic, Payload: s.cfg.Info, QoS: 1, Retain: true, State: true}, at: now}, now)
}
