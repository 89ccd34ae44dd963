package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
	"gatewayd/internal/i2cmux"
	"gatewayd/internal/near"
	"gatewayd/sensors"
)

func readCommand() *ffcli.Command {
	flags := flag.NewFlagSet("read", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`; - reads standard input")
	c := command("gatewayd read [-c FILE] [SENSOR ...]", "Measure the configured sensors once, or those that are named, and show what they say.", flags)
	c.Exec = func(_ context.Context, args []string) error {
		cfg, err := load(*path)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return read(ctx, cfg, newRaspberry(), args, os.Stdout)
	}
	return c
}

// read measures all sensors at the same time and shows what they say, or why they say nothing. With names, only these.
func read(ctx context.Context, cfg *config.Config, hw hardware, names []string, out io.Writer) error {
	wanted, err := choose(cfg.Sensors, names)
	if err != nil {
		return err
	}
	var muxes i2cmux.Muxes
	got := make([]sensors.Single, len(wanted))
	var wg sync.WaitGroup
	for i, s := range wanted {
		wg.Go(func() { got[i] = sensors.Once(ctx, pollerConfig(s, hw, &muxes)) })
	}
	wg.Wait()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "SENSOR\tQUANTITY\tVALUE\tAS MEASURED\tTOOK\n")
	var failed strings.Builder
	failures := 0
	for i, s := range wanted {
		if err := got[i].Err; err != nil {
			failures++
			row(table, s.Name, "", "not available", "", shortly(got[i].Took))
			fmt.Fprintf(&failed, "\n%s (%s): %v\n", s.Name, s.Driver.Name, err)
			continue
		}
		for k := range got[i].Readings {
			row(table, slices.Concat([]string{s.Name}, cellsOf(cfg, s.Name, &got[i], k), []string{shortly(got[i].Took)})...)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(out, failed.String()); err != nil {
		return err
	}
	if failures > 0 {
		return fmt.Errorf("%d of %s not available: the reasons stand above", failures, count(len(wanted), "sensor"))
	}
	return nil
}

// choose gives the sensors of those names, or all.
func choose(all []config.Sensor, names []string) (wanted []*config.Sensor, err error) {
	var known []string
	for i := range all {
		known = append(known, all[i].Name)
		if len(names) == 0 || slices.Contains(names, all[i].Name) {
			wanted = append(wanted, &all[i])
		}
	}
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		if meant := near.Of(n, slices.Values(known)); meant != "" {
			return nil, usageError(fmt.Sprintf("no sensor %q, did you mean %q?", n, meant))
		}
		return nil, usageError(fmt.Sprintf("no sensor %q: there is %s", n, strings.Join(known, ", ")))
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("no sensor is configured: gatewayd scan shows what is wired")
	}
	return wanted, nil
}

// cellsOf gives what is shown of a reading: its name, its value as it is told, and what was measured if filters made another value of it.
func cellsOf(cfg *config.Config, sensor string, s *sensors.Single, k int) []string {
	told, raw := s.Readings[k], s.Raw[k]
	as := s.As[k]
	for i := range cfg.Bridge.Sensors {
		if b := &cfg.Bridge.Sensors[i]; b.Name == sensor {
			if at := slices.IndexFunc(b.Quantities, func(q sensors.Quantity) bool { return q.Name == told.Quantity }); at >= 0 {
				as = b.Quantities[at]
			}
		}
	}
	value, measured := valueText(told.Value, &as), ""
	if told.Value != raw.Value {
		measured = valueText(raw.Value, &s.As[k])
	}
	return []string{told.Quantity, value, measured}
}

// valueText is a value with its unit.
func valueText(v float64, q *sensors.Quantity) string {
	switch {
	case q.Flag && v != 0:
		return "ON"
	case q.Flag:
		return "OFF"
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', q.Precision, 64) + " " + q.Unit)
}

// shortly is a duration for people.
func shortly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
