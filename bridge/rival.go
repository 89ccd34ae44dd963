package bridge

import (
	"context"
	"fmt"
	"time"
)

// rivalry notices that another client uses our identifier: the broker then ends our connection as soon as the other one
// comes back, again and again.
type rivalry struct {
	short     []time.Time // when connections were lost soon after they had been made
	suspected bool        // so many that there may be a rival; and stays so, however slow we are now, until a connection lasts or the broker is away
	found     bool        // and the broker was there all the time
}

// Three connections lost within shortLife of their start, within rivalWindow, are taken for a rival.
const (
	shortLife   = 10 * time.Second
	rivalWindow = time.Minute
	rivalWait   = 20 * time.Second // at least, between attempts while there is a rival
)

// lost notes the end of a connection.
func (r *rivalry) lost(up, down time.Time) {
	if down.Sub(up) >= shortLife {
		*r = rivalry{}
		return
	}
	r.short = append(r.short, down)
	for len(r.short) > 0 && down.Sub(r.short[0]) > rivalWindow {
		r.short = r.short[1:]
	}
	r.suspected = r.suspected || len(r.short) >= 3
}

// A broker that crashes again and again ends our connections as a rival would, but is away then, and waiting for a rival to give way would
// be waiting for nothing. So it is looked at, more than once: one that ends in order closes its connections first and its port last.
var rivalLooks = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 750 * time.Millisecond} // each after the one before

const rivalLookLimit = 2 * time.Second // of each look: what does not answer by then is away, too

// suspect looks whether there is a rival, when there seems to be one, and gives how long to wait for it to give way: the rest of it, as
// looking takes its time.
func (s *Session) suspect(ctx context.Context, err error) time.Duration {
	wait := min(rivalWait, s.cfg.RetryMax)
	began := time.Now()
	switch {
	case !s.answers(ctx, wait):
		s.rival = rivalry{}
		return 0
	case !s.rival.found && ctx.Err() == nil:
		s.rival.found = true
		s.down(nil, s.rivalry(err))
	}
	return wait - time.Since(began)
}

// rivalry is the error of a connection that a rival has ended, as it seems.
func (s *Session) rivalry(err error) error {
	return &refusal{
		fmt.Sprintf("the broker closes each connection soon: another client with the identifier %q seems to be connected", s.cfg.ClientID),
		"give each gateway a device name, or client_id, of its own; if there is only one, the broker's log says why it closes", err,
	}
}

// answers reports whether the port of the broker in use takes connections, all that time, or as long as it takes to see.
func (s *Session) answers(ctx context.Context, limit time.Duration) bool {
	to := s.turn.now()
	for _, wait := range rivalLooks {
		if limit -= wait; limit < 0 {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return true
		}
		c, err := dialTCP(ctx, to.end.host, to.end.port, min(rivalLookLimit, s.cfg.Timeout))
		if err != nil {
			return ctx.Err() != nil
		}
		c.Close()
	}
	return true
}
