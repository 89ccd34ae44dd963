package bridge

import "time"

// lateMost is how many late messages may be in flight. What is live waits for no more than these.
const lateMost = 8

// drain sends what waits in the backlog, when there is nothing else to send.
func (s *Session) drain(p *peer, now time.Time) error {
	if s.cfg.Backlog == nil || p.phase != attending {
		return nil
	}
	for p.flight.free(lateMost / 2) { // not one by one, so that each write carries some
		for range lateMost / 2 {
			n, topic, payload, ok := s.cfg.Backlog.Next(p.late)
			if !ok {
				p.flight.free(0) // has us called when all are acknowledged
				return nil
			}
			p.late = n
			if err := s.send(p, item{Message: Message{Topic: topic, Payload: payload, QoS: 1}, late: n}, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// lateDone tells the backlog what of it is acknowledged.
func (s *Session) lateDone(p *peer) {
	if n := p.flight.lateDone(); n > p.lateDone {
		p.lateDone = n
		s.cfg.Backlog.Done(n)
	}
}

// lateRoom gets a token when the backlog may have more to send.
func (s *Session) lateRoom() <-chan struct{} {
	if s.cfg.Backlog == nil {
		return nil
	}
	return s.cfg.Backlog.Room()
}
