package bridge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gatewayd/gpio"
	"gatewayd/sensors"
)

// room is one that loses its warmth to the winter outside, with a heater on a relay's chip, and a sensor.
type room struct {
	*rand.Rand
	s           *state
	now         time.Time
	next        time.Time // step's tick
	temperature float64
	relay       bool // what the heater really has
	wish        bool // what the chip's bank was told last
	waits       bool // and whether it has still to answer that

	away, told, mute time.Time // until when the chip does not answer; since when that is known; until when the sensor does not
	linked           bool

	switched int
	lost     time.Time // since when the gateway knows that nobody measures
}

const (
	warms = 3.0 / 3600 // K/s, with the heater on
	cools = 1.5 / 3600 // and off
	every = 30 * time.Second
	out   = 10 * time.Minute // how long something is away at most
)

func newRoom(t *testing.T, seed uint64, start float64) *room {
	t.Helper()
	c := house()
	c.Thermostats = []Thermostat{{When: "attic/temperature", Above: 21, Below: 20, High: VerbOff, Low: VerbOn, Outputs: []string{"l01"}}}
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	r := &room{Rand: rand.New(rand.NewPCG(seed, 3)), s: s, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), temperature: start}
	r.step(&gpio.Event{Chip: "relays", Line: "l01"})
	return r
}

func (r *room) step(in any) {
	do, _, next := r.s.step(in, r.now)
	r.next = next
	for _, w := range do {
		if w.Point == "l01" {
			r.wish, r.waits = w.Value == 1, true
		}
	}
}

// second lets one pass.
func (r *room) second(troubles bool) {
	r.now = r.now.Add(time.Second)
	for !r.next.IsZero() && !r.next.After(r.now) {
		r.step(tick{})
	}
	if r.relay {
		r.temperature += warms
	} else {
		r.temperature -= cools
	}
	if troubles {
		r.trouble()
	}
	there := !r.now.Before(r.away)
	switch {
	case !there && !r.told.IsZero() && !r.now.Before(r.told):
		r.told = time.Time{}
		r.step(&gpio.Event{Chip: "relays", Line: "l01", Err: errors.New("nobody answers at 0x20")})
	case there && (r.waits || r.relay != r.wish || r.s.outputs["l01"].err != nil): // a bank writes again what the chip has lost
		r.waits, r.told = false, time.Time{}
		if r.relay != r.wish {
			r.switched++
		}
		r.relay = r.wish
		r.step(&gpio.Event{Chip: "relays", Line: "l01", Active: r.relay})
	}
	if r.now.Unix()%int64(every/time.Second) == 0 {
		s := sensors.Sample{Sensor: "attic", At: r.now}
		if s.Err = errors.New("nobody answers at 0x76"); !r.now.Before(r.mute) {
			s.Err, s.Readings = nil, []sensors.Reading{{Quantity: "temperature", Value: r.temperature}, {Quantity: "humidity", Value: 50}}
			r.lost = time.Time{}
		} else if r.lost.IsZero() {
			r.lost = r.now
		}
		r.step(s)
	}
}

// trouble has something fail now and then: the chip, which may lose its state meanwhile, and of which that is known only after a
// while; the sensor; the broker.
func (r *room) trouble() {
	switch r.IntN(3600) {
	case 0:
		if r.now.After(r.away) {
			r.away = r.now.Add(time.Duration(r.Int64N(int64(out))))
			r.told = r.now.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
			if r.IntN(2) == 0 {
				r.relay = false
			}
		}
	case 1:
		r.mute = r.now.Add(time.Duration(r.Int64N(int64(out))))
	case 2:
		r.linked = !r.linked
		r.step(Link{Up: r.linked})
	}
}

// A heater keeps a room warm, whatever else goes wrong.
func TestThermostatRoom(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 4
	}
	for _, c := range []struct {
		name     string
		troubles bool
		slack    float64 // beyond the limits
	}{
		{"all well", false, warms * (every + time.Second).Seconds()},
		// One failure after the other may keep the heater on or off for somewhat longer.
		{"troubles", true, warms * (2*out + time.Minute).Seconds()},
	} {
		t.Run(c.name, func(t *testing.T) {
			coldest, warmest, switched := 99.0, 0.0, 0
			for seed := range uint64(runs) {
				r := newRoom(t, seed, 19.5+float64(seed%4)/2)
				settled := false
				for range 10 * 24 * 3600 {
					r.second(c.troubles)
					if settled = settled || r.temperature > 20 && r.temperature < 21; !settled {
						continue
					}
					coldest, warmest = min(coldest, r.temperature), max(warmest, r.temperature)
					if r.relay && !r.lost.IsZero() && r.now.Sub(r.lost) > 2*time.Second && r.now.Sub(r.away) > 2*time.Second {
						t.Fatalf("seed %d, %v: it heats, and nobody has measured since %v", seed, r.now, r.lost)
					}
				}
				switched += r.switched
			}
			t.Logf("%d days between %.2f and %.2f degrees, switched %d times", runs*10, coldest, warmest, switched)
			if got, want := fmt.Sprint(coldest >= 20-c.slack, warmest <= 21+c.slack), "true true"; got != want {
				t.Errorf("between %.2f and %.2f degrees, want 20 to 21 and %.2f beyond", coldest, warmest, c.slack)
			}
		})
	}
}
