package bridge

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"gatewayd/sensors"
)

func TestOutputShown(t *testing.T) {
	for _, c := range []struct {
		name, label, topic string
		pulse              time.Duration
		given              Entity
		component, class   string
		shown              string
	}{
		{name: "l01", component: "switch", shown: "L01"},
		{name: "l01", topic: "light/l01", component: "light", shown: "L01"},
		{name: "l01", topic: "lights/l01", component: "light", shown: "L01"},
		{name: "l01", topic: "gatewayd/lamp-pi/l01", component: "switch", shown: "L01"},
		{name: "l01", topic: "gatewayd/pi/light/l01", component: "light", shown: "L01"},
		{name: "kitchen", label: "Kitchen lamp", component: "light", shown: "Kitchen lamp"},
		{name: "led2", component: "light", shown: "Led2"},
		{name: "x", label: "Deckenlampen", component: "light", shown: "Deckenlampen"},
		{name: "x", label: "Licht im Flur", component: "light", shown: "Licht im Flur"},
		{name: "ledger", component: "switch", shown: "Ledger"},
		{name: "flight", component: "switch", shown: "Flight"},
		{name: "pool_light_pump", component: "switch", shown: "Pool light pump"},
		{name: "pump_light", component: "light", shown: "Pump light"},
		{name: "lamp_socket", component: "switch", class: "outlet", shown: "Lamp socket"},
		{name: "x", label: "Steckdose Werkbank", component: "switch", class: "outlet", shown: "Steckdose Werkbank"},
		{name: "light_x", label: "Water valve", component: "valve", class: "water", shown: "Water valve"},
		{name: "valve_1", component: "valve", shown: "Valve 1"},
		{name: "x", label: "Gasventil", component: "valve", class: "gas", shown: "Gasventil"},
		{name: "irrigation_north", component: "valve", class: "water", shown: "Irrigation north"},
		{name: "siren", component: "siren", shown: "Siren"},
		{name: "lock", component: "switch", shown: "Lock"},
		{name: "door_strike", pulse: time.Second, component: "lock", shown: "Door strike"},
		{name: "front", label: "Türöffner", pulse: time.Second, component: "lock", shown: "Türöffner"},
		{name: "door_opener", pulse: time.Second, component: "lock", shown: "Door opener"},
		{name: "garage_opener", pulse: time.Second, component: "button", shown: "Garage opener"},
		{name: "bell", pulse: time.Second, component: "button", shown: "Bell"},
		{name: "stairs_light", pulse: time.Minute, component: "light", shown: "Stairs light"},
		{name: "boiler_plug", pulse: time.Minute, component: "button", shown: "Boiler plug"},
		{name: "lamp", given: Entity{Component: "switch"}, component: "switch", shown: "Lamp"},
		{name: "lamp", given: Entity{DeviceClass: "outlet"}, component: "switch", class: "outlet", shown: "Lamp"},
		{name: "l01", given: Entity{DeviceClass: "water"}, component: "valve", class: "water", shown: "L01"},
		{name: "water_valve", given: Entity{DeviceClass: "none"}, component: "valve", class: "none", shown: "Water valve"},
		{name: "l01", given: Entity{Component: "none"}, component: "none", shown: "L01"},
		{name: "l01", label: "Kitchen", given: Entity{Name: "Big lamp", ID: "old"}, component: "light", shown: "Big lamp"},
	} {
		p := Output{Name: c.name, Label: c.label, Channel: Channel{Topic: c.topic}, Pulse: c.pulse, Entity: c.given}
		got := p.Shown()
		if got.Component != c.component || got.DeviceClass != c.class || got.Name != c.shown {
			t.Errorf("%s %q %q: got %s, class %q, %q, want %s, class %q, %q", c.name, c.label, c.topic,
				got.Component, got.DeviceClass, got.Name, c.component, c.class, c.shown)
		}
		if want := map[bool]string{true: c.given.ID, false: c.name}[c.given.ID != ""]; got.ID != want {
			t.Errorf("%s: got id %q, want %q", c.name, got.ID, want)
		}
		p.Entity = got
		if again := p.Shown(); again != got {
			t.Errorf("%s: not idempotent: got %+v, then %+v", c.name, got, again)
		}
	}
}

func TestInputShown(t *testing.T) {
	for _, c := range []struct {
		name, label, topic, class string
	}{
		{name: "door", class: "door"},
		{name: "doors", class: "door"},
		{name: "door2", class: "door"},
		{name: "front", label: "Haustür", class: "door"},
		{name: "x", label: "Küchenfenster links", class: "window"},
		{name: "window_contact", class: "window"},
		{name: "reed_3", class: "opening"},
		{name: "contact", label: "Cellar window", class: "window"},
		{name: "garage_door", class: "garage_door"},
		{name: "garage_doors", class: "garage_door"},
		{name: "door_garage", class: "door"},
		{name: "x", label: "Garagentor", class: "garage_door"},
		{name: "pir", class: "motion"},
		{name: "x", label: "Bewegungsmelder Hof", class: "motion"},
		{name: "smoke_alarm", class: "smoke"},
		{name: "water_leak", class: "moisture"},
		{name: "door_tamper", class: "tamper"},
		{name: "gas", class: "gas"},
		{name: "door_switch", class: "door"},
		{name: "switch"},
		{name: "door_button"},
		{name: "doorbell"},
		{name: "door", label: "Klingeltaster"},
		{name: "door_lock"},
		{name: "window", label: "Fenster-Taster"},
		{name: "door", topic: "door/bell"},
		{name: "x1", topic: "window/x1", class: "window"},
		{name: "l01_button", topic: "light/l01/button"},
		{name: "outdoor"},
		{name: "motor"},
		{name: "co2"},
		{name: "x", label: "Gartentor", class: "opening"},
		{name: "indoors"},
		{name: "water_meter"},
	} {
		p := Input{Name: c.name, Label: c.label, Channel: Channel{Topic: c.topic}}
		got := p.Shown()
		if got.Component != "binary_sensor" || got.DeviceClass != c.class {
			t.Errorf("%s %q %q: got %s, class %q, want class %q", c.name, c.label, c.topic, got.Component, got.DeviceClass, c.class)
		}
		if c.class != "" && !slices.Contains(DeviceClasses("binary_sensor"), got.DeviceClass) {
			t.Errorf("%s: no such class: %q", c.name, got.DeviceClass)
		}
		p.Entity = got
		if again := p.Shown(); again != got {
			t.Errorf("%s: not idempotent: got %+v, then %+v", c.name, got, again)
		}
	}
}

// TestWordsKnown sees that the classes and components which words suggest are ones that Home Assistant has.
func TestWordsKnown(t *testing.T) {
	for _, c := range []struct {
		words vocabulary
		want  []string
	}{
		{inputWords, append(DeviceClasses("binary_sensor"), NoComponent)},
		{contactWords, DeviceClasses("binary_sensor")},
		{outputWords, append(OutputComponents, "outlet")},
		{strikeWords, OutputComponents},
		{valveWords, DeviceClasses("valve")},
	} {
		for word, got := range c.words {
			if !slices.Contains(c.want, got) {
				t.Errorf("%s: got %q, want one of %v", word, got, c.want)
			}
		}
	}
}

func TestGroupShown(t *testing.T) {
	outputs := []Output{{Name: "l01", Channel: Channel{Topic: "light/l01"}}, {Name: "lamp"}, {Name: "pump"}}
	for _, c := range []struct {
		name    string
		members []string
		want    string
	}{
		{"upstairs", []string{"l01", "lamp"}, "light"},
		{"upstairs", []string{"l01", "pump"}, "switch"},
		{"all_lights", []string{"l01", "pump"}, "light"},
		{"all_pumps", []string{"l01"}, "switch"},
		{"valves", []string{"pump"}, "switch"},
	} {
		g := Group{Name: c.name, Outputs: c.members}
		got := g.Shown(outputs)
		if got.Component != c.want {
			t.Errorf("%s of %v: got %s, want %s", c.name, c.members, got.Component, c.want)
		}
		g.Entity = got
		if again := g.Shown(outputs); again != got {
			t.Errorf("%s: not idempotent: got %+v, then %+v", c.name, got, again)
		}
	}
}

func TestReadingShown(t *testing.T) {
	temperature := sensors.Quantity{Name: "temperature", Class: "temperature", Unit: "°C"}
	humidity := sensors.Quantity{Name: "humidity", Class: "humidity", Unit: "%"}
	both := []sensors.Quantity{temperature, humidity}
	for _, c := range []struct {
		label string
		class string
		all   []sensors.Quantity
		want  [2]string // name and class of the last quantity
	}{
		{"", "", both, [2]string{"Attic humidity", "humidity"}},
		{"Loft", "", both, [2]string{"Loft humidity", "humidity"}},
		{"Loft temperature", "", both, [2]string{"Loft humidity", "humidity"}},
		{"Temperature", "", both, [2]string{"Humidity", "humidity"}},
		{"Loft", "", both[:1], [2]string{"Loft temperature", "temperature"}},
		{"Loft Temperature", "", both[:1], [2]string{"Loft Temperature", "temperature"}},
		{"Vorlauftemperatur", "", both[:1], [2]string{"Vorlauftemperatur", "temperature"}},
		{"Loft", "temperature_delta", both[:1], [2]string{"Loft temperature", "temperature_delta"}},
		{"Loft", "humidity", both[:1], [2]string{"Loft temperature", ""}},
		{"Loft", "none", both, [2]string{"Loft humidity", "none"}},
		{"Soil", "moisture", both[1:], [2]string{"Soil humidity", "moisture"}},
	} {
		p := Sensor{Name: "attic", Label: c.label, Quantities: c.all, Entity: Entity{DeviceClass: c.class}}
		got := p.ShownReading(&c.all[len(c.all)-1])
		if got.Name != c.want[0] || got.DeviceClass != c.want[1] || got.Component != "sensor" {
			t.Errorf("%q %q: got %q, class %q, want %q, class %q", c.label, c.class, got.Name, got.DeviceClass, c.want[0], c.want[1])
		}
		p.Entity = p.Shown()
		if again := p.ShownReading(&c.all[len(c.all)-1]); again != got {
			t.Errorf("%q: not idempotent: got %+v, then %+v", c.label, got, again)
		}
	}
}

func TestApart(t *testing.T) {
	for _, c := range [][3]string{
		{"Shed", "Shed door", "Door"},
		{"Shed", "shed Door", "Door"},
		{"Shed", "Shed: door", "Door"},
		{"Shed", "Shed - Öl", "Öl"},
		{"Shed", "Shed", ""},
		{"Shed", "Shedding", "Shedding"},
		{"Shed", "Shed's door", "Shed's door"},
		{"Shed", "Door", "Door"},
		{"Shed", "Shed !", "!"},
		{"Shed", "Shed /", "Shed /"},
		{"", "Door", "Door"},
		{"Öl", "öl heizung", "Heizung"},
		{"Hall", "Hall and stairs", "Hall and stairs"},
		{"Flur", "Flur & Treppe", "Flur & Treppe"},
		{"Hall", "Hall android", "Android"},
	} {
		if got := apart(c[0], c[1]); got != c[2] {
			t.Errorf("%q of %q: got %q, want %q", c[1], c[0], got, c[2])
		}
	}
}

// TestClassesOfSchema holds the device classes against Home Assistant's own.
func TestClassesOfSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/homeassistant-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Platforms map[string]map[string]struct {
			Enum []string `json:"enum"`
		} `json:"platforms"`
		Units map[string][]string `json:"sensor_device_class_units"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, component := range slices.Concat(OutputComponents, InputComponents, []string{"event"}) {
		got, want := slices.Clone(DeviceClasses(component)), slices.Clone(schema.Platforms[component]["device_class"].Enum)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", component, got, want)
		}
	}
	for _, units := range schema.Units {
		if at := slices.Index(units, "(none)"); at >= 0 {
			units[at] = ""
		}
	}
	if got, want := DeviceClasses("sensor"), slices.Sorted(maps.Keys(schema.Units)); !slices.Equal(got, want) {
		t.Errorf("sensors: got %v, want %v", got, want)
	}
	for class, want := range schema.Units {
		if got := unitsOf(class); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", class, got, want)
		}
	}
}
