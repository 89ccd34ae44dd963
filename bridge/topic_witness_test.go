package bridge

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// witness sees all that a gateway publishes, and answers for its hardware.
type witness struct {
	*testing.T
	cfg   *Config
	state *state
	now   time.Time
	next  time.Time
	sent  []Message
}

func newWitness(t *testing.T, cfg *Config, about *About) *witness {
	s, err := newState(cfg, *about)
	if err != nil {
		t.Fatal(err)
	}
	return &witness{T: t, cfg: cfg, state: s, now: time.Now()}
}

func (w *witness) step(in any) {
	do, send, next := w.state.step(in, w.now)
	w.next = next
	for _, m := range send {
		m.Payload = slices.Clone(m.Payload)
		w.sent = append(w.sent, m)
	}
	for _, d := range slices.Clone(do) {
		w.step(&gpio.Event{Chip: "relays", Line: d.Point, Active: d.Value == 1, At: w.now})
	}
	if w.state.health.changed {
		w.step(w.vitals())
	}
}

func (w *witness) vitals() Vitals {
	return Vitals{Wall: w.now, CPUTemperature: new(47.2), UnderVoltage: new(false), Throttled: new(false), Backlog: new(Waiting)}
}

func (w *witness) pass(d time.Duration) {
	for end := w.now.Add(d); ; {
		if w.next.IsZero() || w.next.After(end) {
			w.now = end
			return
		}
		w.now = w.next
		w.step(tick{})
	}
}

// says has somebody publish, and gives the errors that this makes.
func (w *witness) says(topic, payload string, retain bool) (refusals []string) {
	n := len(w.sent)
	w.step(Inbound{Topic: topic, Payload: []byte(payload), Retained: retain})
	for _, m := range w.sent[n:] {
		if strings.HasSuffix(m.Topic, "/error") {
			refusals = append(refusals, string(m.Payload))
		}
	}
	return refusals
}

// press holds a button down.
func (w *witness) press(name string, held, then time.Duration) {
	for _, e := range []struct {
		active bool
		d      time.Duration
	}{{true, held}, {false, then}} {
		w.step(&gpio.Event{Chip: "header", Line: name, Active: e.active, Edge: true, At: w.now})
		w.pass(e.d)
	}
}

// live has everything happen that a gateway tells of.
func (w *witness) live() {
	w.step(start{})
	w.step(w.vitals())
	for _, p := range w.cfg.Inputs {
		w.step(&gpio.Event{Chip: "header", Line: p.Name, At: w.now})
	}
	for _, p := range w.cfg.Outputs {
		w.step(&gpio.Event{Chip: "relays", Line: p.Name, At: w.now})
	}
	for _, p := range w.cfg.Sensors {
		s := sensors.Sample{Sensor: p.Name, At: w.now}
		for _, q := range p.Quantities {
			s.Readings = append(s.Readings, sensors.Reading{Quantity: q.Name, Value: 21.456})
		}
		w.step(s)
	}
	lines := func(each func(line string)) {
		for _, p := range w.cfg.Counters {
			each(p.Name)
		}
		for _, p := range w.cfg.Encoders {
			each(p.Contacts()[0])
			each(p.Contacts()[1])
		}
	}
	lines(func(line string) { w.step(&gpio.Event{Chip: "header", Line: line, At: w.now}) })
	w.step(Link{Up: true})
	w.pass(time.Minute)
	for _, p := range w.cfg.Counters {
		for range 7 {
			w.step(&gpio.Event{Chip: "header", Line: p.Name, Count: uint64(p.PerUnit), At: w.now})
			w.pass(time.Second)
		}
		w.pass(time.Minute)
	}
	for _, p := range w.cfg.Encoders {
		for _, first := range []int{0, 1, 0} {
			for _, active := range []bool{true, false} {
				for _, n := range []int{first, 1 - first} {
					w.step(&gpio.Event{Chip: "header", Line: p.Contacts()[n], Active: active, Edge: true, At: w.now})
				}
			}
		}
	}
	for _, p := range w.cfg.Inputs {
		const short, gap, pause = 50 * time.Millisecond, 100 * time.Millisecond, time.Second
		w.press(p.Name, short, pause)
		w.press(p.Name, short, gap)
		w.press(p.Name, short, pause)
		w.press(p.Name, short, gap)
		w.press(p.Name, short, gap)
		w.press(p.Name, short, pause)
		w.press(p.Name, 2*time.Second, pause)
	}
	for _, p := range places(w.cfg) {
		if p.row.keep != refused {
			continue
		}
		for _, e := range p.row.examples {
			if errs := w.says(p.filter, e, false); len(errs) > 0 {
				w.Errorf("%s %s: %q", p.filter, e, errs)
			}
			w.pass(time.Minute)
			if errs := w.says(p.filter, e, true); len(errs) != 1 || !strings.Contains(errs[0], "retained") {
				w.Errorf("%s %s, retained: %q", p.filter, e, errs)
			}
		}
		if errs := w.says(p.filter, "MAYBE", false); len(errs) != 1 || !strings.Contains(errs[0], "MAYBE") {
			w.Errorf("%s MAYBE: %q", p.filter, errs)
		}
	}
	root := Prefix + "/" + w.cfg.Device + "/"
	w.says(root+"l1/set", "ON", false)
	for _, p := range w.cfg.Inputs {
		w.says(root+p.Name+"/set", "ON", false)
	}
	for _, p := range w.cfg.Sensors {
		w.says(root+p.Name+"/set", "ON", false)
	}
	for _, p := range w.cfg.Outputs {
		w.step(overflow{topic: w.state.topics.Command(p.Name), n: 3})
	}
	w.step(overflow{topic: root + "nobody/set", n: 3})
	away := errors.New("away")
	for _, p := range slices.Concat(w.cfg.inputNames(), w.cfg.outputNames()) {
		w.step(&gpio.Event{Chip: "header", Line: p, Err: away, At: w.now})
	}
	lines(func(line string) { w.step(&gpio.Event{Chip: "header", Line: line, Err: away, At: w.now}) })
	for _, p := range w.cfg.Sensors {
		w.step(sensors.Sample{Sensor: p.Name, Err: away, At: w.now})
	}
	w.step(&gpio.Event{Chip: "header", Err: away, At: w.now})
	w.step(complaint("no restart"))
	w.says("homeassistant/status", "online", false)
	w.pass(time.Minute)
	w.says(w.state.topics.Discovery(""), "", false) // a person has deleted the device
	w.step(Link{})
	w.step(stop{})
	w.pass(time.Minute)
}

func (c *Config) inputNames() (names []string) {
	for _, p := range c.Inputs {
		names = append(names, p.Name)
	}
	return names
}

func (c *Config) outputNames() (names []string) {
	for _, p := range c.Outputs {
		names = append(names, p.Name)
	}
	return names
}
