package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/bridge"
)

func forgetCommand() *ffcli.Command {
	flags := flag.NewFlagSet("forget", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`")
	var how bridge.Forgetting
	flags.BoolVar(&how.Look, "list", false, "only show what there is")
	flags.BoolVar(&how.Force, "force", false, "also while the gateway seems to be running")
	c := command("gatewayd forget [-c FILE] [--list] [--force]", "Clear all that the gateway has left at the broker: its states, and itself in Home Assistant.", flags)
	c.Exec = plain(func() error { return forget(*path, how, os.Stdout) })
	return c
}

func forget(path string, how bridge.Forgetting, out io.Writer) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var missed []error // brokers that may have something left
	for _, broker := range cfg.MQTT.All() {
		session := sessionConfig(cfg)
		session.Broker, session.Brokers = broker, nil
		topics, err := bridge.Forget(ctx, session, &cfg.Bridge, how, slog.New(slog.DiscardHandler))
		switch {
		case errors.Is(err, bridge.ErrRunning):
			return fmt.Errorf("%s says that gateway %q is running, and what it publishes would come back: stop it first (sudo systemctl stop gatewayd), "+
				"or add --force if it is gone for good", broker, cfg.Device)
		case ctx.Err() != nil:
			return err
		case err != nil:
			missed = append(missed, fmt.Errorf("%s: %w", broker, err))
			continue
		}
		for _, topic := range topics {
			fmt.Fprintln(out, topic)
		}
		what := "cleared at"
		if how.Look {
			what = "found at"
		}
		if _, err := fmt.Fprintf(out, "%s %s %s\n", count(len(topics), "topic"), what, broker); err != nil {
			return err
		}
	}
	switch {
	case len(missed) == 0:
		return nil
	case len(cfg.MQTT.All()) == 1:
		return errors.Unwrap(missed[0])
	}
	return fmt.Errorf("run it again when all brokers are there; what is left at the following is not known\n%w", errors.Join(missed...))
}
