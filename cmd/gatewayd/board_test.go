package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/bridge"
)

// sysfs makes a tree: "path: content" each.
func sysfs(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		path, content, _ := strings.Cut(f, ": ")
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func shown[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func TestGauges(t *testing.T) {
	const (
		zone0, zone1 = "class/thermal/thermal_zone0/", "class/thermal/thermal_zone1/"
		firmware     = "devices/platform/soc/soc:firmware/get_throttled: "
	)
	for _, c := range []struct {
		name                string
		files               []string
		temperature         any
		weak, slow          any
		hasC, hasUV, hasThr bool
	}{
		{name: "Raspberry Pi 3, Raspberry Pi OS", files: []string{
			zone0 + "type: cpu-thermal", zone0 + "temp: 47236",
			"class/hwmon/hwmon0/name: cpu_thermal", "class/hwmon/hwmon0/temp1_input: 47236",
			"class/hwmon/hwmon1/name: rpi_volt", "class/hwmon/hwmon1/in0_lcrit_alarm: 0",
			firmware + "0",
		}, temperature: 47.2, weak: false, slow: false, hasC: true, hasUV: true, hasThr: true},
		{name: "the mainline kernel", files: []string{
			zone0 + "type: cpu-thermal", zone0 + "temp: 51002", "class/hwmon/hwmon3/name: rpi_volt", "class/hwmon/hwmon3/in0_lcrit_alarm: 1",
		}, temperature: 51.0, weak: true, hasC: true, hasUV: true},
		{name: "an old kernel", files: []string{zone0 + "type: bcm2835_thermal", zone0 + "temp: 60000", firmware + "50005"},
			temperature: 60.0, weak: true, slow: true, hasC: true, hasUV: true, hasThr: true},
		{name: "throttled by heat, and was weak once", files: []string{firmware + "d0004"}, weak: false, slow: true, hasUV: true, hasThr: true},
		{name: "an address after soc", files: []string{"devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled: 0x1"},
			weak: true, slow: false, hasUV: true, hasThr: true},
		{name: "the CPU is not the first zone", files: []string{zone0 + "type: gpu-thermal", zone0 + "temp: 10000", zone1 + "type: cpu-thermal", zone1 + "temp: 33333"},
			temperature: 33.3, hasC: true},
		{name: "another board", files: []string{"class/thermal/thermal_zone10/type: b", "class/thermal/thermal_zone10/temp: 1000",
			"class/thermal/thermal_zone2/type: a", "class/thermal/thermal_zone2/temp: -5250"}, temperature: -5.3, hasC: true},
		{name: "nonsense", files: []string{zone0 + "type: cpu-thermal", zone0 + "temp: warm", firmware + "zz"}, hasC: true, hasUV: true, hasThr: true},
		{name: "a sensor that is not there", files: []string{zone0 + "type: cpu-thermal", zone0 + "temp: -274000"}, hasC: true},
		{name: "empty files", files: []string{zone0 + "type: cpu-thermal", zone0 + "temp: "}, hasC: true},
		{name: "no board"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGauges(sysfs(t, c.files...))
			for _, one := range g.all {
				one.read(time.Now)
			}
			var v bridge.Vitals
			g.fill(&v)
			if got := shown(v.CPUTemperature); got != c.temperature {
				t.Errorf("temperature %v, want %v", got, c.temperature)
			}
			if got := shown(v.UnderVoltage); got != c.weak {
				t.Errorf("under-voltage %v, want %v", got, c.weak)
			}
			if got := shown(v.Throttled); got != c.slow {
				t.Errorf("throttled %v, want %v", got, c.slow)
			}
			if a, b, d := g.has(); a != c.hasC || b != c.hasUV || d != c.hasThr {
				t.Errorf("has %v %v %v, want %v %v %v", a, b, d, c.hasC, c.hasUV, c.hasThr)
			}
		})
	}
}

// A read that fails leaves the last value, until that is too old. Reading /proc/self/mem from its begin gives EIO, as a sensor
// that is not ready does.
func TestGaugeFails(t *testing.T) {
	root := sysfs(t, "class/thermal/thermal_zone0/type: cpu-thermal", "class/thermal/thermal_zone0/temp: 40000")
	temp := filepath.Join(root, "class/thermal/thermal_zone0/temp")
	g := newGauges(root)
	g.all[thermal].read(time.Now)
	os.Remove(temp)
	if err := os.Symlink("/proc/self/mem", temp); err != nil {
		t.Fatal(err)
	}
	if _, err := readSmall(temp); err == nil || !strings.Contains(err.Error(), syscall.EIO.Error()) {
		t.Skipf("no EIO here, but %v", err)
	}
	g.all[thermal].read(time.Now)
	var v bridge.Vitals
	if g.fill(&v); shown(v.CPUTemperature) != 40.0 {
		t.Errorf("temperature %v, want the last one", shown(v.CPUTemperature))
	}
	g.stale = 0
	v = bridge.Vitals{}
	if g.fill(&v); v.CPUTemperature != nil {
		t.Errorf("temperature %v, want none: it is too old", *v.CPUTemperature)
	}
}
