package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatewayd/sensors"
)

// kernelTree puts the kernel's files somewhere else: "path: content".
func kernelTree(t *testing.T, lines ...string) (root string) {
	t.Helper()
	was := sensors.Root
	t.Cleanup(func() { sensors.Root = was })
	root = t.TempDir()
	sensors.Root = root
	growTree(t, root, lines...)
	return root
}

func growTree(t *testing.T, root string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		path, content, _ := strings.Cut(line, ": ")
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func told(c *Config, sensor int) (names []string) {
	for _, q := range c.Bridge.Sensors[sensor].Quantities {
		names = append(names, q.Name)
	}
	return names
}

// What a device measures is known when it is there; and when it is away later, it is what it measured then.
func TestOffered(t *testing.T) {
	root := kernelTree(t)
	const file = "sensors: [{name: bath, type: iio, device: bme280}]"
	c, warnings, err := Parse("c.yaml", []byte(file))
	if err != nil || len(told(c, 0)) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "name it with measures: [...]") {
		t.Errorf("away: %v, warnings %v, error %v", told(c, 0), warnings, err)
	}
	where := "sys/bus/iio/devices/iio:device0/"
	growTree(t, root, where+"name: bme280", where+"in_temp_input: 21450", where+"in_humidityrelative_input: 44000")
	if c, err = c.Anew(); err != nil || strings.Join(told(c, 0), " ") != "humidity temperature" {
		t.Errorf("there: %v, error %v", told(c, 0), err)
	}
	os.RemoveAll(filepath.Join(root, "sys"))
	if c, err = c.Anew(); err != nil || strings.Join(told(c, 0), " ") != "humidity temperature" {
		t.Errorf("away again: %v, error %v", told(c, 0), err)
	}
	// Another one has never been there.
	c, warnings, err = Parse("c.yaml", []byte("sensors: [{name: bath, type: iio, device: bmp280}, {name: hall, type: iio, device: dht11, measures: [temperature, humidity]}]"))
	if err != nil || len(told(c, 0)) != 0 || len(warnings) != 1 {
		t.Errorf("another one: %v, warnings %v, error %v", told(c, 0), warnings, err)
	}
	if q := c.Bridge.Sensors[1].Quantities; len(q) != 2 || q[0].Class != "temperature" || q[0].Unit != "°C" {
		t.Errorf("named before: %+v", q)
	}
}

// A flag has a class of a binary sensor, and neither unit nor decimals.
func TestFlagKeys(t *testing.T) {
	kernelTree(t, "sys/devices/platform/soc/soc:firmware/get_throttled: 0")
	for quantity, want := range map[string]string{
		"{name: weak}": "", "{device_class: power}": "", "{device_class: none}": "", "{filters: [{delta: 1, heartbeat: 1h}]}": "",
		"{unit: V}":                   "under_voltage is ON or OFF: remove this key",
		"{precision: 1}":              "under_voltage is ON or OFF: remove this key",
		"{device_class: temperature}": `"temperature" is not a device class of what is ON or OFF`,
		"{device_class: problm}":      `did you mean "problem"?`,
	} {
		_, _, err := Parse("c.yaml", []byte("sensors: [{name: box, type: pi, quantities: {under_voltage: "+quantity+"}}]"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", quantity, err, want)
		}
	}
}
