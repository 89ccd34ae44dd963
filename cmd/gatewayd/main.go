// Gatewayd watches buttons and sensors of a Raspberry Pi, drives relays, and joins them to MQTT.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"gatewayd/internal/config"
)

// Exit codes. A Go program ends with 2 after a panic and after the watchdog's SIGABRT, so that 2 is never chosen.
const (
	exitFailure = 1
	exitConfig  = 78 // EX_CONFIG of sysexits.h: systemd does not restart after it
)

type commands struct {
	Run     runCommand     `cmd:"" help:"Run the gateway, as the service does."`
	Check   checkCommand   `cmd:"" help:"Check a configuration and show every mistake with its place."`
	Demo    demoCommand    `cmd:"" help:"Run a simulated Raspberry Pi with a broker: needs no Pi and nothing installed."`
	Version versionCommand `cmd:"" help:"Show the version."`
}

func main() {
	var c commands
	k := kong.Must(&c,
		kong.Name("gatewayd"),
		kong.Description("Joins a Raspberry Pi's buttons, relays and sensors to MQTT, and keeps them working when the broker is gone."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	ctx, err := k.Parse(os.Args[1:])
	k.FatalIfErrorf(err)
	if err := ctx.Run(); err != nil {
		os.Exit(complain(err))
	}
}

// complain shows an error and gives the exit code for it. A configuration's mistakes come a line each, as compilers show them.
func complain(err error) int {
	var mistakes config.Errors
	if errors.As(err, &mistakes) {
		fmt.Fprintln(os.Stderr, mistakes)
		return exitConfig
	}
	fmt.Fprintf(os.Stderr, "gatewayd: %v\n", err)
	if errors.Is(err, errConfig) {
		return exitConfig
	}
	return exitFailure
}

// errConfig marks errors that a restart cannot mend.
var errConfig = errors.New("the gateway does not start without a configuration")
