package bridge

import (
	"slices"
	"time"
)

const (
	echoWait = 5 * time.Second // until our own status is missed
	againMin = 2 * time.Second // until it is said once more, and between two such tries, doubled each time
	againMax = time.Minute
)

// repeat is the saying again of a status that does not come back.
type repeat struct {
	n    int       // how often
	next time.Time // when it is time
}

// due reports whether it is time; born is when the status was said first.
func (r *repeat) due(born, now time.Time) bool {
	if r.n == 0 {
		r.next = born.Add(againMin)
	}
	if now.Before(r.next) {
		return false
	}
	r.next = now.Add(min(againMin<<min(r.n, 10), againMax))
	r.n++
	return true
}

// unheard looks whether our own status has come back. Mosquitto acknowledges what its access list forbids, subscriptions too, and does
// nothing: this is the one refusal that can be seen from here. The status is said again then; when it comes back at last, what was told
// before may be missing, and unheard reports that everything is to begin anew. What is forbidden elsewhere stays unseen.
func (s *Session) unheard(p *peer, now time.Time) (anew bool, err error) {
	if p.born.IsZero() {
		return false, nil
	}
	heard, refused, unheard := p.echo.Load(), false, false
	topic := p.status.Topic
	s.note(func(st *Stats) {
		refused = slices.Contains(st.Refused, topic)
		unheard = !heard && !refused && now.Sub(p.born) >= echoWait
		st.Unheard = unheard
	})
	switch {
	case refused:
	case heard && p.again.n > 0 && s.anews.due(now): // not each time: the broker may be only slow
		p.again = repeat{}
		s.log.Info("our own status comes back now: connecting anew, as the broker may have forbidden what was told before", "broker", s.turn.now().name)
		return true, nil
	case !heard && p.again.due(p.born, now):
		err = s.send(p, s.status(p.status.Online), now)
	}
	if unheard && s.told.first("unheard "+s.turn.now().name) {
		s.log.Error("our own status does not come back: the broker's access list seems to forbid it, without a word; gatewayd acl writes what is needed",
			"topic", topic, "broker", s.turn.now().name, "client_id", s.cfg.ClientID, "username", s.turn.now().user)
	}
	return false, err
}
