package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/config"
	"gatewayd/sensors"
)

func showSensor(out io.Writer, d *sensors.Driver) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\n%s\n\nMeasures", d.Name, d.Doc)
	switch quantities, fixed := offered(d); {
	case len(quantities) == 0:
		fmt.Fprint(table, " what the device offers. gatewayd scan shows what is there.\n")
	default:
		if !fixed {
			fmt.Fprint(table, ", by its keys; as in the example below")
		}
		fmt.Fprint(table, "\n")
		for _, q := range quantities {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", q.Name, q.Unit, rangeOf(&q), classOf(&q))
		}
	}
	if len(d.Addrs) > 0 {
		fmt.Fprintf(table, "\nI2C address: %s", addressList(d.Addrs))
		if len(d.Addrs) > 1 {
			fmt.Fprintf(table, "; 0x%02x unless said", d.Addrs[0])
		}
		fmt.Fprint(table, "\n")
	}
	fmt.Fprintf(table, "\n%s\n", oftenest(d))
	showKeys(table, "Keys of its own", config.DriverKeys(d))
	fmt.Fprint(table, "\nAn example; the keys of every sensor are in docs/drivers.md:\n\n")
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, sensorExample(d))
	return err
}

func showChip(out io.Writer, c *config.ChipDoc) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\n%s\n", c.Type, c.Doc)
	if c.Lines != "" {
		fmt.Fprintf(table, "\nLines: %s\n", c.Lines)
	}
	if len(c.Addrs) > 0 {
		fmt.Fprintf(table, "\nI2C address: %s\n", addressList(c.Addrs))
	}
	showKeys(table, "Keys", c.Keys)
	fmt.Fprint(table, "\nAn example:\n\n")
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, c.Example)
	return err
}

// showCounter writes all about counters, which any input line can be.
func showCounter(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "counter\nthe edges of a line, counted: meters, rain, wind, people; docs/counters.md has more\n")
	showKeys(table, "Keys", config.CounterKeys())
	fmt.Fprint(table, "\nAn example:\n\ncounters:\n  - {name: water, line: GPIO17, pull: up, active_low: true, debounce: 10ms, type: meter, measures: water, per_unit: 1000}\n")
	return table.Flush()
}

// showEncoder writes all about rotary encoders.
func showEncoder(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "encoder\na rotary encoder, whose steps are told and can be in rules; docs/counters.md has more\n")
	showKeys(table, "Keys", config.EncoderKeys())
	fmt.Fprint(table, "\nAn example:\n\nencoders:\n  - {name: knob, a: GPIO5, b: GPIO6}\noutputs:\n  - {name: light, line: GPIO22}\n"+
		"rules:\n  - {when: knob, is: clockwise, do: on, output: light}\n  - {when: knob, is: counterclockwise, do: off, output: light}\n")
	return table.Flush()
}

func showKeys(table io.Writer, title string, keys []config.KeyDoc) {
	if len(keys) > 0 {
		fmt.Fprintf(table, "\n%s\n", title)
	}
	for _, k := range keys {
		value := k.Want
		switch {
		case k.Must:
			value += "; must be given"
		case k.Default != "":
			value += "; " + k.Default + " unless said"
		}
		fmt.Fprintf(table, "  %s\t%s (%s)\n", k.Name, k.Doc, value)
	}
}

// rangeOf says what values of a quantity can be.
func rangeOf(q *sensors.Quantity) string {
	switch {
	case q.Flag:
		return "OFF or ON"
	case q.Low != 0 || q.High != 0:
		return fmt.Sprintf("from %s to %s", limitText(q.Low), limitText(q.High))
	}
	return ""
}

// limitText writes a limit as people do: four decimals at most, of a large one none, and no exponent.
func limitText(v float64) string {
	if v >= 1000 || v <= -1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0"), ".")
}

// classOf says what Home Assistant takes a quantity for.
func classOf(q *sensors.Quantity) string {
	what := q.Class
	switch {
	case q.Flag && what == "":
		what = "binary sensor"
	case q.Flag:
		what = "binary sensor, " + what
	case what == "":
		what = "sensor without a class"
	}
	return "Home Assistant: " + what
}

// oftenest says how often a sensor measures.
func oftenest(d *sensors.Driver) string {
	usual := time.Duration(0)
	for _, k := range config.SensorKeys() {
		if k.Name == "every" {
			usual, _ = time.ParseDuration(k.Default)
		}
	}
	text := fmt.Sprintf("Measures every %s unless said", bridge.Hours(max(usual, d.Every)))
	switch {
	case d.Most > 0 && d.Every >= d.Most:
		text = fmt.Sprintf("Measures every %s, no more and no less often", bridge.Hours(d.Every))
	case d.Most > 0:
		text = fmt.Sprintf("Measures every %s unless said, at least every %s", bridge.Hours(min(max(usual, d.Every), d.Most)), bridge.Hours(d.Most))
	case d.Every > 0:
		text += fmt.Sprintf(", at most every %s", bridge.Hours(d.Every))
	}
	if d.Time > 0 {
		text += fmt.Sprintf("; a measurement takes %s", bridge.Hours(d.Time))
	}
	return text + "."
}
