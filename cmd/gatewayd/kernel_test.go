package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
	"gatewayd/sensors"
)

// A sensor of the kernel's is not there at the start, comes, goes and comes back: its topics and its discovery come with it and stay, and
// its availability tells the rest.
func TestKernelSensorComesAndGoes(t *testing.T) {
	was := sensors.Root
	t.Cleanup(func() { sensors.Root = was })
	root := t.TempDir()
	sensors.Root = root
	a := &alive{t: t, bench: newBench(t), broker: mqtttest.StartEmbedded(t, ""), out: new(screen), hasty: true}
	const file = `device: shed
sensors:
  - {name: bath, type: iio, device: bme280, every: 1s, misses: 1}
  - {name: hall, type: hwmon, device: sht3x, every: 1s, misses: 1, measures: [temperature]}
`
	a.begin(file, manner{beside: func(ctx context.Context, g *gateway) {
		for {
			select {
			case <-g.learned:
				g.relearn(ctx)
			case <-ctx.Done():
				return
			}
		}
	}})
	bath := filepath.Join(root, "sys/devices/i2c-1/1-0076/iio:device0")
	plug := func(temperature string) {
		t.Helper()
		link := filepath.Join(root, "sys/bus/iio/devices/iio:device0")
		for path, content := range map[string]string{"name": "bme280", "in_temp_input": temperature, "in_pressure_input": "101.325"} {
			os.MkdirAll(bath, 0o755)
			if err := os.WriteFile(filepath.Join(bath, path), []byte(content+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		os.MkdirAll(filepath.Dir(link), 0o755)
		os.Remove(link)
		if err := os.Symlink(bath, link); err != nil {
			t.Fatal(err)
		}
	}
	is := func(topic, payload string) {
		t.Helper()
		await(t, 20*time.Second, topic+" "+payload, func() bool {
			a.g.woke() // it is tried at once
			time.Sleep(20 * time.Millisecond)
			return a.retained()[topic] == payload
		})
	}
	announced := func() (keys []string) {
		for topic, payload := range a.retained() {
			if strings.HasPrefix(topic, "homeassistant/device/") {
				for _, key := range []string{"bath-temperature", "bath-pressure", "hall-temperature", "hall-humidity"} {
					if strings.Contains(payload, `"`+key+`":{"platform":"sensor"`) {
						keys = append(keys, key)
					}
				}
			}
		}
		return keys
	}
	is("gatewayd/shed/bath/availability", "offline")
	is("gatewayd/shed/hall/availability", "offline")
	await(t, 10*time.Second, "what was named is announced", func() bool { return strings.Join(announced(), " ") == "hall-temperature" })
	plug("21450")
	is("gatewayd/shed/bath/temperature", "21.45")
	is("gatewayd/shed/bath/pressure", "1013.2")
	is("gatewayd/shed/bath/availability", "online")
	all := "bath-temperature bath-pressure hall-temperature"
	await(t, 10*time.Second, "what it measures is announced", func() bool { return strings.Join(announced(), " ") == all })
	os.RemoveAll(filepath.Join(root, "sys"))
	is("gatewayd/shed/bath/availability", "offline")
	a.published()
	a.g.learn() // as another device does when it appears
	await(t, 10*time.Second, "it has looked", func() bool { return len(a.g.learned) == 0 })
	time.Sleep(50 * time.Millisecond)
	for _, m := range a.published() {
		t.Errorf("told: %s %s", m.Topic, m.Payload)
	}
	if got := strings.Join(announced(), " "); got != all || a.retained()["gatewayd/shed/bath/temperature"] != "21.45" {
		t.Errorf("while it is away %q is announced, and kept %q", got, a.retained()["gatewayd/shed/bath/temperature"])
	}
	plug("-3000")
	is("gatewayd/shed/bath/temperature", "-3.00")
	is("gatewayd/shed/bath/availability", "online")
}
