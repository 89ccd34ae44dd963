// Gatewayd watches buttons and sensors of a Raspberry Pi, drives relays, and joins them to MQTT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/peterbourgon/ff/v3/ffcli"

	"gatewayd/internal/config"
	"gatewayd/internal/near"
)

// Exit codes. A Go program ends with 2 after a panic and after the watchdog's SIGABRT, so that 2 is never chosen.
const (
	exitFailure = 1
	exitUsage   = 64 // EX_USAGE of sysexits.h
	exitRestart = 75 // EX_TEMPFAIL: whatever started the program is to start it again
	exitConfig  = 78 // EX_CONFIG: systemd does not restart after it
)

// usualConfig is where the service has its configuration.
const usualConfig = "/etc/gatewayd/config.yaml"

func main() {
	root := command("gatewayd <command> [flags]", "Join a Raspberry Pi's buttons, relays and sensors to MQTT, and keep them working when the broker is gone.", nil)
	root.Subcommands = []*ffcli.Command{runCommand(), checkCommand(), demoCommand(), forgetCommand(), openhabCommand(), aclCommand(), driversCommand(), scanCommand(), readCommand(), safeStateCommand(), versionCommand()}
	root.Exec = func(_ context.Context, args []string) error {
		if len(args) == 0 || args[0] == "help" {
			return flag.ErrHelp
		}
		return unknownCommand(args[0], root.Subcommands)
	}
	err := root.Parse(usual(os.Args[1:]))
	if err == nil {
		err = root.Run(context.Background())
	} else if !errors.Is(err, flag.ErrHelp) {
		os.Exit(exitUsage) // the flag package has told
	}
	if err != nil {
		os.Exit(complain(err))
	}
}

// usual makes commands of what people write out of habit.
func usual(args []string) []string {
	switch {
	case len(args) == 1 && (args[0] == "--version" || args[0] == "-version"):
		return []string{"version"}
	case len(args) == 2 && args[0] == "help":
		return []string{args[1], "--help"}
	}
	return args
}

// command makes a command whose flags end the program with its usage when they are wrong.
func command(usage, help string, flags *flag.FlagSet) *ffcli.Command {
	if flags == nil {
		flags = flag.NewFlagSet("gatewayd", flag.ContinueOnError)
	}
	return &ffcli.Command{Name: flags.Name(), ShortUsage: usage, ShortHelp: help, FlagSet: flags, UsageFunc: helpText}
}

// plain is for commands that take no arguments besides their flags.
func plain(run func() error) func(context.Context, []string) error {
	return func(_ context.Context, args []string) error {
		if len(args) > 0 {
			return usageError(fmt.Sprintf("%q is one word too many: see --help", args[0]))
		}
		return run()
	}
}

// usageError is a mistake on the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func unknownCommand(word string, commands []*ffcli.Command) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	text := fmt.Sprintf("no command %q", word)
	if meant := near.Of(word, slices.Values(names)); meant != "" {
		return usageError(fmt.Sprintf("%s, did you mean %q?", text, meant))
	}
	return usageError(text + ": see --help")
}

// complain shows an error and gives the exit code for it. A configuration's mistakes come a line each, as compilers show them.
func complain(err error) int {
	var mistakes config.Errors
	var usage usageError
	switch {
	case errors.Is(err, errRestart): // it is in the log
		return exitRestart
	case errors.Is(err, flag.ErrHelp): // it has been shown
		return 0
	case errors.As(err, &mistakes):
		fmt.Fprintln(os.Stderr, mistakes)
		return exitConfig
	}
	fmt.Fprintf(os.Stderr, "gatewayd: %v\n", err)
	switch {
	case errors.Is(err, errConfig):
		return exitConfig
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailure
}

// errConfig marks errors that a restart cannot mend.
var errConfig = errors.New("no configuration")
