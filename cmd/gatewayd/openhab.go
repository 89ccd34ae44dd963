package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
	"gatewayd/internal/openhab"
)

// openhabFiles is what the command line says of openHAB's files.
type openhabFiles struct {
	path, broker  string
	things, items bool
}

func openhabCommand() *ffcli.Command {
	flags := flag.NewFlagSet("openhab", flag.ContinueOnError)
	var o openhabFiles
	flags.StringVar(&o.path, "c", usualConfig, "the configuration `file`; - reads standard input")
	flags.StringVar(&o.broker, "broker-uid", "", "the `UID` of the Bridge by which openHAB knows the broker already: mqtt:broker:home, or home")
	flags.BoolVar(&o.things, "things", false, "only the .things file")
	flags.BoolVar(&o.items, "items", false, "only the .items file")
	c := command("gatewayd openhab [-c FILE] [--things | --items] [--broker-uid UID]", "Write the files by which openHAB knows this gateway.", flags)
	c.Exec = plain(func() error { return o.write(os.Stdout) })
	return c
}

var brokerUID = regexp.MustCompile(`^(mqtt:broker:)?[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// write writes what was asked for: both files, unless said otherwise.
func (o *openhabFiles) write(out io.Writer) error {
	if o.broker != "" && !brokerUID.MatchString(o.broker) {
		return usageError(fmt.Sprintf("--broker-uid %q: wanted the UID of a Bridge, such as mqtt:broker:home", o.broker))
	}
	cfg, err := load(o.path)
	if err != nil {
		return err
	}
	both := o.things == o.items
	if o.things || both {
		if _, err := io.WriteString(out, openhab.Things(&cfg.Bridge, brokerOf(&cfg.MQTT, o.broker))); err != nil {
			return err
		}
	}
	if both {
		fmt.Fprintln(out)
	}
	if o.items || both {
		_, err = io.WriteString(out, openhab.Items(&cfg.Bridge))
	}
	return err
}

// brokerOf is how openHAB reaches the gateway's broker, the first of several; uid is that of a Bridge that is there.
func brokerOf(m *config.MQTT, uid string) *openhab.Broker {
	b := &openhab.Broker{UID: uid, Authority: m.CA != "", Username: m.Username, PasswordWanted: m.PasswordFile != "" || m.PasswordEnv != ""}
	if u, err := url.Parse(m.All()[0]); err == nil {
		b.Host, b.Port, b.WebSocketPath = u.Hostname(), u.Port(), u.Path
		b.Secure = u.Scheme == "tls" || u.Scheme == "wss"
		b.WebSocket = u.Scheme == "ws" || u.Scheme == "wss"
	}
	return b
}
