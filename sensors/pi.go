package sensors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func init() {
	Register(Driver{
		Name: "pi",
		Doc:  "the Raspberry Pi itself: temperature, load, memory, disk, supply, throttling, fan, uptime",
		Keys: []Key{{Name: "disk", Doc: "a folder on the disk whose use is told", Want: "a folder such as /, or /boot/firmware", Default: "/", Check: func(text string) error {
			if !filepath.IsAbs(text) {
				return errors.New("wanted a folder from the root on, such as / or /boot/firmware")
			}
			return nil
		}}},
		Offers: func(o Options) ([]Quantity, error) {
			sources, err := piSources(o)
			return quantitiesOf(sources), err
		},
		Example: "disk: /",
		Open: func(o Options) (Sensor, error) {
			sources, err := piSources(o)
			if err != nil {
				return nil, err
			}
			return &pi{kernel: o.kernel(), sources: sources}, nil
		},
	})
}

// Bits of get_throttled (Raspberry Pi documentation, vcgencmd): those of now. Since when the upper ones hold differs between kernels.
const (
	piUnderVoltage = 1 << 0
	piCapped       = 1 << 1
	piThrottled    = 1 << 2
	piSoftLimit    = 1 << 3
)

// piFlags are told where the firmware has get_throttled.
var piFlags = []struct {
	name string
	bit  uint64
}{
	{"under_voltage", piUnderVoltage}, {"throttled", piThrottled}, {"frequency_capped", piCapped}, {"temperature_limit", piSoftLimit},
}

func piFlag(name string) Quantity {
	return Quantity{Name: name, Class: "problem", Flag: true, High: 1}
}

func piShare(name string) Quantity {
	return Quantity{Name: name, Unit: "%", StateClass: "measurement", Precision: 1, High: 100}
}

var (
	piTemperature = temperature.within(-40, 150)
	piFrequency   = Quantity{Name: "frequency", Class: "frequency", Unit: "MHz", StateClass: "measurement"}
	piFan         = Quantity{Name: "fan", Unit: "rpm", StateClass: "measurement"}
	piLoad        = Quantity{Name: "load", StateClass: "measurement", Precision: 2}
	piUptime      = Quantity{Name: "uptime", Class: "duration", Unit: "s", StateClass: "measurement"}
)

// piSources finds what the machine tells. It reads no values.
func piSources(o Options) ([]channel, error) {
	return within(patience, "the machine", func() (all []channel, err error) {
		add := func(q Quantity, read func(attributes) (float64, error)) {
			all = append(all, channel{quantity: q, read: func(kernel attributes, _ string) (float64, error) {
				v, err := read(kernel)
				if err != nil {
					err = fmt.Errorf("%s: %w", q.Name, err)
				}
				return v, err
			}})
		}
		file := func(q Quantity, path string, factor float64) {
			if path != "" {
				add(q, func(kernel attributes) (float64, error) {
					v, err := kernel.number(path)
					return v * factor, err
				})
			}
		}
		file(piTemperature, piZone(&o), 0.001)
		file(piFrequency, oneOf(o.under("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")), 0.001)
		file(piFan, piMonitor(&o, "pwmfan", "fan1_input"), 1)
		for _, p := range []struct {
			q    Quantity
			file string
			read func(string) (float64, error)
		}{{piLoad, "proc/loadavg", firstNumber}, {piShare("memory"), "proc/meminfo", memoryUsed}, {piUptime, "proc/uptime", firstNumber}} {
			if path := oneOf(o.under(p.file)); path != "" {
				add(p.q, func(kernel attributes) (float64, error) {
					text, err := kernel.text(path)
					if err != nil {
						return 0, err
					}
					return p.read(text)
				})
			}
		}
		disk := o.Settings.Text("disk")
		add(piShare("disk"), func(attributes) (float64, error) { return diskUsed(o.under(disk), disk) })
		alarm := piMonitor(&o, "rpi_volt", "in0_lcrit_alarm")
		firmware := oneOf(o.under("sys/devices/platform/soc*/soc*:firmware/get_throttled")) // newer kernels write an address after "soc"
		for _, f := range piFlags {
			switch {
			case firmware != "":
				add(piFlag(f.name), func(kernel attributes) (float64, error) { return firmwareBit(kernel, firmware, f.bit) })
			case alarm != "" && f.bit == piUnderVoltage: // kernels that are not Raspberry Pi's own
				file(piFlag(f.name), alarm, 1)
			}
		}
		return all, nil
	})
}

// oneOf gives the first file that there is of a pattern; the empty text is none.
func oneOf(pattern string) string {
	all, _ := filepath.Glob(pattern)
	if len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, func(a, b string) int { // 2 comes before 10
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// piZone gives the file with the processor's temperature: cpu-thermal on every Raspberry Pi, the first zone on other boards.
func piZone(o *Options) string {
	all, _ := filepath.Glob(o.under("sys/class/thermal/thermal_zone*"))
	for _, zone := range all {
		if kind, err := o.kernel().text(filepath.Join(zone, "type")); err == nil && strings.ReplaceAll(kind, "-", "_") == "cpu_thermal" {
			return oneOf(filepath.Join(zone, "temp"))
		}
	}
	return oneOf(o.under("sys/class/thermal/thermal_zone*/temp"))
}

// piMonitor gives a file of the hwmon device of that name, or nothing.
func piMonitor(o *Options, name, file string) string {
	for _, d := range hwmonClass.all(o) {
		if d.name == name {
			return oneOf(filepath.Join(d.folder, file))
		}
	}
	return ""
}

// firstNumber reads "0.52 0.58 0.59 1/214 1234".
func firstNumber(text string) (float64, error) {
	word, _, _ := strings.Cut(text, " ")
	v, ok := kernelNumber(word)
	if !ok {
		return 0, fmt.Errorf("the kernel says %s, wanted a number first", quoted(text))
	}
	return v, nil
}

// memoryUsed gives how much of the memory is used, in percent: all that is not available to programs.
func memoryUsed(text string) (float64, error) {
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		if v, ok := kernelNumber(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB"))); ok {
			values[name] = v
		}
	}
	total, left := values["MemTotal"], values["MemAvailable"]
	if total <= 0 || left <= 0 || left > total {
		return 0, fmt.Errorf("the kernel says %s, wanted MemTotal and MemAvailable", quoted(text))
	}
	return 100 * (total - left) / total, nil
}

// firmwareBit gives one of the firmware's flags.
func firmwareBit(kernel attributes, path string, bit uint64) (float64, error) {
	text, err := kernel.text(path)
	if err != nil {
		return 0, err
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("the firmware says %s, wanted flags", quoted(text))
	}
	if bits&bit != 0 {
		return 1, nil
	}
	return 0, nil
}

// pi is the machine.
type pi struct {
	kernel  attributes
	sources []channel
}

// Measure reads every file once.
func (s *pi) Measure(ctx context.Context) (readings []Reading, err error) {
	kernel := s.kernel.once()
	for i := range s.sources {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := s.sources[i].read(kernel, "")
		if err != nil {
			return nil, err
		}
		readings = append(readings, s.sources[i].quantity.is(v))
	}
	return readings, nil
}
