package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"periph.io/x/host/v3/distro"

	"gatewayd/bridge"
	"gatewayd/internal/config"
)

// info is what gateway/info tells: what this is and where it runs.
func info(cfg *config.Config) []byte {
	b, err := json.Marshal(struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		Commit   string `json:"commit"`
		Device   string `json:"device"`
		Board    string `json:"board"`
		Serial   string `json:"serial"`
		System   string `json:"system"`
		Inputs   int    `json:"inputs"`
		Outputs  int    `json:"outputs"`
		Groups   int    `json:"groups"`
		Sensors  int    `json:"sensors"`
		Counters int    `json:"counters"`
		Encoders int    `json:"encoders"`
		Rules    int    `json:"rules"`
	}{
		"gatewayd", version, commit, cfg.Device, board(), serial(), runtime.GOOS + "/" + runtime.GOARCH,
		len(cfg.Bridge.Inputs), len(cfg.Bridge.Outputs), len(cfg.Bridge.Groups), len(cfg.Sensors), len(cfg.Bridge.Counters), len(cfg.Bridge.Encoders), len(cfg.Bridge.Rules) + len(cfg.Bridge.Thermostats),
	})
	if err != nil {
		panic(err) // text and numbers always marshal
	}
	return b
}

// about is what discovery tells of the gateway.
func about(cfg *config.Config, g *gauges) bridge.About {
	a := bridge.About{Version: version, Model: board(), Serial: serial()}
	a.CPUTemperature, a.UnderVoltage, a.Throttled = g.has()
	header := slices.ContainsFunc(cfg.Chips, func(c config.Chip) bool { return c.Interrupt != nil })
	if header && cfg.Chips[0].Type != config.Header {
		a.Chips = append(a.Chips, string(config.Header)) // for the interrupts alone
	}
	for i := range cfg.Chips {
		a.Chips = append(a.Chips, cfg.Chips[i].Name)
	}
	return a
}

// board is the model as the firmware tells it, such as Raspberry Pi 3 Model B Rev 1.2; empty where it tells none.
func board() string {
	if m := distro.DTModel(); m != "<unknown>" {
		return m
	}
	return ""
}

// serial is the board's serial number; empty where the firmware tells none.
func serial() string {
	b, err := os.ReadFile("/proc/device-tree/serial-number")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(bytes.TrimRight(b, "\x00")))
}

// residentMemory is what the process takes, in bytes (proc(5), statm); 0 where that is not known.
func residentMemory() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(f[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
