package openhab

import (
	"time"

	"gatewayd/bridge"
	"gatewayd/sensors"
)

// house has everything that there is to show.
func house() *bridge.Config {
	on := bridge.Channel{QoS: 1, Retain: true}
	at := func(topic string) bridge.Channel { return bridge.Channel{Topic: topic, QoS: 1, Retain: true} }
	in := func(area string) bridge.Entity { return bridge.Entity{Area: area} }
	class := func(c string) bridge.Entity { return bridge.Entity{DeviceClass: c} }
	return &bridge.Config{
		Device: "garden-shed",
		ID:     "shed",
		Inputs: []bridge.Input{
			{Name: "l01_button", Label: "Button at the door", Channel: at("light/l01/button"), Entity: in("Küche"),
				Gestures: bridge.Gestures{Told: []bridge.Trigger{bridge.Click, bridge.Double, bridge.Long}}},
			{Name: "door", Label: "Front door", Channel: bridge.Channel{PayloadOn: "open", PayloadOff: "shut"}},
			{Name: "hatch", Label: `The "old" hatch [left]`, Channel: on, Entity: in("küche")},
			{Name: "window", Channel: on, Entity: in("Loft & more")},
			{Name: "garage", Label: "Garage door", Channel: on},
			{Name: "bolt", Channel: on, Entity: class("lock")},
			{Name: "pir", Label: "Motion", Channel: on, Entity: in("Hall")},
			{Name: "smoke", Label: "Rauchmelder", Channel: on},
			{Name: "leak", Label: "Leak", Channel: on},
			{Name: "fault", Channel: on, Entity: bridge.Entity{DeviceClass: "problem", Category: "diagnostic"}},
			{Name: "true", Label: "Named true", Channel: on},
			{Name: "secret", Channel: on, Entity: bridge.Entity{Component: bridge.NoComponent}},
			{Name: "spare", Label: "Spare input", Channel: on, Entity: bridge.Entity{Disabled: true},
				Gestures: bridge.Gestures{Told: []bridge.Trigger{bridge.Click}}},
		},
		Outputs: []bridge.Output{
			{Name: "l01", Label: "Ceiling light", Channel: at("light/l01"), CommandTopic: "light/l01/set", Entity: in("Küche")},
			{Name: "l02", Label: "Lamp, 100% LED", Channel: bridge.Channel{PayloadOn: `"1"`, PayloadOff: `\0`}, Entity: bridge.Entity{ID: "old_l02"}},
			{Name: "water", Label: "Water valve", Channel: on},
			{Name: "gas", Channel: on, Entity: bridge.Entity{Component: "valve", DeviceClass: "gas"}},
			{Name: "strike", Label: "Door opener", Channel: on, Pulse: 3 * time.Second},
			{Name: "horn", Label: "Siren", Channel: on},
			{Name: "bell", Label: "Bell", Channel: on, Pulse: 500 * time.Millisecond},
			{Name: "plug", Label: "Outlet", Channel: on},
			{Name: "boiler", Label: "Boiler", Channel: on, MaxOn: 2 * time.Hour},
			{Name: "spare_relay", Channel: on, Entity: bridge.Entity{Component: "light", Disabled: true}},
		},
		Groups: []bridge.Group{
			{Name: "all_lights", Label: "All lights", Outputs: []string{"l01", "l02"}, Channel: on},
			{Name: "wet", Label: "Everything wet", Outputs: []string{"water"}, Channel: on, Entity: in("Garden")},
		},
		Sensors: []bridge.Sensor{
			{Name: "attic", Label: "Attic", Every: 30 * time.Second, Entity: in("Loft & more"), Quantities: []sensors.Quantity{
				{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2},
				{Name: "humidity", Class: "humidity", Unit: "%", StateClass: "measurement", Precision: 1},
				{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1},
			}},
			{Name: "box", Every: time.Minute, Quantities: []sensors.Quantity{
				{Name: "load", StateClass: "measurement", Precision: 2}, {Name: "under_voltage", Class: "problem", Flag: true}, {Name: "lid", Class: "opening", Flag: true}}},
			{Name: "cellar", JSON: true, Topic: "house/cellar", Every: time.Minute, Quantities: []sensors.Quantity{
				{Name: "temperature", Class: "temperature", Unit: "°C", Precision: 1, Heartbeat: time.Hour}, {Name: "items", Heartbeat: 10 * time.Minute},
			}},
			{Name: "tank", Every: 5 * time.Minute, Quantities: []sensors.Quantity{
				{Name: "level", Class: "distance", Unit: "cm"}, {Name: "flow", Unit: "L/min", Precision: 2}, {Name: "share", Unit: "%/h", Precision: 1}, {Name: "count"},
			}},
			{Name: "hidden", Entity: bridge.Entity{Component: bridge.NoComponent}, Quantities: []sensors.Quantity{{Name: "x"}}},
		},
		Counters: []bridge.Counter{
			{Name: "house", Label: "House", PerUnit: 1000, Entity: in("Hall"),
				Total: &sensors.Quantity{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3},
				Rate:  &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}},
			{Name: "tap", Total: &sensors.Quantity{Name: "water", Class: "water", Unit: "m³", Precision: 3}, Rate: &sensors.Quantity{Name: "flow", Class: "volume_flow_rate", Unit: "L/min", Precision: 2}},
			{Name: "rain", Total: &sensors.Quantity{Name: "rain", Class: "precipitation", Unit: "mm", Precision: 1}, Rate: &sensors.Quantity{Name: "rain_rate", Class: "precipitation_intensity", Unit: "mm/h", Precision: 2}},
			{Name: "wind", Rate: &sensors.Quantity{Name: "wind_speed", Class: "wind_speed", Unit: "km/h", Precision: 1}},
			{Name: "visitors", Total: &sensors.Quantity{Name: "count", StateClass: "total_increasing"}},
			{Name: "fan", Rate: &sensors.Quantity{Name: "frequency", Class: "frequency", Unit: "Hz", Precision: 2}},
		},
		Encoders:      []bridge.Encoder{{Name: "volume", Label: "Volume", Position: true}, {Name: "dial"}},
		HomeAssistant: bridge.HomeAssistant{Name: "Garden shed", Area: "Garden", Diagnostics: true},
	}
}
