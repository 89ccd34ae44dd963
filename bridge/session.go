package bridge

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatewayd/internal/clock"
)

// Session is the connection to the broker. It is made again whenever it ends, for ever. See outbox for the order of messages.
//
// The MQTT client connects, subscribes, receives and keeps the connection alive. What we publish is written past it, by one
// goroutine, and the acknowledgements are taken out of the stream before it sees them (see conn and flight): its own way costs
// three changes of goroutine, a timer and twenty allocations for each message, and cannot be interrupted while it waits.
type Session struct {
	cfg     SessionConfig
	receive func(Inbound)
	link    func(Link)
	log     *slog.Logger

	out       *outbox
	oversized atomic.Uint64
	made      time.Time
	alive     atomic.Int64 // since made

	turn rotation
	good string // the broker that had the last connection; empty: none had

	remembered string // the broker that is
	liking     preference
	tries      backoff
	rival      rivalry
	modest     bool // a subscription was not answered: the next connection asks for QoS 0
	told       notice
	heals      healing
	anews      healing // of connections, because our status came back late

	changes chan struct{} // one slot: wanted was given

	mu        sync.Mutex         // guards the following
	stats     Stats              // without what outbox, flight and the atomics count
	flight    *flight            // of the connection that is open; or nil
	latest    SessionConfig      // that was given
	wanted    *SessionConfig     // latest, until it is in use; then nil
	since     time.Time          // when the connection was to be another one, and is not yet; zero: it is not to be
	interrupt context.CancelFunc // ends whatever comes before an open connection
}

// NewSession makes a session; Run connects. receive gets what the subscriptions bring, its payload at most MaxPayload long, in
// order; link gets each change of the connection, and each new reason while it is down. Both are called from the session's
// goroutines and must not block.
func NewSession(cfg SessionConfig, receive func(Inbound), link func(Link), log *slog.Logger) *Session {
	cfg.complete()
	s := &Session{made: time.Now(), latest: cfg, receive: receive, link: link, log: log, out: newOutbox(), changes: make(chan struct{}, 1), interrupt: func() {}}
	s.out.backlog = cfg.Backlog
	s.use(cfg)
	s.beat()
	return s
}

// Publish queues m; the payload must not be changed afterwards. It never blocks and may be called from any goroutine, before
// Run, too.
func (s *Session) Publish(m Message) {
	var now time.Time
	if !m.State { // of a state the age does not matter
		now = clock.Now()
	}
	if !s.out.put(m, now) && s.told.first("topic "+m.Topic) {
		s.log.Error("message dropped: no broker takes its topic", "topic", m.Topic)
	}
}

// Stats returns a snapshot. It does not block for long and may be called from any goroutine.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	st := s.stats
	st.Refused = append([]string(nil), s.stats.Refused...)
	if s.flight != nil {
		flying, acked := s.flight.counts()
		st.InFlight, st.Sent = flying, st.Sent+acked
	}
	s.mu.Unlock()
	st.Queued, st.Dropped, st.Superseded = s.out.counts()
	st.Oversized = s.oversized.Load()
	st.Alive = s.made.Add(time.Duration(s.alive.Load()))
	return st
}

func (s *Session) note(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

func (s *Session) beat() { s.alive.Store(int64(time.Since(s.made))) }

// Run connects, and connects again, until ctx ends. Then it sends what is queued, for at most 1.5 s, publishes Status.Stopped,
// waits for its acknowledgement for at most 0.75 s more, and disconnects. It returns nil.
func (s *Session) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { s.out.expire(clock.Now(), true) }()
	for ctx.Err() == nil {
		s.beat()
		try := s.adopt(ctx)
		start := time.Now()
		p, err := s.connect(try)
		switch {
		case err == nil:
			up := time.Now()
			s.note(func(st *Stats) { st.Connects++ })
			s.good = s.turn.now().name
			err = s.serve(ctx, try, p, start)
			if err == errBack {
				s.turn.first()
				continue
			}
			if err == errChange {
				continue
			}
			err = s.over(p, err, up, time.Now())
		case ctx.Err() != nil:
			return nil
		case try.Err() != nil:
			continue
		default:
			s.missed(err)
			if s.turn.failed(err) {
				continue
			}
			err = s.turn.reason()
			s.turn.again()
			s.rival = rivalry{} // with a rival a broker always answers: all were away
		}
		if ctx.Err() != nil {
			return nil
		}
		s.down(p, err)
		wait := s.tries.next(time.Now())
		if s.rival.suspected {
			wait = max(wait, s.suspect(try, err))
		}
		s.pause(try, wait)
	}
	return nil
}

// over notes that a connection has ended because of err, and says more where more is known.
func (s *Session) over(p *peer, err error, up, down time.Time) error {
	lasted := down.Sub(up)
	if s.turn.prefer && s.turn.at == 0 {
		s.liking.lost(lasted)
	}
	s.tries.lost(up, down)
	if err != nil && !p.byUs() {
		if s.rival.lost(up, down); s.rival.found {
			err = s.rivalry(err)
		}
	}
	s.turn.lost(lasted, p.byUs())
	return err
}
