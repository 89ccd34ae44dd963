package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
)

type runCommand struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/gatewayd/config.yaml" help:"The configuration."`
}

func (c *runCommand) Run() error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	log := newLog()
	log.Info("gatewayd starts", "version", version, "device", cfg.Device, "config", c.Config)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hw := newBoard()
	defer hw.close()
	g, err := newGateway(cfg, hw, log, manner{})
	if err != nil {
		return err
	}
	go feedWatchdog(ctx, g, log)
	return g.run(ctx)
}

// newLog writes text to standard error, without times where the journal adds them.
func newLog() *slog.Logger {
	options := &slog.HandlerOptions{}
	if os.Getenv("JOURNAL_STREAM") != "" {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// tell says something to systemd, if that started us. There is nobody to tell that it failed.
func tell(state string) { daemon.SdNotify(false, state) }
