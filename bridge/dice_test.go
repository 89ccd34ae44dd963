package bridge

import (
	"math/rand/v2"
	"strconv"
	"time"

	"gatewayd/sensors"
)

// dice makes random configurations, as wild as the configuration file allows.
type dice struct {
	*rand.Rand
	names int
}

func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

// maybe is often nothing.
func (d *dice) maybe(from ...string) string {
	if d.IntN(2) == 0 {
		return ""
	}
	return pick(d, from...)
}

func (d *dice) name() string {
	d.names++
	return pick(d, "door", "light_", "l", "valve", "siren", "strike", "_", "x__y_", "7", "door_button", "leck") + strconv.Itoa(d.names) + pick(d, "", "_", "_lamp")
}

func (d *dice) label() string {
	return d.maybe("Shed", "Shed door", "shed  -  lamp", "Küche", "Küchenlampe", `"`, "{{ x }}", "🚪", "Türöffner", "a\tb", `\`, "Door", "Door", "Temperature", "Shed!", "Shed '", "ｆ")
}

func (d *dice) channel(name string) Channel {
	c := Channel{QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0}
	if d.IntN(3) == 0 {
		c.Topic = pick(d, "light/", "a b/", "ü/", `"/`, "{{/", "x/light/") + name
	}
	words := []string{"1", "0", `"`, "{", "o'n", `\`, "an", "aus", "{{ x }}", "}}", "ON", "OFF", "on", "🙂", "a\nb", "true"}
	d.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	if d.IntN(2) == 0 {
		c.PayloadOn, c.PayloadOff = words[0], words[1]
	}
	return c
}

func (d *dice) entity(can []string) Entity {
	e := Entity{
		Component: d.maybe(can...),
		Icon:      d.maybe("mdi:lamp"),
		Name:      d.maybe("Shed", "Big 'one'", "Lampe"),
		Category:  d.maybe("config", "diagnostic"),
		Area:      d.maybe("Küche", "Kueche", "küche", "kitchen", "Room 1", "room-1", "Room1", "🙂", "☃", "寝室", "Shed", "more", "Garden", `"`),
		Disabled:  d.IntN(5) == 0,
	}
	if e.Component != "" && e.Component != "sensor" {
		e.DeviceClass = d.maybe(append([]string{"none"}, DeviceClasses(e.Component)...)...)
	}
	if d.IntN(4) == 0 {
		d.names++
		e.ID = "id_" + strconv.Itoa(d.names)
	}
	return e
}

func (d *dice) config() (*Config, *About) {
	cfg := &Config{
		Device: pick(d, "shed", "garden-pi", "x", "-", "a--b_"),
		ID:     d.maybe("old", "shed-1"),
		Status: pick(d, Status{}, Status{Topic: "home/shed", Online: "on'line", Offline: `off"`, Stopped: `sto\p`},
			Status{Online: "1", Offline: "0"}, Status{Stopped: "bye"}, Status{Online: "}}", Offline: "{%", Stopped: "{{"}),
		HomeAssistant: HomeAssistant{Discovery: true, Name: d.maybe("Shed", "Das Haus"), Area: d.maybe("Küche", "Garden", "more"),
			Diagnostics: d.IntN(2) == 0},
	}
	for range d.IntN(8) {
		p := Input{Name: d.name(), Label: d.label(), Entity: d.entity(InputComponents)}
		p.Channel = d.channel(p.Name)
		for range d.IntN(4) {
			p.Gestures.Told = append(p.Gestures.Told, pick(d, Pressed, Released, Click, Double, Triple, Long, Hold))
		}
		cfg.Inputs = append(cfg.Inputs, p)
	}
	for range d.IntN(8) {
		p := Output{Name: d.name(), Label: d.label(), Entity: d.entity(OutputComponents), Pulse: pick(d, 0, 0, time.Second)}
		p.Channel = d.channel(p.Name)
		if d.IntN(4) == 0 {
			p.CommandTopic = "do/" + p.Name
		}
		cfg.Outputs = append(cfg.Outputs, p)
	}
	if len(cfg.Outputs) > 0 {
		cfg.HomeAssistant.Identify = d.maybe(cfg.Outputs[0].Name)
		for range d.IntN(3) {
			p := Group{Name: d.name(), Label: d.label(), Entity: d.entity(OutputComponents), Outputs: []string{cfg.Outputs[0].Name}}
			if last := cfg.Outputs[len(cfg.Outputs)-1].Name; last != p.Outputs[0] {
				p.Outputs = append(p.Outputs, last)
			}
			p.Channel = d.channel(p.Name)
			cfg.Groups = append(cfg.Groups, p)
		}
	}
	quantities := []sensors.Quantity{
		{Name: "temperature", Class: "temperature", Unit: "°C", StateClass: "measurement", Precision: 2},
		{Name: "pressure", Class: "atmospheric_pressure", Unit: "hPa", StateClass: "measurement", Precision: 1},
		{Name: "lux_2", Precision: 0},
		{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3},
	}
	for range d.IntN(4) {
		p := Sensor{Name: d.name(), Label: d.label(), Entity: d.entity(SensorComponents), QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0, JSON: d.IntN(2) == 0,
			Every: pick(d, 0, time.Second, 5*time.Minute), Quantities: quantities[d.IntN(4):]}
		if len(p.Quantities) == 4 {
			p.Quantities = p.Quantities[:1]
		}
		p.Entity.DeviceClass = d.maybe("none", "pressure", "temperature_delta")
		if d.IntN(3) == 0 {
			p.Topic = "readings/" + p.Name
		}
		cfg.Sensors = append(cfg.Sensors, p)
	}
	for range d.IntN(3) {
		p := Counter{Name: d.name(), Label: d.label(), Entity: d.entity(SensorComponents), QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0,
			PerUnit: 1000, Factor: 3600, Every: pick(d, time.Second, 5*time.Minute), ZeroAfter: 10 * time.Minute}
		p.Entity.DeviceClass = ""
		if d.IntN(3) > 0 {
			p.Total = &sensors.Quantity{Name: "energy", Class: "energy", Unit: "kWh", StateClass: "total_increasing", Precision: 3}
		}
		if p.Total == nil || d.IntN(2) == 0 {
			p.Rate = &sensors.Quantity{Name: "power", Class: "power", Unit: "W", StateClass: "measurement", Precision: 1}
		}
		if d.IntN(3) == 0 {
			p.Topic = "counts/" + p.Name
		}
		cfg.Counters = append(cfg.Counters, p)
	}
	for range d.IntN(3) {
		p := Encoder{Name: d.name(), Label: d.label(), Entity: d.entity(EncoderComponents), QoS: byte(d.IntN(3)), Retain: d.IntN(2) == 0,
			Position: d.IntN(2) == 0, Steps: pick(d, 0, 2, 4)}
		if d.IntN(3) == 0 {
			p.Topic = "knobs/" + p.Name
		}
		cfg.Encoders = append(cfg.Encoders, p)
	}
	return cfg, &About{Version: d.maybe("1.0"), Model: d.maybe("Raspberry Pi 5", "Board"), Serial: d.maybe("abc"),
		Chips: []string{"header", "a.b", "a-b", `o'x"`, `\`}[:d.IntN(6)], CPUTemperature: d.IntN(2) == 0, UnderVoltage: d.IntN(2) == 0, Throttled: d.IntN(2) == 0,
		restarts: d.IntN(2) == 0}
}
