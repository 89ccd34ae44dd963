package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrRunning says that the gateway seems to be running: what it has published would come back.
var ErrRunning = errors.New("the gateway is online")

const (
	forgetQuiet   = time.Second            // nothing more retained has come for that long
	forgetPause   = 500 * time.Millisecond // for Home Assistant to remove its entities
	clearWithin   = 30 * time.Second       // until the broker has acknowledged
	clearedWithin = 2 * time.Second        // and until it has passed on what it took
)

// Forgetting is what to do with what a gateway has left at its broker.
type Forgetting struct {
	Look  bool // only tell what there is
	Force bool // also while the gateway is online
}

// Forget clears everything retained that a gateway with this configuration keeps at the broker: all below its root, its status, the
// states on topics that the configuration names, its announcements for Home Assistant, and what those name of older
// configurations. It gives the topics, sorted. It connects with an identifier of its own, and once.
func Forget(ctx context.Context, session SessionConfig, cfg *Config, how Forgetting, log *slog.Logger) ([]string, error) {
	t := NewTopics(cfg)
	session.ClientID += "-forget"
	session.Status = Status{Topic: t.Gateway("forget"), Online: "online", Offline: "offline"} // not to be seen as the gateway; cleared at the end
	session.Subscriptions = t.retained(cfg)
	session.InfoTopic, session.Info, session.Identity = "", nil, ""

	var left leftovers
	links := make(chan Link, 16)
	s := NewSession(session, left.take, func(l Link) {
		select {
		case links <- l:
		default:
		}
	}, log)
	ctx, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	run.Go(func() { s.Run(ctx) })
	defer run.Wait()
	defer cancel()

	select {
	case l := <-links:
		if !l.Up {
			return nil, l.Err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if refused := s.Stats().Refused; len(refused) > 0 {
		return nil, fmt.Errorf("the broker refuses to show %q: allow it there", refused)
	}
	if err := left.settle(ctx); err != nil {
		return nil, err
	}
	status := t.StatusOf(cfg.Status)
	if string(left.payload(status.Topic)) == status.Online && !how.Force && !how.Look {
		return nil, ErrRunning
	}
	topics := left.topics(session.Subscriptions, t)
	if how.Look {
		return topics, nil
	}
	// Home Assistant goes first, and is given a moment: what is empty would be an error to the entities that it still has.
	documents, others := t.apart(topics)
	if err := clearAll(ctx, s, links, documents); err != nil {
		return nil, err
	}
	if len(documents) > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(forgetPause):
		}
	}
	if err := clearAll(ctx, s, links, others); err != nil {
		return nil, err
	}
	if kept := left.still(topics); len(kept) > 0 {
		return nil, fmt.Errorf("the broker did not let us clear %q%s: allow this user to write there",
			kept[0], map[bool]string{true: fmt.Sprintf(" and %d more", len(kept)-1)}[len(kept) > 1])
	}
	return topics, nil
}

// apart divides topics into those of documents for Home Assistant, and all others.
func (t *Topics) apart(topics []string) (documents, others []string) {
	for _, topic := range topics {
		if t.discovers(topic) {
			documents = append(documents, topic)
		} else {
			others = append(others, topic)
		}
	}
	return documents, others
}

// clearAll clears topics, and waits until the broker has acknowledged that.
func clearAll(ctx context.Context, s *Session, links <-chan Link, topics []string) error {
	for _, topic := range topics {
		s.Publish(Message{Topic: topic, QoS: 1, Retain: true, State: true})
	}
	for end := time.Now().Add(clearWithin); ; {
		if st := s.Stats(); st.Queued+st.InFlight == 0 {
			return nil
		}
		select {
		case l := <-links:
			return fmt.Errorf("not all was cleared: %w", l.Err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			return errNoAck
		}
	}
}

// leftovers are retained messages.
type leftovers struct {
	mu   sync.Mutex // guards the following
	kept map[string][]byte
	last time.Time // when the latest came
}

// take keeps what is retained, until it comes back empty: a broker acknowledges also what it does not take (MQTT 3.1.1, section
// 3.3.5), but it passes on only what it does.
func (l *leftovers) take(m Inbound) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !m.Retained {
		if len(m.Payload) == 0 {
			delete(l.kept, m.Topic)
		}
		return
	}
	if l.kept == nil {
		l.kept = map[string][]byte{}
	}
	l.kept[m.Topic], l.last = slices.Clone(m.Payload), time.Now()
}

func (l *leftovers) payload(topic string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept[topic]
}

// still gives the topics that have not come back empty in time.
func (l *leftovers) still(topics []string) []string {
	for end := time.Now().Add(clearedWithin); ; time.Sleep(10 * time.Millisecond) {
		kept := slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return l.payload(topic) == nil })
		if len(kept) == 0 || time.Now().After(end) {
			return kept
		}
	}
}

// settle waits until nothing more comes.
func (l *leftovers) settle(ctx context.Context) error {
	start := time.Now()
	for {
		l.mu.Lock()
		last := l.last
		l.mu.Unlock()
		if last.Before(start) {
			last = start
		}
		wait := time.Until(last.Add(forgetQuiet))
		if wait <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// topics are all that there is, and what announcements name besides, where it was not looked for: of an older configuration.
func (l *leftovers) topics(looked []string, t *Topics) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]bool{}
	for topic, payload := range l.kept {
		all[topic] = true
		if !t.discovers(topic) {
			continue
		}
		for _, named := range readFound(payload).topics {
			if !slices.ContainsFunc(looked, func(filter string) bool { return Matches(filter, named) }) {
				all[named] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}
