package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// errRestart is why the program ends when somebody has asked for a restart: whatever started it starts it again.
var errRestart = errors.New("ends to be started again")

// restartPause is between two looks at a configuration that keeps the gateway from restarting.
const restartPause = time.Second

// asked is wishes to restart; many are one.
type asked chan struct{}

func newAsked() asked { return make(asked, 1) }

// put notes a wish and never blocks.
func (a asked) put() {
	select {
	case a <- struct{}{}:
	default:
	}
}

// restarts ends the gateway, by end, when it is asked to and could start again: a configuration that has mistakes by now would
// leave the house without it. It returns when it has, or when ctx ends.
func restarts(ctx context.Context, a asked, check func() error, b *bridge.Bridge, end context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a:
		}
		err := check()
		if err == nil {
			end(errRestart)
			return
		}
		b.Complain("restart refused: " + reason(err))
		if !wait(ctx, restartPause) {
			return
		}
	}
}

// reason says in one line why a configuration is not taken.
func reason(err error) string {
	var mistakes config.Errors
	if !errors.As(err, &mistakes) || len(mistakes) == 0 {
		return err.Error()
	}
	return fmt.Sprintf("the configuration has %s: %v%s", count(len(mistakes), "mistake"), mistakes[0],
		map[bool]string{true: ": gatewayd check shows the others"}[len(mistakes) > 1])
}

// supervised tells whether systemd has started us: the unit is of Type=notify.
func supervised() bool { return os.Getenv("NOTIFY_SOCKET") != "" }
