package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/gpio"
	"gatewayd/internal/config"
)

const (
	safeWithin = 3 * time.Second        // for all chips; one that does not answer must not keep the service from its restart
	safeAgain  = 100 * time.Millisecond // between two attempts
)

func safeStateCommand() *ffcli.Command {
	flags := flag.NewFlagSet("safe-state", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`")
	c := command("gatewayd safe-state [-c FILE]", "Switch outputs as their on_crash says; the service does it when the gateway has crashed.", flags)
	c.Exec = plain(func() error {
		if os.Getenv("SERVICE_RESULT") == "success" { // systemd.exec(5): it was stopped, and on_exit is done
			return nil
		}
		log := newLog()
		rescueTotals(totalsFile(), log)
		chips, err := afterCrash(*path, log)
		if err != nil {
			return err
		}
		return safeState(chips, newRaspberry(), log)
	})
	return c
}

// safeState makes outputs what on_crash says, and leaves all other lines as they are. It gives up after safeWithin; the error names
// the chips that were not reached.
func safeState(chips []config.Chip, hw hardware, log *slog.Logger) error {
	type answer struct {
		chip int
		err  error
	}
	limit := time.Now().Add(safeWithin)
	answers := make(chan answer, len(chips))
	for i := range chips {
		go func() { // a call to a chip may hang
			err := safeChip(&chips[i], hw)
			for err != nil && time.Now().Before(limit) {
				time.Sleep(safeAgain)
				err = safeChip(&chips[i], hw)
			}
			answers <- answer{i, err}
		}()
	}
	errs := make([]error, len(chips))
	for i := range errs {
		errs[i] = errors.New("a call to it hangs")
	}
	late := time.After(time.Until(limit) + safeAgain)
	for range chips {
		select {
		case a := <-answers:
			errs[a.chip] = a.err
			if a.err == nil {
				log.Info("after a crash: "+states(&chips[a.chip]), "chip", chips[a.chip].Name)
			}
			continue
		case <-late:
		}
		break
	}
	var failed []error
	for i, err := range errs {
		if err != nil {
			failed = append(failed, fmt.Errorf("chip %q, which was to have %s: %w", chips[i].Name, states(&chips[i]), err))
		}
	}
	return errors.Join(failed...)
}

// states says what the lines of a chip are to be: pump off, alarm on.
func states(c *config.Chip) string {
	var all []string
	for _, l := range c.Lines {
		all = append(all, l.Name+map[bool]string{true: " on", false: " off"}[l.Initial == gpio.On])
	}
	return strings.Join(all, ", ")
}

// safeChip claims the lines of a chip with the levels that they are to have, and reads them back.
func safeChip(c *config.Chip, hw hardware) error {
	chip, err := open(c, hw, nil, slog.New(slog.DiscardHandler))()
	if err != nil {
		return err
	}
	defer chip.Close() // leaves outputs as they are
	if errs := chip.Claim(c.Lines); errs != nil {
		return errors.Join(errs...)
	}
	var lines gpio.Lines
	for _, l := range c.Lines {
		lines.Set(l.Offset, true)
	}
	levels, err := chip.Read(lines)
	if err != nil {
		return err
	}
	for _, l := range c.Lines {
		if !levels.Valid.Has(l.Offset) || levels.High.Has(l.Offset) != l.Level(l.Initial == gpio.On) {
			return fmt.Errorf("output %q (%s) does not take it", l.Name, c.LineName(l.Offset))
		}
	}
	return nil
}
