package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gatewayd/internal/config"
	"gatewayd/sensors"
)

// Everything that is listed has its own page, whose example is a configuration.
func TestDriverExamples(t *testing.T) {
	show := func(name string) (example string) {
		t.Helper()
		var b bytes.Buffer
		if err := showDriver(&b, name); err != nil {
			t.Fatal(err)
		}
		_, example, _ = strings.Cut(b.String(), "\nAn example")
		_, example, _ = strings.Cut(example, ":\n\n")
		return example
	}
	for _, d := range sensors.Drivers() {
		cfg, _, err := config.Parse(d.Name, []byte(show(d.Name)))
		if err != nil {
			t.Error(err)
		} else if len(cfg.Sensors) != 1 || cfg.Sensors[0].Driver != d {
			t.Errorf("%s: the example has %+v", d.Name, cfg.Sensors)
		}
	}
	if cfg, _, err := config.Parse("counter", []byte(show("counter"))); err != nil {
		t.Error(err)
	} else if len(cfg.Bridge.Counters) != 1 {
		t.Errorf("counter: the example has %+v", cfg.Bridge.Counters)
	}
	if cfg, _, err := config.Parse("encoder", []byte(show("encoder"))); err != nil {
		t.Error(err)
	} else if len(cfg.Bridge.Encoders) != 1 {
		t.Errorf("encoder: the example has %+v", cfg.Bridge.Encoders)
	}
	for _, c := range config.ChipTypes() {
		if cfg, _, err := config.Parse(c.Type, []byte(show(c.Type))); err != nil {
			t.Error(err)
		} else if len(cfg.Chips) == 0 {
			t.Errorf("%s: the example has no chip", c.Type)
		}
	}
}

func TestShowDriver(t *testing.T) {
	var b bytes.Buffer
	if err := showDriver(&b, "bme280"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n  temperature  °C   from -40 to 85    Home Assistant: temperature\n", "\nI2C address: 0x76, 0x77; 0x76 unless said\n",
		"\nMeasures every 30s unless said", "\nsensors:\n  - {name: attic, type: bme280, bus: 1, address: 0x76}\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
	for part, want := range map[string]string{"SHT21": "htu21d\n", "DS18B20": "w1\n", "PCF8574": "pcf8574\n", "SGP40": "sgp40\n"} {
		b.Reset()
		if err := showDriver(&b, part); err != nil || !strings.HasPrefix(b.String(), want) {
			t.Errorf("%s: got %v and %q, want it to begin with %q", part, err, b.String(), want)
		}
	}
	for name, want := range map[string]string{"bme820": `did you mean "bme280"?`, "mcp2317": `did you mean "mcp23017"?`, "countre": `did you mean "counter"?`, "toaster": "gatewayd drivers shows all"} {
		err := showDriver(&b, name)
		if usage := usageError(""); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a usage error with %q", name, err, want)
		}
	}
}

func TestListDrivers(t *testing.T) {
	var b bytes.Buffer
	if err := listDrivers(&b); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); len(f) > 0 {
			names[f[0]] = true
		}
	}
	for _, d := range sensors.Drivers() {
		if !names[d.Name] {
			t.Errorf("%s is not listed", d.Name)
		}
	}
	for _, c := range config.ChipTypes() {
		if !names[c.Type] {
			t.Errorf("%s is not listed", c.Type)
		}
	}
	if t.Failed() {
		t.Logf("\n%s", &b)
	}
}

func TestAddressList(t *testing.T) {
	for _, c := range []struct {
		addrs []uint16
		want  string
	}{
		{nil, ""}, {[]uint16{0x10}, "0x10"}, {[]uint16{0x76, 0x77}, "0x76, 0x77"}, {[]uint16{0x77, 0x76}, "0x77, 0x76"},
		{[]uint16{0x48, 0x49, 0x4a, 0x4b}, "0x48 to 0x4b"}, {[]uint16{0x40, 0x20, 0x21, 0x22, 0x50}, "0x40, 0x20 to 0x22, 0x50"},
	} {
		if got := addressList(c.addrs); got != c.want {
			t.Errorf("%x: got %q, want %q", c.addrs, got, c.want)
		}
	}
}

func TestLimitText(t *testing.T) {
	for v, want := range map[float64]string{0: "0", -40: "-40", 100: "100", -3.1999999999999997: "-3.2", 0.8192: "0.8192", 121556.85483870968: "121557", 1.1e8: "110000000"} {
		if got := limitText(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}
