package main

import (
	"testing"
	"time"

	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// Home Assistant takes a meter's total and power for its energy dashboard, shows what is counted and set, and hears a knob's steps.
func TestHomeAssistantCounters(t *testing.T) {
	m := mqtttest.StartEmbedded(t, "")
	h := &home{t: t, broker: m.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, m.Addr(), hatest.Options{})
	h.start("sensors:", `counters:
  - {name: house, label: House, type: meter, measures: energy, line: GPIO22, per_unit: 1000, every: 1s}
  - {name: rain, type: meter, measures: rain, line: GPIO23, per_unit: 4, every: 1s, topic: weather}
  - {name: wind, type: meter, measures: wind, line: GPIO24, factor: 2.4}
  - {name: visitors, line: GPIO25, every: 1s}
  - {name: fan, type: frequency, line: GPIO16}
encoders:
  - {name: knob, label: Volume, a: GPIO5, b: GPIO6, position: true}
sensors:`)
	pulse := func(name string) {
		h.put(name, true)
		h.put(name, false)
	}
	h.ha.AwaitState("sensor.shed_house_energy", "0.000")
	for range 7 {
		pulse("house")
	}
	h.ha.AwaitState("sensor.shed_house_energy", "0.007")
	time.Sleep(300 * time.Millisecond)
	pulse("house")
	h.ha.AwaitState("sensor.shed_house_energy", "0.008")
	h.ha.Await(10*time.Second, "a power", func() bool { e := h.ha.Entity("sensor.shed_house_power"); return e.Available && e.State != "unknown" })
	pulse("rain")
	h.ha.AwaitState("sensor.shed_rain_rain", "0.25")
	pulse("visitors")
	h.ha.AwaitState("sensor.shed_visitors_count", "1")
	for id, want := range map[string][3]string{
		"sensor.shed_house_energy":    {"energy", "kWh", "total_increasing"},
		"sensor.shed_house_power":     {"power", "W", "measurement"},
		"sensor.shed_rain_rain":       {"precipitation", "mm", "total_increasing"},
		"sensor.shed_rain_rain_rate":  {"precipitation_intensity", "mm/h", "measurement"},
		"sensor.shed_wind_wind_speed": {"wind_speed", "km/h", "measurement"},
		"sensor.shed_fan_frequency":   {"frequency", "Hz", "measurement"},
	} {
		c := h.ha.Entity(id).Config
		for i, key := range []string{"device_class", "unit_of_measurement", "state_class"} {
			if c[key] != want[i] {
				t.Errorf("%s: %s is %v, want %s", id, key, c[key], want[i])
			}
		}
	}
	newClient(t, "tcp://"+m.Addr()).Publish("gatewayd/shed/house/set", 1, false, "1234.5").Wait()
	h.ha.AwaitState("sensor.shed_house_energy", "1234.500")
	time.Sleep(30 * time.Millisecond) // what a line says at first may be its pull-up's doing
	for _, line := range []string{"knob/a", "knob/b"} {
		h.put(line, true)
	}
	for _, line := range []string{"knob/a", "knob/b"} {
		h.put(line, false)
	}
	h.ha.AwaitState("sensor.shed_knob_position", "1")
	h.ha.Await(10*time.Second, "an event and a trigger", func() bool { return len(h.ha.Events()) == 1 && len(h.ha.Triggers()) == 1 })
	if e := h.ha.Events()[0]; e.EntityID != "event.shed_knob" || e.Type != "clockwise" {
		t.Errorf("heard %+v", e)
	}
	h.ha.Clean()
}
