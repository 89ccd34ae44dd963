package bridge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatewayd/sensors"
)

// mansion is a configuration that has everything that can be announced.
func mansion() (*Config, *About) {
	plain := Channel{QoS: 1, Retain: true}
	at := func(topic string) Channel { return Channel{Topic: topic, QoS: 1, Retain: true} }
	kitchen := Entity{Area: "Küche"}
	return &Config{
			Device: "garden-pi",
			ID:     "shed",
			Inputs: []Input{
				{Name: "door", Label: "Shed door", Channel: plain},
				{Name: "l01_button", Channel: at("light/l01/button"), Gestures: Gestures{Told: []Trigger{Pressed, Released, Click, Double, Triple, Long, Hold}}},
				{Name: "bell", Label: "Doorbell", Channel: Channel{PayloadOn: "1", PayloadOff: "0"}, Gestures: Gestures{Told: []Trigger{Click, Double}},
					Entity: Entity{Disabled: true, Icon: "mdi:bell", Category: "diagnostic"}},
				{Name: "window", Label: "Fenster", Channel: plain, Entity: kitchen},
				{Name: "secret", Channel: plain, Entity: Entity{Component: "none"}, Gestures: Gestures{Told: []Trigger{Click}}},
			},
			Outputs: []Output{
				{Name: "l01", Label: "Küche Deckenlampe", CommandTopic: "light/l01/set", Channel: at("light/l01"), Entity: Entity{Area: "küche"}},
				{Name: "l02", Channel: at("light/l02"), Entity: Entity{ID: "old_lamp"}},
				{Name: "fountain", Label: "Shed", Channel: Channel{QoS: 2, Retain: true, PayloadOn: "1", PayloadOff: "0"}},
				{Name: "socket", Channel: plain, Entity: Entity{Icon: "mdi:power-socket-eu", Category: "config"}},
				{Name: "valve", Label: "Lawn water valve", Channel: plain, MaxOn: 10 * time.Minute, Entity: Entity{Area: "Garden"}},
				{Name: "siren", Channel: Channel{QoS: 1, Retain: true, PayloadOn: "o'n", PayloadOff: `{"a`}},
				{Name: "door_opener", Channel: plain, Pulse: 3 * time.Second},
				{Name: "gong", Channel: plain, Pulse: 500 * time.Millisecond},
				{Name: "hidden", Channel: plain, Entity: Entity{Component: "none", Area: "Nowhere"}},
			},
			Groups: []Group{
				{Name: "all_lights", Outputs: []string{"l01", "l02"}, Channel: plain},
				{Name: "everything", Label: "All there is", Outputs: []string{"l01", "fountain"}, Channel: plain},
			},
			Sensors: []Sensor{
				{Name: "attic", QoS: 1, Retain: true, Every: time.Minute, Quantities: []sensors.Quantity{
					{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2},
					{Name: "humidity", Class: "humidity", Unit: "%", StateClass: "measurement", Precision: 1},
					{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1},
				}},
				{Name: "cellar", QoS: 1, Retain: true, JSON: true, Every: time.Minute, Quantities: []sensors.Quantity{
					{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2, Heartbeat: time.Hour},
					{Name: "items", StateClass: "measurement", Precision: 1, Heartbeat: 10 * time.Minute},
					{Name: "2nd", StateClass: "measurement", Heartbeat: 20 * time.Minute},
				}},
				{Name: "pool", Topic: "water/pool", QoS: 1, JSON: true, Entity: Entity{Component: "none"}, Quantities: []sensors.Quantity{{Name: "temperature"}, {Name: "ph"}}},
				{Name: "here", Label: "Shed", Topic: "climate/shed", QoS: 1, Quantities: []sensors.Quantity{
					{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 0},
				}},
			},
			Counters: []Counter{
				{Name: "house", Label: "House", QoS: 1, Retain: true, PerUnit: 1000, Factor: 3600, Every: 10 * time.Second, ZeroAfter: time.Minute, Keep: true, Entity: kitchen,
					Total: &sensors.Quantity{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3},
					Rate:  &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}},
				{Name: "visitors", Topic: "shed/visitors", QoS: 1, PerUnit: 1, Every: time.Second, Keep: true, Total: &sensors.Quantity{Name: "count", StateClass: "total_increasing"}},
			},
			Encoders:      []Encoder{{Name: "knob", Label: "Volume", Position: true, QoS: 1, Retain: true}, {Name: "dial", Topic: "shed/dial", Position: true, Entity: Entity{Area: "Garden"}}},
			Status:        Status{Stopped: "asleep"},
			HomeAssistant: HomeAssistant{Discovery: true, Name: "Shed", Area: "Garden", Diagnostics: true, Identify: "l02"},
		}, &About{Version: "1.2.3", Model: "Raspberry Pi 3 Model B Rev 1.2", Serial: "00000000abcdef01", Chips: []string{"header", "relays"},
			CPUTemperature: true, UnderVoltage: true, Throttled: true, restarts: true, reloads: true}
}

func TestDiscoveryGolden(t *testing.T) {
	cfg, about := mansion()
	files := map[string]bool{}
	var documents [][]byte
	for _, b := range discover(cfg, NewTopics(cfg), about) {
		var got bytes.Buffer
		document := b.document(b.Components)
		documents = append(documents, document)
		if err := json.Indent(&got, document, "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		file := fmt.Sprintf("testdata/discovery/%s.json", cmp.Or(b.name, "gateway"))
		files[file] = true
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s: got:\n%s", file, difference(got.String(), string(want)))
		}
	}
	for _, wrong := range checkDocuments(documents...) {
		t.Error(wrong)
	}
	all, _ := filepath.Glob("testdata/discovery/*.json")
	for _, file := range all {
		if !files[file] {
			t.Errorf("%s: no such book any more", file)
		}
	}
}
