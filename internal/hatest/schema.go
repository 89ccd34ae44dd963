package hatest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed schema.json
var schemaJSON []byte

// rule is what a schema says of one key.
type rule struct {
	Required bool
	Type     string
	Enum     []string
	Default  any
}

// rules is the schema of an object.
type rules map[string]rule

var schema = sync.OnceValue(func() (s struct {
	Supported     []string            `json:"supported_components"`
	Entities      []string            `json:"entity_platforms"`
	Short         map[string]string   `json:"abbreviations"`
	ShortDevice   map[string]string   `json:"device_abbreviations"`
	ShortOrigin   map[string]string   `json:"origin_abbreviations"`
	Shared        []string            `json:"shared_options"`
	Document      rules               `json:"device_document"`
	Device        rules               `json:"device"`
	Origin        rules               `json:"origin"`
	Platforms     map[string]rules    `json:"platforms"`
	Units         map[string][]string `json:"sensor_device_class_units"`
	StateClasses  map[string][]string `json:"sensor_device_class_state_classes"`
	NonNumeric    []string            `json:"sensor_non_numeric_device_classes"`
	Ambiguous     map[string]string   `json:"ambiguous_units"`
	StateClassOne map[string][]string `json:"sensor_state_class_units"`
}) {
	if err := json.Unmarshal(schemaJSON, &s); err != nil {
		panic(err) // it is compiled in
	}
	return s
})

// availabilityRules is the schema of one entry of availability.
var availabilityRules = rules{
	"topic": {Required: true, Type: "topic filter"}, "payload_available": {Type: "string"}, "payload_not_available": {Type: "string"},
	"value_template": {Type: "template"},
}

// check holds an object against its schema: values are converted as Home Assistant does, defaults filled in. The keys it does not
// know are left out and returned.
func (r rules) check(in map[string]any) (out map[string]any, unknown []string, err error) {
	out = map[string]any{}
	for _, k := range sorted(in) {
		rule, known := r[k]
		if !known {
			unknown = append(unknown, k)
			continue
		}
		v, more, err := rule.convert(in[k])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", k, err)
		}
		for _, m := range more {
			unknown = append(unknown, k+"."+m)
		}
		out[k] = v
	}
	for _, k := range sorted(r) {
		if _, given := in[k]; given {
			continue
		}
		if r[k].Required {
			return nil, nil, fmt.Errorf("required key %s is missing", k)
		}
		if d := r[k].Default; d != nil {
			if f, ok := d.(float64); ok && f == float64(int64(f)) {
				d = int64(f)
			}
			out[k] = d
		}
	}
	_, one := in["availability"]
	if _, other := in["availability_topic"]; one && other {
		return nil, nil, fmt.Errorf("availability and availability_topic exclude each other")
	}
	return out, unknown, nil
}

// convert checks one value by the schema's type.
func (r rule) convert(v any) (out any, unknown []string, err error) {
	if v == nil {
		if strings.Contains(r.Type, "null") {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("got null, want %s", r.Type)
	}
	refuse := func() (any, []string, error) { return nil, nil, fmt.Errorf("got %v, want %s", v, r.Type) }
	text, isText := asString(v)
	switch kind := r.Type; {
	case r.Enum != nil:
		if !isText || !slices.Contains(r.Enum, text) {
			return nil, nil, fmt.Errorf("got %v, want one of %s", v, strings.Join(r.Enum, ", "))
		}
		return text, nil, nil
	case strings.HasPrefix(kind, "list [{topic"):
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		var all []any
		for _, e := range list {
			o, ok := e.(map[string]any)
			if !ok {
				return refuse()
			}
			entry, more, err := availabilityRules.check(o)
			if err != nil {
				return nil, nil, err
			}
			unknown = append(unknown, more...)
			all = append(all, entry)
		}
		return all, unknown, nil
	case kind == "list [string]", kind == "list", kind == "list [Length [string]]":
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		return list, nil, nil
	case kind == "object" || strings.HasPrefix(kind, "validator object"):
		if _, ok := v.(map[string]any); !ok {
			return refuse()
		}
		return v, nil, nil
	case kind == "bool":
		if b, ok := v.(bool); ok {
			return b, nil, nil
		}
		switch strings.ToLower(text) {
		case "1", "true", "yes", "on", "enable":
			return true, nil, nil
		case "0", "false", "no", "off", "disable":
			return false, nil, nil
		}
		return refuse()
	case strings.HasPrefix(kind, "int") || kind == "0|1|2":
		n, err := strconv.ParseInt(text, 10, 64)
		if f, ok := v.(float64); ok {
			n, err = int64(f), nil // Python's int cuts off
		}
		if err != nil || strings.Contains(kind, ">=0") && n < 0 || strings.Contains(kind, ">=1") && n < 1 || kind == "0|1|2" && (n < 0 || n > 2) {
			return refuse()
		}
		return n, nil, nil
	case !isText:
		return refuse()
	case strings.Contains(kind, "one of "):
		if words := kind[strings.Index(kind, "one of ")+len("one of "):]; !slices.Contains(strings.Split(words, "|"), text) {
			return refuse()
		}
	case kind == "topic" || kind == "topic filter":
		if err := topic(text, kind == "topic filter"); err != nil {
			return nil, nil, err
		}
	case kind == "template":
		if _, err := parseTemplate(text); err != nil {
			return nil, nil, err
		}
	case strings.HasPrefix(kind, "icon"):
		if !strings.Contains(text, ":") {
			return refuse()
		}
	case strings.HasPrefix(kind, "url"):
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "homeassistant"}, u.Scheme) {
			return refuse()
		}
	case strings.HasPrefix(kind, "string"), kind == "null or string", kind == "regex", strings.HasPrefix(kind, "str "):
	default:
		return nil, nil, fmt.Errorf("a value of type %q is %w", kind, errUnsupported)
	}
	return text, nil, nil
}

// asString is Home Assistant's cv.string: numbers and booleans become Python's words.
func asString(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, int64, float64:
		return word(v), true
	}
	return "", false
}

// topic checks a topic to publish to, or a filter.
func topic(t string, filter bool) error {
	if t == "" || len(t) > 65535 || strings.ContainsRune(t, 0) {
		return fmt.Errorf("%q is not a topic", t)
	}
	levels := strings.Split(t, "/")
	for i, l := range levels {
		switch {
		case !strings.ContainsAny(l, "+#"):
		case !filter:
			return fmt.Errorf("%q: wildcards cannot be published to", t)
		case l == "#" && i == len(levels)-1 || l == "+":
		default:
			return fmt.Errorf("%q is not a topic filter", t)
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// long replaces abbreviated keys.
func long(o map[string]any, short map[string]string) {
	for k, v := range o {
		if l, ok := short[k]; ok {
			delete(o, k)
			o[l] = v
		}
	}
}
