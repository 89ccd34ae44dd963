package sensors

import (
	"fmt"
	"strings"
	"testing"
)

// What the kernel has is found, with the keys that lead to it: by its name, or its place where there are two of that name. What has nothing
// that can be read is left out.
func TestFind(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, i2c1+"1-0076/ bme280: in_temp_input=21450 in_pressure_input=101.3 in_humidityrelative_input=48000",
		spi0+" mcp3008: in_voltage0_raw=512 in_voltage_scale=3.2", i2c1+"1-0048/ ads1115: in_voltage0_raw=1 in_voltage0_scale=3", i2c1+"1-0049/ ads1115: in_voltage0_raw=1 in_voltage0_scale=3",
		"sys/devices/platform/dht11@4/ dht11@4: in_temp_input=20000", "sys/devices/platform/odd/ a:{b: in_temp_input=20000", i2c1+"1-0050/ mute: sampling_frequency=10")
	hwmonTree(t, root, 0, "sys/devices/virtual/ cpu_thermal: temp1_input=48312", i2c1+"1-0044/ sht3x: temp1_input=20000 humidity1_input=40000")
	grow(t, root, "sys/bus/w1/devices/28-0316a279a0ff/name: x", "sys/bus/w1/devices/3a-000000123456/name: x", "sys/bus/w1/devices/w1_bus_master1/name: x")
	var got []string
	for _, d := range Drivers() {
		if d.Find == nil {
			continue
		}
		for _, f := range d.Find(root) {
			got = append(got, fmt.Sprintf("%s: %s {%s}", d.Name, f.What, f.Keys))
		}
	}
	want := `hwmon: cpu_thermal: temperature {device: cpu_thermal}
hwmon: sht3x at 1-0044: humidity, temperature {device: sht3x}
iio: a:{b at odd: temperature {device: "a:{b"}
iio: ads1115 at 1-0048: voltage {device: 1-0048}
iio: ads1115 at 1-0049: voltage {device: 1-0049}
iio: bme280 at 1-0076: humidity, pressure, temperature {device: bme280}
iio: dht11@4: temperature {device: dht11@4}
iio: mcp3008 at spi0.0: voltage {device: mcp3008}
w1: DS18B20 28-0316a279a0ff {serial: 28-0316a279a0ff}`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	for _, d := range Drivers() {
		if d.Find != nil && len(d.Find(t.TempDir())) != 0 {
			t.Errorf("%s finds something where nothing is", d.Name)
		}
	}
}
