package bridge

import (
	"maps"
	"slices"
	"time"
)

// unkept is a topic whose states the broker is not to keep any more. It is told so when that changes, but if it is away then, or goes
// before it has taken that, nothing else would: the session tells only the latest message on a topic again.
type unkept struct {
	owner point
	told  time.Time // when the broker was told so; zero: it was away
}

// unkeptWithin is how long a broker may be silent until its connection counts as lost, and a little more.
const unkeptWithin = 15 * time.Second

// cleared is a message that has the broker forget what it keeps on a topic.
func cleared(topic string) Message { return Message{Topic: topic, QoS: 1, Retain: true, State: true} }

// unkeep tells a broker that has come, and forgets what one that has gone has certainly heard.
func (s *state) unkeep(up bool) {
	if !up {
		maps.DeleteFunc(s.unkept, func(_ string, u unkept) bool { return !u.told.IsZero() && s.now.Sub(u.told) >= unkeptWithin })
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(s.unkept)) {
		u := s.unkept[topic]
		s.send = append(s.send, cleared(topic))
		u.owner.retell(s)
		s.unkept[topic] = unkept{u.owner, s.now}
	}
}
