package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatewayd/internal/openhabtest"
)

var update = flag.Bool("update", false, "write what is made into the documentation")

// The page shows the files that the command writes for the configuration on the page.
func TestOpenHABPage(t *testing.T) {
	const page = "../../docs/openhab.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	file := filepath.Join(t.TempDir(), "config.yaml")
	yaml := regexp.MustCompile("(?s)```yaml\n(device: .*?)```").FindStringSubmatch(text)
	if yaml == nil {
		t.Fatal("the page has no configuration")
	}
	if err := os.WriteFile(file, []byte(yaml[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	made := func(o openhabFiles) string { return written(t, file, o) }
	block := func(file, want string) (got string) {
		t.Helper()
		m := regexp.MustCompile("(?s)```java\n(// " + file + ".*?)```").FindStringSubmatchIndex(text)
		if m == nil {
			t.Fatalf("the page does not show %s", file)
		}
		got = text[m[2]:m[3]]
		if *update && want != "" {
			text = text[:m[2]] + want + text[m[3]:]
			got = want
		}
		if want != "" && got != want {
			t.Errorf("%s: the page shows\n%s\nthe command writes\n%s", file, got, want)
		}
		return got
	}
	things := made(openhabFiles{things: true})
	block("conf/things/gatewayd-shed.things", things)
	block("conf/items/gatewayd-shed.items", made(openhabFiles{items: true}))
	if _, err := openhabtest.ParseThings(block("conf/things/broker.things", "")); err != nil {
		t.Error(err)
	}
	if other := made(openhabFiles{things: true, broker: "mqtt:broker:home"}); !strings.Contains(other, "(mqtt:broker:home)") {
		t.Errorf("got\n%s", other)
	}
	// Names that the page speaks of are those that are made.
	for _, name := range regexp.MustCompile("`(Shed_[A-Za-z0-9_]+)`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(made(openhabFiles{items: true}), " "+name[1]+" ") {
			t.Errorf("the page speaks of %s, which is not made", name[1])
		}
	}
	rule := regexp.MustCompile(`Channel "mqtt:topic:gatewayd_shed:([^"]+)" triggered "([a-z]+)"`).FindStringSubmatch(text)
	cfg, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	if rule == nil || !strings.Contains(things, " "+rule[1]+" ") || !strings.Contains(fmt.Sprint(cfg.Bridge.Inputs[0].Gestures.Told), rule[2]) {
		t.Errorf("the rule waits for what does not come: %q of %v", rule, cfg.Bridge.Inputs[0].Gestures.Told)
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
