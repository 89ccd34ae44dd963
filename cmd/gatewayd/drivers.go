package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
	"gatewayd/internal/near"
	"gatewayd/sensors"
)

func driversCommand() *ffcli.Command {
	flags := flag.NewFlagSet("drivers", flag.ContinueOnError)
	c := command("gatewayd drivers [NAME]", "Show what can be connected: sensors and expanders, or all about one of them, by the name on the part, too, with an example.", flags)
	c.Exec = func(_ context.Context, args []string) error {
		switch {
		case len(args) > 1:
			return usageError(fmt.Sprintf("%q is one word too many: see --help", args[1]))
		case len(args) == 1:
			return showDriver(os.Stdout, args[0])
		}
		return listDrivers(os.Stdout)
	}
	return c
}

// listDrivers writes a line for each sensor and each type of chip.
func listDrivers(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "SENSOR\tWHAT IT IS\tMEASURES\tI2C ADDRESS\tKEYS OF ITS OWN\n")
	for _, d := range sensors.Drivers() {
		row(table, d.Name, shortDoc(d.Doc), measured(d), addressList(d.Addrs), keyNames(config.DriverKeys(d)))
	}
	fmt.Fprint(table, "\nCHIP\tWHAT IT IS\tLINES\tI2C ADDRESS\tKEYS OF ITS OWN\n")
	for _, c := range config.ChipTypes() {
		row(table, c.Type, c.Doc, c.Lines, addressList(c.Addrs), keyNames(c.Keys))
	}
	fmt.Fprint(table, "\nAny input line can count, and two can be a knob: gatewayd drivers counter, gatewayd drivers encoder.\ngatewayd drivers NAME shows all about one of them, with an example.\n")
	return table.Flush()
}

// row writes a line of a table. What is empty is a dash, so that columns can be told apart.
func row(w io.Writer, cells ...string) {
	for i, c := range cells {
		if c == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// shortDoc is what a part is called: what it measures stands beside it.
func shortDoc(doc string) string {
	name, _, _ := strings.Cut(doc, ": ")
	return name
}

// measured names the quantities with their units.
func measured(d *sensors.Driver) string {
	quantities, fixed := offered(d)
	var all []string
	for _, q := range quantities {
		all = append(all, strings.TrimSpace(q.Name+" "+q.Unit))
	}
	switch {
	case len(all) == 0:
		return "what the device offers"
	case !fixed:
		return "by its keys, such as " + strings.Join(all, ", ")
	}
	return strings.Join(all, ", ")
}

// offered gives what a driver measures. Where that is for its keys to say it is what the example measures, and fixed is false; where
// the device decides, nothing: what this machine has is not what another has.
func offered(d *sensors.Driver) (quantities []sensors.Quantity, fixed bool) {
	if d.Offers == nil {
		return d.Measures, true
	}
	if len(d.Addrs) == 0 {
		return nil, false
	}
	cfg, _, err := config.Parse("example", []byte(sensorExample(d)))
	if err != nil {
		return nil, false
	}
	s := cfg.Sensors[0]
	quantities, _ = d.Offers(sensors.Options{Name: s.Name, Addr: s.Addr, Settings: s.Settings})
	return quantities, false
}

// addressList writes addresses, the usual one first, neighbours in between as one.
func addressList(addrs []uint16) string {
	var all []string
	for i := 0; i < len(addrs); {
		end := i
		for end+1 < len(addrs) && addrs[end+1] == addrs[end]+1 {
			end++
		}
		switch {
		case end > i+1:
			all = append(all, fmt.Sprintf("0x%02x to 0x%02x", addrs[i], addrs[end]))
		default:
			for ; i <= end; i++ {
				all = append(all, fmt.Sprintf("0x%02x", addrs[i]))
			}
		}
		i = end + 1
	}
	return strings.Join(all, ", ")
}

func keyNames(keys []config.KeyDoc) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Name)
	}
	return strings.Join(all, ", ")
}

// sensorExample is a configuration with one such sensor.
func sensorExample(d *sensors.Driver) string {
	keys := []string{"name: attic", "type: " + d.Name}
	if len(d.Addrs) > 0 {
		keys = append(keys, "bus: 1", fmt.Sprintf("address: 0x%02x", d.Addrs[0]))
	}
	if d.Example != "" {
		keys = append(keys, d.Example)
	}
	return "sensors:\n  - {" + strings.Join(keys, ", ") + "}\n"
}

// showDriver writes all about a driver, or a type of chip.
func showDriver(out io.Writer, name string) error {
	var known []string
	if d := sensors.Lookup(name); d != nil {
		return showSensor(out, d)
	}
	switch name {
	case "counter":
		return showCounter(out)
	case "encoder":
		return showEncoder(out)
	}
	known = append(known, "counter", "encoder")
	for _, d := range sensors.Drivers() {
		known = append(known, d.Name)
	}
	for _, c := range config.ChipTypes() {
		if strings.EqualFold(c.Type, name) {
			return showChip(out, &c)
		}
		known = append(known, c.Type)
	}
	if d := sensors.ForPart(name); d != nil { // what is printed on it
		return showSensor(out, d)
	}
	text := fmt.Sprintf("no sensor or chip is called %q", name)
	if meant := near.Of(name, slices.Values(known)); meant != "" {
		return usageError(fmt.Sprintf("%s, did you mean %q?", text, meant))
	}
	return usageError(text + ": gatewayd drivers shows all")
}
