package bridge

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatewayd/internal/clock"
	"gatewayd/sensors"
)

func init() {
	otherHouses["json"] = func(c *Config) {
		withLate(c)
		c.Sensors[0].JSON = true
		c.Thermostats = []Thermostat{{When: "attic/temperature", Above: 22, Below: 22, High: VerbOff, Low: VerbNone, Unavailable: VerbNone, Outputs: []string{"l01"}}}
	}
	attic := func(change func(*Sensor)) func(*Config) { return func(c *Config) { change(&c.Sensors[0]) } }
	renovations["plain"] = attic(func(s *Sensor) { s.JSON = false })
	renovations["attic_loose"] = attic(func(s *Sensor) { s.Retain = false })
	renovations["attic_dry"] = attic(func(s *Sensor) { s.Quantities = s.Quantities[:1] })
}

// The time is added when a message is sent, so that what is told again has the right one, and the age that it has by then.
func TestStamped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right := false
		made := time.Now()
		defer clock.Use(clock.Source{
			Boot:         func() time.Duration { return time.Since(made) },
			Slept:        func() (time.Duration, bool) { return 0, true },
			Synchronised: func() bool { return right },
		})()
		at := clock.Now()
		time.Sleep(90 * time.Second)
		object := []byte(`{"temperature":21.5}`)
		if got, want := string(stamped(object, at)), `{"temperature":21.5,"age_s":90.0}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		right = true
		time.Sleep(2 * time.Second)
		if got, want := string(stamped(object, at.Add(1234567*time.Microsecond))), `{"temperature":21.5,"at":"2000-01-01T00:00:01.234Z"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if string(object) != `{"temperature":21.5}` {
			t.Errorf("it has changed what it was given: %s", object)
		}
	})
}

// A session sends them with their time, the last one again with each connection, and clears the topic at the end.
func TestSessionStamps(t *testing.T) {
	var p peer
	p.flight = newFlight()
	s := &Session{}
	at := clock.Now().Add(-time.Minute)
	for payload, want := range map[string]string{
		`{"t":1}`: `{"t":1,"at":"20[0-9-]+T[0-9:]+\.[0-9]{3}Z"}$|{"t":1,"age_s":60\.[0-9]}$`,
		"":        `gatewayd/shed/attic..$`,
	} {
		p.out = nil
		if err := s.send(&p, item{Message: Message{Topic: "gatewayd/shed/attic", Payload: []byte(payload), QoS: 1, At: at}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?s)` + want).Match(p.out) {
			t.Errorf("sent %q, want %s", p.out, want)
		}
	}
}

// Whatever is measured, the message is one that everybody can read.
func TestSensorJSONIsJSON(t *testing.T) {
	c := house()
	c.Sensors[0].JSON = true
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{0, -0.001, 1e9, -273.15, 1e-9, 123456789.123, 1e21, -1e300} {
		_, send, _ := s.step(sensors.Sample{Sensor: "attic", At: time.Now(), Readings: []sensors.Reading{{Quantity: "humidity", Value: v}, {Quantity: "temperature", Value: v}}}, time.Now())
		m := send[slices.IndexFunc(send, func(m Message) bool { return m.Topic == "gatewayd/shed/attic" })]
		var got map[string]float64
		if err := json.Unmarshal(m.Payload, &got); err != nil || len(got) != 2 || !m.Retain || !m.State {
			t.Errorf("%v: %+v %s: %v", v, m, m.Payload, err)
		}
	}
}

func TestExpires(t *testing.T) {
	const slack = expireSlack
	quantities := []sensors.Quantity{{Name: "a", Heartbeat: time.Hour}, {Name: "b", Heartbeat: 10 * time.Minute}, {Name: "c"}}
	for _, c := range []struct {
		json bool
		of   []sensors.Quantity
		want []time.Duration
	}{
		{false, quantities, []time.Duration{time.Hour + 3*time.Minute + slack, 13*time.Minute + slack, 3*time.Minute + slack}},
		{true, quantities, []time.Duration{3*time.Minute + slack, 3*time.Minute + slack, 3*time.Minute + slack}},
		{true, quantities[:2], []time.Duration{13*time.Minute + slack, 13*time.Minute + slack}},
	} {
		p := &Sensor{JSON: c.json, Every: time.Minute, Quantities: c.of}
		var got []time.Duration
		for i := range c.of {
			got = append(got, p.Expires(&c.of[i]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("JSON %v: got %v, want %v", c.json, got, c.want)
		}
		if p.Every = 0; p.Expires(&c.of[0]) != 0 {
			t.Error("it expires though nobody knows how often it is measured")
		}
	}
}

// Who has just begun to listen is told what may be held back for long, if the broker does not keep it.
func TestHeldBackIsRestated(t *testing.T) {
	held := func(topic string, json, retain bool, heartbeat time.Duration) Sensor {
		return Sensor{Name: topic, JSON: json, Retain: retain, Quantities: []sensors.Quantity{{Name: "a", Heartbeat: heartbeat}, {Name: "b"}}}
	}
	c := &Config{Device: "shed", Sensors: []Sensor{held("json", true, false, time.Hour), held("plain", false, false, time.Hour),
		held("kept", true, true, time.Hour), held("soon", true, false, 0), held("lost", true, false, time.Hour)}}
	s, err := newState(c, About{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range c.Sensors {
		s.step(sensors.Sample{Sensor: c.Sensors[i].Name, At: now, Readings: []sensors.Reading{{Quantity: "a", Value: 1}, {Quantity: "b", Value: 2}}}, now)
	}
	s.step(sensors.Sample{Sensor: "lost", At: now, Err: errUnread}, now)
	s.send = nil
	s.restate(false)
	var got []string
	for _, m := range s.send {
		got = append(got, m.Topic+" "+string(m.Payload))
	}
	if want := []string{`gatewayd/shed/json {"a":1,"b":2}`, "gatewayd/shed/plain/a 1", "gatewayd/shed/plain/b 2"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
