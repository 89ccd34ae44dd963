package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/peterbourgon/ff/v3/ffcli"
)

func runCommand() *ffcli.Command {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`")
	c := command("gatewayd run [-c FILE]", "Run the gateway, as the service does.", flags)
	c.Exec = plain(func() error { return run(*path) })
	return c
}

// run runs the gateway until it is told to stop.
func run(path string) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	log := newLog()
	log.Info("gatewayd starts", "version", version, "device", cfg.Device, "config", path)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	wishes := newAsked()
	hw := newRaspberry()
	var how manner
	if supervised() { // nobody else is known to start it again
		how.restart = wishes.put
	}
	if path := stateFile(cfg, log); path != "" {
		how.memory = newMemory(path, cfg, thisBoot(), log)
		cfg = how.memory.claims(cfg)
	}
	g, err := newGateway(cfg, hw, log, how)
	if err != nil {
		return err
	}
	go feedWatchdog(ctx, g, log)
	go restarts(ctx, wishes, func() error { _, err := load(path); return err }, g.bridge, end)
	if err := g.run(ctx); err != nil || context.Cause(ctx) != errRestart {
		return err
	}
	log.Info("restarting, as asked", "exit code", exitRestart)
	return errRestart
}

// tell says one thing to systemd, if that started us: a new line would begin another (sd_notify(3)). There is nobody to tell that
// it failed.
func tell(state string) { daemon.SdNotify(false, oneLine(state)) }
