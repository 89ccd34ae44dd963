package hatest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// What a payload makes of an entity's state.
func TestStates(t *testing.T) {
	s := newStage(t, quick)
	type row struct{ payload, state, trouble string }
	for _, tt := range []struct {
		component string
		rows      []row
	}{
		{`"p":"switch","command_topic":"c"`, []row{{"ON", "on", ""}, {"on", "on", "matches nothing"}, {"1", "on", "matches nothing"}, {"OFF", "off", ""}, {"None", "unknown", ""}}},
		{`"p":"switch","command_topic":"c","payload_on":1,"state_off":"zero"`, []row{{"1", "on", ""}, {"OFF", "on", "matches nothing"}, {"zero", "off", ""}}},
		{`"p":"switch","command_topic":"c","payload_on":true`, []row{{"true", "unknown", "matches nothing"}, {"True", "on", ""}}},
		{`"p":"switch","command_topic":"c","value_template":"{{ value_json.a.b }}"`, []row{{`{"a":{"b":"ON"}}`, "on", ""}, {"OFF", "off", "value_json is undefined"}}},
		{`"p":"light","command_topic":"c"`, []row{{"ON", "on", ""}, {"OFF", "off", ""}, {"x", "off", "matches nothing"}}},
		{`"p":"light","command_topic":"c","state_value_template":"{{ value_json.s }}"`, []row{{`{"s":"ON"}`, "on", ""}}},
		{`"p":"siren","command_topic":"c"`, []row{{"ON", "on", ""}, {`{"state":"OFF"}`, "off", ""}, {"x", "off", "no valid (JSON)"}}},
		{`"p":"valve","command_topic":"c"`, []row{{"open", "open", ""}, {"closed", "closed", ""}, {"OPEN", "closed", "is not one of"}, {`{"state":"opening"}`, "opening", ""}}},
		{`"p":"valve","command_topic":"c","state_open":"ON","state_closed":"OFF"`, []row{{"ON", "open", ""}, {"OFF", "closed", ""}}},
		{`"p":"lock","command_topic":"c"`, []row{{"LOCKED", "locked", ""}, {"UNLOCKED", "unlocked", ""}, {"locked", "unlocked", "matches nothing"}}},
		{`"p":"lock","command_topic":"c","state_locked":"OFF","state_unlocked":"ON"`, []row{{"OFF", "locked", ""}, {"ON", "unlocked", ""}}},
		{`"p":"binary_sensor"`, []row{{"ON", "on", ""}, {"OFF", "off", ""}, {"open", "off", "matches nothing"}}},
		{`"p":"sensor"`, []row{{"warm", "warm", ""}, {"", "", ""}}},
		{`"p":"sensor","unit_of_measurement":"°C"`, []row{{"21.4", "21.4", ""}, {"", "21.4", ""}, {"nan", "unknown", "not a number"}, {"21", "21", ""}, {"21.4 °C", "unknown", "not a number"}}},
		{`"p":"sensor","suggested_display_precision":1`, []row{{"warm", "unknown", "not a number"}}},
		{`"p":"sensor","value_template":"{{ value_json.a }}"`, []row{{`{"a":"x"}`, "x", ""}, {`{}`, "", "undefined"}, {`x`, "", "undefined"}}},
		{`"p":"sensor","device_class":"timestamp"`, []row{{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", ""}, {"2026-01-02T03:04:05", "2026-01-02T03:04:05Z", "time zone"}}},
		{`"p":"sensor","device_class":"enum","options":["a"]`, []row{{"a", "a", ""}, {"b", "a", "options"}}},
	} {
		s.announce(`"x":{` + tt.component + `,"unique_id":"u","state_topic":"x"}`)
		for _, r := range tt.rows {
			s.publish("x", r.payload)
			s.settle()
			if got := s.Entity("u").State; got != r.state {
				t.Errorf("%s: %q: got state %q, want %q", tt.component, r.payload, got, r.state)
			}
			told(t, tt.component+" "+r.payload, append(append(s.Errors(), s.Warnings()...), s.Ignored()...), r.trouble)
			s.errors, s.warnings, s.ignored = nil, nil, nil
		}
		s.retain(configTopic, "")
		s.settle()
	}
}

func TestAvailability(t *testing.T) {
	s := newStage(t, quick)
	for _, tt := range []struct {
		mode string
		want []string // after: gateway online, chip online, gateway offline, nonsense, chip offline
	}{
		{"all", []string{"unavailable", "on", "unavailable", "unavailable", "unavailable"}},
		{"any", []string{"on", "on", "on", "on", "unavailable"}},
		{"latest", []string{"on", "on", "unavailable", "unavailable", "unavailable"}},
	} {
		s.retain(configTopic, fmt.Sprintf(`{"device":{"ids":"shed"},"o":{"name":"t"},"availability":[{"topic":"status"},
			{"t":"health","val_tpl":"{{ 'online' if value_json.ok else 'offline' }}"}],"availability_mode":%q,"cmps":{%s,
			"own":{"p":"switch","uniq_id":"own","cmd_t":"a","availability":[]}}}`, tt.mode, lamp))
		s.settle()
		s.publish("lamp", "ON")
		for i, m := range [][2]string{{"status", "online"}, {"health", `{"ok":true}`}, {"status", "offline"}, {"status", "maybe"}, {"health", `{"ok":false}`}} {
			s.publish(m[0], m[1])
			s.settle()
			if got := s.Entity("u1").State; got != tt.want[i] {
				t.Errorf("%s: %s %s: got %s, want %s", tt.mode, m[0], m[1], got, tt.want[i])
			}
		}
		if e := s.Entity("own"); !e.Available {
			t.Error("an empty list is always available")
		}
		told(t, tt.mode, s.Ignored(), "neither")
		s.ignored = nil
		s.retain(configTopic, "")
		s.settle()
	}
	s.Clean()
}

func TestExpiry(t *testing.T) {
	s := newStage(t, quick)
	s.announce(`"x":{"p":"sensor","unique_id":"u","state_topic":"x","expire_after":1},"y":{"p":"binary_sensor","unique_id":"y","state_topic":"y","off_delay":1}`)
	if got := s.Entity("u").State; got != "unavailable" {
		t.Errorf("before the first message: got %s", got)
	}
	s.publish("x", "1")
	s.publish("y", "ON")
	s.AwaitState("u", "1")
	s.AwaitState("y", "on")
	s.AwaitState("u", "unavailable")
	s.AwaitState("y", "off")
}

func TestAttributes(t *testing.T) {
	s := newStage(t, quick)
	s.announce(`"x":{"p":"sensor","unique_id":"u","state_topic":"x","json_attributes_topic":"a","json_attributes_template":"{{ value_json.of | tojson }}"}`)
	s.publish("a", `{"of":{"bus":1,"state":"x"}}`)
	s.publish("x", "1")
	s.settle()
	if got := fmt.Sprint(s.Entity("u").Attributes); got != "map[bus:1]" {
		t.Errorf("got %s", got)
	}
	told(t, "dropped", s.DroppedKeys(), "attribute state")
	s.publish("a", `{"of":1}`)
	s.settle()
	told(t, "no object", s.Warnings(), "not a JSON object")
}

// Events are never taken from a retained message; triggers are, and that is an error.
func TestEvents(t *testing.T) {
	s := newStage(t, quick)
	s.retain("door/event", `{"event_type":"click"}`)
	s.announce(`"e":{"p":"event","unique_id":"e","state_topic":"door/event","event_types":["click","double"],"device_class":"button"},
		"t":{"p":"device_automation","automation_type":"trigger","type":"button_short_press","subtype":"door","topic":"door/event","payload":"click",
			"value_template":"{{ value_json.event_type }}"},
		"again":{"p":"device_automation","automation_type":"trigger","type":"button_short_press","subtype":"door","topic":"x"}`)
	told(t, "second trigger", s.Errors(), "button_short_press door")
	s.Await(5*time.Second, "the retained one", func() bool { return len(s.Triggers()) == 1 && len(s.Ignored()) == 1 })
	told(t, "retained", s.Errors(), "retained message")
	s.publish("door/event", `{"event_type":"double","count":2}`)
	s.publish("door/event", `{"event_type":"click"}`)
	s.publish("door/event", `{"event_type":"shout"}`)
	s.settle()
	events := s.Events()
	if len(events) != 2 || events[0].Type != "double" || fmt.Sprint(events[0].Attributes) != "map[count:2]" || events[1].EntityID != "event.shed_mqtt_event" && events[1].EntityID != "event.shed_button" {
		t.Errorf("got %+v", events)
	}
	if all := s.Triggers(); len(all) != 2 || all[1].Device != "Shed" || all[1].Type != "button_short_press" {
		t.Errorf("got %+v", all)
	}
	told(t, "unknown type", s.Warnings(), "shout")
	if all := fmt.Sprint(s.DeviceTriggers()); all != "[Shed: button_short_press door]" {
		t.Errorf("got %s", all)
	}
}

// What services publish.
func TestServices(t *testing.T) {
	s := newStage(t, quick)
	var mu sync.Mutex
	var got string
	listen(t, s.broker, "c", func(m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = fmt.Sprintf("%s qos %d retained %v", m.Payload(), m.Qos(), m.Retained())
	})
	for _, tt := range []struct {
		component string
		call      func(id string)
		want      string
	}{
		{`"p":"switch"`, s.TurnOn, "ON qos 1 retained false"},
		{`"p":"switch","payload_off":"0"`, s.TurnOff, "0 qos 1 retained false"},
		{`"p":"switch"`, s.Toggle, "ON qos 1 retained false"},
		{`"p":"switch","command_template":"{\"state\":\"{{ value }}\"}"`, s.TurnOn, `{"state":"ON"} qos 1 retained false`},
		{`"p":"light"`, s.TurnOff, "OFF qos 1 retained false"},
		{`"p":"button"`, s.Press, "PRESS qos 1 retained false"},
		{`"p":"button","payload_press":"RESTART"`, s.Press, "RESTART qos 1 retained false"},
		{`"p":"valve"`, s.Open, "OPEN qos 1 retained false"},
		{`"p":"valve","payload_close":"OFF"`, s.Close, "OFF qos 1 retained false"},
		{`"p":"lock"`, s.Unlock, "UNLOCK qos 1 retained false"},
		{`"p":"lock","payload_lock":"OFF"`, s.Lock, "OFF qos 1 retained false"},
		{`"p":"siren"`, s.TurnOn, `{"state":"ON"} qos 1 retained false`},
		{`"p":"siren"`, s.TurnOff, `{"state":"OFF"} qos 1 retained false`},
		{`"p":"siren"`, func(id string) { s.SirenOn(id, 5*time.Second) }, `{"state":"ON","duration":5} qos 1 retained false`},
		{`"p":"siren","support_duration":false`, func(id string) { s.SirenOn(id, 5*time.Second) }, `{"state":"ON"} qos 1 retained false`},
		{`"p":"siren","command_template":"{{ value }}{% if duration is defined %} {{ duration }}{% endif %}"`, func(id string) { s.SirenOn(id, 5*time.Second) }, `ON 5 qos 1 retained false`},
	} {
		s.announce(`"x":{` + tt.component + `,"unique_id":"u","command_topic":"c","qos":1}`)
		tt.call("u")
		s.Await(5*time.Second, tt.component+": "+tt.want, func() bool {
			mu.Lock()
			defer mu.Unlock()
			same := got == tt.want
			if same {
				got = ""
			}
			return same
		})
		s.retain(configTopic, "")
		s.settle()
	}
	s.Clean()
}

// listen subscribes beside Home Assistant.
func listen(t *testing.T, b *mqtttest.Embedded, filter string, f func(mqtt.Message)) {
	t.Helper()
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID("listener"))
	for _, token := range []func() mqtt.Token{client.Connect, func() mqtt.Token {
		return client.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { f(m) })
	}} {
		if token := token(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	t.Cleanup(func() { client.Disconnect(100) })
}

// Birth after each connection, the will without a farewell, and offline when it stops.
func TestBirth(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	proxy := mqtttest.StartProxy(t, b.Addr())
	var mu sync.Mutex
	var said []string
	listen(t, b, "ha/status", func(m mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf("%s %v", m.Payload(), m.Retained()))
	})
	c := Start(t, proxy.Addr(), Options{BirthTopic: "ha/status", Birth: "hello", BirthAfter: time.Millisecond})
	heard := func(want string) {
		t.Helper()
		c.Await(10*time.Second, want, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(said) == want
		})
	}
	heard("[hello false]")
	proxy.Kill()
	heard("[hello false offline false hello false]")
	c.Stop()
	heard("[hello false offline false hello false offline false]")
}

// All is unavailable while there is no broker; retained states and configurations come again with it.
func TestReconnect(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	proxy := mqtttest.StartProxy(t, b.Addr())
	s := &stage{Start(t, proxy.Addr(), quick), t, b}
	s.retain("lamp", "ON")
	s.announce(lamp)
	s.AwaitState("u1", "on")
	proxy.Closed.Store(true)
	proxy.Kill()
	s.AwaitState("u1", "unavailable")
	s.retain("lamp", "OFF")
	proxy.Closed.Store(false)
	s.AwaitState("u1", "off")
	s.Clean()
}

// A retained message comes again with each new subscription to its topic; each entity takes it once only.
func TestRetainedOnce(t *testing.T) {
	s := newStage(t, quick)
	s.retain("lamp", "ON")
	s.announce(lamp)
	s.AwaitState("u1", "on")
	s.publish("lamp", "OFF") // not retained
	s.AwaitState("u1", "off")
	s.announce(lamp + `,"two":{"p":"switch","unique_id":"u2","command_topic":"a","state_topic":"lamp"}`)
	s.AwaitState("u2", "on")
	if got := s.Entity("u1").State; got != "off" {
		t.Errorf("got %s, want off", got)
	}
}

// A user who deletes the device empties the document; it may come back.
func TestDeleteDevice(t *testing.T) {
	s := newStage(t, quick)
	s.announce(lamp + `,"off":{"p":"switch","unique_id":"u3","command_topic":"a","en":false}`)
	s.DeleteDevice("shed")
	s.settle()
	if all := s.Entities(); len(all) > 0 {
		t.Errorf("got %v, want none", all)
	}
	if kept := s.broker.Topics.Messages(configTopic); len(kept) > 0 {
		t.Errorf("still retained: %s", kept[0].Payload)
	}
	s.announce(lamp)
	s.Entity("switch.shed_lamp")
	s.Clean()
}
