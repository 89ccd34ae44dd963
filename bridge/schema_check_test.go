package bridge

import (
	"strings"
	"testing"
)

// TestCheckDocuments sees that the check finds what it is there for.
func TestCheckDocuments(t *testing.T) {
	good := `{"device":{"identifiers":["d"],"name":"Shed"},"origin":{"name":"gatewayd"},"availability":[{"topic":"s"}],"components":{` +
		`"a":{"platform":"sensor","unique_id":"d.a","default_entity_id":"sensor.a","state_topic":"a","device_class":"temperature",` +
		`"unit_of_measurement":"°C","state_class":"measurement","qos":1,"icon":"mdi:x","value_template":"{{ 'a' }}","name":"A"},` +
		`"b":{"platform":"switch","unique_id":"d.b","default_entity_id":"switch.b","command_topic":"b/set","payload_on":"1"},` +
		`"c":{"platform":"device_automation","automation_type":"trigger","type":"t","subtype":"u","topic":"x"},` +
		`"e":{"platform":"sensor"}}}`
	if got := checkDocuments([]byte(good)); len(got) > 0 {
		t.Fatalf("got %q, want nothing", got)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"state_class"`, `"state_clas"`, "a: state_clas: unknown key"},
		{`"unit_of_measurement"`, `"unit_of_measurment"`, "unknown key"},
		{`"state_topic":"a",`, ``, "a: state_topic is wanted"},
		{`"device_class":"temperature"`, `"device_class":"temprature"`, "want enum"},
		{`"°C"`, `"bar"`, "with unit"},
		{`"measurement",`, `"total",`, "with state_class"},
		{`"qos":1`, `"qos":"1"`, "want 0|1|2"},
		{`"mdi:x"`, `"lamp"`, "want icon"},
		{`{{ 'a' }}`, `{{ 'o'n' }}`, "without an end"},
		{`{{ 'a' }}`, `{{ 'a' }`, "without an end"},
		{`"name":"A"`, `"name":"Shed"`, `name "Shed"`},
		{`"name":"A"`, `"name":"A","name":"B"`, "twice"},
		{`"name":"A"`, `"entity_category":"config"`, "category config"},
		{`"name":"A"`, `"availability_topic":"z"`, "both availability"},
		{`"d.b"`, `"d.a"`, "unique_id \"d.a\": twice"},
		{`"payload_on":"1"`, `"payload_on":1`, "want string"},
		{`"payload_on":"1"`, `"payload_on":"0","payload_off":"0"`, "are both"},
		{`"payload_on":"1"`, `"retain":false`, "retain"},
		{`"b/set"`, `"+/set"`, "want topic"},
		{`"switch.b"`, `"switch.b__c"`, "default_entity_id"},
		{`"subtype":"u",`, ``, "subtype is wanted"},
		{`"topic":"x"}`, `"topic":"x"},"d":{"platform":"device_automation","automation_type":"trigger","type":"t","subtype":"u","topic":"x"}`, "twice"},
		{`"topic":"x"}`, `"topic":"x","unique_id":"d.c"}`, "unique_id: unknown key"},
		{`{"platform":"sensor"}`, `{}`, "not known"},
		{`"origin":{"name":"gatewayd"},`, ``, "origin is wanted"},
		{`"identifiers":["d"],`, ``, "neither identifiers"},
		{`{"topic":"s"}`, `{"topc":"s"}`, "want list"},
		{`{"topic":"s"}`, `{"topic":"s","payload":"x"}`, "unknown key"},
		{`"components":{`, `"~":"x","components":{`, "~: unknown key"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing to replace", c.old)
		}
		got := strings.Join(checkDocuments([]byte(bad)), "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s instead of %s: got %q, want %q", c.new, c.old, got, c.want)
		}
	}
}
