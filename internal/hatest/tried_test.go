package hatest

import (
	"strings"
	"testing"
)

// What is inherited from the document, and what is accepted there but not inherited.
func TestInheritance(t *testing.T) {
	s := newStage(t, quick)
	s.retain(configTopic, `{"device":{"ids":"shed"},"o":{"name":"t"},"availability_topic":"status","payload_available":"yes","qos":2,"encoding":"utf-8",
		"state_topic":"all","cmps":{
		"a":{"p":"sensor","uniq_id":"a"},
		"b":{"p":"sensor","uniq_id":"b","state_topic":"own","availability_topic":"mine","qos":1},
		"c":{"p":"sensor","uniq_id":"c","~":"base","stat_t":"~/state","avty_t":"x/~"},
		"d":{"p":"sensor","uniq_id":"d","availability":[{"topic":"list"}]}}}`)
	s.settle()
	for id, want := range map[string]map[string]any{
		"a": {"state_topic": "all", "availability_topic": "status", "payload_available": "yes", "qos": int64(0)},
		"b": {"state_topic": "own", "availability_topic": "mine", "qos": int64(1)},
		"c": {"state_topic": "base/state", "availability_topic": "x/base"},
	} {
		e := s.Entity(id)
		for k, v := range want {
			if e.Config[k] != v {
				t.Errorf("%s: %s: got %v, want %v", id, k, e.Config[k], v)
			}
		}
	}
	told(t, "both kinds of availability", s.Errors(), "exclude")
	if _, there := s.Find("d"); there {
		t.Error("d inherits availability_topic beside its own availability, and is there nevertheless")
	}
}

// Two documents with a common identifier make one device; the last writer's fields win. An unknown one that another goes via is made.
func TestDevices(t *testing.T) {
	s := newStage(t, quick)
	s.announce(lamp)
	s.retain("homeassistant/device/other/config", `{"device":{"ids":["shed","more"],"name":"Barn","via_device":"router"},"o":{"name":"t"},"cmps":{`+fan+`}}`)
	s.settle()
	all := s.Devices()
	if len(all) != 2 || all[0].Name != "Barn" || strings.Join(all[0].Identifiers, " ") != "shed more" || all[1].Name != "" || all[1].Identifiers[0] != "router" {
		t.Errorf("got %+v", all)
	}
	if got := s.Entity("u1").Device.Name; got != "Barn" {
		t.Errorf("the lamp is of %s, want Barn", got)
	}
	s.Clean()
}

// unique_id is unique on a platform only, and a device's identity is not its topic's.
func TestUniqueIDs(t *testing.T) {
	s := newStage(t, quick)
	s.announce(`"a":{"p":"switch","unique_id":"u","name":"A","command_topic":"a"},"b":{"p":"sensor","unique_id":"u","name":"A","state_topic":"b"},
		"c":{"p":"switch","unique_id":"v","name":"A","command_topic":"a"}`)
	var ids []string
	for _, e := range s.Entities() {
		ids = append(ids, e.EntityID)
	}
	if got := strings.Join(ids, " "); got != "sensor.shed_a switch.shed_a switch.shed_a_2" {
		t.Errorf("got %s", got)
	}
	s.Clean()
}

// What Home Assistant does not listen to, or does not take.
func TestTopics(t *testing.T) {
	s := newStage(t, quick)
	for _, tt := range []struct{ topic, warning string }{
		{"homeassistant/device/a.b/config", "illegal discovery topic"},
		{"homeassistant/device/a b/config", "illegal discovery topic"},
		{"homeassistant/device/config", "illegal discovery topic"},
		{"homeassistant/toaster/a/config", "not supported"},
		{"homeassistant/device/a/state", ""},
		{"homeassistant/device/node_1/a-b_c/config", ""},
	} {
		s.retain(tt.topic, document(lamp))
		s.settle()
		told(t, tt.topic, s.Warnings(), tt.warning)
		s.warnings = nil
		_, there := s.Find("u1")
		if want := strings.Contains(tt.topic, "node_1"); there != want {
			t.Errorf("%s: there: %v, want %v", tt.topic, there, want)
		}
	}
}
