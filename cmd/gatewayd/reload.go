package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// reloadPause is how soon after a reload another one is done: whoever sends many wishes must not keep us busy, and the broker is to
// have heard the first.
const reloadPause = time.Second

// reloads loads the configuration again when somebody asks for it, or when its file has changed and it says so. What runs goes on
// until a configuration without mistakes is there.
type reloads struct {
	path   string
	asked  asked          // by the broker
	signal chan os.Signal // SIGHUP
	file   watched
	log    *slog.Logger

	orphaned func() bool // the signal says that our terminal is gone, as it does for any program
	end      func()      // the program, then
}

// run reloads until ctx ends.
func (r *reloads) run(ctx context.Context, g *gateway) {
	look := time.NewTicker(watchEvery)
	defer look.Stop()
	for {
		itself := false
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if !g.cfg.Watch || !r.file.changed() {
				continue
			}
			itself = true
		case <-r.signal:
			if r.orphaned() {
				r.end()
				return
			}
		case <-r.asked:
		case <-g.learned:
			g.relearn(ctx)
			continue
		}
		r.once(ctx, g, itself)
		wait(ctx, reloadPause)
	}
}

// once loads the configuration and has the gateway go on with it, or says why not. itself: nobody has asked for it.
func (r *reloads) once(ctx context.Context, g *gateway, itself bool) {
	began := time.Now()
	daemon.SdNotify(false, reloading())
	defer func() {
		if ctx.Err() == nil {
			tell(daemon.SdNotifyReady)
		}
	}()
	r.file.look()
	var what string
	cfg, warnings, err := r.loaded()
	for _, w := range warnings {
		w.Warning = false // the log says so
		r.log.Warn(w.String())
	}
	if err == nil {
		what, err = g.reload(ctx, cfg)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if _, read := err.(config.Errors); !read {
			r.file.doubt() // whoever may read it is nothing that the file tells
		}
		g.refuse(err, itself)
		return
	}
	g.refused.Store(nil)
	if what == "" {
		what = "nothing has changed"
	}
	r.log.Info(fmt.Sprintf("reloaded: %s; %v", what, time.Since(began).Round(100*time.Microsecond)), "config", r.path)
	g.bridge.Report()
}

// relearn goes on with the configuration that runs, which says more now that a device is there that was not.
func (g *gateway) relearn(ctx context.Context) {
	cfg, err := g.cfg.Anew()
	what := ""
	if err == nil {
		what, err = g.reload(ctx, cfg)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil: // it was good before
		g.bridge.Complain("a sensor measures more than was known, but that does not fit: " + reason(err))
	case what != "":
		g.log.Info("a sensor measures more than was known: " + what)
	}
}

func (r *reloads) loaded() (*config.Config, []config.Problem, error) {
	if r.path == "-" {
		return nil, nil, fmt.Errorf("the configuration came from the standard input, which cannot be read again: start the program with -c FILE")
	}
	return config.Load(r.path)
}

// refuse says why a configuration is not taken: each mistake in the log, one for the broker, and in health until there is a good one.
// Once is enough where nobody has asked.
func (g *gateway) refuse(err error, itself bool) {
	health := "the configuration is not the one that runs: " + reason(err)
	if was := g.refused.Swap(&health); itself && was != nil && *was == health {
		return
	}
	if mistakes, ok := err.(config.Errors); ok && len(mistakes) > 1 { // a single one stands in the reason
		for _, m := range mistakes {
			g.log.Error(m.String())
		}
	}
	g.bridge.Complain("reload refused: " + reason(err))
	g.bridge.Report()
}

// reload has the gateway go on with another configuration: only what differs is touched. It says what that is; empty: nothing. It
// blocks until the loop has changed over, and changes nothing if there is an error. It is called by one goroutine at a time.
func (g *gateway) reload(ctx context.Context, cfg *config.Config) (what string, err error) {
	what = difference(g.cfg, cfg)
	if what == "" {
		g.cfg = cfg
		return "", nil
	}
	claimed, state := cfg, ""
	if g.memory != nil {
		claimed, state = g.memory.claimsAfter(g.cfg, cfg), stateFile(cfg, g.log)
	}
	next := g.rewire(g.wiring.Load(), cfg, handedOn(g.cfg, claimed))
	session := g.sessionOf(cfg)
	err = g.bridge.Reload(ctx, bridge.Next{
		Config: &cfg.Bridge, About: about(cfg, g.gauges), Fresh: moved(g.cfg, cfg),
		Mute: func() { g.mute(next) },
		Swap: func() {
			g.carryOut(next)
			g.session.Change(session)
			if g.memory != nil {
				g.memory.change(cfg, state)
			}
			g.changeBacklog(cfg)
		},
	})
	if err != nil {
		return "", err
	}
	g.cfg = cfg
	g.start(next)
	if g.manner.runs != nil {
		g.manner.runs(cfg)
	}
	return what, nil
}
