package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatewayd/internal/config"
)

// Parts that do not end are left behind, each within its own time, and named.
func TestCrewEnd(t *testing.T) {
	var out strings.Builder
	log := slog.New(&lines{mu: new(sync.Mutex), out: &out, front: func(time.Time, slog.Level) string { return "" }})
	release := make(chan struct{})
	start := time.Now()
	var crews []*crew
	for _, name := range []string{"one", "two"} {
		c := newCrew(name, log)
		c.add(func(context.Context) error { <-release; return nil })
		crews = append(crews, c)
		c.end(20 * time.Millisecond)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	for _, name := range []string{"part: one", "part: two"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("not told: %s in\n%s", name, out.String())
		}
	}
	close(release)
	for _, c := range crews {
		c.wg.Wait()
	}
}

// Discovery announces the chips that health will report: one for each bank.
func TestAboutChips(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"header alone", "outputs:\n  - {name: lamp, line: GPIO22}\n"},
		{"expander alone", "chips:\n  - {name: relays, type: mcp23017, address: 0x20}\noutputs:\n  - {name: lamp, chip: relays, line: GPA0}\n"},
		{"header for the interrupt alone", "chips:\n  - {name: relays, type: mcp23017, address: 0x20, interrupt: GPIO4}\ninputs:\n  - {name: button, chip: relays, line: GPA0}\n"},
		{"both", "chips:\n  - {name: relays, type: mcp23017, address: 0x20}\n  - {name: idle, type: mcp23017, address: 0x21}\n" +
			"outputs:\n  - {name: far, chip: relays, line: GPA0}\n  - {name: near, line: GPIO22}\n"},
	} {
		cfg, _, err := config.Parse("c.yaml", []byte("device: shed\nmqtt: {broker: \"tcp://127.0.0.1:1\"}\n"+c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		g, err := newGateway(cfg, newRaspberry(), slog.New(slog.DiscardHandler), manner{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var want []string
		for _, c := range g.wiring.Load().chips {
			want = append(want, c.bank.Chip())
		}
		if got := about(cfg, g.gauges).Chips; !slices.Equal(got, want) {
			t.Errorf("%s: chips %q, want %q", c.name, got, want)
		}
	}
}
