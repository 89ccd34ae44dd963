package bridge

import (
	"cmp"
	"fmt"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// Counter is a line whose edges are counted: a total that outlives restarts, a rate, or both. Each has a topic of its own below the
// counter's, as a sensor's readings have.
type Counter struct {
	Name      string
	Label     string            // free text for people
	Topic     string            // <topic>/<quantity>; empty: <prefix>/<device>/<name>
	Total     *sensors.Quantity // nil: only the rate is of interest
	PerUnit   float64           // edges for one unit of the total
	Rate      *sensors.Quantity // nil: none
	Factor    float64           // what the rate is with one edge per second
	Every     time.Duration     // between two messages of the total, and between two of the rate
	ZeroAfter time.Duration     // without an edge for that long the rate is 0
	QoS       byte
	Retain    bool
	Keep      bool // what cannot be told in time is told late
	Entity    Entity
}

// key is what the counter's total is kept by: it stays when the name is changed.
func (c *Counter) key() string { return cmp.Or(c.Entity.ID, c.Name) }

// Sensor gives the counter as what it is for whoever shows it: a sensor with these quantities, of which nobody knows when the next comes.
func (c *Counter) Sensor() Sensor {
	s := Sensor{Name: c.Name, Label: c.Label, Topic: c.Topic, QoS: c.QoS, Retain: c.Retain, Keep: c.Keep, Entity: c.Entity, Plain: true}
	for _, q := range []*sensors.Quantity{c.Total, c.Rate} {
		if q != nil {
			s.Quantities = append(s.Quantities, *q)
		}
	}
	return s
}

// counter is a Counter at work.
type counter struct {
	cfg         *Counter
	total, rate reading
	timer       timer
	counterLife
}

// counterLife is what a counter has become, but for what was told. A reload leaves it as it is.
type counterLife struct {
	chip    string
	err     error // why it is not available
	pulses  uint64
	speed   speed
	totalAt time.Time // when the total was told last
	totalIn time.Time // when it is to be told; zero: nothing is new
	rateIn  time.Time // the same of the rate
}

// reading is one of its quantities.
type reading struct {
	*sensors.Quantity // nil: it has none
	topic             string
	late              belated
	last              []byte // what was told last; nil: nothing
}

func newCounter(cfg *Counter, t *Topics) *counter {
	c := &counter{cfg: cfg, total: newReading(cfg.Total, cfg.Name, t), rate: newReading(cfg.Rate, cfg.Name, t), counterLife: counterLife{err: errUnread}}
	c.timer = newTimer(c.tick)
	return c
}

func newReading(q *sensors.Quantity, name string, t *Topics) reading {
	if q == nil {
		return reading{}
	}
	topic := t.Reading(name, q.Name)
	return reading{Quantity: q, topic: topic, late: belated{topic: t.Late(topic), unit: unitMember(q.Unit)}}
}

func (c *counter) event(s *state, e *gpio.Event) {
	c.chip = e.Chip
	if e.Count > 0 {
		c.count(s, e.Count, e.At)
	}
	if e.Lost > 0 {
		c.miss(s, fmt.Sprintf("%d edges were seen of which it is not known whether they count: they are not in the total", e.Lost))
	}
	if e.Err != nil {
		if c.err == nil {
			s.available(c.cfg.Name, false)
		}
		s.ails(c.cfg.Name, c.err, e.Err)
		c.err = e.Err
		c.speed.forget()
		return
	}
	if c.err == nil {
		return
	}
	if c.err != errUnread {
		c.miss(s, "it is available again: what came while it was not may be missing in the total")
	}
	c.err = nil
	s.health.changed = true
	s.available(c.cfg.Name, true)
	c.speed.begin(s.now)
	c.rateIn = time.Time{}
	if c.cfg.Rate != nil {
		c.rateIn = s.now.Add(c.cfg.ZeroAfter)
	}
	c.tellTotal(s)
}

// miss tells of what the total does not have, and may not have to have.
func (c *counter) miss(s *state, what string) {
	s.complain(s.topics.Error(c.cfg.Name), fmt.Sprintf("counter %q: %s", c.cfg.Name, what))
}

// count takes edges, the last of them at that time.
func (c *counter) count(s *state, n uint64, at time.Time) {
	c.pulses += n
	s.counts = append(s.counts, Counted{ID: c.cfg.key(), Pulses: c.pulses})
	c.speed.add(n, at, c.cfg.ZeroAfter)
	switch {
	case c.cfg.Total == nil, !c.totalIn.IsZero():
	case c.err == nil && s.now.Sub(c.totalAt) >= c.cfg.Every:
		c.tellTotal(s)
	default:
		c.totalIn = c.totalAt.Add(c.cfg.Every)
	}
	if soon := s.now.Add(c.cfg.Every); c.cfg.Rate != nil && (c.rateIn.IsZero() || soon.Before(c.rateIn)) {
		c.rateIn = soon
	}
	c.schedule(s)
}

func (c *counter) schedule(s *state) { s.timers.set(&c.timer, earliest(c.totalIn, c.rateIn)) }

// tick tells what is due.
func (c *counter) tick(s *state) {
	if reached(c.totalIn, s.now) {
		c.tellTotal(s)
	}
	if reached(c.rateIn, s.now) {
		c.tellRate(s)
	}
	c.schedule(s)
}

// tellTotal tells the total, if it is another than the one that was told.
func (c *counter) tellTotal(s *state) {
	c.totalIn = time.Time{}
	if c.cfg.Total != nil && c.err == nil {
		c.totalAt = s.now
		c.tell(s, &c.total, float64(c.pulses)/c.cfg.PerUnit)
	}
	c.schedule(s)
}

// tellRate tells the rate, if it is another, and comes again as long as it may change by itself.
func (c *counter) tellRate(s *state) {
	c.rateIn = time.Time{}
	if c.cfg.Rate == nil || c.err != nil {
		return
	}
	hertz, known := c.speed.at(s.now, c.cfg.ZeroAfter)
	if known {
		c.tell(s, &c.rate, hertz*c.cfg.Factor)
	}
	if rests := c.speed.rests(c.cfg.ZeroAfter); !rests.IsZero() {
		c.rateIn = earliest(s.now.Add(c.cfg.Every), rests)
	}
}

func (c *counter) tell(s *state, r *reading, value float64) {
	now := decimal(value, r.Precision)
	if string(now) == string(r.last) {
		return
	}
	r.last = now
	s.publish(r.topic, now, c.cfg.QoS, c.cfg.Retain)
	if c.cfg.Keep {
		s.send[len(s.send)-1].Late = r.late.reading(now, s.now)
	}
}

func (c *counter) retell(s *state) {
	for _, r := range []*reading{&c.total, &c.rate} {
		if r.last != nil {
			s.publish(r.topic, r.last, c.cfg.QoS, c.cfg.Retain)
		}
	}
}
