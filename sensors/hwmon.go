package sensors

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Documentation/hwmon/sysfs-interface.rst.
func init() {
	Register(Driver{
		Name: "hwmon",
		Doc:  "any hardware monitor that the kernel drives (hwmon): SHT3x, SHT4x, AHT20, LM75, INA219, INA226, fans, supplies and many more",
		Keys: []Key{deviceKey("sht3x, 1-0044 or cpu_thermal")},
		Offers: func(o Options) ([]Quantity, error) {
			_, channels, err := hwmonAt(o)
			return quantitiesOf(channels), err
		},
		Time:    2 * time.Second,
		Example: "device: sht3x, measures: [temperature, humidity]",
		Find:    hwmonClass.finder("hwmon"),
		Open: func(o Options) (Sensor, error) {
			device, channels, err := hwmonAt(o)
			if err != nil {
				return nil, err
			}
			return &hwmon{device, channels, o.kernel()}, nil
		},
	})
}

var hwmonClass = kernelClass{what: "hwmon device", folder: "sys/class/hwmon", prefix: "hwmon"}

// hwmonKinds are what is measured, in the interface's units: milli-°C, milli-%, mV, mA, μW, μJ, turns in a minute.
var hwmonKinds = map[string]kernelKind{
	"temp":     {temperature.within(-273.15, 2000), 0.001},
	"humidity": {humidity, 0.001},
	"in":       {voltage, 0.001},
	"curr":     {current, 0.001},
	"power":    {power, 1e-6},
	"energy":   {Quantity{Name: "energy", Class: "energy", Unit: "Wh", StateClass: "total_increasing", Precision: 3}, 1e-6 / 3600},
	"fan":      {Quantity{Name: "fan", Unit: "rpm", StateClass: "measurement"}, 1},
}

var hwmonAttribute = regexp.MustCompile(`^(temp|humidity|in|curr|power|energy|fan)([0-9]{1,3})_(input|average)$`)

func hwmonAt(o Options) (device kernelDevice, channels []channel, err error) {
	kernel := o.kernel()
	return kernelChannels(&o, &hwmonClass, func(d *kernelDevice, names []string) []channel {
		return hwmonChannels(names, func(file string) string {
			if !slices.Contains(names, file) {
				return ""
			}
			text, _ := kernel.text(filepath.Join(d.folder, file))
			return text
		})
	})
}

// hwmonChannels gives what a device with these attributes measures. say reads those that need no measurement: labels, and what is enabled.
func hwmonChannels(names []string, say func(string) string) (all []channel) {
	type found struct{ kind, index, file, label string }
	var channels []found
	several := map[string]int{}
	for _, n := range names {
		m := hwmonAttribute.FindStringSubmatch(n)
		if m == nil || m[3] == "average" && (m[1] != "power" || slices.Contains(names, m[1]+m[2]+"_input")) || say(m[1]+m[2]+"_enable") == "0" {
			continue
		}
		channels = append(channels, found{m[1], m[2], n, alphabet(say(m[1] + m[2] + "_label"))})
		several[m[1]]++
	}
	slices.SortFunc(channels, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(len(a.index), len(b.index)), cmp.Compare(a.index, b.index))
	})
	taken := map[string]bool{}
	for _, c := range channels {
		kind := hwmonKinds[c.kind]
		q := kind.Quantity
		if several[c.kind] > 1 {
			q.Name += c.index
			if labelled := kind.Name + "_" + c.label; c.label != "" && !taken[labelled] {
				q.Name = labelled
			}
		}
		taken[q.Name] = true
		fault := ""
		if slices.Contains(names, c.kind+c.index+"_fault") {
			fault = c.kind + c.index + "_fault"
		}
		all = append(all, channel{quantity: q, read: func(kernel attributes, folder string) (float64, error) {
			if fault != "" {
				if v, err := kernel.number(filepath.Join(folder, fault)); err != nil || v != 0 {
					return 0, cmp.Or(err, errors.New(fault+": the device says that this sensor is broken, or not connected"))
				}
			}
			v, err := kernel.number(filepath.Join(folder, c.file))
			v *= kind.factor
			if c.kind == "humidity" {
				v = damp(v)
			}
			return v, err
		}})
	}
	return all
}

// hwmon is a hwmon device.
type hwmon struct {
	device   kernelDevice
	channels []channel
	kernel   attributes
}

// Measure reads every file once.
func (s *hwmon) Measure(ctx context.Context) ([]Reading, error) {
	return s.device.measure(ctx, s.kernel, s.channels)
}
