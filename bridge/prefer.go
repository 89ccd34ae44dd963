package bridge

import (
	"context"
	"sync"
	"time"
)

// preference decides when the first broker is good enough to go back to it: when it has answered for a while. That while is doubled
// each time it is lost soon after, so that a broker that comes and goes does not take the gateway along.
type preference struct {
	every time.Duration // between two questions
	calm  time.Duration // how long it must have answered
	since time.Time     // it answers since then; zero: it does not
}

// Bounds of preference.
const (
	probeEvery = 15 * time.Second
	steady     = 10 * time.Minute // a connection to the first broker that lasted as long makes it trusted again
	mostCalm   = time.Hour
)

// answered takes whether the first broker answered at now, and reports whether it is time to go back.
func (p *preference) answered(ok bool, now time.Time) bool {
	switch {
	case !ok:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = now
	}
	return ok && now.Sub(p.since) >= p.calm
}

// lost notes how long a connection to the first broker has lasted.
func (p *preference) lost(lasted time.Duration) {
	if p.calm *= 2; lasted >= steady {
		p.calm = 0
	}
	p.calm = min(max(p.calm, 2*p.every), mostCalm)
}

// preferred watches the first broker while another one is in use, until ctx ends or cancel is called, which waits for that. back gets
// a token when it is time to go back.
func (s *Session) preferred(ctx context.Context) (back <-chan struct{}, cancel func()) {
	if !s.turn.away() {
		return nil, func() {}
	}
	ctx, end := context.WithCancel(ctx)
	found := make(chan struct{}, 1)
	var watch sync.WaitGroup
	watch.Go(func() {
		if s.watchFirst(ctx) {
			found <- struct{}{}
		}
	})
	return found, func() {
		end()
		watch.Wait()
	}
}

// watchFirst asks the first broker now and then whether it answers, with a connection of its own that says and hears nothing, and returns
// when it is time to go back; or when ctx ends, with false.
func (s *Session) watchFirst(ctx context.Context) bool {
	s.liking.since = time.Time{}
	tick := time.NewTicker(s.liking.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		first := &s.turn.all[0]
		p, err := s.open(ctx, first, s.cfg.ClientID+"-probe", nil)
		if err == nil {
			p.close()
		}
		if ctx.Err() != nil {
			return false
		}
		now := time.Now()
		if err != nil && s.told.again("probe", err.Error(), now) {
			s.log.Info("the first broker does not answer yet", "broker", first.name, "reason", err)
		}
		if s.liking.answered(err == nil, now) {
			return true
		}
	}
}
