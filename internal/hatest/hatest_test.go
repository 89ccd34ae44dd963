package hatest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// stage is a Home Assistant, and a publisher beside it.
type stage struct {
	*Core
	t      *testing.T
	broker *mqtttest.Embedded
}

const configTopic = "homeassistant/device/shed/config"

// quick has no longer delays than a test needs.
var quick = Options{NoBirth: true, LoadAfter: time.Millisecond, SubscribeAfter: time.Millisecond}

func newStage(t *testing.T, opt Options) *stage {
	t.Helper()
	b := mqtttest.StartEmbedded(t, "")
	return &stage{Start(t, b.Addr(), opt), t, b}
}

func (s *stage) publish(topic, payload string) {
	s.t.Helper()
	if err := s.broker.Publish(topic, []byte(payload), false, 0); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) retain(topic, payload string) {
	s.t.Helper()
	if err := s.broker.Publish(topic, []byte(payload), true, 0); err != nil {
		s.t.Fatal(err)
	}
}

// announce publishes a document with these components, and waits until it has been seen: a marker follows it.
func (s *stage) announce(components string) {
	s.t.Helper()
	s.retain(configTopic, document(components))
	s.settle()
}

func document(components string) string {
	return `{"device":{"identifiers":"shed","name":"Shed"},"origin":{"name":"test"},"components":{` + components + `}}`
}

// settle waits until all that was published before has been taken.
func (s *stage) settle() {
	s.t.Helper()
	mark := fmt.Sprintf("mark_%d", time.Now().UnixNano())
	s.publish("homeassistant/"+mark+"/x/config", "")
	s.Await(5*time.Second, "the marker", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		at := slices.IndexFunc(s.warnings, func(w string) bool { return strings.Contains(w, mark) })
		if at < 0 || len(s.pending) > 0 {
			return false
		}
		s.warnings = slices.Delete(s.warnings, at, at+1)
		return true
	})
	s.Await(5*time.Second, "subscriptions", s.listening)
}

// told wants a line that contains a text, or none where the text is empty.
func told(t *testing.T, what string, all []string, want string) {
	t.Helper()
	if want == "" && len(all) > 0 || want != "" && !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("%s: got %q, want %q", what, all, want)
	}
}

const (
	lamp = `"lamp":{"platform":"switch","unique_id":"u1","name":"Lamp","command_topic":"lamp/set","state_topic":"lamp"}`
	fan  = `"fan":{"p":"switch","uniq_id":"u2","cmd_t":"fan/set","stat_t":"fan","def_ent_id":"switch.shed_fan"}`
)

// Documents that are refused as a whole.
func TestDocument(t *testing.T) {
	s := newStage(t, quick)
	for _, tt := range []struct{ document, warning string }{
		{`nonsense`, "not a JSON object"},
		{`{"device":{"identifiers":"a"},"components":{}}`, "required key origin"},
		{`{"origin":{"name":"a"},"components":{}}`, "required key device"},
		{`{"device":{"identifiers":"a"},"origin":{"name":"a"}}`, "required key components"},
		{`{"device":{"identifiers":"a"},"origin":{"name":"a"},"components":[]}`, "components"},
		{`{"device":{"name":"a"},"origin":{"name":"a"},"components":{}}`, "at least one identifier"},
		{`{"device":{"identifiers":"a","color":"red"},"origin":{"name":"a"},"components":{}}`, "color"},
		{`{"device":{"identifiers":"a","cu":"gw.local"},"origin":{"name":"a"},"components":{}}`, "configuration_url"},
		{`{"device":{"identifiers":"a"},"origin":{"name":"a","x":1},"components":{}}`, "origin"},
		{`{"device":{"identifiers":"a"},"origin":{},"components":{}}`, "required key name"},
		{`{"~":"x","device":{"identifiers":"a"},"origin":{"name":"a"},"components":{}}`, "extra keys not allowed: ~"},
		{`{"device":{"identifiers":"a"},"origin":{"name":"a"},"components":{},"availability":[{"topic":"a","color":"red"}]}`, "availability.color"},
		{`{"device":{"identifiers":"a"},"origin":{"name":"a"},"components":{},"availability":[{"topic":"a"}],"availability_topic":"a"}`, "exclude"},
		{document(lamp + `,"x":{}`), "platform"},
		{document(lamp + `,"x":{"p":"toaster"}`), "toaster"},
		{document(lamp + `,"x":{"p":"switch","command_topic":"a"}`), "unique_id"},
	} {
		s.retain(configTopic, tt.document)
		s.settle()
		told(t, tt.document, s.Warnings(), tt.warning)
		if all := s.Entities(); len(all) > 0 {
			t.Errorf("%s: got %v, want no entity", tt.document, all)
		}
		s.warnings = nil
	}
	s.publish("homeassistant/device/schön/config", document(lamp))
	s.settle()
	told(t, "an umlaut", s.Warnings(), "illegal discovery topic")
	told(t, "errors", s.Errors(), "")
}

// What is wrong with one component costs that one alone.
func TestComponent(t *testing.T) {
	s := newStage(t, quick)
	for _, tt := range []struct{ component, err, warning, dropped string }{
		{`{"p":"switch","unique_id":"u"}`, "command_topic", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a/#"}`, "wildcards", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","icon":"lamp"}`, "icon", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","qos":3}`, "qos", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","device_class":"lamp"}`, "device_class", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","value_template":"{{ value"}`, "value_template", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","availability":[{"topic":"a"}],"availability_topic":"a"}`, "exclude", "", ""},
		{`{"p":"switch","unique_id":"u","command_topic":"a","colour":"red"}`, "", "", "colour"},
		{`{"p":"switch","unique_id":"u","command_topic":"a","object_id":"x"}`, "", "object_id", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","device_class":"temperature","unit_of_measurement":"K "}`, "unit", "", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","device_class":"temperature"}`, "", "without unit", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","device_class":"energy","unit_of_measurement":"kWh","state_class":"measurement"}`, "", "impossible", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","state_class":"measurement_angle"}`, "measurement_angle", "", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","options":["a"]}`, "device_class enum", "", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","device_class":"enum","options":[]}`, "empty", "", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","entity_category":"config"}`, "entity_category", "", ""},
		{`{"p":"binary_sensor","unique_id":"u","state_topic":"a","unit_of_measurement":"K"}`, "", "", "unit_of_measurement"},
		{`{"p":"event","unique_id":"u","state_topic":"a"}`, "event_types", "", ""},
		{`{"p":"device_automation","automation_type":"trigger","type":"a","topic":"a"}`, "subtype", "", ""},
		{`{"p":"sensor","unique_id":"u","state_topic":"a","device_class":"conductivity","unit_of_measurement":"µS/cm"}`, "", "", ""},
	} {
		s.announce(`"x":` + tt.component + "," + lamp)
		told(t, tt.component, s.Errors(), tt.err)
		told(t, tt.component, s.Warnings(), tt.warning)
		told(t, tt.component, s.DroppedKeys(), tt.dropped)
		_, lives := s.Find("u")
		if want := tt.err == "" && !strings.Contains(tt.component, "device_automation"); lives != want {
			t.Errorf("%s: there: %v, want %v", tt.component, lives, want)
		}
		if _, ok := s.Find("u1"); !ok {
			t.Errorf("%s: its neighbour is not there", tt.component)
		}
		s.retain(configTopic, "")
		s.settle()
		s.errors, s.warnings, s.dropped = nil, nil, nil
	}
}

// Identity, removal, and what a changed document does.
func TestLife(t *testing.T) {
	s := newStage(t, quick)
	ids := func() (all string) {
		for _, e := range s.Entities() {
			all += e.EntityID + " "
		}
		return strings.TrimSpace(all)
	}
	want := func(what, wanted string) {
		t.Helper()
		if got := ids(); got != wanted {
			t.Errorf("%s: got %q, want %q", what, got, wanted)
		}
	}
	s.announce(lamp + "," + fan)
	want("new", "switch.shed_fan switch.shed_lamp")
	s.announce(lamp)
	want("left out", "switch.shed_fan switch.shed_lamp")
	s.announce(lamp + `,"fan":{"p":"switch"}`)
	want("platform only", "switch.shed_lamp")
	s.announce(lamp + "," + strings.ReplaceAll(fan, "switch.shed_fan", "switch.other"))
	want("back: the id is remembered", "switch.shed_fan switch.shed_lamp")
	s.announce(strings.ReplaceAll(lamp, "u1", "u9"))
	want("changed unique id", "switch.shed_fan switch.shed_lamp")
	told(t, "changed unique id", s.Ignored(), "u9")
	s.announce(strings.ReplaceAll(lamp, "Lamp", "Light") + `,"x":{"p":"switch","unique_id":"u2","command_topic":"a"}`)
	want("renamed", "switch.shed_fan switch.shed_lamp")
	if name := s.Entity("u1").Name; name != "Shed Light" {
		t.Errorf("got %q, want Shed Light", name)
	}
	told(t, "second unique id", s.Errors(), "u2 already exists")
	s.announce(strings.ReplaceAll(lamp, `"switch"`, `"light"`))
	want("changed platform", "light.shed_lamp switch.shed_fan switch.shed_lamp")
	s.retain(configTopic, "")
	s.settle()
	want("removed", "")
	if all := s.Devices(); len(all) > 0 {
		t.Errorf("got %v, want no device", all)
	}
	s.retain("homeassistant/device/nobody/config", "")
	s.settle()
	told(t, "unknown device", s.Warnings(), "no device components")
}

// While a platform loads, of a second document only the first change to what is pending is kept.
func TestQuickSuccession(t *testing.T) {
	opt := quick
	opt.LoadAfter = 200 * time.Millisecond
	s := newStage(t, opt)
	for _, name := range []string{"Old", "New"} {
		s.retain(configTopic, document(strings.ReplaceAll(lamp, "Lamp", name)+`,"two":{"p":"switch","unique_id":"u2","name":"`+name+`","command_topic":"a"}`))
	}
	s.settle()
	if one, two := s.Entity("u1").Name, s.Entity("u2").Name; one != "Shed New" || two != "Shed Old" {
		t.Errorf("got %q and %q, want the first alone changed", one, two)
	}
	s.announce(strings.ReplaceAll(lamp, "Lamp", "Last") + `,"two":{"p":"switch","unique_id":"u2","name":"Last","command_topic":"a"}`)
	if two := s.Entity("u2").Name; two != "Shed Last" {
		t.Errorf("once loaded: got %q", two)
	}
}

// The registry outlives a restart.
func TestRestart(t *testing.T) {
	s := newStage(t, quick)
	s.announce(lamp + `,"off":{"p":"switch","unique_id":"u3","command_topic":"a","en":false},` + fan)
	if e := s.Entity("u3"); !e.Disabled || e.State != "unavailable" {
		t.Errorf("got %+v, want it disabled", e)
	}
	registry := s.Stop()
	if !registry.Enable("switch.shed_mqtt_switch", true) || !registry.Rename("switch.shed_lamp", "switch.mine") {
		t.Errorf("the registry has no such entities:\n%s", s.Dump())
	}
	opt := quick
	opt.Registry = registry
	s.retain(configTopic, "")
	again := &stage{Start(t, s.broker.Addr(), opt), t, s.broker}
	if e := again.Entity("switch.mine"); !e.Restored || e.State != "unavailable" {
		t.Errorf("got %+v, want it restored", e)
	}
	again.announce(lamp + `,"off":{"p":"switch","unique_id":"u3","command_topic":"a","en":false}`)
	for _, id := range []string{"switch.mine", "u3"} {
		if e := again.Entity(id); e.Restored || e.State != "unknown" {
			t.Errorf("got %+v, want it active", e)
		}
	}
	if e := again.Entity("switch.shed_fan"); !e.Restored {
		t.Errorf("got %+v, want it restored: it is not announced any more", e)
	}
	told(t, "registry", again.History(), "")
}

func TestNames(t *testing.T) {
	s := newStage(t, quick)
	s.announce(lamp + `,
		"main":{"p":"switch","unique_id":"main","name":null,"command_topic":"a"},
		"class":{"p":"sensor","unique_id":"class","device_class":"atmospheric_pressure","unit_of_measurement":"hPa","state_topic":"a"},
		"none":{"p":"binary_sensor","unique_id":"none","state_topic":"a"}`)
	for id, want := range map[string][2]string{
		"u1": {"switch.shed_lamp", "Shed Lamp"}, "main": {"switch.shed", "Shed"},
		"class": {"sensor.shed_atmospheric_pressure", "Shed Atmospheric pressure"}, "none": {"binary_sensor.shed_mqtt_binary_sensor", "Shed MQTT Binary sensor"},
	} {
		if e := s.Entity(id); e.EntityID != want[0] || e.Name != want[1] {
			t.Errorf("%s: got %s %q, want %q", id, e.EntityID, e.Name, want)
		}
	}
	s.retain("homeassistant/device/shed/kitchen/config", `{"device":{"ids":["kitchen"],"name":"Kitchen","sa":"Kitchen","via_device":"shed"},"o":{"name":"t"},
		"cmps":{"lamp":{"p":"switch","uniq_id":"u7","name":"Lamp","cmd_t":"a"}}}`)
	s.settle()
	if d := s.Entity("switch.kitchen_lamp").Device; d.Area != "Kitchen" || d.Via != "shed" {
		t.Errorf("got %+v", d)
	}
	s.Clean()
}
