package bridge

import "time"

// How long what is queued may take to be sent before the farewell, and how long that may take: the program waits 3 s for both, and for
// the end of the connection.
const (
	leaveWithin    = 1500 * time.Millisecond
	farewellWithin = 750 * time.Millisecond
)

// stop leaves the broker for good. What it has not taken in time is lost.
func (s *Session) stop(p *peer) {
	farewell := s.cfg.Status.Stopped
	if s.cfg.Forget != nil && s.cfg.Forget() {
		s.Publish(clearing(s.cfg.InfoTopic))
		s.out.forget(time.Now(), s.cfg.ForgetFirst)
		farewell = ""
	}
	s.out.unmark()
	s.leave(p, time.Now().Add(leaveWithin), farewell)
}

// leave sends what is left before the mark, until limit at most, says farewell on the status topic, clears topics, and disconnects.
func (s *Session) leave(p *peer, limit time.Time, farewell string, gone ...string) {
	ok := true
	p.conn.until(limit)
	for ok && time.Now().Before(limit) {
		if !p.flight.free(inFlight - 1) {
			ok = s.await(p, inFlight-1, limit)
			continue
		}
		it, more := s.out.next()
		if !more {
			break
		}
		if it.turn {
			break
		}
		if !it.online {
			if err := s.send(p, it, time.Now()); err != nil {
				p.conn.fail(err) // a part of it may have been sent: nothing can follow
				ok = false
			}
		}
	}
	if ok {
		s.await(p, 0, limit)
	}
	p.live.Store(false) // from here on our status is not online
	if !p.conn.gone() {
		p.conn.until(time.Now().Add(farewellWithin))
		left, _ := p.flight.counts() // what is overdue by now is given up
		said := s.send(p, s.status(farewell), time.Now()) == nil
		for _, topic := range gone {
			said = said && s.send(p, item{Message: clearing(topic)}, time.Now()) == nil
		}
		if said = said && s.await(p, left, time.Now().Add(farewellWithin)); said {
			s.log.Info("disconnected from the broker", "broker", s.turn.now().name)
		} else {
			s.log.Warn("the broker did not acknowledge that we stop", "broker", s.turn.now().name)
		}
	}
	p.close()
	s.lateDone(p)
	s.out.end(p.flight.unacked())
	s.settle(p)
	s.note(func(st *Stats) { st.Connected = false })
	s.link(Link{Broker: s.turn.now().name, At: time.Now()})
}

// await writes what was put together and waits until at most n messages are in flight. It returns false at limit, or when the
// connection ends.
func (s *Session) await(p *peer, n int, limit time.Time) bool {
	if err := p.flush(); err != nil {
		p.conn.fail(err)
		return false
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	for !p.flight.free(n) {
		select {
		case <-p.flight.room:
		case err := <-p.lost:
			p.conn.fail(err)
			return false
		case <-timer.C:
			return false
		}
	}
	return true
}
