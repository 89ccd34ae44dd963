package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gatewayd/sensors"
)

// Sensor is a source of readings. Each quantity has a topic of its own below the sensor's, or all are told together.
type Sensor struct {
	Name       string
	Label      string
	Topic      string // readings go to <topic>/<quantity>; empty: <prefix>/<device>/<name>
	Quantities []sensors.Quantity
	JSON       bool // one message on the sensor's own topic tells all readings of a measurement
	QoS        byte
	Retain     bool
	Every      time.Duration // how often it measures
	Keep       bool          // each reading that cannot be told in time is told late
	Entity     Entity
	Plain      bool // a single quantity goes by the sensor's name alone
}

type sensor struct {
	cfg    *Sensor
	topics []string  // one per quantity; in JSON one for all
	late   []belated // as many; of use where readings are kept
	last   [][]byte  // what was told last of each quantity; nil: nothing
	at     time.Time // when the last of them was measured

	thermostats []*thermostat

	sensorLife
}

// sensorLife is what a sensor has become, but for its readings. A reload leaves it as it is.
type sensorLife struct {
	err error // why it is not available
}

func newSensor(cfg *Sensor, t *Topics) *sensor {
	p := &sensor{cfg: cfg, topics: t.Readings(cfg), last: make([][]byte, len(cfg.Quantities)), sensorLife: sensorLife{err: errUnread}}
	for n, topic := range p.topics {
		l := belated{topic: t.Late(topic)}
		if !cfg.JSON {
			l.unit = unitMember(cfg.Quantities[n].Unit)
		}
		p.late = append(p.late, l)
	}
	return p
}

// sample publishes what was measured, or that nothing was.
func (s *state) sample(in *sensors.Sample) {
	p := s.sensors[in.Sensor]
	if p == nil {
		return
	}
	switch {
	case in.Err != nil && p.err == nil:
		s.available(p.cfg.Name, false)
	case in.Err == nil && p.err != nil:
		// After the readings: what the broker has of the time before is not to be seen as if it were of now.
		defer s.available(p.cfg.Name, true)
	}
	s.ails(p.cfg.Name, p.err, in.Err)
	p.err = in.Err
	for _, t := range p.thermostats {
		t.sample(s, in)
	}
	if p.cfg.JSON {
		p.message(s, in)
		return
	}
	for _, r := range in.Readings {
		n := p.find(r.Quantity)
		if n < 0 || !finite(r.Value) || r.Quiet && p.last[n] != nil {
			continue
		}
		p.last[n], p.at = spoken(&p.cfg.Quantities[n], r.Value), in.At
		p.tell(s, n)
		if p.cfg.Keep {
			s.send[len(s.send)-1].Late = p.late[n].reading(asJSON(p.last[n]), in.At)
		}
	}
}

// tell publishes what was told last on one of the topics.
func (p *sensor) tell(s *state, n int) {
	if t := p.told(n); t.payload != nil {
		s.tell(&t)
	}
}

func (p *sensor) retell(s *state) {
	for n := range p.topics {
		p.tell(s, n)
	}
}

// spoken is a reading as it is told: ON or OFF of a quantity that is a flag.
func spoken(q *sensors.Quantity, v float64) []byte {
	switch {
	case !q.Flag:
		return decimal(v, q.Precision)
	case v != 0:
		return []byte("ON")
	}
	return []byte("OFF")
}

// asJSON is what was told of a quantity as a value in JSON.
func asJSON(told []byte) []byte {
	if told[0] == 'O' {
		return fmt.Appendf(nil, "%q", told)
	}
	return told
}

// decimal writes a value with that many decimals, and zero without a sign.
func decimal(v float64, precision int) []byte {
	text := strconv.AppendFloat(nil, v, 'f', precision, 64)
	if text[0] == '-' && !bytes.ContainsAny(text, "123456789") {
		text = text[1:]
	}
	return text
}

func (p *sensor) command(*state, Command) error {
	return errors.New("it is a sensor and takes no commands")
}
