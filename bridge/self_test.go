package bridge

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func init() {
	for name, output := range map[string]string{"identify": "l01", "identify_ends": "pump", "identify_interlock": "up", "identify_pulse": "bell"} {
		otherHouses[name] = func(c *Config) { c.HomeAssistant.Identify = output }
	}
}

// healthOf gives what a report says.
func healthOf(t *testing.T, s *state, v Vitals, now time.Time) map[string]any {
	t.Helper()
	_, send, _ := s.step(v, now)
	for _, m := range send {
		if m.Topic == s.topics.Gateway("health") {
			var got map[string]any
			if err := json.Unmarshal(m.Payload, &got); err != nil {
				t.Fatal(err)
			}
			return got
		}
	}
	t.Fatal("no health")
	return nil
}

// Where nobody restarts the gateway it says so.
func TestNoRestart(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	_, send, _ := s.step(Inbound{Topic: "gatewayd/shed/gateway/set", Payload: []byte("RESTART")}, time.Now())
	if len(send) != 1 || string(send[0].Payload) != "gateway: command refused: nobody restarts it here" || s.restart {
		t.Errorf("got %+v, restart %v", send, s.restart)
	}
}

// What the board never tells is left out; what it does not tell now is null.
func TestHealthOfBoard(t *testing.T) {
	s, err := newState(house(), About{Version: "1.2", CPUTemperature: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	h := healthOf(t, s, Vitals{}, now)
	if v, ok := h["cpu_temperature_c"]; !ok || v != nil {
		t.Errorf("temperature %v, %v, want null", v, ok)
	}
	for _, key := range []string{"under_voltage", "throttled", "last_error_at"} {
		if v, ok := h[key]; ok {
			t.Errorf("%s is %v, want none", key, v)
		}
	}
	if h["version"] != "1.2" || h["last_error"] != "" {
		t.Errorf("version %v, last error %q", h["version"], h["last_error"])
	}
	c, yes := 47.2, true
	h = healthOf(t, s, Vitals{CPUTemperature: &c, UnderVoltage: &yes, Throttled: &yes}, now)
	if h["cpu_temperature_c"] != 47.2 || h["under_voltage"] != true || h["throttled"] != true || h["last_error"] != tooWeak || h["level"] != "degraded" {
		t.Errorf("got %v", h)
	}
}

// The last error is at most as long as Home Assistant takes it, and is no broken text; many of them are one report.
func TestLastError(t *testing.T) {
	s, err := newState(house(), About{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for shift := range 4 {
		_, _, next := s.step(complaint(strings.Repeat("x", shift)+strings.Repeat("€", 200)), now)
		if want := now.Add(healthSoon); !next.Equal(want) || s.health.changed && shift > 0 {
			t.Errorf("a report is due %v, want %v", next, want)
		}
		text := s.health.last[0].text
		if len(text) > lastLength || len(text) < lastLength-4 || !utf8.ValidString(text) || !strings.HasSuffix(text, "€…") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
	s.health.changed = false
	if s.step(tick{}, now.Add(healthSoon)); !s.health.changed {
		t.Error("no report")
	}
	if _, _, next := s.step(complaint("bad \xff byte"), now); s.health.last[0].text != "bad ? byte" || next.IsZero() {
		t.Errorf("got %q, next %v", s.health.last[0].text, next)
	}
}
