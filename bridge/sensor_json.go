package bridge

import (
	"math"
	"slices"
	"time"

	"gatewayd/internal/backlog"
	"gatewayd/sensors"
)

// ReservedInJSON are the members of a sensor's JSON message that no quantity can be called by; see stamped.
var ReservedInJSON = []string{"at", "age_s"}

// message tells all that a measurement gave in one message, unless each reading of it is held back.
func (p *sensor) message(s *state, in *sensors.Sample) {
	quiet, any := p.told(0).payload != nil, false
	for i := range p.last {
		q := &p.cfg.Quantities[i]
		n := slices.IndexFunc(in.Readings, func(r sensors.Reading) bool { return r.Quantity == q.Name && finite(r.Value) })
		any = any || n >= 0
		quiet = quiet && (n < 0 || in.Readings[n].Quiet)
	}
	if !any || quiet {
		return
	}
	for i := range p.last {
		p.last[i] = nil
		for _, r := range in.Readings {
			if q := &p.cfg.Quantities[i]; r.Quantity == q.Name && finite(r.Value) {
				p.last[i] = spoken(q, r.Value)
			}
		}
	}
	p.at = in.At
	p.tell(s, 0)
	if p.cfg.Keep {
		payload := s.send[len(s.send)-1].Payload
		s.send[len(s.send)-1].Late = &backlog.Message{Topic: p.late[0].topic, Body: string(payload[1 : len(payload)-1]), At: in.At}
	}
}

// object is what the message says, but for its time; nil: nothing is known.
func (p *sensor) object() (object []byte) {
	for i, value := range p.last {
		if value == nil {
			continue
		}
		if object = append(object, ','); len(object) == 1 {
			object[0] = '{'
		}
		object = append(append(append(object, '"'), p.cfg.Quantities[i].Name...), `":`...)
		object = append(object, asJSON(value)...)
	}
	if object != nil {
		object = append(object, '}')
	}
	return object
}

// finite tells whether a value is a number, which JSON has alone.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// valueTemplate is how Home Assistant finds a quantity in the message. Jinja takes value_json.items for what every object can do.
func valueTemplate(quantity string) string {
	if slices.Contains(methods, quantity) || quantity != "" && quantity[0] >= '0' && quantity[0] <= '9' {
		return "{{ value_json[" + jinja(quantity) + "] }}"
	}
	return "{{ value_json." + quantity + " }}"
}

// methods are those of Python's dict.
var methods = []string{"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"}

// Expires tells how long a reading of the quantity holds: as long as three measurements in a row may take, and a little more, for a
// reconnect; and longer where readings are held back that differ too little. It is 0 where nobody knows how often it is measured.
func (p *Sensor) Expires(q *sensors.Quantity) time.Duration {
	if p.Every == 0 {
		return 0
	}
	silence := q.Heartbeat
	for i := range p.Quantities {
		if p.JSON { // whichever is told, all are
			silence = min(silence, p.Quantities[i].Heartbeat)
		}
	}
	return silence + 3*p.Every + expireSlack
}

// holdsBack tells whether readings may stay away though they were measured.
func (p *Sensor) holdsBack() bool {
	return slices.ContainsFunc(p.Quantities, func(q sensors.Quantity) bool { return q.Heartbeat > 0 })
}

// expireSlack is what a reading may be late besides three missed measurements: a reconnect, for example.
const expireSlack = 30 * time.Second
