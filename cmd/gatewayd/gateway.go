package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/sensors"
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
	banks   []*gpio.Bank
	pollers []*sensors.Poller
	lines   map[string]*gpio.Bank // by the point's name
	hw      hardware
	gauges  *gauges
	memory  *memory // nil: nothing outlives a crash
	log     *slog.Logger
	start   time.Time
}

// manner is what the demo and the service do each in their own way.
type manner struct {
	watch   func(bridge.Message) // sees every message that is published; nil: nobody
	linked  func(bridge.Link)    // sees every change of the connection; nil: nobody
	forget  func() bool          // asked at the end: clear everything retained that was published? nil: no
	restart func()               // has everything end and start anew; does not block; nil: nobody does
	memory  *memory              // whose claims the configuration has; nil: there is none
}

// newGateway builds the parts of a configuration. It starts nothing and opens nothing.
func newGateway(cfg *config.Config, hw hardware, log *slog.Logger, m manner) (*gateway, error) {
	g := &gateway{lines: map[string]*gpio.Bank{}, hw: hw, gauges: newGauges(hw.sys()), memory: m.memory, log: log, start: time.Now()}
	topics := bridge.NewTopics(&cfg.Bridge)
	var err error
	parts := bridge.Parts{
		Set: func(line string, active bool) { g.lines[line].Set(line, active) },
		Publish: func(msg bridge.Message) {
			g.session.Publish(msg)
			if m.watch != nil {
				m.watch(msg)
			}
		},
		Vitals:  g.vitals,
		Restart: m.restart,
		About:   about(cfg, g.gauges),
		Log:     log,
	}
	if g.memory != nil {
		parts.Kept, parts.Keep = g.memory.found, g.memory.keep
	}
	if g.bridge, err = bridge.New(&cfg.Bridge, parts); err != nil {
		return nil, err
	}
	g.gauges.news = g.bridge.Report
	if g.memory != nil {
		g.memory.tell = func(text string) {
			if text != "" {
				g.bridge.Complain(text)
			}
			g.bridge.Report()
		}
	}
	session := sessionConfig(cfg)
	session.Status, session.Subscriptions = topics.StatusOf(cfg.Bridge.Status), append(topics.Subscriptions(&cfg.Bridge), topics.Announcements(&cfg.Bridge)...)
	session.InfoTopic, session.Info, session.Identity = topics.Gateway("info"), info(cfg), serial()
	session.Forget, session.ForgetFirst = m.forget, []string{topics.Discovery(""), topics.Discovery("+")}
	g.session = bridge.NewSession(session, g.bridge.Receive, func(l bridge.Link) {
		g.linked(l)
		if m.linked != nil {
			m.linked(l)
		}
	}, log)
	g.addBanks(cfg)
	for _, s := range cfg.Sensors {
		options := sensors.Options{Addr: s.Addr}
		if len(s.Driver.Addrs) > 0 {
			options.Bus = hw.bus(s.Bus)
		}
		g.pollers = append(g.pollers, sensors.NewPoller(
			sensors.PollerConfig{Name: s.Name, Driver: s.Driver, Options: options, Every: s.Every, Log: log}, g.bridge.Samples()))
	}
	return g, nil
}

// sessionConfig is how the broker is reached.
func sessionConfig(cfg *config.Config) bridge.SessionConfig {
	m := &cfg.MQTT
	return bridge.SessionConfig{
		Broker: m.Broker, Brokers: m.Brokers, PreferFirst: m.PreferFirst, ClientID: m.ClientID, Username: m.Username, PasswordFile: m.PasswordFile, PasswordEnv: m.PasswordEnv,
		CA: m.CA, Cert: m.Cert, Key: m.Key, ServerName: m.ServerName, Insecure: m.Insecure, KeepAlive: m.KeepAlive,
	}
}

// addBanks makes a bank for each chip, the header first, as it gives the others their interrupts.
func (g *gateway) addBanks(cfg *config.Config) {
	chips := cfg.Chips
	header := config.Chip{Name: string(config.Header), Type: config.Header}
	var interrupts []gpio.LineConfig
	for i := range chips {
		if line := chips[i].Interrupt; line != nil && !slices.Contains(interrupts, *line) {
			interrupts = append(interrupts, *line)
		}
		if chips[i].Type == config.Header {
			header.Lines = chips[i].Lines
		}
	}
	first := g.addBank(&header, interrupts, nil)
	for i := range chips {
		c := &chips[i]
		if c.Type == config.Header {
			continue
		}
		var interrupt gpio.Interrupt
		if c.Interrupt != nil {
			interrupt = first.Interrupt(c.Interrupt.Name)
		}
		g.addBank(c, nil, interrupt)
	}
}

// addBank makes the bank of a chip, or none if nothing uses it. Its interrupts serve other chips; interrupt serves it.
func (g *gateway) addBank(c *config.Chip, interrupts []gpio.LineConfig, interrupt gpio.Interrupt) *gpio.Bank {
	if len(c.Lines)+len(interrupts) == 0 {
		return nil
	}
	b := gpio.NewBank(gpio.BankConfig{
		Chip: c.Name, Lines: c.Lines, Interrupts: interrupts, LineName: c.LineName, Log: g.log,
		Open: open(c, g.hw, interrupt, g.log.With("chip", c.Name)),
	}, g.bridge.Events())
	g.banks = append(g.banks, b)
	for _, l := range c.Lines {
		g.lines[l.Name] = b
	}
	return b
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
	hardware, session := newCrew("hardware", g.log), newCrew("session", g.log)
	for _, b := range g.banks {
		hardware.add(b.Run)
	}
	for _, p := range g.pollers {
		hardware.add(p.Run)
	}
	hardware.add(g.gauges.run)
	hardware.add(g.watchBanks)
	kept := newCrew("state file", g.log)
	if g.memory != nil {
		kept.add(g.memory.run)
	}
	session.add(g.session.Run)
	tell(daemon.SdNotifyReady)
	err := g.bridge.Run(ctx)
	tell(daemon.SdNotifyStopping)
	g.log.Info("stopping")
	kept.cancel() // the outputs are as they are to be found; the disk has as long as the farewell takes
	session.end(farewellWithin)
	kept.end(hardwareWithin)
	hardware.end(hardwareWithin)
	return err
}

// crew is parts that run together.
type crew struct {
	name   string
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newCrew(name string, log *slog.Logger) *crew {
	ctx, cancel := context.WithCancel(context.Background()) // they outlive the signal to stop
	return &crew{name: name, log: log, ctx: ctx, cancel: cancel}
}

// add starts a part, which runs until the crew is ended. One that ends by itself is a mistake of ours that a restart may mend.
func (c *crew) add(run func(context.Context) error) {
	c.wg.Go(func() {
		err := run(c.ctx)
		if c.ctx.Err() == nil {
			panic(fmt.Sprintf("a part of the %s ended: %v", c.name, err))
		}
		if err != nil {
			c.log.Error("a part did not end well", "error", err)
		}
	})
}

// end stops the parts and waits until they have ended, or not in time: then they are left behind.
func (c *crew) end(within time.Duration) {
	c.cancel()
	done := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(within):
		c.log.Error("a part does not end and is left behind", "part", c.name)
	}
}

// vitals are asked by the bridge for gateway/health.
func (g *gateway) vitals() bridge.Vitals {
	s := g.session.Stats()
	v := bridge.Vitals{
		Uptime: time.Since(g.start), Sent: s.Sent, Queued: s.Queued, Dropped: s.Dropped.Overflow + s.Dropped.Expired + s.Dropped.Invalid,
		Superseded: s.Superseded,
		BusErrors:  g.hw.busErrors(), Memory: residentMemory(), Goroutines: runtime.NumGoroutine(),
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
	if g.memory != nil && g.memory.trouble() != "" {
		all = append(all, g.memory.trouble())
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
