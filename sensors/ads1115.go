package sensors

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// Texas Instruments SBAS444E, ADS1113/4/5 of December 2024 ("SBAS444"), and SBAS473E, ADS1013/4/5. An ADS1015 has 12 bits of the 16,
// and other rates.
func init() {
	register := func(name, doc string, bits int, rates ...string) {
		keys := []Key{
			wordKey("inputs", "which of its inputs are measured: single ones, or the difference of two", "", adsInputs...).required().several(),
			wordKey("range", "the full scale; an input must not go beyond the part's supply all the same", "4.096V", adsRanges...),
			wordKey("rate", "conversions a second: the slower, the less noise; slower ones are made where a busy machine could not follow", "128", rates...),
		}
		Register(Driver{
			Name: name, Doc: doc, Keys: keys,
			Addrs:   []uint16{0x48, 0x49, 0x4A, 0x4B}, // SBAS444 7.5.1.1: ADDR to GND, VDD, SDA, SCL
			Offers:  adsOffers,
			Time:    1200 * time.Millisecond, // 8 inputs at 8 a second
			Example: "inputs: [a0, a1], range: 4.096V",
			Open:    func(o Options) (Sensor, error) { return openADS(o, bits, rates) },
		})
	}
	// The index is the number in the register, SBAS444 table 8-3 and SBAS473 table 8-3. The faster ones of an ADS1015 are left out: its
	// conversions would be over before they can be seen to run.
	register("ads1115", "TI ADS1115: four voltages, 16 bits", 16, "8", "16", "32", "64", "128", "250", "475", "860")
	register("ads1015", "TI ADS1015: four voltages, 12 bits", 12, "128", "250", "490", "920")
}

// The index is the number in the register, SBAS444 table 8-3.
var (
	adsInputs = []string{"a0-a1", "a0-a3", "a1-a3", "a2-a3", "a0", "a1", "a2", "a3"}
	adsRanges = []string{"6.144V", "4.096V", "2.048V", "1.024V", "0.512V", "0.256V"}
)

// Registers, SBAS444 table 8-1, and bits of the configuration, table 8-3.
const (
	adsConversion byte = 0
	adsConfig     byte = 1

	adsOS     uint16 = 1 << 15 // written: begin a conversion; read: none is running
	adsSingle uint16 = 1 << 8
	adsQuiet  uint16 = 3 // the comparator is off
	// Its alarm would stay. Nothing here uses it: it tells that the part has kept its power, without which this is 0, the other settings can
	// be what was wanted, and the value is 0.
	adsMark uint16 = 1 << 2

	adsStarts = 5
	adsPolls  = 4 // and so many quarters of a conversion more, for a part that is slower than its data sheet
)

type ads1x15 struct {
	reg16
	highest  int16 // of what it can give
	inputs   []string
	settings uint16  // without the input and the rate
	scale    float64 // volts of the full scale
	rates    []string
	rate     int
}

// adsOffers tells what the inputs are called.
func adsOffers(o Options) ([]Quantity, error) {
	var all []Quantity
	scale := adsScale(o.Settings.Text("range"))
	for _, in := range o.Settings.All("inputs") {
		q := voltage.as(adsQuantity(in)).within(-scale, scale)
		q.Precision = 4
		if slices.ContainsFunc(all, func(have Quantity) bool { return have.Name == q.Name }) {
			return nil, &WrongSetting{"inputs", in + " is there twice"}
		}
		all = append(all, q)
	}
	return all, nil
}

func adsQuantity(input string) string { return strings.ReplaceAll(input, "-", "_") }

func adsScale(text string) float64 {
	v, _ := strconv.ParseFloat(strings.TrimSuffix(text, "V"), 64)
	return v
}

// openADS costs 2 transfers. The part has no id, but takes its settings as no other part does; they stop what another program has it do.
func openADS(o Options, bits int, rates []string) (Sensor, error) {
	a := &ads1x15{
		reg16:    reg16{i2c.Dev{Bus: o.Bus, Addr: o.Addr}},
		highest:  math.MaxInt16 >> (16 - bits) << (16 - bits),
		inputs:   o.Settings.All("inputs"),
		settings: uint16(slices.Index(adsRanges, o.Settings.Text("range")))<<9 | adsSingle | adsMark | adsQuiet,
		scale:    adsScale(o.Settings.Text("range")),
		rates:    rates,
		rate:     slices.Index(rates, o.Settings.Text("rate")),
	}
	want := a.settings | a.mux(a.inputs[0]) | uint16(a.rate)<<5
	if err := a.write(adsConfig, want); err != nil {
		return nil, err
	}
	got, err := a.read(adsConfig)
	if err != nil {
		return nil, err
	}
	if got&^adsOS != want {
		return nil, fmt.Errorf("the chip at %#02x does not take its settings (it has %#04x, want %#04x): is it an ADS1x15?", o.Addr, got, want)
	}
	return a, nil
}

func (a *ads1x15) mux(input string) uint16 { return uint16(slices.Index(adsInputs, input)) << 12 }

// Measure costs 5 transfers for each input.
func (a *ads1x15) Measure(ctx context.Context) ([]Reading, error) {
	var all []Reading
	for _, in := range a.inputs {
		raw, err := a.convert(ctx, in)
		if err != nil {
			return nil, err
		}
		if raw == math.MinInt16 || raw >= a.highest { // SBAS444 7.5.4: it stays at the end of its range
			return nil, fmt.Errorf("input %s is beyond range: %vV; choose a larger one, or divide the voltage", in, a.scale)
		}
		all = append(all, Reading{Quantity: adsQuantity(in), Value: float64(raw) * a.scale / (1 << 15)}) // SBAS444 table 7-3: the same for both
	}
	return all, nil
}

// convert gives a conversion of that input which has begun after the call. SBAS444 7.4.2.1: single-shot.
func (a *ads1x15) convert(ctx context.Context, input string) (int16, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	settings, all, err := a.start(a.settings | a.mux(input))
	if err != nil {
		return 0, err
	}
	for i, wait := 0, all; ; i, wait = i+1, all/4 {
		if !sleep(ctx, wait) {
			return 0, ctx.Err()
		}
		raw, err := a.read(adsConversion)
		if err != nil {
			return 0, err
		}
		// The settings are read in between: what spoils both readings of the value in the same way spoils them too.
		got, err := a.read(adsConfig)
		if err != nil {
			return 0, err
		}
		if got&^adsOS != settings {
			return 0, a.lost(got, settings)
		}
		if got&adsOS != 0 {
			again, err := a.read(adsConversion)
			if err == nil && again != raw && i < adsPolls { // perhaps it ended in between
				continue
			}
			if err == nil && again != raw {
				err = errNoise
			}
			return int16(raw), err
		}
		if i == adsPolls {
			text := "the chip at %#02x never ends its conversion"
			if a.highest != math.MaxInt16 {
				text += ": an ADS1115 is that slow; if it is one, use type: ads1115"
			}
			return 0, fmt.Errorf(text, a.Addr)
		}
	}
}

// start begins a conversion and looks whether it runs: a start that got lost on the wire would leave the value of the one before, perhaps
// of another input. One that is over before it was seen, on a machine that is busy or on a slow bus, is made anew, and slower. It gives the
// settings, and how long the conversion takes.
func (a *ads1x15) start(input uint16) (settings uint16, takes time.Duration, err error) {
	for i := range adsStarts {
		rate := max(0, a.rate-2*i)
		settings = input | uint16(rate)<<5
		if err := a.write(adsConfig, settings|adsOS); err != nil {
			return 0, 0, err
		}
		got, err := a.read(adsConfig)
		if err != nil {
			return 0, 0, err
		}
		if got == settings {
			// SBAS444 6.5: 10 % slower at worst, and 25 µs to wake up.
			perSecond, _ := strconv.ParseFloat(a.rates[rate], 64)
			return settings, time.Duration(1.1/perSecond*float64(time.Second)) + 50*time.Microsecond, nil
		}
		if got != settings|adsOS {
			return 0, 0, a.lost(got, settings)
		}
	}
	return 0, 0, fmt.Errorf("the chip at %#02x was not seen to begin a conversion: does it, or is it over too soon for a machine that is this busy?", a.Addr)
}

func (a *ads1x15) lost(got, want uint16) error {
	return fmt.Errorf("the chip at %#02x lost its settings, or did not take them (it has %#04x, want %#04x): check its power", a.Addr, got&^adsOS, want)
}
