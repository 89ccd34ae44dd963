package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
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
	file := watch(path)
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
	again := &reloads{path: path, asked: newAsked(), signal: make(chan os.Signal, 1), file: file, log: log, orphaned: orphaned(), end: stop}
	signal.Notify(again.signal, syscall.SIGHUP)
	how := manner{reload: again.asked.put, memory: newMemory(stateFile(cfg, log), cfg, bootID(), log)}
	if supervised() { // nobody else is known to start it again
		how.restart = wishes.put
	}
	if to := runningFile(); to != "" {
		how.runs = func(cfg *config.Config) { noteRunning(to, cfg, log) }
	}
	how.beside = func(ctx context.Context, g *gateway) {
		var all sync.WaitGroup
		all.Go(func() { feedWatchdog(ctx, g, log) })
		all.Go(func() { restarts(ctx, wishes, func() error { _, err := load(path); return err }, g.bridge, end) })
		again.run(ctx, g)
		all.Wait()
	}
	g, err := newGateway(cfg, newRaspberry(), log, how)
	if err != nil {
		return err
	}
	if err := g.run(ctx); err != nil || context.Cause(ctx) != errRestart {
		return err
	}
	log.Info("restarting, as asked", "exit code", exitRestart)
	return errRestart
}

// tell says one thing to systemd, if that started us: a new line would begin another (sd_notify(3)). There is nobody to tell that
// it failed.
func tell(state string) { daemon.SdNotify(false, oneLine(state)) }
