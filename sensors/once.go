package sensors

import (
	"context"
	"errors"
	"time"
)

// Single is what one measurement of a sensor gave, or why it gave nothing.
type Single struct {
	Readings []Reading  // as they are told: through the filters, under the configured names
	Raw      []Reading  // of the same quantities, in the same order, as they were measured
	As       []Quantity // that the driver calls them
	Took     time.Duration
	Err      error

	again bool // it was not ready, is open still, and there is time to ask once more
}

// Once opens a device, measures once, and closes it. A filter that looks back has nothing to look back to. A part that is not ready yet
// is waited for: as long as a measurement of its type can take, twice its own interval where it has one, and a second more. A call to it
// takes PollerConfig.Timeout at most, and half a second.
func Once(ctx context.Context, cfg PollerConfig) (s Single) {
	p := NewPoller(cfg, nil)
	start := time.Now()
	end := start.Add(p.cfg.Driver.Time + 2*p.cfg.Driver.Every + singleMore)
	for {
		s = p.try(ctx, end)
		s.Took = time.Since(start)
		if !s.again {
			return s
		}
		if !sleep(ctx, singleWait) {
			p.drop()
			return s
		}
	}
}

// singleWait is the wait before a part that is not ready is asked again, and singleMore how much longer than it should need it is asked.
const singleWait, singleMore = 100 * time.Millisecond, time.Second

// try measures within the time that a measurement has.
func (p *Poller) try(ctx context.Context, end time.Time) Single {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	done := make(chan Single, 1)
	go func() { done <- p.single(ctx, end) }()
	select {
	case s := <-done:
		return s
	case <-ctx.Done():
	}
	select {
	case s := <-done:
		return s
	case <-time.After(grace):
		return Single{Err: errors.New("a call to it has not come back: it hangs, or its bus does")}
	}
}

func (p *Poller) single(ctx context.Context, end time.Time) (s Single) {
	raw, err := p.once(ctx)
	if errors.Is(err, ErrNotReady) && ctx.Err() == nil && time.Now().Before(end) {
		return Single{Err: err, again: true}
	}
	defer p.drop()
	if ctx.Err() != nil {
		err = late(p.cfg.Timeout, err)
	}
	if err != nil {
		return Single{Err: err}
	}
	for _, r := range raw {
		told, err := p.treat([]Reading{r}, time.Now())
		if err != nil {
			return Single{Err: err}
		}
		if len(told) == 0 {
			continue
		}
		s.Readings, s.Raw = append(s.Readings, told[0]), append(s.Raw, r)
		for _, q := range p.quantities {
			if q.Name == r.Quantity {
				s.As = append(s.As, q)
			}
		}
	}
	return s
}
