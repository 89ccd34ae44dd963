package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// How old a sign of life may be. The session may wait for the network for 20 s, the loop never.
const (
	loopStale    = 5 * time.Second
	sessionStale = 25 * time.Second
	bankStale    = time.Minute // it waits 36 s between attempts to open a chip; a hanging chip is told, but does not stop the rest
)

// feedWatchdog tells systemd that the loop and the session live, as long as they do. It ends with ctx, from when on the time
// limit for stopping counts. Nothing else feeds it, and nothing else starves it: a chip, a disk or a broker that hangs is told, and the rest
// goes on.
func feedWatchdog(ctx context.Context, g *gateway, log *slog.Logger) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	feed(ctx, interval/3, g.stuck, func() { tell(daemon.SdNotifyWatchdog) }, log)
}

// feed calls fed each time that nothing is stuck.
func feed(ctx context.Context, every time.Duration, stuck func(now time.Time) string, fed func(), log *slog.Logger) {
	t := time.NewTicker(every)
	defer t.Stop()
	hungry := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		part := stuck(time.Now())
		if part == "" {
			fed()
		} else if !hungry {
			log.Error("the watchdog is not fed: a part does not answer", "part", part)
		}
		hungry = part != ""
	}
}

// stuck names the part that has not shown that it lives. Signs of life have no date, so that no clock that is set makes them old, and
// while the machine sleeps nothing grows older.
func (g *gateway) stuck(now time.Time) string {
	switch {
	case now.Sub(g.bridge.Beat()) > loopStale:
		return "the loop"
	case now.Sub(g.session.Stats().Alive) > sessionStale:
		return "the session with the broker"
	}
	return ""
}
