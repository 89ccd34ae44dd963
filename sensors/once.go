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
}

// Once opens a device, measures once, and closes it. A filter that looks back has nothing to look back to. A part that is not ready yet
// is waited for, for a second more than a measurement of its type can take; the whole takes PollerConfig.Timeout at most, and half a second.
func Once(ctx context.Context, cfg PollerConfig) Single {
	p := NewPoller(cfg, nil)
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	done := make(chan Single, 1)
	start := time.Now()
	go func() { done <- p.single(ctx) }()
	var s Single
	select {
	case s = <-done:
	case <-ctx.Done():
		select {
		case s = <-done:
		case <-time.After(grace):
			s.Err = errors.New("a call to it has not come back: it hangs, or its bus does")
		}
	}
	s.Took = time.Since(start)
	return s
}

// singleWait is the wait before a part that is not ready is asked again, and singleMore how much longer than it should need it is asked.
const singleWait, singleMore = 100 * time.Millisecond, time.Second

func (p *Poller) single(ctx context.Context) (s Single) {
	defer p.drop()
	end := time.Now().Add(p.cfg.Driver.Time + singleMore)
	raw, err := p.once(ctx)
	for errors.Is(err, ErrNotReady) && time.Now().Before(end) && sleep(ctx, singleWait) {
		raw, err = p.once(ctx)
	}
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
