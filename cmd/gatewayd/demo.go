package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

//go:embed demo.yaml
var demoConfig []byte

// demo is what the command line says of the demo.
type demo struct {
	broker, address        string
	insecure, quiet, print bool
}

func demoCommand() *ffcli.Command {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	var d demo
	flags.StringVar(&d.broker, "broker", "", "use the broker at this `URL`; what the demo leaves there is cleared at the end")
	flags.StringVar(&d.address, "listen", "", "the `address` where the embedded broker listens; 127.0.0.1:1883 or a free port unless said")
	flags.BoolVar(&d.insecure, "insecure", false, "let the embedded broker listen where others can reach it: it knows no passwords")
	flags.BoolVar(&d.quiet, "quiet", false, "no simulated hand: buttons stay as they are")
	flags.BoolVar(&d.print, "print", false, "show the demo's configuration and end")
	c := command("gatewayd demo [flags]", "Run a simulated Raspberry Pi with a broker: needs no Pi and nothing installed.", flags)
	c.Exec = plain(d.run)
	return c
}

func (d *demo) run() error {
	if d.print {
		_, err := os.Stdout.Write(demoConfig)
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return d.play(ctx, os.Stdout)
}

// play runs the demo until ctx ends, and tells what happens.
func (d *demo) play(ctx context.Context, out io.Writer) error {
	if d.broker != "" && d.address != "" {
		return usageError("--listen is for the embedded broker, which --broker replaces: give one of the two")
	}
	cfg, _, err := config.Parse("demo.yaml", demoConfig)
	if err != nil {
		return err
	}
	cfg.MQTT.Broker = d.broker
	if d.broker == "" {
		address, stop, err := d.startBroker()
		if err != nil {
			return err
		}
		defer stop()
		cfg.MQTT.Broker = "tcp://" + address
	} else if _, err := bridge.BrokerURL(d.broker); err != nil {
		return fmt.Errorf("--broker: %w", err)
	}
	house, err := newHouse(cfg)
	if err != nil {
		return err
	}
	defer house.close()
	tell := &teller{out: out}
	for first := true; ; first = false {
		life, end := context.WithCancelCause(ctx)
		defer end(nil)
		g, err := newGateway(cfg, house, newDemoLog(out), manner{
			watch: tell.published, linked: tell.linked, restart: func() { end(errRestart) },
			// Not for a restart: Home Assistant would see the device go and come back.
			forget: func() bool { return d.broker != "" && (ctx.Err() != nil || context.Cause(life) != errRestart) },
		})
		if err != nil {
			return err
		}
		if first {
			tell.welcome(g.session.Stats().Broker, d.broker == "")
			if !d.quiet {
				house.run(ctx, tell.line)
				defer house.wait()
			}
		}
		if err := g.run(life); err != nil || context.Cause(life) != errRestart || ctx.Err() != nil {
			return err
		}
		tell.line("the gateway restarts, as asked")
	}
}

// startBroker starts the embedded broker and gives its address.
func (d *demo) startBroker() (address string, stop func(), err error) {
	l, err := d.listen()
	if err != nil {
		return "", nil, err
	}
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumMessageExpiryInterval = 0 // otherwise retained messages go after a day
	server := mqtt.New(&mqtt.Options{Capabilities: capabilities, Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(server.AddHook(new(auth.AllowHook), nil), server.AddListener(listeners.NewNet("demo", l))); err != nil {
		l.Close()
		return "", nil, fmt.Errorf("embedded broker: %w", err)
	}
	// In place of server.Serve, which would bring a web server and half a megabyte along, and adds what a demo can do without: $SYS, wills
	// with a delay, and the end of sessions that nobody comes back to.
	server.Listeners.ServeAll(server.EstablishConnection)
	return l.Addr().String(), func() { server.Close() }, nil
}

// listen takes the usual port on loopback, or a free one, or the address that was asked for.
func (d *demo) listen() (net.Listener, error) {
	if d.address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:1883")
		if err != nil {
			l, err = net.Listen("tcp", "127.0.0.1:0")
		}
		return l, err
	}
	address, err := net.ResolveTCPAddr("tcp", d.address)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w: wanted host:port, such as 127.0.0.1:1884", err)
	}
	if !address.IP.IsLoopback() && !d.insecure {
		return nil, fmt.Errorf("--listen %s: others could reach the embedded broker, which knows no passwords: add --insecure if that is wanted", d.address)
	}
	return net.ListenTCP("tcp", address)
}

// teller writes what a person sees.
type teller struct {
	out  io.Writer
	away atomic.Bool // there is no broker: what is published waits
}

func (t *teller) line(format string, args ...any) {
	fmt.Fprintf(t.out, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// published shows a message that goes to the broker, but for the gateway's own.
func (t *teller) published(m bridge.Message) {
	if strings.Contains(m.Topic, "/gateway/") || strings.HasSuffix(m.Topic, "/availability") {
		return
	}
	switch arrow := map[bool]string{false: "->", true: "(no broker)"}[t.away.Load()]; {
	case len(m.Payload) == 0: // it clears what the demo has left
	case len(m.Payload) > longestShown:
		t.line("  %s %s (%d bytes)", arrow, m.Topic, len(m.Payload))
	default:
		t.line("  %s %s %s", arrow, m.Topic, m.Payload)
	}
}

// longestShown is the length of a payload that is shown: what Home Assistant is told would fill the screen.
const longestShown = 200

// linked shows that the broker is there after it was not. The log tells the opposite.
func (t *teller) linked(l bridge.Link) {
	if t.away.Swap(!l.Up) && l.Up {
		t.line("connected to %s: it is told all states", l.Broker)
	}
}

// welcome says what there is; broker is its URL, without credentials.
func (t *teller) welcome(broker string, embedded bool) {
	where := "-h HOST -p PORT"
	if u, err := url.Parse(broker); err == nil && u.Port() != "" {
		host := u.Hostname()
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		where = fmt.Sprintf("-h %s -p %s", host, u.Port())
	}
	if embedded {
		broker += " (embedded)"
	}
	fmt.Fprintf(t.out, `gatewayd demo: a simulated Raspberry Pi. Nothing real is switched.

  header       door contact on GPIO17, boiler on GPIO22, bell on GPIO27, fan on GPIO24, water meter on GPIO23
  IO Pi Plus   lights l01 l02 l03 on bus 1 (0x20), their wall buttons on bus 2 (0x21), interrupt on GPIO4
  BME280       attic: temperature, humidity (median of 3, rounded), pressure

  broker       %s
  watch        mosquitto_sub %s -v -t 'light/#' -t 'gatewayd/demo/#'
  switch       mosquitto_pub %s -t light/l01/set -m TOGGLE
               mosquitto_pub %s -t gatewayd/demo/boiler/set -m '{"state":"ON","for":"30s"}'

By local rules each button toggles its light, a long press switches all off, and the fan runs from 21.8 °C in the attic until
it is below 21.4 °C. Home Assistant finds it all by itself if it uses this broker. Ctrl-C ends; --help shows more.

`, broker, where, where, where)
}
