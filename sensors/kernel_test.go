package sensors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Where things are on a Raspberry Pi 4.
const (
	i2c1 = "sys/devices/platform/soc/fe804000.i2c/i2c-1/"
	spi0 = "sys/devices/platform/soc/fe204000.spi/spi_master/spi0/spi0.0/"
)

// iioTree makes IIO devices: "place name: attribute=value ...". The first one gets number 0.
func iioTree(t testing.TB, root string, first int, devices ...string) {
	t.Helper()
	for i, d := range devices {
		head, values, _ := strings.Cut(d, ": ")
		place, name, _ := strings.Cut(head, " ")
		number := fmt.Sprintf("iio:device%d", first+i)
		lines := []string{fmt.Sprintf("sys/bus/iio/devices/%s -> ../../../../%s%s", number, place, number), place + number + "/name: " + name, place + number + "/dev: 240:0",
			place + number + "/uevent: MAJOR=240", place + number + "/power/control: auto"}
		for _, v := range strings.Fields(values) {
			attribute, value, _ := strings.Cut(v, "=")
			lines = append(lines, place+number+"/"+attribute+": "+value)
		}
		grow(t, root, lines...)
	}
}

// hwmonTree makes hwmon devices in the same way.
func hwmonTree(t testing.TB, root string, first int, devices ...string) {
	t.Helper()
	for i, d := range devices {
		head, values, _ := strings.Cut(d, ": ")
		place, name, _ := strings.Cut(head, " ")
		number := fmt.Sprintf("hwmon%d", first+i)
		if strings.Contains(place, "i2c-1/") || strings.Contains(place, "firmware") {
			place += "hwmon/"
		}
		lines := []string{fmt.Sprintf("sys/class/hwmon/%s -> ../../../%s%s", number, place, number), place + number + "/name: " + name}
		for _, v := range strings.Fields(values) {
			attribute, value, _ := strings.Cut(v, "=")
			lines = append(lines, place+number+"/"+attribute+": "+strings.ReplaceAll(value, "~", " "))
		}
		grow(t, root, lines...)
	}
}

// shownBy measures once: "temperature 21.45 °C, ...".
func shownBy(o Options, driver string) (string, error) {
	d := Lookup(driver)
	quantities, err := d.Quantities(o)
	if err != nil {
		return "", err
	}
	s, err := d.Open(o)
	if err != nil {
		return "", err
	}
	readings, err := s.Measure(context.Background())
	if err == nil {
		err = d.check(readings, quantities)
	}
	var all []string
	for i, r := range readings {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %v %s", r.Quantity, rounded(r.Value, 5), quantities[i].Unit)))
	}
	return strings.Join(all, ", "), err
}

func device(root, name string) Options {
	return Options{Root: root, Settings: Settings{"device": {name}}}
}

// What the kernel shows of parts, in its own numbers and units.
var iioParts = []string{
	i2c1 + "1-0076/ bme280: in_temp_input=21450 in_pressure_input=101.325390625 in_humidityrelative_input=44912 in_temp_oversampling_ratio=2 sampling_frequency_available=1",
	"sys/devices/platform/dht11@4/ dht11@4: in_temp_input=21300 in_humidityrelative_input=48100",
	i2c1 + "1-0048/ ads1015: in_voltage0_raw=800 in_voltage0_scale=2.000000000 in_voltage1_raw=-3 in_voltage1_scale=1.000000000 in_voltage0-voltage1_raw=803 in_voltage0-voltage1_scale=0.500000000 " +
		"in_voltage0_sampling_frequency=1600 scale_available=3",
	spi0 + " max31855: in_temp_raw=85 in_temp_scale=250.000000000 in_temp_ambient_raw=366 in_temp_ambient_scale=62.500000000",
	"sys/devices/platform/soc/fe204000.spi/spi_master/spi0/spi0.1/ mcp3008: in_voltage0_raw=512 in_voltage7_raw=1023 in_voltage-voltage_scale=3.225806451 in_voltage0-voltage1_raw=10 in_voltage_scale=3.225806451",
	i2c1 + "1-0040/ si7020: in_temp_raw=6552 in_temp_offset=-4368.000000 in_temp_scale=10.725097656 in_humidityrelative_raw=6657 in_humidityrelative_offset=-786.432000 in_humidityrelative_scale=7.629394531",
	i2c1 + "1-0062/ scd4x: in_concentration_co2_raw=742 in_concentration_co2_scale=0.000100000 in_temp_raw=25000 in_temp_offset=-16852.000000 in_temp_scale=2.670288085 in_humidityrelative_raw=32768 in_humidityrelative_scale=1.525878906",
	i2c1 + "1-0077/ bme680: in_temp_input=21450 in_pressure_input=101.325000000 in_humidityrelative_input=44.912000000 in_resistance_input=12946",
	i2c1 + "1-0023/ bh1750: in_illuminance_raw=500 in_illuminance_scale=0.833333333",
	i2c1 + "1-0069/ sps30: in_massconcentration_pm1_input=3.120000 in_massconcentration_pm2p5_input=4.500000 in_massconcentration_pm2p5_peak_raw=9",
	i2c1 + "1-0059/ sgp40: in_resistance_raw=31000 in_temp_peak_raw=2",
	i2c1 + "1-006a/ lsm6: timestamp_clock=1",
}

func TestIIO(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, iioParts...)
	for _, c := range []struct{ device, want string }{
		{"bme280", "humidity 44.912 %, pressure 1013.25391 hPa, temperature 21.45 °C"},
		{"1-0076", "humidity 44.912 %, pressure 1013.25391 hPa, temperature 21.45 °C"},
		{"dht11", "humidity 48.1 %, temperature 21.3 °C"},
		{"dht11@4", "humidity 48.1 %, temperature 21.3 °C"},
		{"ads1015", "voltage0 1.6 V, voltage0_1 0.4015 V, voltage1 -0.003 V"},
		{"spi0.0", "temperature 21.25 °C, ambient_temperature 22.875 °C"},
		{"mcp3008", "voltage0 1.65161 V, voltage0_1 0.03226 V, voltage7 3.3 V"},
		{"si7020", "humidity 44.78888 %, temperature 23.42361 °C"},
		{"scd4x", "carbon_dioxide 742 ppm, humidity 50 %, temperature 21.75751 °C"},
		{"bme680", "humidity 44.912 %, pressure 1013.25 hPa, resistance 12946 Ω, temperature 21.45 °C"},
		{"bh1750", "illuminance 416.66667 lx"},
		{"sps30", "pm1 3.12 μg/m³, pm25 4.5 μg/m³"},
		{"sgp40", "resistance 31000"},
	} {
		if got, err := shownBy(device(root, c.device), "iio"); got != c.want || err != nil {
			t.Errorf("%s: got  %s, error %v\nwant %s", c.device, got, err, c.want)
		}
	}
	if _, err := shownBy(device(root, "lsm6"), "iio"); err == nil || !strings.Contains(err.Error(), "nothing that could be measured") {
		t.Errorf("got error %v", err)
	}
	// A wet hygrometer, and a broken one.
	for value, want := range map[string]string{"101500": "humidity 100 %", "-300": "humidity 0 %"} {
		os.WriteFile(filepath.Join(root, i2c1, "1-0076/iio:device0/in_humidityrelative_input"), []byte(value), 0o644)
		if got, err := shownBy(device(root, "bme280"), "iio"); !strings.HasPrefix(got, want) || err != nil {
			t.Errorf("%s: got %s, error %v", value, got, err)
		}
	}
	os.WriteFile(filepath.Join(root, i2c1, "1-0076/iio:device0/in_humidityrelative_input"), []byte("150000"), 0o644)
	if got, err := shownBy(device(root, "bme280"), "iio"); err == nil || !strings.Contains(err.Error(), "impossible humidity") {
		t.Errorf("got %s, error %v", got, err)
	}
}

func TestHwmon(t *testing.T) {
	root := t.TempDir()
	hwmonTree(t, root, 0,
		"sys/devices/virtual/thermal/thermal_zone0/ cpu_thermal: temp1_input=47236",
		"sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/ rpi_volt: in0_lcrit_alarm=0",
		i2c1+"1-0044/ sht3x: temp1_input=21450 temp1_max=60000 humidity1_input=44900 humidity1_max_alarm=0 update_interval=0",
		i2c1+"1-0040/ ina219: in0_input=2 in1_input=11980 curr1_input=123 power1_input=1480000 shunt_resistor=100000",
		i2c1+"1-0041/ ina3221: in1_input=5012 in1_label=CH~1 in1_enable=1 in2_input=3301 in2_label=CH~2 in2_enable=1 in3_input=0 in3_enable=0 curr1_input=100 curr2_input=-5 curr1_fault=0",
		"sys/devices/platform/cooling_fan/ pwmfan: fan1_input=2450 pwm1=128",
		i2c1+"1-0070/ chip: temp1_input=20000 temp1_label=Core~0 temp2_input=21000 temp2_label=Core~0 temp3_input=22000 energy1_input=7200000000 power1_average=2500000",
	)
	for _, c := range []struct{ device, want string }{
		{"cpu_thermal", "temperature 47.236 °C"},
		{"thermal_zone0", "temperature 47.236 °C"},
		{"sht3x", "humidity 44.9 %, temperature 21.45 °C"},
		{"1-0040", "current 0.123 A, voltage0 0.002 V, voltage1 11.98 V, power 1.48 W"},
		{"ina3221", "current1 0.1 A, current2 -0.005 A, voltage_ch_1 5.012 V, voltage_ch_2 3.301 V"},
		{"pwmfan", "fan 2450 rpm"},
		{"chip", "energy 2 Wh, power 2.5 W, temperature_core_0 20 °C, temperature2 21 °C, temperature3 22 °C"},
	} {
		if got, err := shownBy(device(root, c.device), "hwmon"); got != c.want || err != nil {
			t.Errorf("%s: got  %s, error %v\nwant %s", c.device, got, err, c.want)
		}
	}
	if _, err := shownBy(device(root, "rpi_volt"), "hwmon"); err == nil || !strings.Contains(err.Error(), "nothing that could be measured") {
		t.Errorf("rpi_volt: got error %v", err)
	}
	os.WriteFile(filepath.Join(root, i2c1, "1-0041/hwmon/hwmon4/curr1_fault"), []byte("1\n"), 0o644)
	if _, err := shownBy(device(root, "ina3221"), "hwmon"); err == nil || !strings.Contains(err.Error(), "curr1_fault: the device says that this sensor is broken") {
		t.Errorf("a fault: got error %v", err)
	}
}

// Devices go by their names and places, never by their numbers.
func TestKernelDevices(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, i2c1+"1-0076/ bme280: in_temp_input=1000", i2c1+"1-0077/ bme280: in_temp_input=2000", i2c1+"1-0040/ si7020: in_temp_input=3000")
	for _, c := range []struct{ device, want, err string }{
		{device: "1-0076", want: "temperature 1 °C"},
		{device: "1-0077", want: "temperature 2 °C"},
		{device: "bme280", err: "2 devices are called bme280: write where the one is that you mean, as device: 1-0076, or 1-0077"},
		{device: "bmp280", err: "no IIO device bmp280: the kernel has bme280 at 1-0076, bme280 at 1-0077, si7020 at 1-0040; is its overlay in /boot/firmware/config.txt?"},
		{device: "iio:device0", err: "no IIO device iio:device0"},
	} {
		got, err := shownBy(device(root, c.device), "iio")
		if got != c.want || (c.err == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: got %s, error %v, want %s", c.device, got, err, c.err)
		}
	}
	if _, err := shownBy(device(t.TempDir(), "bme280"), "hwmon"); err == nil || !strings.Contains(err.Error(), "the kernel has none at all") {
		t.Errorf("got error %v", err)
	}
}

// Between two measurements the devices get other numbers: what is measured is never another one's.
func TestKernelRenumbered(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, i2c1+"1-0076/ bme280: in_temp_input=1000", i2c1+"1-0077/ bmp280: in_temp_input=2000")
	s, err := Lookup("iio").Open(device(root, "bme280"))
	if err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(root, "sys"))
	iioTree(t, root, 0, i2c1+"1-0077/ bmp280: in_temp_input=2000", i2c1+"1-0076/ bme280: in_temp_input=1000")
	if r, err := s.Measure(t.Context()); err == nil {
		t.Errorf("got %v", r)
	}
	if got, err := shownBy(device(root, "bme280"), "iio"); got != "temperature 1 °C" || err != nil {
		t.Errorf("got %s, error %v", got, err)
	}
	// Another part at the same address.
	s, _ = Lookup("iio").Open(device(root, "1-0076"))
	os.WriteFile(filepath.Join(root, i2c1, "1-0076/iio:device1/name"), []byte("bmp280\n"), 0o644)
	if r, err := s.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "bme280 has become bmp280") {
		t.Errorf("got %v, error %v", r, err)
	}
}

// Whatever a file has in it or says, there is an error and no reading at all.
func TestKernelFaults(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, i2c1+"1-0040/ si7020: in_temp_raw=6552 in_temp_offset=-4368.000000 in_temp_scale=10.725097656 in_humidityrelative_input=44000")
	files := []string{"in_temp_raw", "in_temp_offset", "in_temp_scale", "in_humidityrelative_input", "name"}
	s, err := Lookup("iio").Open(device(root, "si7020"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := filepath.Join(root, i2c1, "1-0040/iio:device0", file)
		good, _ := os.ReadFile(path)
		for _, bad := range []string{"", "\n", "nan", "inf", "1e3", "12 13", "\x00", "EAGAIN", strings.Repeat("7", 5000), "0x1F"} {
			os.WriteFile(path, []byte(bad), 0o644)
			if r, err := s.Measure(t.Context()); err == nil || r != nil {
				t.Errorf("%s is %q: got %v, error %v", file, bad, r, err)
			}
		}
		os.Remove(path)
		if r, err := s.Measure(t.Context()); err == nil || r != nil {
			t.Errorf("%s is gone: got %v, error %v", file, r, err)
		}
		os.WriteFile(path, good[:len(good)-1], 0o644) // without a line's end it is as good
		if _, err := s.Measure(t.Context()); err != nil {
			t.Errorf("%s without a line's end: error %v", file, err)
		}
		for _, errno := range []error{syscall.EIO, syscall.EAGAIN, syscall.ETIMEDOUT, syscall.EBUSY} {
			o := device(root, "si7020")
			o.files = &faulty{errs: map[string]error{file: errno}}
			if _, err := shownBy(o, "iio"); file != "name" && !errors.Is(err, errno) {
				t.Errorf("%s: got error %v, want %v", file, err, errno)
			}
		}
	}
}

// A DHT22 fails now and then, which is told of nobody but after the third time; its second try waits until it can answer.
func TestIIODHT(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, "sys/devices/platform/dht11@4/ dht11@4: in_temp_input=21300 in_humidityrelative_input=48100")
	synctest.Test(t, func(t *testing.T) {
		o := device(root, "dht11")
		f := &dhtKernel{soonest: time.Hour}
		o.files = f
		ctx, cancel := context.WithCancel(t.Context())
		samples := make(chan Sample)
		p := NewPoller(PollerConfig{Name: "bath", Driver: Lookup("iio"), Options: o, Every: 10 * time.Second}, samples)
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for i := range 30 {
			if s := <-samples; s.Err != nil || len(s.Readings) != 2 {
				t.Errorf("measurement %d: %v", i, s.Err)
			}
		}
		cancel()
		<-done
		if f.soonest < dhtPause || f.failed < 8 {
			t.Errorf("asked again after %v; %d failures", f.soonest, f.failed)
		}
		t.Logf("%d reads, %d failed; %v between two at least", f.reads, f.failed, f.soonest)
	})
}

// dhtKernel fails every third time.
type dhtKernel struct {
	faulty
	reads, failed int
	last          time.Time
	soonest       time.Duration
}

func (k *dhtKernel) read(path string) ([]byte, error) {
	if filepath.Base(path) == "in_humidityrelative_input" { // the first channel: it makes the part measure
		if since := time.Since(k.last); !k.last.IsZero() && since < k.soonest {
			k.soonest = since
		}
		k.last = time.Now()
		if k.reads++; k.reads%3 == 0 {
			k.failed++
			return nil, []error{syscall.EIO, syscall.ETIMEDOUT, syscall.EAGAIN}[k.failed%3]
		}
	}
	return os.ReadFile(path)
}

func TestParseIIO(t *testing.T) {
	for _, n := range []string{"name", "in_temp_scale", "in_temp_offset", "in_temp_raw_available", "in_voltage0_sampling_frequency", "out_voltage0_raw", "in_temp_peak_raw",
		"in_accel_x_mean_raw", "in__raw", "in_raw", "in_voltage0-current1_raw", "in_voltage0-voltage_raw", "in_5_raw", "in_temp_trough_raw"} {
		if c, ok := parseIIO(n); ok && n != "in__raw" {
			t.Errorf("%s: got %+v", n, c)
		}
	}
	if c, ok := parseIIO("in_voltage12-voltage3_raw"); !ok || c.kind != "voltage" || c.index != "12" || c.other != "3" {
		t.Errorf("got %+v", c)
	}
	// Names of channels are topics: each is there once, and in our alphabet.
	all := iioChannels("x", []string{"in_temp_raw", "in_temp_input", "in_temp0_raw", "in_temp1_input", "in_voltage0_raw", "in_voltage1_raw", "in_voltage10_raw", "in_voltage2_raw", "in_voltage0_supply-5V_raw", "in_voltage0_supply+5V_raw"})
	var got []string
	for _, q := range quantitiesOf(all) {
		if slices.Contains(got, q.Name) || alphabet(q.Name) != q.Name {
			t.Errorf("bad name %q beside %q", q.Name, got)
		}
		got = append(got, q.Name)
	}
	if want := "temperature temperature0 temperature1 voltage0 voltage_supply_5v voltage1 voltage2 voltage10"; strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func FuzzIIOChannels(f *testing.F) {
	f.Add("in_voltage0-voltage1_raw in_voltage_scale in_temp_input", "12.5")
	f.Fuzz(func(t *testing.T, names, value string) {
		seen := map[string]bool{}
		for _, c := range iioChannels("x", strings.Fields(names)) {
			v, err := c.read(attributes{constant(value)}, "/")
			if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
				t.Errorf("%s: %v of %q", c.quantity.Name, v, value)
			}
			if alphabet(strings.ReplaceAll(c.quantity.Name, "_", " ")) != c.quantity.Name {
				t.Errorf("the name %q", c.quantity.Name)
			}
			if seen[c.quantity.Name] {
				t.Errorf("%q twice, of %q", c.quantity.Name, names)
			}
			seen[c.quantity.Name] = true
		}
	})
}

// constant is a kernel that says the same in every file.
type constant string

func (c constant) read(string) ([]byte, error) { return []byte(c), nil }
func (constant) write(string, string) error    { return nil }

// What is named before its device is there is announced as it will be.
func TestStandard(t *testing.T) {
	for name, want := range map[string]string{"temperature": "°C", "voltage0": "V", "voltage0_1": "V", "temperature_core_0": "°C", "object_temperature": "°C", "pm25": "μg/m³", "fan2": "rpm",
		"carbon_dioxide": "ppm", "under_voltage": "flag", "uptime": "s", "nonsense": "", "nonsense_7": "", "concentration": ""} {
		q := Standard(name)
		got := q.Unit
		if q.Flag {
			got = "flag"
		}
		if got != want || q.Name != name {
			t.Errorf("%s: got %+v, want %s", name, q, want)
		}
	}
}
