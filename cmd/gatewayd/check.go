package main

import (
	"fmt"
	"os"

	"gatewayd/internal/config"
)

type checkCommand struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/gatewayd/config.yaml" help:"The configuration; - reads standard input."`
	Print  bool   `help:"Show the configuration with all defaults; passwords are left out."`
}

func (c *checkCommand) Run() error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	if c.Print {
		return cfg.Print(os.Stdout)
	}
	fmt.Printf("%s: ok: gateway %q, %s, %s, %s, %s\n", c.Config, cfg.Device,
		count(len(cfg.Bridge.Inputs), "input"), count(len(cfg.Bridge.Outputs), "output"),
		count(len(cfg.Sensors), "sensor"), count(len(cfg.Bridge.Rules), "rule"))
	return nil
}

// load reads a configuration and shows its warnings. An error is config.Errors or errConfig.
func load(path string) (*config.Config, error) {
	cfg, warnings, err := config.Load(path)
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	if mistakes, ok := err.(config.Errors); ok {
		return nil, mistakes
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	return cfg, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
