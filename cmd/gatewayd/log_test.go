package main

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	var out strings.Builder
	log := slog.New(&lines{mu: new(sync.Mutex), out: &out, front: func(_ time.Time, l slog.Level) string { return word(l) }})
	log.Debug("not seen")
	log.Info("connected", "broker", "tcp://b:1883", "ms", 12, "reason", "")
	log.With("chip", "io").Warn("not available", "err", errors.New("nobody\nanswers \x1b[31m"))
	log.Error("plain")
	want := "connected (broker: tcp://b:1883, ms: 12)\n" +
		"warning: not available (chip: io, err: nobody?answers ?[31m)\n" +
		"error: plain\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
