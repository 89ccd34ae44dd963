package bridge

import (
	"slices"
	"time"
)

// echoWait is how long our own status may take to come back to us, after the broker has acknowledged it.
const echoWait = 5 * time.Second

// unheard looks whether our own status has come back. Mosquitto acknowledges what its access list forbids, subscriptions too, and does
// nothing: this is the one refusal that can be seen from here. What it forbids elsewhere stays unseen.
func (s *Session) unheard(p *peer, now time.Time) {
	heard := p.echo.Load()
	if !heard && (p.born.IsZero() || now.Sub(p.born) < echoWait) {
		return
	}
	topic := s.cfg.Status.Topic
	unheard := false
	s.note(func(st *Stats) {
		unheard = !heard && !slices.Contains(st.Refused, topic)
		st.Unheard = unheard
	})
	if unheard && s.told.first("unheard "+s.turn.now().name) {
		s.log.Error("our own status does not come back: the broker's access list seems to forbid it, without a word; gatewayd acl writes what is needed",
			"topic", topic, "broker", s.turn.now().name, "client_id", s.cfg.ClientID, "username", s.turn.now().user)
	}
}
