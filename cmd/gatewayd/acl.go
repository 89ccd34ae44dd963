package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// accessList is what the command line says of a broker's access list.
type accessList struct{ path, user, controller string }

func aclCommand() *ffcli.Command {
	flags := flag.NewFlagSet("acl", flag.ContinueOnError)
	var a accessList
	flags.StringVar(&a.path, "c", usualConfig, "the configuration `file`; - reads standard input")
	flags.StringVar(&a.user, "username", "", "the gateway's `user` at the broker; that of the configuration unless said")
	flags.StringVar(&a.controller, "controller", "", "print also what the `user` needs by whom Home Assistant or openHAB is known to the broker")
	c := command("gatewayd acl [-c FILE] [--username USER] [--controller USER]", "Write the access list (acl_file) that mosquitto needs for this gateway.", flags)
	c.Exec = plain(func() error { return a.write(os.Stdout) })
	return c
}

// write writes the list for the configuration at its path.
func (a *accessList) write(out io.Writer) error {
	cfg, err := load(a.path)
	if err != nil {
		return err
	}
	text, err := a.text(cfg)
	if err == nil {
		_, err = io.WriteString(out, text)
	}
	return err
}

// text is the list for a configuration: mosquitto.conf(5), acl_file.
func (a *accessList) text(cfg *config.Config) (string, error) {
	user := a.user
	if user == "" {
		user = cfg.MQTT.Username
	}
	topics := bridge.NewTopics(&cfg.Bridge)
	l := lister{}
	l.comment("Access list for mosquitto: what the gateway %q needs, and nothing else.", cfg.Device)
	l.comment("Keep it as /etc/mosquitto/gatewayd.acl, readable for mosquitto; write acl_file /etc/mosquitto/gatewayd.acl into its")
	l.comment("configuration, and restart it. The list is for everybody: who is not in it can do nothing at this broker, so add the lines")
	l.comment("of all others. Print it anew when a topic in the gateway's configuration has changed, and reload mosquitto.")
	if user == "" {
		l.comment("")
		l.comment("No username is configured: this is what everybody may do who gives none. It must stay above the first user.")
	}
	l.user(user)
	l.grants(topics.Access(&cfg.Bridge))
	if a.controller != "" {
		all, homeAssistant := topics.ControllerAccess(&cfg.Bridge)
		l.text.WriteByte('\n')
		l.comment("What a controller needs to see this gateway, and to send it commands.")
		l.user(a.controller)
		l.grants(all)
		if len(homeAssistant) > 0 {
			l.comment("Home Assistant also finds the gateway, can delete it, and says that it is there; openHAB does without.")
			l.grants(homeAssistant)
		}
	}
	return l.text.String(), l.err
}

// lister puts an access list together.
type lister struct {
	text strings.Builder
	err  error // the first that cannot be written
}

func (l *lister) comment(format string, args ...any) {
	l.text.WriteString(strings.TrimRight("# "+fmt.Sprintf(format, args...), " ") + "\n")
}

func (l *lister) user(name string) {
	if name != "" {
		l.line("user", name)
	}
}

func (l *lister) grants(all []bridge.Grant) {
	for _, g := range all {
		access := "readwrite"
		if !g.Write {
			access = "read"
		} else if !g.Read {
			access = "write"
		}
		l.line("topic "+access, g.Filter)
	}
}

// line writes what mosquitto reads up to the line's end, without the blanks around it.
func (l *lister) line(what, name string) {
	if l.err == nil && (strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl)) {
		l.err = fmt.Errorf("%q has blanks around it, or line ends in it, which an access list of mosquitto cannot have: choose another name", name)
	}
	l.text.WriteString(what + " " + name + "\n")
}
