package bridge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatewayd/gpio"
)

// While it starts, what has not been read yet is no problem; later it is.
func TestHealthAtStart(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	for uptime, want := range map[time.Duration]string{0: `{"level":"ok","reasons":[]`, firstReads: `{"level":"degraded","reasons":["input \"all_off\": not read yet"`} {
		_, send, _ := s.step(Vitals{Uptime: uptime}, time.Now())
		if got := string(send[0].Payload); !strings.HasPrefix(got, want) {
			t.Errorf("after %v: %s\nwant %s", uptime, got, want)
		}
	}
}

// reported gives what gateway/health says now, under some keys.
func reported(t *testing.T, s *state, v Vitals, now time.Time, keys ...string) string {
	t.Helper()
	all, got := healthOf(t, s, v, now), map[string]any{}
	for _, key := range keys {
		got[key] = all[key]
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What went wrong last is listed, the latest first, each once; with its age until the clock is right, and then with the time that it
// was, though it happened before.
func TestHealthErrors(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for i := range 2 * lastMost {
		s.step(complaint(fmt.Sprint("number ", i)), at(i))
	}
	s.step(complaint("number 7"), at(20))
	right := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) // whatever start has
	for _, test := range []struct {
		v    Vitals
		want string
	}{
		{Vitals{}, `{"clock_synchronised":false,"errors":[{"age_s":10,"text":"number 7","times":2},{"age_s":21,"text":"number 9","times":1},` +
			`{"age_s":22,"text":"number 8","times":1},{"age_s":24,"text":"number 6","times":1},{"age_s":25,"text":"number 5","times":1}],` +
			`"last_error":"number 7","last_error_at":null}`},
		{Vitals{Wall: right}, `{"clock_synchronised":true,"errors":[{"at":"2026-11-21T11:59:50Z","text":"number 7","times":2},` +
			`{"at":"2026-11-21T11:59:39Z","text":"number 9","times":1},{"at":"2026-11-21T11:59:38Z","text":"number 8","times":1},` +
			`{"at":"2026-11-21T11:59:36Z","text":"number 6","times":1},{"at":"2026-11-21T11:59:35Z","text":"number 5","times":1}],` +
			`"last_error":"number 7","last_error_at":"2026-11-21T11:59:50Z"}`},
	} {
		if got := reported(t, s, test.v, at(30), "errors", "last_error", "last_error_at", "clock_synchronised"); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestHealthBuses(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	v := Vitals{
		Broker: "tcp://b:1883", Queued: 3, InFlight: 2, commands: 5, facts: 7, Buses: map[string]Bus{
			"1": {Transfers: 100, Answers: true},
			"3": {Transfers: 50, Errors: 49, LastError: "/dev/i2c-3: nobody answers", LastAt: now.Add(-time.Minute)},
			"4": {Transfers: 9, Errors: 1, Answers: true, LastError: "once", LastAt: now.Add(-time.Hour)},
		},
	}
	want := `{"broker":"tcp://b:1883","bus_errors":50,"buses":{"1":{"answers":true,"errors":0,"transfers":100},` +
		`"3":{"age_s":60,"answers":false,"errors":49,"last_error":"/dev/i2c-3: nobody answers","transfers":50},` +
		`"4":{"age_s":3600,"answers":true,"errors":1,"last_error":"once","transfers":9}},"queues":{"commands":5,"facts":7,"in_flight":2,"messages":3}}`
	if got := reported(t, s, v, now, "broker", "buses", "bus_errors", "queues"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A large house is told of in 4 KiB, also after a bad day.
func TestHealthSize(t *testing.T) {
	cfg := &Config{Device: "shed"}
	for i := range 100 {
		cfg.Outputs = append(cfg.Outputs, Output{Name: fmt.Sprint("output_", i)})
	}
	for i := range 20 {
		cfg.Sensors = append(cfg.Sensors, Sensor{Name: fmt.Sprint("temperature_", i)})
	}
	s, err := newState(cfg, About{Version: "v1.2.3-45-gabcdef0"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	v := Vitals{Uptime: 1e6 * time.Second, Wall: now, Sent: 1e9, Broker: "tls://homeassistant.local:8883", Buses: map[string]Bus{}}
	for i := range 2 {
		v.Buses[fmt.Sprint(i)] = Bus{Transfers: 1e9, Errors: 1e6, Answers: true, LastAt: now,
			LastError: "/dev/i2c-1: address 0x76: nobody answers: check the wiring, the supply and the address: remote I/O error"}
	}
	for i := range 8 {
		s.step(&gpio.Event{Chip: fmt.Sprint("expander_", i)}, now)
		s.step(complaint(strings.Repeat("x", 200)+fmt.Sprint(i)), now)
	}
	for i := range 100 {
		s.step(&gpio.Event{Line: fmt.Sprint("output_", i)}, now)
	}
	_, send, _ := s.step(v, now)
	if n := len(send[len(send)-1].Payload); n > 4096 {
		t.Errorf("%d bytes, want 4096 at most:\n%s", n, send[len(send)-1].Payload)
	} else {
		t.Logf("%d bytes", n)
	}
}
