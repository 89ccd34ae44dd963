package bridge

import (
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before the next attempt: a quick one first, then from low up to high, doubled each time.
// While an outage is young no wait exceeds shortWait, so that a broker that was restarted soon has us back.
// The upper half of each wait is random, so that many gateways do not return to a broker in step.
type backoff struct {
	low, high time.Duration
	n         int       // how often the wait was doubled, the quick attempt counted
	since     time.Time // when this outage began; zero: there was no connection, nor an attempt
}

const (
	shortOutage = 5 * time.Minute
	shortWait   = 4 * time.Second  // so that everything is told 5 s after the broker's return
	stable      = 30 * time.Second // a connection that lasted as long has the next attempt be quick
)

// next returns the wait after an attempt, or a connection, that ended at now.
func (b *backoff) next(now time.Time) time.Duration {
	if b.since.IsZero() {
		b.since = now
	}
	most := b.high
	if now.Sub(b.since) < shortOutage {
		most = min(most, shortWait)
	}
	d := b.low / 4
	if b.n > 0 {
		d = b.low << (b.n - 1)
	}
	if d < most {
		b.n++ // no further: what is doubled next is what was waited
	}
	d = min(d, most)
	return d/2 + rand.N(d/2+1)
}

// lost notes the end of a connection: another outage begins.
func (b *backoff) lost(up, down time.Time) {
	b.since = down
	if down.Sub(up) >= stable {
		b.n = 0
	}
}
