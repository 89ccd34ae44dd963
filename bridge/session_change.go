package bridge

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"
)

// errChange ends a connection: another one is wanted.
var errChange = errors.New("the settings of the connection have changed")

// Change replaces the configuration. It does not block and may be called from any goroutine, before Run, too; of several the latest
// counts. Where nothing differs but Subscriptions, Info, Forget, ForgetFirst, LastGood and Good, a connection that is open stays, and so do the
// subscriptions that both have. Otherwise the connection is left as at the end of Run, but that nothing is forgotten, and made anew: what
// was published before Change goes over the old one, what is published afterwards over the new one, which begins with all states, as any
// does. A status or info topic that is ours no more is cleared, where the broker can be reached.
func (s *Session) Change(cfg SessionConfig) {
	cfg.complete()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !alike(s.latest, cfg) {
		s.interrupt()
		s.out.mark() // with mu held: adopt must see both or none
		s.since = time.Now()
	}
	s.latest, s.wanted = cfg, &cfg
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// Drop forgets the states on these topics: they are not told again with the next connection. What the broker has retained stays
// there; publish an empty state to clear it. It never blocks and may be called from any goroutine.
func (s *Session) Drop(topics ...string) { s.out.drop(topics) }

// alike reports whether a connection serves both.
func alike(a, b SessionConfig) bool {
	if (a.Info == nil) != (b.Info == nil) {
		return false
	}
	for _, c := range []*SessionConfig{&a, &b} {
		c.take(&SessionConfig{})
	}
	return reflect.DeepEqual(a, b)
}

// take takes over what can change on an open connection.
func (c *SessionConfig) take(next *SessionConfig) {
	c.Subscriptions, c.Info, c.Forget, c.ForgetFirst = next.Subscriptions, next.Info, next.Forget, next.ForgetFirst
	c.LastGood, c.Good = next.LastGood, next.Good
}

// use makes the session one of this configuration. No connection is open.
func (s *Session) use(cfg SessionConfig) {
	s.cfg = cfg
	s.tries = backoff{low: cfg.RetryMin, high: cfg.RetryMax}
	s.turn, s.liking = newRotation(&cfg), preference{every: cfg.ProbeEvery, calm: 2 * cfg.ProbeEvery}
	s.turn.begins(cmp.Or(s.good, cfg.LastGood))
	s.remembered = cmp.Or(cfg.LastGood, s.turn.all[0].name) // who knows none begins with the first
	s.rival = rivalry{}
	s.told.clear()
	s.note(func(st *Stats) {
		st.Broker, st.LastError, st.OtherBoard, st.Unheard = s.turn.now().name, nil, "", false
	})
}

// adopt begins to use what Change has given. Another Change that wants another connection ends the context.
func (s *Session) adopt(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	next := s.wanted
	s.wanted, s.since = nil, time.Time{}
	s.out.unmark()
	s.interrupt()
	s.interrupt = cancel
	s.mu.Unlock()
	switch {
	case next == nil:
	case alike(s.cfg, *next):
		s.cfg.take(next)
	default:
		old := s.cfg
		s.use(*next)
		if s.shares(&old) { // and when it was cleared over the old connection: mosquitto may have taken that over, and published its will
			for _, topic := range leaves(&old, next) {
				s.Publish(clearing(topic))
			}
		}
	}
	return ctx
}

// shares reports whether one of our brokers is also one of another configuration.
func (s *Session) shares(old *SessionConfig) bool {
	before := newRotation(old)
	return slices.ContainsFunc(before.all, func(c candidate) bool { return s.turn.find(c.name) >= 0 })
}

// leaves are the topics that a session publishes on by itself, and with the next configuration does no more.
func leaves(old, next *SessionConfig) (topics []string) {
	has := func(topic string) bool {
		return topic == next.Status.Topic || topic == next.InfoTopic && next.Info != nil
	}
	if !has(old.Status.Topic) {
		topics = append(topics, old.Status.Topic)
	}
	if old.InfoTopic != "" && old.Info != nil && !has(old.InfoTopic) {
		topics = append(topics, old.InfoTopic)
	}
	return topics
}

// move leaves a connection because another one is wanted.
func (s *Session) move(p *peer) error {
	s.mu.Lock()
	next, limit := s.latest, s.since.Add(leaveWithin)
	s.mu.Unlock()
	s.log.Info("the settings of the connection to the broker have changed, connecting anew", "broker", s.turn.now().name)
	s.leave(p, limit, s.cfg.Status.Stopped, leaves(&s.cfg, &next)...)
	return errChange
}

// tarries reports whether the old connection takes too long to come to its end.
func (s *Session) tarries(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.since.IsZero() && now.Sub(s.since) > leaveWithin
}

// retune makes an open connection one of the wanted configuration, where it need not be another one.
func (s *Session) retune(ctx context.Context, p *peer) error {
	s.mu.Lock()
	next := s.wanted
	if next == nil || !s.since.IsZero() { // there is a mark
		s.mu.Unlock()
		return nil
	}
	s.wanted = nil
	s.mu.Unlock()
	told := s.cfg.Info
	s.cfg.take(next)
	if p.informed && !slices.Equal(told, s.cfg.Info) {
		if err := s.inform(p); err != nil {
			return err
		}
	}
	return s.resubscribe(ctx, p)
}
