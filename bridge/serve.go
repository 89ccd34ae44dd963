package bridge

import (
	"context"
	"errors"
	"os"
	"time"

	"gatewayd/internal/clock"
)

// pause waits for d, or until ctx ends, and shows that the session is alive. It is over when the machine wakes, as whatever was wrong
// was long ago, and when the clock is set, as a certificate may be valid now.
func (s *Session) pause(ctx context.Context, d time.Duration) {
	done := time.NewTimer(d)
	defer done.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	slept, synchronised := clock.Slept(), clock.Synchronised()
	for {
		select {
		case <-done.C:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			s.beat()
			s.out.expire(clock.Now(), false)
			if clock.Slept() != slept {
				s.tries = backoff{low: s.tries.low, high: s.tries.high}
				return
			}
			if !synchronised && clock.Synchronised() {
				return
			}
		}
	}
}

// missed tells that a broker could not be reached, and why: once for each reason.
func (s *Session) missed(err error) {
	to := s.turn.now()
	if s.told.again("down "+to.name, err.Error(), time.Now()) {
		s.log.Warn("no connection to the broker", "broker", to.name, "reason", err)
	}
}

// down tells that there is no connection: p is lost or, where it is nil, a round over all brokers made none.
func (s *Session) down(p *peer, err error) {
	now := time.Now()
	var changed, was bool
	var broker string
	s.note(func(st *Stats) {
		was, broker = st.Connected, st.Broker
		changed = was || st.LastError == nil || st.LastError.Error() != err.Error()
		st.Connected, st.LastError = false, err
	})
	switch {
	case s.rival.found: // connected and lost in turn
		if s.told.again("rival "+err.Error(), "", now) {
			s.log.Error("connection to the broker lost", "broker", broker, "reason", err)
		}
	case was:
		s.log.Warn("connection to the broker lost", "broker", broker, "reason", err)
		s.told.again("down "+broker, err.Error(), now)
	case p != nil && s.told.again("down "+broker, err.Error(), now): // it was never live
		s.log.Warn("no connection to the broker", "broker", broker, "reason", err)
	}
	if changed {
		s.link(Link{Broker: broker, Err: err, At: now})
	}
}

// byUs reports whether we ended the connection because the broker was silent, or does not speak MQTT.
func (p *peer) byUs() bool {
	cause := p.conn.failure()
	return errors.Is(cause, errNoAck) || errors.Is(cause, errBroken) || errors.Is(cause, os.ErrDeadlineExceeded)
}

// phase is how far a connection has come.
type phase uint8

const (
	dumping   phase = iota // all states are sent
	settling               // waits for their acknowledgements
	greeting               // waits for that of the birth message
	attending              // live
)

// serve uses the connection until it ends, or ctx does, or a better broker is there, or another connection is wanted. The end of try
// tells of that until everything is subscribed to. It returns why it ended; nil: we stopped; errBack, errChange: we left it in order.
func (s *Session) serve(ctx, try context.Context, p *peer, start time.Time) error {
	s.beat()
	stop := context.AfterFunc(ctx, func() { p.conn.fail(context.Canceled) })
	err := s.subscribe(try, p)
	if !stop() {
		err = context.Canceled
	} else if try.Err() != nil {
		p.close()
		return errChange
	}
	if err != nil {
		p.conn.fail(err)
		return s.ended(p)
	}
	// A write that waits when we are to stop does not get its whole time.
	defer context.AfterFunc(ctx, func() { p.conn.until(time.Now().Add(leaveWithin)) })()
	s.mu.Lock()
	s.flight = p.flight
	s.mu.Unlock()
	s.out.begin(clock.Now())
	var infoDue <-chan time.Time
	if s.asksInfo() {
		infoDue = time.After(infoWait)
	} else if err := s.inform(p); err != nil {
		p.conn.fail(err)
		return s.ended(p)
	}
	back, cancel := s.preferred(ctx)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	slept := clock.Slept()
	for {
		err := s.work(p, start)
		if err == nil && infoDue != nil && p.info.Load() != nil {
			infoDue = nil
			err = s.inform(p)
		}
		if err == errChange && ctx.Err() == nil {
			return s.move(p)
		}
		if err == nil || err == errChange {
			err = p.flush()
		}
		if err != nil {
			p.conn.fail(err)
			return s.ended(p)
		}
		select {
		case <-s.out.wake:
		case <-p.flight.room:
		case <-s.lateRoom():
		case <-p.nudge:
		case <-infoDue: // nobody has written one
			p.info.CompareAndSwap(nil, new([]byte))
		case now := <-tick.C:
			s.beat()
			anew, err := s.unheard(p, now)
			if err != nil {
				p.conn.fail(err)
				return s.ended(p)
			}
			if anew {
				s.leave(p, now.Add(leaveWithin), p.status.Stopped)
				return errChange
			}
			s.remember(p, now)
			if s.tarries(now) {
				return s.move(p)
			}
			before := slept
			if slept = clock.Slept(); slept-before > s.cfg.KeepAlive { // the broker has given us up, or does so any moment
				p.conn.fail(errSlept)
				return s.ended(p)
			}
			// A broker that is stopped sends us our own will before it closes the connection: that is not worth a line.
			if !p.healed.IsZero() && now.Sub(p.healed) > time.Second {
				p.healed = time.Time{}
				if s.told.again("heal", "", now) {
					s.log.Warn("our status was overwritten; published again", "topic", s.cfg.Status.Topic)
				}
			}
		case err := <-p.lost:
			return s.lost(p, err)
		case <-back:
			s.log.Info("the first broker answers again, going back to it", "broker", s.turn.all[0].name, "from", s.turn.now().name)
			s.leave(p, time.Now().Add(leaveWithin), s.cfg.Status.Stopped)
			return errBack
		case <-s.changes:
			if err := s.retune(ctx, p); err != nil {
				p.conn.fail(err)
				return s.ended(p)
			}
		case <-ctx.Done():
			s.stop(p)
			return nil
		}
	}
}

// work puts together what may be sent now.
func (s *Session) work(p *peer, start time.Time) error {
	now := time.Now()
	if p.flight.overdue(now.Add(-s.cfg.AckTimeout)) {
		return errNoAck
	}
	s.lateDone(p)
	for {
		switch p.phase {
		case settling:
			if !p.flight.free(0) {
				return nil
			}
			p.phase = greeting
			if err := s.send(p, s.status(s.cfg.Status.Online), now); err != nil {
				return err
			}
			continue
		case greeting:
			if !p.flight.free(0) {
				return nil
			}
			p.phase = attending
			p.live.Store(true)
			p.born = now
			s.up(start)
		case attending:
			if p.heal.Load() && s.heals.due(now) {
				p.heal.Store(false)
				s.note(func(st *Stats) { st.Healed++ })
				p.healed = now
				if err := s.send(p, s.status(s.cfg.Status.Online), now); err != nil {
					return err
				}
			}
		}
		if !p.flight.free(inFlight - 1) {
			if p.flight.free(inFlight / 2) { // wait for half of them, so that the next write carries many
				continue
			}
			return nil
		}
		it, ok := s.out.next()
		if !ok {
			return s.drain(p, now)
		}
		if it.turn {
			return errChange
		}
		if it.online {
			p.phase = settling
			continue
		}
		if err := s.send(p, it, now); err != nil {
			return err
		}
	}
}

func (s *Session) status(payload string) item {
	return item{Message: Message{Topic: s.cfg.Status.Topic, Payload: []byte(payload), QoS: 1, Retain: true, State: true}, at: time.Now()}
}

// up tells that the connection is live.
func (s *Session) up(start time.Time) {
	now := time.Now()
	s.note(func(st *Stats) { st.Connected = true })
	if !s.rival.found {
		for i := range s.turn.all {
			s.told.forget("down " + s.turn.all[i].name)
		}
		s.log.Info("connected to the broker", "broker", s.turn.now().name, "ms", now.Sub(start).Milliseconds())
	}
	s.link(Link{Up: true, Broker: s.turn.now().name, At: now})
}

var (
	errNoAck = errors.New("the broker did not acknowledge a message in time")
	errCut   = errors.New("the connection ended")
	errSlept = errors.New("the machine has slept for longer than the broker waits")
)

// send appends it to what is to be written, and notes that it is in flight. It blocks only when that is much.
func (s *Session) send(p *peer, it item, now time.Time) error {
	if !it.At.IsZero() && len(it.Payload) > 0 {
		it.Payload = stamped(it.Payload, it.At)
	}
	var id uint16
	if it.QoS > 0 {
		id = p.flight.add(it, now)
	} else {
		s.note(func(st *Stats) { st.Sent++ })
	}
	p.out = appendPublish(p.out, &it.Message, id)
	if len(p.out) >= writeBuffer {
		return p.flush()
	}
	return nil
}

// flush writes what was put together. It blocks while the connection takes nothing, until its timeout.
func (p *peer) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	_, err := p.conn.Write(p.out)
	p.out = p.out[:0]
	if cap(p.out) > 4*writeBuffer {
		p.out = nil
	}
	return err
}

// writeBuffer is how many bytes of packets are written at once, or a little more.
const writeBuffer = 4 << 10

// ended waits until the client has noticed the end of the connection.
func (s *Session) ended(p *peer) error {
	s.beat()
	patience := time.NewTimer(2 * s.cfg.Timeout)
	defer patience.Stop()
	select {
	case err := <-p.lost:
		return s.lost(p, err)
	case <-patience.C: // has not been seen; a client that hangs must not keep us from connecting
		s.log.Error("the MQTT client does not end; left behind")
		return s.lost(p, errCut)
	}
}

// lost puts back what was not acknowledged, and explains err.
func (s *Session) lost(p *peer, err error) error {
	p.live.Store(false)
	s.lateDone(p)
	s.out.end(p.flight.unacked())
	s.settle(p)
	if cause := p.conn.failure(); cause != nil && !errors.Is(cause, errCut) {
		err = cause
	}
	if errors.Is(err, errNoAck) {
		err = &refusal{errNoAck.Error(), "is it, or the network, overloaded?", err}
	}
	return explain(err, s.turn.now().end, true)
}

// settle adds what a connection has sent to the sum of all.
func (s *Session) settle(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, acked := p.flight.counts()
	s.stats.Sent += acked
	s.flight = nil
}
