package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/bridge"
	"gatewayd/internal/config"
	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
)

// wiredTo is hardware with nothing but buses.
type wiredTo struct {
	hardware
	open map[int]i2c.Bus
}

func (w wiredTo) bus(number int) i2c.Bus       { return w.open[number] }
func (w wiredTo) buses() map[string]bridge.Bus { return nil }

// readOut gives what is said by a configuration's sensors, with the error at its end. Bus 2 is stuck, and bus 3 hangs.
func readOut(t *testing.T, text string, names []string, lines ...string) string {
	t.Helper()
	cfg, _, err := config.Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	wires := map[int]*bus.Bus{1: bus.New(bus.Profiles["bcm2835"], nil), 2: bus.New(bus.Profiles["bcm2835"], nil)}
	end := make(chan struct{})
	t.Cleanup(func() {
		close(end)
		for _, w := range wires {
			w.Close()
		}
	})
	for _, l := range lines {
		if _, err := control.Exec(wires[1], l); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := control.Exec(wires[2], "fault all timeout on"); err != nil {
		t.Fatal(err)
	}
	hw := wiredTo{open: map[int]i2c.Bus{1: i2csim.New(wires[1], "/dev/i2c-1"), 2: i2csim.New(wires[2], "/dev/i2c-2"), 3: hangs{end: end}}}
	var out bytes.Buffer
	if err := read(t.Context(), cfg, hw, names, &out); err != nil {
		out.WriteString("error: " + err.Error() + "\n")
	}
	return out.String()
}

func TestRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		golden(t, "testdata/read.txt", readOut(t, `
sensors:
  - name: attic
    type: bme280
    address: 0x77
    quantities:
      temperature: {name: inside, filters: [{offset: -0.4}, {round: 1}, {delta: 1}]}
      pressure: {unit: bar, precision: 3, device_class: pressure, filters: [scale: 0.001]}
  - {name: cellar, type: bmp280, mux: 0x70, channel: 2, measures: pressure}
  - {name: garden, type: bme280, mux: 0x70, channel: 3}
  - {name: gone, type: bme280, mux: 0x70, channel: 4}
`, nil, "chip bme280@0x77", "0x77 temperature 21.74", "0x77 humidity 48", "chip pca9548@0x70", "chip bmp280@0x70/2/0x76", "chip bme280@0x70/3/0x76",
			"0x70/3/0x76 temperature 4"))
	})
	synctest.Test(t, func(t *testing.T) {
		said := readOut(t, "sensors: [{name: attic, type: bme280}, {name: stuck, type: bme280, bus: 2}, {name: hangs, type: bme280, bus: 3}]", nil,
			"chip bme280@0x76", "0x76 temperature 21.74")
		for _, want := range []string{"\nattic   temperature  21.74 °C       -            ", "\nstuck (bme280): ", "\nhangs (bme280): a call to it has not come back", "error: 2 of 3 sensors not available"} {
			if !strings.Contains(said, want) {
				t.Errorf("want %q in\n%s", want, said)
			}
		}
	})
}

// However many hang, it ends; by name, only those are measured.
func TestReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		said := readOut(t, "sensors: [{name: a, type: bme280, bus: 3}, {name: b, type: bme280, bus: 3, address: 0x77}, {name: c, type: bme280, bus: 2}, {name: d, type: bme280, bus: 2, address: 0x77}]", []string{"c", "a"})
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
		if !strings.Contains(said, "error: 2 of 2 sensors") || strings.Contains(said, "\nb ") || strings.Contains(said, "\nd ") {
			t.Errorf("got\n%s", said)
		}
	})
}

func TestReadNames(t *testing.T) {
	cfg, _, err := config.Parse("c.yaml", []byte("inputs: [{name: door, line: 4}]\nsensors: [{name: attic, type: bme280}]"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"atic": `did you mean "attic"?`, "toaster": "there is attic"} {
		err := read(t.Context(), cfg, nil, []string{name}, new(bytes.Buffer))
		if usage := usageError(""); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	cfg.Sensors = nil
	if err := read(t.Context(), cfg, nil, nil, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "no sensor is configured") {
		t.Errorf("got %v", err)
	}
}
