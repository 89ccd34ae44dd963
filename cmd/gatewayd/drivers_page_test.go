package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gatewayd/internal/config"
	"gatewayd/sensors"
)

// driversPage is docs/drivers.md.
func driversPage() string {
	var b strings.Builder
	b.WriteString("# Sensors and chips\n\n" +
		"<!-- Made of what the drivers say of themselves: go test ./cmd/gatewayd -run TestDriversPage -update -->\n\n" +
		"What can be connected. `gatewayd drivers` shows the same, `gatewayd drivers bme280` all about one, `gatewayd scan` what is wired to this\n" +
		"machine; `gatewayd read` measures what is configured, once.\n\n" +
		"## Sensors\n\n")
	tableHead(&b, "type", "what it is", "measures", "I2C address")
	for _, d := range sensors.Drivers() {
		tableRow(&b, fmt.Sprintf("[`%s`](#%[1]s)", d.Name), shortDoc(d.Doc), measured(d), code(addressList(d.Addrs)))
	}
	b.WriteString("\n### Keys of every sensor\n\n")
	keyTable(&b, config.SensorKeys())
	for _, d := range sensors.Drivers() {
		sensorSection(&b, d)
	}
	b.WriteString("\n## Chips\n\nWhat has lines for inputs and outputs, beside the Raspberry Pi's own header.\n\n")
	tableHead(&b, "type", "what it is", "lines", "I2C address")
	types := config.ChipTypes()
	for _, c := range types {
		name := code(c.Type)
		if !oneExpander(&c) {
			name = fmt.Sprintf("[`%s`](#%[1]s)", c.Type)
		}
		tableRow(&b, name, c.Doc, c.Lines, code(addressList(c.Addrs)))
	}
	b.WriteString("\n### Keys of every chip with one I2C address\n\n")
	keys := slices.Clone(types[0].Keys)
	for i := range keys {
		keys[i].Doc = strings.Replace(keys[i].Doc, addressList(types[0].Addrs), "as in the table", 1)
	}
	keyTable(&b, keys)
	yamlBlock(&b, types[0].Example)
	for _, c := range types {
		if oneExpander(&c) {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n", c.Type, sentence(c.Doc))
		keyTable(&b, c.Keys)
		yamlBlock(&b, c.Example)
	}
	return b.String()
}

// oneExpander reports that a type is a single chip on I2C: these differ in nothing but what the table says.
func oneExpander(c *config.ChipDoc) bool { return len(c.Addrs) > 0 && !c.Board }

// docs/drivers.md is what the drivers say of themselves.
func TestDriversPage(t *testing.T) {
	const file = "../../docs/drivers.md"
	page := driversPage()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(b), "\n"), strings.Split(page, "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("%s is out of date from line %d on: go test ./cmd/gatewayd -run TestDriversPage -update", file, i+1)
		}
	}
}

func sensorSection(b *strings.Builder, d *sensors.Driver) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n%s\n\n", d.Name, sentence(d.Doc), oftenest(d))
	quantities, fixed := offered(d)
	switch {
	case len(quantities) == 0:
		b.WriteString("It measures what the device offers.\n")
	case !fixed:
		b.WriteString("What it measures is for its keys to say. The example below:\n\n")
	}
	if len(quantities) > 0 {
		tableHead(b, "quantity", "unit", "range", "in Home Assistant")
		for _, q := range quantities {
			tableRow(b, code(q.Name), q.Unit, rangeOf(&q), strings.TrimPrefix(classOf(&q), "Home Assistant: "))
		}
	}
	if keys := config.DriverKeys(d); len(keys) > 0 {
		b.WriteString("\n")
		keyTable(b, keys)
	}
	yamlBlock(b, sensorExample(d))
}

func keyTable(b *strings.Builder, keys []config.KeyDoc) {
	tableHead(b, "key", "", "value", "unless said")
	for _, k := range keys {
		value := code(k.Default)
		if k.Must {
			value = "must be given"
		}
		tableRow(b, code(k.Name), k.Doc, k.Want, value)
	}
}

func tableHead(b *strings.Builder, cells ...string) {
	tableRow(b, cells...)
	b.WriteString(strings.Repeat("| --- ", len(cells)) + "|\n")
}

// asText keeps what HTML and Markdown's tables would take for their own.
var asText = strings.NewReplacer("|", `\|`, "<", "&lt;")

func tableRow(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString(strings.TrimRight("| "+asText.Replace(c), " ") + " ")
	}
	b.WriteString("|\n")
}

// sentence has a text begin as sentences do.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func yamlBlock(b *strings.Builder, text string) { b.WriteString("\n```yaml\n" + text + "```\n") }
