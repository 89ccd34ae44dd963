package bridge

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// schema is what Home Assistant accepts in a discovery document, from testdata/homeassistant-schema.json.
type schema struct {
	Document     map[string]option            `json:"device_document"`
	Device       map[string]option            `json:"device"`
	Origin       map[string]option            `json:"origin"`
	Platforms    map[string]map[string]option `json:"platforms"`
	Entities     []string                     `json:"entity_platforms"`
	Units        map[string][]string          `json:"sensor_device_class_units"`
	StateClasses map[string][]string          `json:"sensor_device_class_state_classes"`
}

// option is one key of it.
type option struct {
	Required bool     `json:"required"`
	Type     string   `json:"type"`
	Enum     []string `json:"enum"`
}

var readSchema = sync.OnceValue(func() *schema {
	text, err := os.ReadFile("testdata/homeassistant-schema.json")
	if err != nil {
		panic(err)
	}
	s := &schema{}
	if err := json.Unmarshal(text, s); err != nil {
		panic(err)
	}
	return s
})

// findings collects what is wrong in all documents of one gateway: some things must be unique among them.
type findings struct {
	*schema
	seen map[string]bool
	list []string
}

// checkDocuments holds documents against what Home Assistant accepts, and against what it drops without a word. An entry with a
// platform alone removes a component and needs no more.
func checkDocuments(documents ...[]byte) []string {
	f := &findings{schema: readSchema(), seen: map[string]bool{}}
	for _, d := range documents {
		f.document(d)
	}
	return f.list
}

func (f *findings) add(format string, args ...any) {
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// once finds what must be unique.
func (f *findings) once(what, value string) {
	if f.seen[what+"\x00"+value] {
		f.add("%s %q: twice", what, value)
	}
	f.seen[what+"\x00"+value] = true
}

func (f *findings) document(text []byte) {
	v, err := decodeStrictly(text)
	if err != nil {
		f.add("%v", err)
		return
	}
	doc, _ := v.(map[string]any)
	f.object("document", doc, f.Document)
	dev, _ := doc["device"].(map[string]any)
	f.object("device", dev, f.Device)
	if dev["identifiers"] == nil && dev["connections"] == nil {
		f.add("device: neither identifiers nor connections")
	}
	org, _ := doc["origin"].(map[string]any)
	f.object("origin", org, f.Origin)
	components, ok := doc["components"].(map[string]any)
	if !ok {
		f.add("components: got %T, want an object", doc["components"])
	}
	for _, key := range slices.Sorted(maps.Keys(components)) {
		f.once("component", key)
		c, ok := components[key].(map[string]any)
		if !ok {
			f.add("%s: got %T, want an object", key, components[key])
			continue
		}
		f.component(key, c, doc, dev)
	}
}

func (f *findings) component(key string, c, doc, dev map[string]any) {
	platform, _ := c["platform"].(string)
	known := map[string]string{"light": "light (basic)", "device_automation": "device_automation (trigger)"}[platform]
	if known == "" {
		known = platform
	}
	options, ok := f.Platforms[known]
	if !ok {
		f.add("%s: platform %q: not known", key, platform)
		return
	}
	if len(c) == 1 {
		return // a removal
	}
	own := maps.Clone(c)
	delete(own, "platform")
	for _, name := range []string{"device", "origin"} { // Home Assistant puts the document's into each
		if own[name] != nil {
			f.add("%s: %s of its own", key, name)
		}
		own[name] = doc[name]
	}
	if platform == "device_automation" {
		delete(own, "origin")
	}
	f.object(key, own, options)
	for _, never := range []string{"retain", "optimistic"} {
		if c[never] != nil {
			f.add("%s: %s", key, never)
		}
	}
	text := func(name string) string { s, _ := c[name].(string); return s }
	if !slices.Contains(f.Entities, platform) {
		f.once(fmt.Sprint("trigger of ", dev["identifiers"]), text("type")+" of "+text("subtype"))
		return
	}
	if text("unique_id") == "" {
		f.add("%s: no unique_id", key)
	}
	f.once("unique_id", text("unique_id"))
	f.once("default_entity_id", text("default_entity_id"))
	if id := text("default_entity_id"); !entityID.MatchString(id) || !strings.HasPrefix(id, platform+".") || strings.Contains(id, "__") {
		f.add("%s: default_entity_id %q", key, id)
	}
	if name, given := c["name"]; given && name != nil && (name == "" || name == dev["name"]) {
		f.add("%s: name %q", key, name)
	}
	if c["availability"] != nil && doc["availability_topic"] != nil || c["availability_topic"] != nil && doc["availability"] != nil {
		f.add("%s: both availability and availability_topic, one of them from the document", key)
	}
	if text("entity_category") == "config" && (platform == "sensor" || platform == "binary_sensor") {
		f.add("%s: a %s of category config", key, platform)
	}
	if platform == "sensor" {
		f.sensor(key, text("device_class"), text("unit_of_measurement"), text("state_class"))
	}
	for _, pair := range [][2]string{{"payload_on", "payload_off"}, {"payload_open", "payload_close"}, {"payload_lock", "payload_unlock"},
		{"state_open", "state_closed"}, {"state_locked", "state_unlocked"}} {
		if text(pair[0]) == text(pair[1]) && text(pair[0]) != "" {
			f.add("%s: %s and %s are both %q", key, pair[0], pair[1], text(pair[0]))
		}
	}
}

func (f *findings) sensor(key, class, unit, state string) {
	if class == "" {
		return
	}
	if unit == "" {
		unit = "(none)"
	}
	if units, numeric := f.Units[class]; !numeric || !slices.Contains(units, unit) {
		f.add("%s: device_class %s with unit %q: want one of %v", key, class, unit, units)
	}
	if state != "" && !slices.Contains(f.StateClasses[class], state) {
		f.add("%s: device_class %s with state_class %s: want one of %v", key, class, state, f.StateClasses[class])
	}
}

var entityID = regexp.MustCompile(`^[a-z_]+\.[a-z0-9][a-z0-9_]*$`)

// object holds an object's keys and values against those that are known.
func (f *findings) object(where string, got map[string]any, options map[string]option) {
	if got == nil {
		f.add("%s: want an object", where)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		if options[key].Required && got[key] == nil {
			f.add("%s: %s is wanted", where, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		o, known := options[key]
		if !known {
			f.add("%s: %s: unknown key", where, key)
			continue
		}
		if err := o.check(got[key]); err != nil {
			f.add("%s: %s: %v", where, key, err)
		}
	}
	if got["availability"] != nil && got["availability_topic"] != nil {
		f.add("%s: both availability and availability_topic", where)
	}
}

// check holds a value against its type, more strictly than Home Assistant, which makes text of numbers.
func (o option) check(v any) error {
	wrong := fmt.Errorf("got %v (%T), want %s", v, v, o.Type)
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	kind, nullable := strings.CutSuffix(o.Type, " or null")
	if rest, first := strings.CutPrefix(kind, "null or "); first {
		kind, nullable = rest, true
	}
	if v == nil && nullable {
		return nil
	}
	is := func(ok bool) error {
		if ok {
			return nil
		}
		return wrong
	}
	switch kind {
	case "string":
		return is(isText)
	case "topic", "topic filter":
		return is(isText && text != "" && len(text) < 1<<16 && !strings.ContainsAny(text, "+#\x00"))
	case "template":
		if !isText {
			return wrong
		}
		_, err := lexTemplate(text)
		return err
	case "bool":
		_, ok := v.(bool)
		return is(ok)
	case "0|1|2", "int one of 0|1|2":
		return is(isNumber && strings.Contains("0 1 2", number.String()))
	case "int>=0", "int >=1":
		n, err := number.Int64()
		return is(isNumber && err == nil && n >= int64(strings.Count(kind, "1")))
	case "icon 'prefix:name'":
		return is(regexp.MustCompile(`^[a-z0-9-]+:[a-z0-9-]+$`).MatchString(text))
	case "url (http, https, homeassistant)":
		return is(regexp.MustCompile(`^(https?|homeassistant)://.`).MatchString(text))
	case "string one of all|any|latest":
		return is(slices.Contains([]string{"all", "any", "latest"}, text))
	case "list [string]":
		list, ok := v.([]any)
		for _, e := range list {
			if s, ok := e.(string); !ok || s == "" {
				return wrong
			}
		}
		return is(ok && len(list) > 0)
	case "list [{topic, payload_available, payload_not_available, value_template}]":
		return checkAvailability(v, wrong)
	case "object", "validator object validate_device_has_at_least_one_identifier":
		_, ok := v.(map[string]any)
		return is(ok)
	}
	if strings.HasPrefix(kind, "enum[") {
		return is(isText && slices.Contains(o.Enum, text))
	}
	return fmt.Errorf("a value of type %q: this test does not know it", o.Type)
}

func checkAvailability(v any, wrong error) error {
	list, ok := v.([]any)
	if !ok {
		return wrong
	}
	known := map[string]option{"topic": {Type: "topic"}, "payload_available": {Type: "string"}, "payload_not_available": {Type: "string"},
		"value_template": {Type: "template"}}
	for _, e := range list {
		entry, ok := e.(map[string]any)
		if !ok || entry["topic"] == nil {
			return wrong
		}
		for key, value := range entry {
			if o, ok := known[key]; !ok {
				return fmt.Errorf("%s: unknown key", key)
			} else if err := o.check(value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}
