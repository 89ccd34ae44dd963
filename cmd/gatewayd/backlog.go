package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatewayd/bridge"
	"gatewayd/internal/backlog"
	"gatewayd/internal/config"
)

// newBacklog makes what holds the messages that are told late. tell is told that its file cannot be written, or can again.
func newBacklog(cfg *config.Config, tell func(string), log *slog.Logger) *backlog.Backlog {
	return backlog.New(backlog.Config{
		Most: cfg.Backlog.Most, MaxAge: cfg.Backlog.MaxAge, File: backlogFile(cfg, log), Boot: bootID(), Log: log, Tell: tell,
	})
}

// backlogFile gives the path of its file: as configured, or where the service has its files; empty: it is in memory alone.
func backlogFile(cfg *config.Config, log *slog.Logger) string {
	folder, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5)
	switch {
	case !cfg.Backlog.Disk || cfg.Backlog.File != "":
		return cfg.Backlog.File
	case folder != "":
		return filepath.Join(folder, "backlog")
	}
	log.Warn("no file for the backlog: what waits to be told late is lost with a restart: give a backlog.file")
	return ""
}

// keeps tells whether anything is told late.
func keeps(cfg *bridge.Config) bool {
	return slices.ContainsFunc(cfg.Sensors, func(s bridge.Sensor) bool { return s.Keep }) ||
		slices.ContainsFunc(cfg.Counters, func(c bridge.Counter) bool { return c.Keep }) ||
		slices.ContainsFunc(cfg.Inputs, func(i bridge.Input) bool { return i.Keep })
}

// changeBacklog goes over to another configuration. The file is of the program's start; who changes it is told.
func (g *gateway) changeBacklog(cfg *config.Config) {
	g.keeps.Store(keeps(&cfg.Bridge))
	g.backlog.Limit(cfg.Backlog.Most, cfg.Backlog.MaxAge)
	if was, is := &g.cfg.Backlog, &cfg.Backlog; was.Disk != is.Disk || was.File != is.File {
		g.log.Warn("the backlog stays where it is until the program starts anew: its store or file was changed")
	}
}

// waiting is what gateway/health says of the backlog; nil: nothing is told late.
func (g *gateway) waiting() *bridge.Waiting {
	waiting, dropped := g.backlog.Counts()
	if !g.keeps.Load() && waiting == 0 {
		return nil
	}
	return &bridge.Waiting{Waiting: waiting, Dropped: dropped}
}
