package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
)

func checkCommand() *ffcli.Command {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`; - reads standard input")
	show := flags.Bool("print", false, "show the configuration with all defaults; passwords are left out")
	c := command("gatewayd check [-c FILE] [--print]", "Check a configuration and show every mistake with its place.", flags)
	c.Exec = plain(func() error { return check(*path, *show) })
	return c
}

func check(path string, show bool) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	if cfg.MQTT.Insecure { // a warning of the check alone: where the gateway runs, the connection says so
		fmt.Fprintln(os.Stderr, config.Problem{File: path, Path: "mqtt.insecure", Warning: true,
			Msg: "the broker's certificate is not checked, and whoever is between can read the password and switch everything: set ca instead"})
	}
	if show {
		return cfg.Print(os.Stdout)
	}
	rare := ""
	if n := len(cfg.Bridge.Counters); n > 0 {
		rare += ", " + count(n, "counter")
	}
	if n := len(cfg.Bridge.Encoders); n > 0 {
		rare += ", " + count(n, "encoder")
	}
	fmt.Printf("%s: ok: gateway %q, %s, %s, %s, %s%s, %s\n", path, cfg.Device,
		count(len(cfg.Bridge.Inputs), "input"), count(len(cfg.Bridge.Outputs), "output"),
		count(len(cfg.Bridge.Groups), "group"), count(len(cfg.Sensors), "sensor"), rare, count(len(cfg.Bridge.Rules)+len(cfg.Bridge.Thermostats), "rule"))
	return nil
}

// load reads a configuration and shows its warnings. An error is config.Errors, or is errConfig.
func load(path string) (*config.Config, error) {
	cfg, warnings, err := config.Load(path)
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	if mistakes, ok := err.(config.Errors); ok {
		return nil, mistakes
	}
	if err != nil {
		return nil, unreadable{err}
	}
	return cfg, nil
}

// unreadable is an error of reading a configuration, as it stands.
type unreadable struct{ error }

func (u unreadable) Unwrap() error        { return u.error }
func (u unreadable) Is(target error) bool { return target == errConfig }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
