package sensors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// parts gives, for each driver of an I2C device, a chip that works. Each driver's test enters its own.
var parts = map[string]func() i2c.Bus{}

// partSettings are those of a driver's keys in the tests, where its defaults will not do.
var partSettings = map[string]Settings{}

// dark names drivers whose parts read as zeros where it is dark, and have nothing else to be known by.
var dark = map[string]bool{}

// optionsFor gives a device's options as the configuration would: every key that has a default has a value.
func optionsFor(d *Driver, bus i2c.Bus, given Settings) Options {
	o := Options{Bus: bus, Settings: Settings{}}
	if len(d.Addrs) > 0 {
		o.Addr = d.Addrs[0]
	}
	for _, k := range d.Keys {
		if k.Default != "" {
			o.Settings[k.Name] = []string{k.Default}
		}
	}
	maps.Copy(o.Settings, given)
	return o
}

// fromKernel are the drivers that read the kernel's files, and no bus: their tests make the files.
var fromKernel = []string{"hwmon", "iio", "pi", "w1"}

// Bounds that every driver keeps, for a call of Open or of Measure.
const (
	maxTransfers = 40
	maxCall      = 5 * time.Second
)

var errNobody = errors.New("nobody answers")

// hostile is a bus that goes wrong.
type hostile struct {
	i2c.Bus
	told    [][]Reading                 // by each measurement
	n, call int                         // transfers altogether, and in this call
	bad     func(n int, r []byte) error // what happens to transfer n, after the chip has answered
	spoil   func(w []byte)              // and to what is written, before it
}

func (h *hostile) Tx(addr uint16, w, r []byte) error {
	defer func() { h.n++ }()
	if h.call++; h.call > maxTransfers {
		panic(fmt.Sprintf("more than %d transfers in a call", maxTransfers))
	}
	if h.spoil != nil {
		w = slices.Clone(w)
		h.spoil(w)
	}
	err := h.Bus.Tx(addr, w, r)
	if h.bad != nil {
		err = errors.Join(err, h.bad(h.n, r))
	}
	return err
}

// use opens a device and measures three times, as far as there is no error. It returns the first error.
func (h *hostile) use(t *testing.T, ctx context.Context, d *Driver) error {
	t.Helper()
	var s Sensor
	call := func(what string, f func() error) error {
		h.call = 0
		start := time.Now()
		err := f()
		if took := time.Since(start); took > maxCall {
			t.Errorf("%s took %v", what, took)
		}
		return err
	}
	o := optionsFor(d, h, partSettings[d.Name])
	quantities, err := d.Quantities(o)
	if err != nil {
		t.Fatal(err)
	}
	err = call("Open", func() (err error) {
		s, err = d.Open(o)
		return err
	})
	for i, waits := 0, 0; i < 3 && err == nil; {
		err = call("Measure", func() error {
			readings, err := s.Measure(ctx)
			if err == nil {
				i++
				h.told = append(h.told, readings)
				if wrong := d.check(readings, quantities); wrong != nil {
					t.Errorf("readings %v: %v", readings, wrong)
				}
			}
			return err
		})
		if waits++; errors.Is(err, ErrNotReady) && waits < 100 {
			err = nil
			time.Sleep(d.Every)
		}
	}
	return err
}

// measureOnce opens a chip, has something happen to it, and measures once, as a Poller does.
func measureOnce[C i2c.Bus](t *testing.T, driver string, chip C, then func(C)) error {
	t.Helper()
	d := Lookup(driver)
	s, err := d.Open(Options{Bus: chip, Addr: d.Addrs[0]})
	if err != nil {
		return err
	}
	if then != nil {
		then(chip)
	}
	got, err := s.Measure(t.Context())
	if err == nil {
		err = d.check(got, d.Measures)
	}
	return err
}

// wantError wants an error that says so; empty: none.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

func fill(r []byte, v byte) error {
	for i := range r {
		r[i] = v
	}
	return nil
}

func TestHostileBus(t *testing.T) {
	for _, d := range Drivers() {
		if slices.Contains(fromKernel, d.Name) {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			part := parts[d.Name]
			if part == nil && len(d.Addrs) == 0 {
				part = func() i2c.Bus { return nil }
			}
			if part == nil {
				t.Fatalf("no working chip for the driver: its test must enter one in parts")
			}
			total, right := 0, [][]Reading(nil)
			in := func(name string, f func(t *testing.T)) {
				t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
			}
			in("works", func(t *testing.T) {
				h := &hostile{Bus: part()}
				if err := h.use(t, t.Context(), d); err != nil {
					t.Fatal(err)
				}
				total, right = h.n, h.told
			})
			in("no answer", func(t *testing.T) {
				for k := range total {
					for _, last := range []int{k, math.MaxInt} { // once, or from then on
						h := &hostile{Bus: part(), bad: func(n int, r []byte) error {
							if k <= n && n <= last {
								return errNobody
							}
							return nil
						}}
						err := h.use(t, t.Context(), d)
						// One that comes once may be taken for a part that is busy: then it is asked again.
						waited := k == last && (err != nil || reflect.DeepEqual(h.told, right))
						if !waited && !errors.Is(err, errNobody) {
							t.Errorf("transfer %d to %d: got error %v, told %v", k, last, err, h.told)
						}
					}
				}
			})
			for _, v := range []byte{0x00, 0xFF} {
				in(fmt.Sprintf("all %#02x", v), func(t *testing.T) {
					for k := range total {
						h := &hostile{Bus: part(), bad: func(n int, r []byte) error {
							if n >= k {
								return fill(r, v)
							}
							return nil
						}}
						if err := h.use(t, t.Context(), d); k == 0 && err == nil && !(v == 0 && dark[d.Name]) {
							t.Error("that is a working chip?")
						}
					}
				})
			}
			in("noise", func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(1, 2))
				for round := range 300 {
					from := round % max(total, 1)
					h := &hostile{Bus: part(), bad: func(n int, r []byte) error {
						for i := range r {
							if n >= from && rnd.IntN(4) > 0 {
								r[i] = byte(rnd.Uint32())
							}
						}
						return nil
					}}
					h.use(t, t.Context(), d)
				}
			})
			in("cancelled", func(t *testing.T) {
				done, cancel := context.WithCancel(t.Context())
				cancel()
				h := &hostile{Bus: part()}
				start := time.Now()
				if err := h.use(t, done, d); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled before: got error %v", err)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestDrivers(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9_]+$`)
	for _, d := range Drivers() {
		if Lookup(d.Name) != d || !name.MatchString(d.Name) || d.Doc == "" || (d.Measures == nil) == (d.Offers == nil) {
			t.Errorf("driver %q is incomplete: %+v", d.Name, d)
		}
		if d.Offers != nil && len(d.Addrs) == 0 {
			continue // the machine decides what it measures
		}
		quantities, err := d.Quantities(optionsFor(d, nil, partSettings[d.Name]))
		if err != nil || len(quantities) == 0 {
			t.Errorf("driver %q measures %v (error %v)", d.Name, quantities, err)
		}
		seen := map[string]bool{}
		for _, q := range quantities {
			// Home Assistant wants no unit with an aqi, and has no class for some that have one, such as a resistance.
			if seen[q.Name] || !name.MatchString(q.Name) || q.Class != "" && (q.Class == "aqi") != (q.Unit == "") || q.StateClass == "" {
				t.Errorf("driver %q: quantity %+v", d.Name, q)
			}
			seen[q.Name] = true
		}
		for _, a := range d.Addrs {
			if a < 0x08 || a > 0x77 {
				t.Errorf("driver %q: address %#x", d.Name, a)
			}
		}
	}
	if Lookup("nonesuch") != nil {
		t.Error("Lookup finds what is not there")
	}
}

// noSpeed completes a fake chip to an i2c.Bus.
type noSpeed struct{}

func (noSpeed) String() string                  { return "fake" }
func (noSpeed) SetSpeed(physic.Frequency) error { return nil }
