package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatewayd/bridge"
)

const (
	gaugesEvery = 10 * time.Second
	gaugeStale  = 35 * time.Second // three readings missed: the value is not known any more
)

// gauges read what the board tells of itself, its temperature and its supply, from sysfs. A read there can fail, or hang as long as
// the firmware does, so that each gauge has a goroutine of its own, and who asks gets the last values.
type gauges struct {
	all   []*gauge
	every time.Duration
	stale time.Duration
	news  func() // called when the supply fails or is well again, from any goroutine; nil: nobody wants to know
}

// gauge is one source.
type gauge struct {
	find func() string // the file, or empty: the board has none, or its driver is not there yet
	// parse gives what the file says: millidegrees, or bits.
	parse func(string) (int64, error)
	flags bool // a change is news at once

	mu   sync.Mutex // guards the following
	last int64
	at   time.Time // of last; zero: never read
}

// Bits of get_throttled, as the firmware has them.
const (
	underVoltageNow = 1 << 0
	throttledNow    = 1 << 2
)

// newGauges looks for the gauges of a board below sys, where sysfs is; empty: there are none. It reads no values.
func newGauges(sys string) *gauges {
	g := &gauges{every: gaugesEvery, stale: gaugeStale}
	if sys == "" {
		return g
	}
	decimal := func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
	hex := func(s string) (int64, error) { return strconv.ParseInt(strings.TrimPrefix(s, "0x"), 16, 64) }
	g.all = []*gauge{
		{find: func() string { return findThermal(sys) }, parse: decimal},
		// The kernel asks the firmware every 2 s, so that this one is quick (raspberrypi-hwmon.c).
		{find: func() string { return findNamed(sys, "class/hwmon/hwmon*", "name", "rpi_volt", "in0_lcrit_alarm") }, parse: decimal, flags: true},
		// Raspberry Pi's own kernels alone; newer ones write an address after "soc".
		{find: func() string {
			return first(filepath.Join(sys, "devices/platform/soc*/soc*:firmware/get_throttled"))
		}, parse: hex, flags: true},
	}
	return g
}

// The places of gauges.all.
const (
	thermal = iota
	voltage
	throttle
)

// findThermal gives the CPU's temperature: it is called cpu-thermal on every Raspberry Pi since kernel 4.19, and is the first zone
// on most other boards.
func findThermal(sys string) string {
	zones := "class/thermal/thermal_zone*"
	for _, kind := range []string{"cpu-thermal", "cpu_thermal"} {
		if path := findNamed(sys, zones, "type", kind, "temp"); path != "" {
			return path
		}
	}
	return first(filepath.Join(sys, zones, "temp"))
}

// findNamed gives a file in the first folder whose name file says what is wanted.
func findNamed(sys, folders, nameFile, name, file string) string {
	all, _ := filepath.Glob(filepath.Join(sys, folders))
	for _, folder := range all {
		if s, err := readSmall(filepath.Join(folder, nameFile)); err == nil && s == name {
			return first(filepath.Join(folder, file))
		}
	}
	return ""
}

// first gives the first file that there is; the pattern of the package's own paths is never malformed.
func first(pattern string) string {
	all, _ := filepath.Glob(pattern)
	if len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, func(a, b string) int { // zone 2 comes before zone 10
		if n := len(a) - len(b); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
}

// readSmall reads a file of one short line.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 64)
	n, err := f.Read(b)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b[:n])), nil
}

// has tells what the board has gauges for.
func (g *gauges) has() (temperature, underVoltage, throttled bool) {
	if len(g.all) == 0 {
		return false, false, false
	}
	flags := g.all[throttle].find() != ""
	return g.all[thermal].find() != "", g.all[voltage].find() != "" || flags, flags
}

// run reads all gauges again and again until ctx ends. It waits for a read that hangs; whoever cannot leaves it behind.
func (g *gauges) run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, one := range g.all {
		wg.Go(func() {
			for {
				if changed := one.read(time.Now); changed && one.flags && g.news != nil {
					g.news()
				}
				if !wait(ctx, g.every) {
					return
				}
			}
		})
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// read takes a new value, and tells whether it is another one. Errors are not told: the value is not known when they last.
func (o *gauge) read(now func() time.Time) (changed bool) {
	path := o.find()
	if path == "" {
		return false
	}
	s, err := readSmall(path)
	if err != nil {
		return false
	}
	v, err := o.parse(s)
	if err != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	changed = o.last != v
	o.last, o.at = v, now()
	return changed
}

// value gives the last value, unless it is too old.
func (g *gauges) value(which int) (v int64, ok bool) {
	if which >= len(g.all) {
		return 0, false
	}
	o := g.all[which]
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last, !o.at.IsZero() && time.Since(o.at) < g.stale
}

// fill completes the vitals with what is known. It does not block.
func (g *gauges) fill(v *bridge.Vitals) {
	if milli, ok := g.value(thermal); ok && milli > -100_000 && milli < 200_000 {
		c := math.Round(float64(milli)/100) / 10
		v.CPUTemperature = &c
	}
	flag := func(to **bool, on bool) {
		if *to == nil {
			*to = new(bool)
		}
		**to = **to || on
	}
	if alarm, ok := g.value(voltage); ok {
		flag(&v.UnderVoltage, alarm != 0)
	}
	if bits, ok := g.value(throttle); ok {
		flag(&v.UnderVoltage, bits&underVoltageNow != 0)
		flag(&v.Throttled, bits&throttledNow != 0)
	}
}
