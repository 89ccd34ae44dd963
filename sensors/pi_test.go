package sensors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Raspberry Pi 4 with a fan, as its kernel 6.6 shows it.
func piTree(t testing.TB) (root string) {
	root = tree(t,
		"sys/class/thermal/thermal_zone0/type: other", "sys/class/thermal/thermal_zone0/temp: 1000",
		"sys/class/thermal/thermal_zone1/type: cpu-thermal", "sys/class/thermal/thermal_zone1/temp: 47236",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq: 1800000",
		"sys/devices/platform/soc/soc:firmware/get_throttled: 50005",
		"proc/loadavg: 0.52 0.58 0.59 1/214 1234", "proc/uptime: 350735.47 234388.90",
		"proc/meminfo: MemTotal:        4000000 kB\nMemFree:          100000 kB\nMemAvailable:    3000000 kB\nHugePages_Total:       0")
	hwmonTree(t, root, 0, "sys/devices/virtual/thermal/thermal_zone1/ cpu_thermal: temp1_input=47236", "sys/devices/platform/cooling_fan/ pwmfan: fan1_input=2450",
		"sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon/ rpi_volt: in0_lcrit_alarm=0")
	return root
}

// piShown measures and leaves the disk out, which is that of the test's machine.
func piShown(t *testing.T, o Options) (string, error) {
	t.Helper()
	text, err := shownBy(o, "pi")
	var all []string
	for _, r := range strings.Split(text, ", ") {
		if !strings.HasPrefix(r, "disk ") {
			all = append(all, r)
		}
	}
	if err == nil && len(all) == strings.Count(text, ", ")+1 {
		t.Error("no disk")
	}
	return strings.Join(all, ", "), err
}

func TestPi(t *testing.T) {
	root := piTree(t)
	o := Options{Root: root, Settings: Settings{"disk": {"/"}}}
	want := func(want string) {
		t.Helper()
		if got, err := piShown(t, o); got != want || err != nil {
			t.Errorf("got  %s, error %v\nwant %s", got, err, want)
		}
	}
	rest := "frequency 1800 MHz, fan 2450 rpm, load 0.52, memory 25 %, uptime 350735.47 s"
	want("temperature 47.236 °C, " + rest + ", under_voltage 1, throttled 1, frequency_capped 0, temperature_limit 0")
	firmware := filepath.Join(root, "sys/devices/platform/soc/soc:firmware")
	os.WriteFile(firmware+"/get_throttled", []byte("0x5000a\n"), 0o644)
	want("temperature 47.236 °C, " + rest + ", under_voltage 0, throttled 0, frequency_capped 1, temperature_limit 1")
	os.Remove(firmware + "/get_throttled")
	want("temperature 47.236 °C, " + rest + ", under_voltage 0")
	os.WriteFile(firmware+"/raspberrypi-hwmon/hwmon/hwmon2/in0_lcrit_alarm", []byte("1\n"), 0o644)
	want("temperature 47.236 °C, " + rest + ", under_voltage 1")
	for _, gone := range []string{"sys/class/hwmon", "sys/devices/system", "proc/loadavg"} {
		os.RemoveAll(filepath.Join(root, gone))
	}
	want("temperature 47.236 °C, memory 25 %, uptime 350735.47 s")
}

// What the machine does not tell any more, or in words that nobody knows, is an error that says what it was.
func TestPiFaults(t *testing.T) {
	for file, wants := range map[string]string{"proc/meminfo": "memory: the kernel says", "proc/uptime": "uptime: the kernel says", "proc/loadavg": "load: the kernel says",
		"sys/class/thermal/thermal_zone1/temp": "temperature: temp says", "sys/devices/platform/soc/soc:firmware/get_throttled": "under_voltage: the firmware says"} {
		root := piTree(t)
		s, err := Lookup("pi").Open(Options{Root: root, Settings: Settings{"disk": {"/"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"none", "-", "MemTotal: 5 kB", "MemTotal: 5 kB\nMemAvailable: 6 kB"} {
			os.WriteFile(filepath.Join(root, file), []byte(bad), 0o644)
			if r, err := s.Measure(t.Context()); err == nil || !strings.HasPrefix(err.Error(), wants) {
				t.Errorf("%s is %q: got %v, error %v, want %s", file, bad, r, err, wants)
			}
		}
	}
	o := Options{Root: piTree(t), Settings: Settings{"disk": {"/mnt/usb"}}}
	if _, err := shownBy(o, "pi"); err == nil || !strings.HasPrefix(err.Error(), "disk: /mnt/usb: no such file") {
		t.Errorf("got error %v", err)
	}
}

// A file that several channels need is read once for a measurement: it is not another one in between.
func TestKernelOnce(t *testing.T) {
	root := t.TempDir()
	iioTree(t, root, 0, iioParts...)
	counts := &counting{seen: map[string]int{}}
	o := device(root, "mcp3008")
	o.files = counts
	s, err := Lookup("iio").Open(o)
	if err != nil {
		t.Fatal(err)
	}
	clear(counts.seen)
	if _, err := s.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, n := range counts.seen {
		if n != 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	if len(counts.seen) != 6 {
		t.Errorf("got %v", counts.seen)
	}
}

type counting struct {
	faulty
	seen map[string]int
}

func (c *counting) read(path string) ([]byte, error) {
	c.seen[filepath.Base(path)]++
	return os.ReadFile(path)
}
