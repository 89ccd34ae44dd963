package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
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
