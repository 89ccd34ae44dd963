package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lines is a slog.Handler for people: a line per record, `warning: what happened (key: value, ...)`.
type lines struct {
	mu    *sync.Mutex // guards out
	out   io.Writer
	level slog.Level
	front func(time.Time, slog.Level) string // what a line begins with
	attrs []slog.Attr
}

// newLog writes to standard error: with the time, or for the journal, which has the time already, with the priority that
// `journalctl -p warning` looks at (sd-daemon(3)).
func newLog() *slog.Logger {
	front := func(t time.Time, level slog.Level) string { return t.Format(time.DateTime) + " " + word(level) }
	if os.Getenv("JOURNAL_STREAM") != "" {
		front = func(_ time.Time, level slog.Level) string { return fmt.Sprintf("<%d>", priority(level)) }
	}
	return slog.New(&lines{mu: new(sync.Mutex), out: os.Stderr, front: front})
}

// newDemoLog writes warnings and errors among what the demo tells.
func newDemoLog(out io.Writer) *slog.Logger {
	front := func(t time.Time, level slog.Level) string { return t.Format(time.TimeOnly) + "  " + word(level) }
	return slog.New(&lines{mu: new(sync.Mutex), out: out, level: slog.LevelWarn, front: front})
}

func word(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error: "
	case level >= slog.LevelWarn:
		return "warning: "
	}
	return ""
}

// priority is syslog's (syslog(3)).
func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

func (h *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *lines) Handle(_ context.Context, r slog.Record) error {
	var details []string
	add := func(a slog.Attr) bool {
		if text := a.Value.String(); text != "" {
			details = append(details, a.Key+": "+text)
		}
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	line := r.Message
	if len(details) > 0 {
		line += " (" + strings.Join(details, ", ") + ")"
	}
	line = oneLine(line)
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintln(h.out, h.front(r.Time, r.Level)+line)
	return err
}

// oneLine replaces what cannot be printed: what came from outside must not begin a line of its own, nor steer a terminal.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if !strconv.IsPrint(c) {
			return '?'
		}
		return c
	}, s)
}

func (h *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return &with
}

// WithGroup changes nothing: nobody groups here.
func (h *lines) WithGroup(string) slog.Handler { return h }
