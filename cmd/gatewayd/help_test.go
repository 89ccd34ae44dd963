package main

import (
	"strings"
	"testing"
)

func TestHelpText(t *testing.T) {
	got := helpText(openhabCommand())
	for _, want := range []string{
		"Usage: gatewayd openhab [-c FILE]", "\n  --things  ", "\n  -c FILE  ", "(/etc/gatewayd/config.yaml unless said)", "\n  --broker-uid UID  ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "false") {
		t.Errorf("a switch has a value:\n%s", got)
	}
}

func TestUsual(t *testing.T) {
	for in, want := range map[string]string{
		"--version": "version", "help check": "check --help", "help": "help", "run -c x": "run -c x", "check --version": "check --version",
	} {
		if got := strings.Join(usual(strings.Fields(in)), " "); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
