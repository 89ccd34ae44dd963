package bridge

import (
	"context"
	"time"
)

// rivalry notices that another client uses our identifier: the broker then ends our connection as soon as the other one
// comes back, again and again.
type rivalry struct {
	short []time.Time // when connections were lost soon after they had been made
	found bool
}

// Three connections lost within shortLife of their start, within rivalWindow, are taken for a rival.
const (
	shortLife   = 10 * time.Second
	rivalWindow = time.Minute
	rivalWait   = 20 * time.Second // at least, between attempts while there is a rival
)

// lost notes the end of a connection and reports whether there seems to be a rival.
func (r *rivalry) lost(up, down time.Time) bool {
	if down.Sub(up) >= shortLife {
		r.short, r.found = nil, false
		return false
	}
	r.short = append(r.short, down)
	for len(r.short) > 0 && down.Sub(r.short[0]) > rivalWindow {
		r.short = r.short[1:]
	}
	if len(r.short) >= 3 {
		r.found = true // and stays so, however slow we are now, until a connection lasts or the broker is away
	}
	return r.found
}

// A broker that crashes again and again ends our connections as a rival would, but is away then, and waiting for a rival to give way would
// be waiting for nothing. So it is looked at, more than once: one that ends in order closes its connections first and its port last.
var rivalLooks = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 750 * time.Millisecond} // each after the one before

const rivalLookLimit = 2 * time.Second // of each look: what does not answer by then is away, too

// answers reports whether the port of the broker in use takes connections, all the time.
func (s *Session) answers(ctx context.Context) bool {
	to := s.turn.now()
	for _, wait := range rivalLooks {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		c, err := dialTCP(ctx, to.end.host, to.end.port, min(rivalLookLimit, s.cfg.Timeout))
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}
