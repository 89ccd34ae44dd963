package config

import (
	"os"
	"testing"
	"time"

	"gatewayd/bridge"
	"gatewayd/gpio"
)

// TestExample reads the file that people begin with.
func TestExample(t *testing.T) {
	data, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, warnings, err := Parse("config.example.yaml", data)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("error %v, warnings %v", err, warnings)
	}
	if got, want := c.MQTT.Broker, "tcp://homeassistant.local:1883"; got != want {
		t.Errorf("broker %s, want %s", got, want)
	}
	var chips []string
	lines := map[string]gpio.LineConfig{}
	for _, ch := range c.Chips {
		chips = append(chips, ch.Name)
		for _, l := range ch.Lines {
			lines[ch.Name+" "+l.Name] = l
		}
	}
	equal(t, "chips", chips, []string{"header", "io/bus1", "io/bus2"})
	equal(t, "button", lines["io/bus2 l01_button"],
		gpio.LineConfig{Name: "l01_button", Offset: 0, Pull: gpio.PullUp, ActiveLow: true, Debounce: 10 * time.Millisecond})
	equal(t, "light", lines["io/bus1 l02"], gpio.LineConfig{Name: "l02", Offset: 1, Output: true})
	equal(t, "door", lines["header door"], gpio.LineConfig{Name: "door", Offset: 17, Pull: gpio.PullUp, Debounce: 20 * time.Millisecond})
	equal(t, "outputs[2]", c.Bridge.Outputs[2], bridge.Output{
		Name: "pump", Label: "Water pump", CommandTopic: "gatewayd/shed/pump/set", MaxOn: 30 * time.Minute, OnExit: bridge.ExitOff,
		Entity:  bridge.Entity{ID: "pump", Component: "switch", DeviceClass: bridge.NoComponent, Name: "Water pump"},
		Channel: bridge.Channel{Topic: "gatewayd/shed/pump", PayloadOn: "ON", PayloadOff: "OFF", QoS: 1, Retain: true},
	})
	equal(t, "groups", c.Bridge.Groups, []bridge.Group{{
		Name: "all_lights", Label: "All lights", Outputs: []string{"l01", "l02"}, CommandTopic: "gatewayd/shed/all_lights/set",
		Entity:  bridge.Entity{ID: "all_lights", Component: "light", Name: "All lights"},
		Channel: bridge.Channel{Topic: "gatewayd/shed/all_lights", PayloadOn: "ON", PayloadOff: "OFF", QoS: 1, Retain: true},
	}})
	equal(t, "rules[0]", c.Bridge.Rules[0], bridge.Rule{When: "l01_button", Do: bridge.VerbToggle, Outputs: []string{"l01"}})
	if s := c.Sensors[0]; s.Name != "climate" || s.Driver.Name != "bme280" || s.Bus != 1 || s.Addr != 0x76 || s.Every != 30*time.Second {
		t.Errorf("sensor %+v", s)
	}
}
