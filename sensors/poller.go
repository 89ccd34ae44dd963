package sensors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	defaultEvery   = 30 * time.Second
	defaultTimeout = 5 * time.Second
	defaultMisses  = 3
	maxSpread      = time.Second            // the first readings come soon
	grace          = 500 * time.Millisecond // for a driver to return after its time is over
	minBackoff     = time.Second
	maxBackoff     = 48 * time.Second // and a quarter of it, by chance
)

// PollerConfig is how one sensor is read.
type PollerConfig struct {
	Name       string // the configured name
	Driver     *Driver
	Options    Options
	Only       []string             // the quantities that are told; nil: all
	Treatments map[string]Treatment // what becomes of some quantities
	// Offered is called when a device was opened that measures something else than before, or for the first time, where that is not
	// always the same (Driver.Offers). It must not block; it may be nil.
	Offered func()
	Every   time.Duration // from one measurement to the next; 0: 30 s
	Timeout time.Duration // of opening and measuring together; 0: 5 s, or Every where that is less, and Driver.Time more
	Misses  int           // so many failures in a row, of a sensor that has worked, are told as one; 0: 3
	Log     *slog.Logger  // may be nil
}

// Poller reads one sensor. It opens the device, measures on time and never twice at once, tries a failed measurement once
// more, then drops the device and opens it anew, at ever longer intervals up to a minute. What was measured goes through the filters.
type Poller struct {
	cfg     PollerConfig
	samples chan<- Sample
	soon    chan struct{} // capacity 1
	told    string        // the failure that was logged last; empty: it measures
	works   bool          // as it was told last

	// The helper's, while there is one.
	sensor     Sensor // nil: not open
	quantities []Quantity
	chains     map[string]*chain
}

// NewPoller makes a Poller that sends to samples. It starts nothing.
func NewPoller(cfg PollerConfig, samples chan<- Sample) *Poller {
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = min(defaultTimeout, cfg.Every) + cfg.Driver.Time
	}
	if cfg.Misses <= 0 {
		cfg.Misses = defaultMisses
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Poller{cfg: cfg, samples: samples, soon: make(chan struct{}, 1), chains: newChains(cfg.Treatments)}
}

// Soon has the next measurement be made at once, whenever it is due. It never blocks.
func (p *Poller) Soon() {
	select {
	case p.soon <- struct{}{}:
	default:
	}
}

// Run measures until ctx ends, which is no error, and then closes the device. Each measurement is one Sample, and so is each failure,
// but for the first ones of a sensor that has worked: see PollerConfig.Misses. Run blocks while nobody takes a Sample. A driver that
// does not come back is left to itself: there is never a second call beside it, each measurement that is due says that the sensor is
// stuck, and at the end Run waits a second for it at most.
func (p *Poller) Run(ctx context.Context) error {
	start := time.Now().Add(p.spread())
	done := make(chan Sample, 1) // the helper's answer
	stuck := false
	failures := 0
	for next := start; p.await(ctx, time.Until(next)); {
		if stuck {
			select {
			case <-done: // too late to be a measurement, and the helper has dropped the device
				stuck = false
			default:
			}
		}
		var s Sample
		if !stuck {
			if !p.works {
				for _, c := range p.chains {
					c.reset()
				}
			}
			s, stuck = p.measure(ctx, done)
		}
		if ctx.Err() != nil {
			break
		}
		next = after(start, p.cfg.Every, time.Now())
		switch {
		case stuck:
			s = Sample{At: time.Now(), Err: fmt.Errorf("stuck: a measurement has not come back within %v", p.cfg.Timeout+grace)}
			failures = p.cfg.Misses
		case s.Err == nil:
			failures = 0
		case errors.Is(s.Err, ErrNotReady):
			failures++
			if soon := time.Now().Add(p.cfg.Driver.Every); !p.works && p.cfg.Driver.Every > 0 && soon.Before(next) {
				next = soon // nothing is told of it as yet: not a whole interval longer than it needs
			}
		default:
			next = time.Now().Add(max(backoff(failures), p.cfg.Driver.Every))
			failures++
		}
		if s.Err == nil || !p.works || failures >= p.cfg.Misses {
			p.send(ctx, s)
		}
	}
	return p.leave(done, stuck)
}

// spread keeps sensors that share a bus from measuring at one moment; it is the same at each start.
func (p *Poller) spread() time.Duration {
	h := fnv.New32a()
	io.WriteString(h, p.cfg.Name)
	return time.Duration(uint64(min(p.cfg.Every, maxSpread)) * uint64(h.Sum32()) >> 32)
}

// after gives the first time of the grid that is later than now. What was missed is left out.
func after(start time.Time, every time.Duration, now time.Time) time.Time {
	return start.Add((now.Sub(start)/every + 1) * every)
}

// backoff gives the wait after so many failures before this one: 1 s at first, 60 s at most.
func backoff(failures int) time.Duration {
	d := min(minBackoff<<min(failures, 10), maxBackoff)
	return d + rand.N(d/4)
}

// await waits for the next measurement; it gives false when ctx ends first.
func (p *Poller) await(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-p.soon:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// sleep gives false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}

// measure has a helper measure, as a driver can hang in the kernel. When it does not come back the helper is stuck: its answer
// comes to done some time, or never.
func (p *Poller) measure(ctx context.Context, done chan Sample) (s Sample, stuck bool) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	go func() { done <- p.cycle(ctx) }()
	select {
	case s = <-done:
		return s, false
	case <-ctx.Done():
	}
	select {
	case s = <-done:
		return s, false
	case <-time.After(grace):
		return Sample{}, true
	}
}

// cycle gives one measurement. A device that has worked gets a second try; after a failure it is closed.
func (p *Poller) cycle(ctx context.Context) Sample {
	tries := 1
	if p.sensor != nil {
		tries = 2
	}
	var s Sample
	for range tries {
		s.Readings, s.Err = p.once(ctx)
		s.At = time.Now()
		if ctx.Err() != nil {
			s.Readings, s.Err = nil, late(p.cfg.Timeout, s.Err)
			break
		}
		if s.Err == nil {
			s.Readings, s.Err = p.treat(s.Readings, s.At)
		}
		if s.Err == nil || errors.Is(s.Err, ErrNotReady) {
			return s
		}
	}
	p.drop()
	return s
}

// treat makes of readings what is told of them.
func (p *Poller) treat(readings []Reading, at time.Time) (told []Reading, err error) {
	if len(p.cfg.Only) == 0 && len(p.chains) == 0 {
		return readings, nil
	}
	var passed []*chain // as many as told; nil: none
	for _, r := range readings {
		if len(p.cfg.Only) > 0 && !slices.Contains(p.cfg.Only, r.Quantity) {
			continue
		}
		c := p.chains[r.Quantity]
		if c != nil {
			if err := c.pass(&r, at); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Quantity, err)
			}
			r.Quantity = cmp.Or(c.name, r.Quantity)
		}
		told, passed = append(told, r), append(passed, c)
	}
	for i, c := range passed {
		if c != nil {
			c.tell(&told[i], at)
		}
	}
	return told, nil
}

// late is the error of a measurement that came after its time was over.
func late(limit time.Duration, err error) error {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("no measurement within %v: %w", limit, context.DeadlineExceeded)
	}
	return fmt.Errorf("no measurement within %v: %w", limit, err)
}

func (p *Poller) once(ctx context.Context) ([]Reading, error) {
	if p.sensor == nil {
		offered, err := p.cfg.Driver.Quantities(p.cfg.Options)
		if err != nil {
			return nil, err
		}
		if p.cfg.Offered != nil && p.cfg.Driver.Offers != nil && !slices.Equal(offered, p.quantities) {
			p.cfg.Offered()
		}
		p.quantities = offered
		if p.sensor, err = p.cfg.Driver.Open(p.cfg.Options); err != nil {
			p.sensor = nil
			return nil, err
		}
	}
	readings, err := p.sensor.Measure(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.cfg.Driver.check(readings, p.quantities); err != nil {
		return nil, err
	}
	return readings, nil
}

func (p *Poller) drop() {
	if c, ok := p.sensor.(io.Closer); ok {
		c.Close()
	}
	p.sensor = nil
}

// check tells whether readings are those of the quantities: each once, each a number that the part can measure.
func (d *Driver) check(readings []Reading, quantities []Quantity) error {
	seen := map[string]bool{}
	for _, r := range readings {
		at := slices.IndexFunc(quantities, func(q Quantity) bool { return q.Name == r.Quantity })
		switch {
		case seen[r.Quantity]:
			return fmt.Errorf("two readings of %s: the driver %s is wrong", r.Quantity, d.Name)
		case at < 0:
			return fmt.Errorf("a reading of %q, which nobody asked for: the driver %s is wrong", r.Quantity, d.Name)
		}
		if err := quantities[at].check(r.Value); err != nil {
			return err
		}
		seen[r.Quantity] = true
	}
	for _, q := range quantities {
		if !seen[q.Name] {
			return fmt.Errorf("no reading of %s", q.Name)
		}
	}
	return nil
}

// send completes and sends the sample, and logs when the sensor fails, fails otherwise, or works again.
func (p *Poller) send(ctx context.Context, s Sample) {
	s.Sensor = p.cfg.Name
	p.works = s.Err == nil
	if s.Err != nil {
		s.Err = fmt.Errorf("sensor %q (%s): %w", p.cfg.Name, p.cfg.Driver.Name, s.Err)
		if text := s.Err.Error(); text != p.told {
			p.told = text
			p.cfg.Log.Warn("a sensor is not available; it is tried again", "err", s.Err)
		}
	} else if p.told != "" {
		p.told = ""
		p.cfg.Log.Info("sensor works again", "sensor", p.cfg.Name)
	}
	select {
	case p.samples <- s:
	case <-ctx.Done():
	}
}

// leave awaits the helper, or has one close the device, as that can hang too.
func (p *Poller) leave(done chan Sample, stuck bool) error {
	if !stuck {
		go func() {
			p.drop()
			done <- Sample{}
		}()
	}
	select {
	case <-done:
		return nil
	case <-time.After(grace):
		return fmt.Errorf("sensor %q (%s): stuck: left behind", p.cfg.Name, p.cfg.Driver.Name)
	}
}
