package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"gatewayd/bridge"
	"gatewayd/internal/backlog"
	"gatewayd/internal/clock"
	"gatewayd/internal/config"
	"gatewayd/internal/i2cmux"
)

// How long the parts have to end. With the bridge's outputs, which take 1.5 s at most, that makes 5 s.
const (
	farewellWithin = 3 * time.Second
	hardwareWithin = 500 * time.Millisecond
)

// gateway is all parts of a running program, joined.
type gateway struct {
	bridge  *bridge.Bridge
	session *bridge.Session
	wiring  atomic.Pointer[wiring]
	hw      hardware
	muxes   i2cmux.Muxes
	learned chan struct{} // capacity 1: a device measures what was not known
	gauges  *gauges
	memory  *memory // nil: nothing outlives a crash
	manner  manner
	backlog *backlog.Backlog
	keeps   atomic.Bool // something is told late
	log     *slog.Logger
	began   time.Time

	hardware *crew
	refused  atomic.Pointer[string] // why the configuration is not the one that runs; nil: it is

	// Of whoever reloads, and of nobody before.
	cfg     *config.Config // that runs, as it was loaded
	begins  *rewiring      // what run is to start
	leaving []*part        // that may not have ended
}

// manner is what the demo and the service do each in their own way.
type manner struct {
	watch   func(bridge.Message)                  // sees every message that is published; nil: nobody
	linked  func(bridge.Link)                     // sees every change of the connection; nil: nobody
	forget  func() bool                           // asked at the end: clear everything retained that was published? nil: no
	restart func()                                // has everything end and start anew; does not block; nil: nobody does
	reload  func()                                // has the configuration loaded again; does not block; nil: nobody does
	memory  *memory                               // nil: nothing outlives a crash
	runs    func(*config.Config)                  // is told which configuration runs; nil: nobody is
	beside  func(ctx context.Context, g *gateway) // runs as long as the gateway, and ends with ctx; nil: nothing does
}

// newGateway builds the parts of a configuration. It starts nothing, and opens nothing but for what an earlier run has left.
func newGateway(cfg *config.Config, hw hardware, log *slog.Logger, m manner) (*gateway, error) {
	g := &gateway{hw: hw, gauges: newGauges(hw.sys()), memory: m.memory, manner: m, log: log, began: clock.Now(), learned: make(chan struct{}, 1), hardware: newCrew("hardware", log), cfg: cfg}
	g.wiring.Store(new(wiring))
	parts := bridge.Parts{
		Set: g.set,
		Publish: func(msg bridge.Message) {
			g.session.Publish(msg)
			if m.watch != nil {
				m.watch(msg)
			}
		},
		Drop:    func(topics ...string) { g.session.Drop(topics...) },
		Vitals:  g.vitals,
		Woke:    g.woke,
		Restart: m.restart,
		Reload:  m.reload,
		About:   about(cfg, g.gauges),
		Log:     log,
	}
	claimed := cfg
	if g.memory != nil {
		parts.Kept, parts.Keep = g.memory.found, g.memory.keep
		parts.Totals, parts.Count = g.memory.totals.found, g.memory.count
		claimed = g.memory.claims(cfg)
	}
	var err error
	if g.bridge, err = bridge.New(&cfg.Bridge, parts); err != nil {
		return nil, err
	}
	g.gauges.news = g.bridge.Report
	trouble := func(text string) {
		if text != "" {
			g.bridge.Complain(text)
		}
		g.bridge.Report()
	}
	if g.memory != nil {
		g.memory.tell = trouble
	}
	g.backlog = newBacklog(cfg, trouble, log)
	g.keeps.Store(keeps(&cfg.Bridge))
	g.session = bridge.NewSession(g.sessionOf(cfg), g.bridge.Receive, func(l bridge.Link) {
		g.linked(l)
		if m.linked != nil {
			m.linked(l)
		}
	}, log)
	g.begins = g.rewire(g.wiring.Load(), cfg, claimed)
	g.carryOut(g.begins)
	return g, nil
}

// learn has the configuration looked at again: what a device measures is known only now.
func (g *gateway) learn() {
	select {
	case g.learned <- struct{}{}:
	default:
	}
}

// set hands a wish to the bank of its line.
func (g *gateway) set(line string, active bool) {
	if b := g.wiring.Load().lines[line]; b != nil {
		b.Set(line, active)
	}
}

// sessionOf is all that the session is to know.
func (g *gateway) sessionOf(cfg *config.Config) bridge.SessionConfig {
	topics := bridge.NewTopics(&cfg.Bridge)
	s := sessionConfig(cfg)
	s.Status, s.Subscriptions = topics.StatusOf(cfg.Bridge.Status), append(topics.Subscriptions(&cfg.Bridge), topics.Announcements(&cfg.Bridge)...)
	s.InfoTopic, s.Info, s.Identity = topics.Gateway("info"), info(cfg), serial()
	s.Forget, s.ForgetFirst = g.manner.forget, []string{topics.Discovery(""), topics.Discovery("+")}
	if g.memory != nil {
		s.LastGood, s.Good = g.memory.lastGood(), g.memory.remember
	}
	s.Backlog = g.backlog
	return s
}

// sessionConfig is how the broker is reached.
func sessionConfig(cfg *config.Config) bridge.SessionConfig {
	m := &cfg.MQTT
	return bridge.SessionConfig{
		Broker: m.Broker, Brokers: m.Brokers, PreferFirst: m.PreferFirst, ClientID: m.ClientID, Username: m.Username, PasswordFile: m.PasswordFile, PasswordEnv: m.PasswordEnv,
		CA: m.CA, Cert: m.Cert, Key: m.Key, ServerName: m.ServerName, Insecure: m.Insecure, KeepAlive: m.KeepAlive,
	}
}

// linked passes a change of the connection on.
func (g *gateway) linked(l bridge.Link) {
	g.bridge.Link(l)
	switch {
	case l.Up:
		tell("STATUS=connected to " + l.Broker)
	case l.Err != nil:
		tell("STATUS=local rules only: " + l.Err.Error())
	}
}

// run starts all parts and blocks until ctx ends and they have ended, in order: no more wishes and the outputs as on_exit says,
// then the farewell to the broker, then the chips. What has not ended in time is left behind, and named.
func (g *gateway) run(ctx context.Context) error {
	session, kept, beside := newCrew("session", g.log), newCrew("state file", g.log), newCrew("reload", g.log)
	if g.manner.runs != nil {
		g.manner.runs(g.cfg)
	}
	g.start(g.begins)
	g.begins = nil
	g.hardware.add(g.gauges.run)
	g.hardware.add(g.watchBanks)
	if g.memory != nil {
		kept.add(g.memory.run)
	}
	late := newCrew("backlog", g.log)
	late.add(g.backlog.Run)
	session.add(g.session.Run)
	tell(daemon.SdNotifyReady)
	if g.manner.beside != nil {
		beside.add(func(end context.Context) error {
			g.manner.beside(ctx, g)
			<-end.Done()
			return nil
		})
	}
	err := g.bridge.Run(ctx)
	tell(daemon.SdNotifyStopping)
	g.log.Info("stopping")
	kept.cancel() // the outputs are as they are to be found; the disk has as long as the farewell takes
	beside.end(hardwareWithin)
	session.end(farewellWithin)
	late.cancel() // it has what the broker did not take
	kept.end(hardwareWithin)
	g.hardware.end(hardwareWithin)
	late.end(hardwareWithin)
	return err
}

// woke has everything measured anew: what was known is from before the machine slept.
func (g *gateway) woke() {
	for _, s := range g.wiring.Load().sensors {
		s.poller.Soon()
	}
}

// vitals are asked by the bridge for gateway/health.
func (g *gateway) vitals() bridge.Vitals {
	s := g.session.Stats()
	v := bridge.Vitals{
		Uptime: clock.Since(g.began), Sent: s.Sent, Queued: s.Queued, Dropped: s.Dropped.Overflow + s.Dropped.Expired + s.Dropped.Invalid,
		Superseded: s.Superseded, Backlog: g.waiting(),
		InFlight: s.InFlight, Buses: g.hw.buses(), Memory: residentMemory(), Goroutines: runtime.NumGoroutine(),
	}
	if s.Connected {
		v.Broker = s.Broker
	}
	if wall, ok := clock.Wall(clock.Now()); ok {
		v.Wall = wall
	}
	if s.Connects > 0 {
		v.Reconnects = s.Connects - 1
	}
	g.gauges.fill(&v)
	v.Troubles = g.troubles(&s)
	return v
}

// troubles are what is wrong and concerns no single point.
func (g *gateway) troubles(s *bridge.Stats) (all []string) {
	for _, filter := range s.Refused {
		all = append(all, fmt.Sprintf("the broker refuses the subscription %q: what is sent there does not arrive", filter))
	}
	if why := g.refused.Load(); why != nil {
		all = append(all, *why)
	}
	if g.memory != nil && g.memory.trouble() != "" {
		all = append(all, g.memory.trouble())
	}
	if text := g.backlog.Trouble(); text != "" {
		all = append(all, text)
	}
	if s.Unheard {
		all = append(all, "our own status does not come back from the broker: its access list seems to forbid it (gatewayd acl writes what is needed)")
	}
	if s.Insecure {
		all = append(all, "INSECURE: the broker's certificate is not checked, and whoever is between can switch everything: remove insecure, and set ca")
	}
	if s.OtherBoard != "" {
		all = append(all, fmt.Sprintf("another board, serial %s, uses our name: give each gateway a device name of its own", s.OtherBoard))
	}
	return all
}
