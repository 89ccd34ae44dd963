package bridge

import (
	"fmt"
	"strings"
	"time"

	"gatewayd/sensors"
)

// Thermostat is a local reaction to a reading: outputs are wished one thing when it has come above a limit, another when it has come
// below a lower one, and nothing between the two. It needs no broker.
type Thermostat struct {
	When         string  // <sensor>/<quantity>
	Above, Below float64 // the latter is not higher; a reading that equals a limit is between them
	High         Verb    // what is wished above; not VerbToggle
	Low          Verb    // and below
	Unavailable  Verb    // and when the sensor is not available: nobody measures then
	For          time.Duration
	Outputs      []string // or groups
	Only         Only
}

// zone is where a reading was last, between the limits included: it stays in its zone until it has come to the other one.
type zone uint8

const (
	nowhere zone = iota // nothing was measured yet, or nothing but between the limits since
	high
	low
	unmeasured // the sensor is not available, and that matters
)

// thermostat is one rule on a reading. To enter a zone is to wish; from then on whoever wishes something else has his way until
// the next zone is entered.
type thermostat struct {
	*Thermostat
	sensor, quantity string
	source           string
	pursuits         []*pursuit // one for each output, those of groups among them

	thermostatLife
}

// thermostatLife is what a rule on a reading knows of it. A reload leaves it as it is.
type thermostatLife struct{ zone zone }

func (s *state) addThermostat(r *Thermostat) error {
	t := &thermostat{Thermostat: r, source: fmt.Sprintf("rule on %q", r.When)}
	t.sensor, t.quantity, _ = strings.Cut(r.When, "/")
	p := s.sensors[t.sensor]
	if p == nil || t.quantity == "" {
		return fmt.Errorf("bridge: %s: no such reading", t.source)
	}
	for _, name := range r.Outputs {
		switch target := s.targets[name].(type) {
		case *output:
			t.pursuits = append(t.pursuits, &pursuit{output: target})
		case *group:
			for _, o := range target.members {
				t.pursuits = append(t.pursuits, &pursuit{output: o})
			}
		default:
			return fmt.Errorf("bridge: %s: no output or group %q", t.source, name)
		}
	}
	p.thermostats = append(p.thermostats, t)
	s.thermostats = append(s.thermostats, t)
	return nil
}

// reading takes what was measured. The first one after a start, and after a time without, enters the zone that it is in.
func (t *thermostat) reading(s *state, value float64) {
	switch is := t.place(value); {
	case is != nowhere && is != t.zone:
		t.enter(is)
	case t.zone == unmeasured:
		t.zone = nowhere
	}
	t.act(s)
}

func (t *thermostat) place(value float64) zone {
	switch {
	case value > t.Above:
		return high
	case value < t.Below:
		return low
	}
	return nowhere
}

// missed takes that nothing was measured. Where that is not to matter, the zone of the last reading holds.
func (t *thermostat) missed(s *state) {
	if t.Unavailable == VerbNone {
		return
	}
	if t.zone != unmeasured {
		t.enter(unmeasured)
	}
	t.act(s)
}

func (t *thermostat) enter(z zone) {
	t.zone = z
	t.anew()
}

// anew has the zone's wish be made again, of every output.
func (t *thermostat) anew() {
	for _, p := range t.pursuits {
		p.over, p.told = false, ""
	}
}

// act wishes what the zone is for, as far as that is not done yet.
func (t *thermostat) act(s *state) {
	verb := [...]Verb{nowhere: VerbNone, high: t.High, low: t.Low, unmeasured: t.Unavailable}[t.zone]
	if verb == VerbNone || s.stopping || t.Only == Offline && s.linked {
		return
	}
	for _, p := range t.pursuits {
		p.try(s, Command{Point: p.output.cfg.Name, Verb: verb, For: t.For, Source: t.source})
	}
}

// offline has the rules that act only while the broker is away take over, each with the next measurement.
func (s *state) offline() {
	for _, t := range s.thermostats {
		if t.Only == Offline {
			t.anew()
		}
	}
}

// sample looks for the rule's quantity in a measurement. A device that was changed for another may not have it.
func (t *thermostat) sample(s *state, in *sensors.Sample) {
	for _, r := range in.Readings {
		if in.Err == nil && r.Quantity == t.quantity && finite(r.Value) {
			t.reading(s, r.Value)
			return
		}
	}
	t.missed(s)
}
