package hatest

import (
	"errors"
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	const health = `{"uptime":60,"load":0.5,"name":"shed","chips":{"io":{"ok":true,"error":""}},"temperature":48.25,"none":null,"list":["a"]}`
	for _, tt := range []struct{ template, payload, want string }{
		{"{{ value }}", "ON", "ON"},
		{" text {{ value }} ", "x", "text x"},
		{"{{ value_json.uptime }}", health, "60"},
		{"{{ value_json.load }}", health, "0.5"},
		{"{{ value_json['name'] }}", health, "shed"},
		{"{{ value_json.chips.io.ok }}", health, "True"},
		{"{{ value_json.chips['io'].error }}", health, ""},
		{"{{ value_json.list[0] }}", health, "a"},
		{"{{ value_json.none }}", health, "None"},
		{"{{ value_json.temperature | round(1) }}", health, "48.2"},
		{"{{ value_json.temperature | round }}", health, "48"},
		{"{{ value_json.missing }}", health, ""},
		{"{{ value_json.missing | default('none') }}", health, "none"},
		{"{{ value_json.get('missing', 'x') }}", health, "x"},
		{"{{ value_json.get('missing') }}", health, "None"},
		{"{{ 'ON' if value_json.chips.io.ok else 'OFF' }}", health, "ON"},
		{"{{ 'yes' if value_json.missing is defined else 'no' }}", health, "no"},
		{"{{ 'yes' if value_json.missing is not defined and not value_json.error else 'no' }}", health, "yes"},
		{"{{ 'yes' if 'io' in value_json.chips else 'no' }}", health, "yes"},
		{"{{ 'yes' if value_json.uptime >= 60 and value_json.load == 0.5 else 'no' }}", health, "yes"},
		{"{% if value == 'online' %}a{% elif value == 'stopped' %}b{% else %}c{% endif %}", "stopped", "b"},
		{"{% if value == 'online' %}a{% endif %}", "stopped", ""},
		{"{% set c = value_json.chips %}{{ c.io.ok }}", health, "True"},
		{"a {%- if true -%} b {%- endif %}", "", "ab"},
		{"{{ value_json.chips | tojson }}", health, `{"io":{"error":"","ok":true}}`},
		{"{{ {'state': value, 'for': 5} | tojson }}", "it's", `{"for":5,"state":"it\u0027s"}`},
		{`{{ {"a": value} | to_json }}`, "<", `{"a":"<"}`},
		{"{{ value | int }}", "12", "12"},
		{"{{ value | int(0) }}", "x", "0"},
		{"{{ value | float * 2 + 1 }}", "1.5", "4.0"},
		{"{{ -value_json.uptime }}", health, "-60"},
		{"{{ 'a' ~ value ~ 1 }}", "b", "ab1"},
		{"{{ value_json.list | default([], true) | tojson }}{{ value_json.missing | default([1, 'a']) | tojson }}", health, `["a"][1,"a"]`},
		{"{{ value_json.none | default('x') }}{{ value_json.none | default('x', true) }}", health, "Nonex"},
		{"{{ ('yes' if value_json.chips.io.ok else 'no') if value_json.chips.io.ok is boolean else none }}", health, "yes"},
		{`{{ 'it\'s \x41\\' }}`, "", `it's A\`},
		{`{"state":"{{ value }}"}`, "ON", `{"state":"ON"}`},
	} {
		p, err := parseTemplate(tt.template)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, _, err := p.Render(tt.payload, nil); got != tt.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", tt.template, got, err, tt.want)
		}
	}
}

// What Home Assistant logs, by the payload.
func TestTemplateErrors(t *testing.T) {
	for _, tt := range []struct{ template, payload, want string }{
		{"{{ value_json.a.b }}", `{}`, "a is undefined"},
		{"{{ value_json.a }}", `not JSON`, "value_json is undefined"},
		{"{{ value | int }}", "x", "no default"},
		{"{{ value < 1 }}", "x", "not numbers"},
		{"{{ value_json.get('a') }}", "[]", "not an object"},
		{"{{ value_json.a | tojson }}", "{}", "undefined"},
	} {
		p, err := parseTemplate(tt.template)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, _, err := p.Render(tt.payload, nil); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.template) {
			t.Errorf("%s: got %q, %v, want an error with %q", tt.template, got, err, tt.want)
		}
	}
	p, _ := parseTemplate("{{ value_json.a }}")
	if _, warnings, err := p.Render("{}", nil); err != nil || len(warnings) != 1 {
		t.Errorf("a missing key: got %q, %v, want one warning", warnings, err)
	}
}

// What is wrong, and what is only not known here.
func TestTemplateSyntax(t *testing.T) {
	for _, tt := range []struct {
		template    string
		unsupported bool
	}{
		{"{{ value", false}, {"{{ }}", false}, {"{{ value. }}", false}, {"{% if value %}", false}, {"{% endif %}", false}, {"{{ 'a }}", false},
		{"{{ (value }}", false}, {"{{ value ? }}", false}, {"{% if true %}{% else %}", false},
		{"{% for x in value %}{% endfor %}", true}, {"{{ now() }}", true}, {"{{ value | regex_replace('a', 'b') }}", true},
		{"{{ value.split(',') }}", true}, {"{{ value is even }}", true}, {"{# a comment #}", true}, {"{{ value[1:2] }}", false}, {"{{ value value }}", true},
	} {
		_, err := parseTemplate(tt.template)
		if err == nil || errors.Is(err, errUnsupported) != tt.unsupported {
			t.Errorf("%s: got %v, want unsupported: %v", tt.template, err, tt.unsupported)
		}
	}
}
