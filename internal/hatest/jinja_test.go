package hatest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asJinja is a program that renders templates with Jinja2 itself, with what Home Assistant adds to it. It reads a list of
// [template, payload, names] and writes what each gives.
const asJinja = `
import json, sys
from jinja2.sandbox import ImmutableSandboxedEnvironment
env = ImmutableSandboxedEnvironment()
env.filters["to_json"] = lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
out = []
for template, payload, names in json.load(sys.stdin):
    names = dict(names, value=payload)
    try:
        names["value_json"] = json.loads(payload)
    except ValueError:
        pass
    out.append(env.from_string(template).render(**names).strip())
json.dump(out, sys.stdout)
`

// templatesOf gives every template in a document.
func templatesOf(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, ok := inner.(string); ok && strings.HasSuffix(key, "_template") {
				all = append(all, text)
			}
			all = append(all, templatesOf(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, templatesOf(inner)...)
		}
	}
	return all
}

// What the gateway's templates give here is what Jinja2 makes of them, with full, scanty and odd payloads.
func TestJinjaAgrees(t *testing.T) {
	const python = "/usr/bin/python3" // where Debian's python3-jinja2 belongs to
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		t.Skip("python3-jinja2 is not installed")
	}
	files, err := filepath.Glob("../../bridge/testdata/discovery/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	var templates []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := json.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		templates = append(templates, templatesOf(document)...)
	}
	slices.Sort(templates)
	templates = slices.Compact(templates)
	if len(templates) < 10 {
		t.Fatalf("%d templates", len(templates))
	}
	const full = `{"level":"degraded","reasons":["it's \"<broken>\" & wet"],"uptime_s":86400,"version":"v1.2","last_error":"chip \"relays\": %s {{ x }}",
		"cpu_temperature_c":48.3,"under_voltage":false,"throttled":true,"chips":{"relays":"nobody answers","header":"ok"},"bus_errors":3,"lost_edges":0}`
	payloads := []string{full, `{}`, `{"chips":null,"reasons":null,"under_voltage":null,"throttled":null,"cpu_temperature_c":null,"last_error":"","level":"ok"}`,
		`{"event_type":"click"}`, `{"chips":{},"under_voltage":true,"uptime_s":0}`, "online", "offline", "stopped", "ON"}
	type job struct {
		template, payload string
		names             map[string]any
	}
	var jobs []job
	var in [][3]any
	for _, template := range templates {
		parsed, err := parseTemplate(template)
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range payloads {
			for _, names := range []map[string]any{{}, {"duration": 5}} {
				if _, _, err := parsed.Render(payload, names); err != nil {
					continue // looks into what this payload does not have: Home Assistant logs an error, and hatest fails the test
				}
				jobs = append(jobs, job{template, payload, names})
				in = append(in, [3]any{template, payload, names})
			}
		}
	}
	if len(jobs) < 5*len(templates) {
		t.Fatalf("only %d renderings of %d templates", len(jobs), len(templates))
	}
	stdin, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	jinja := exec.Command(python, "-c", asJinja)
	jinja.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	jinja.Stderr = &stderr
	stdout, err := jinja.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var want []string
	if err := json.Unmarshal(stdout, &want); err != nil || len(want) != len(jobs) {
		t.Fatal(len(want), err)
	}
	for i, j := range jobs {
		if strings.HasPrefix(want[i], "<built-in method") {
			continue // of a payload without that member: Python's objects have some of their own. A sensor's message has them all
		}
		parsed, _ := parseTemplate(j.template)
		got, _, err := parsed.Render(j.payload, j.names)
		if err != nil || got != want[i] {
			t.Errorf("%s\nof %s with %v\n got %q, %v\nwant %q", j.template, j.payload, j.names, got, err, want[i])
		}
	}
}
