package hatest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is an event entity's occurrence.
type Event struct {
	EntityID   string
	Type       string
	Attributes map[string]any // but for event_type
	At         time.Time
}

// Fired is a device trigger's occurrence.
type Fired struct {
	Device        string // its name
	Type, Subtype string
	At            time.Time
}

// logs are what a test asks for.
type logs struct {
	errors, warnings, dropped, ignored, history []string
	events                                      []Event
	fired                                       []Fired
}

func (c *Core) errorf(format string, args ...any) {
	c.errors = append(c.errors, fmt.Sprintf(format, args...))
}
func (c *Core) warnf(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}
func (c *Core) ignoredf(format string, args ...any) {
	c.ignored = append(c.ignored, fmt.Sprintf(format, args...))
}
func (c *Core) historyf(format string, args ...any) {
	c.history = append(c.history, fmt.Sprintf(format, args...))
}

// failf fails the test: something that this package cannot judge, or that cannot be.
func (c *Core) failf(format string, args ...any) {
	c.errorf(format, args...)
	c.tb.Errorf("Home Assistant: "+format, args...)
}

func (c *Core) list(of *[]string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(*of)
}

// Errors are what Home Assistant would log as errors: components and payloads that it refuses.
func (c *Core) Errors() []string { return c.list(&c.errors) }

// Warnings are what it would log as warnings, refused documents among them.
func (c *Core) Warnings() []string { return c.list(&c.warnings) }

// DroppedKeys are keys that it drops without a word, as "document component key".
func (c *Core) DroppedKeys() []string { return c.list(&c.dropped) }

// Ignored is what it passes over without a word: payloads that match nothing, changed unique ids, retained events.
func (c *Core) Ignored() []string { return c.list(&c.ignored) }

// History are the registry's changes in order: "add switch.a", "remove switch.a", "add device Shed".
func (c *Core) History() []string { return c.list(&c.history) }

// Events are those of event entities, in order.
func (c *Core) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// Triggers are the device triggers that fired, in order: each is asked for by an automation.
func (c *Core) Triggers() []Fired {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.fired)
}

// Clean demands that nothing was refused, warned of, dropped or ignored.
func (c *Core) Clean() {
	c.tb.Helper()
	for _, l := range []struct {
		what string
		all  []string
	}{{"error", c.Errors()}, {"warning", c.Warnings()}, {"dropped key", c.DroppedKeys()}, {"ignored", c.Ignored()}} {
		for _, s := range l.all {
			c.tb.Errorf("Home Assistant: %s: %s", l.what, s)
		}
	}
}

// Excuse takes lines that contain a text out of what was ignored: the test knows of them.
func (c *Core) Excuse(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ignored = slices.DeleteFunc(c.ignored, func(s string) bool { return strings.Contains(s, text) })
}

// Dump shows everything, for a person who looks for a mistake.
func (c *Core) Dump() string {
	var out strings.Builder
	for _, e := range c.Entities() {
		fmt.Fprintf(&out, "%-44s %-14s %s\n", e.EntityID, e.State, e.Name)
	}
	for _, l := range []struct {
		what string
		all  []string
	}{{"error", c.Errors()}, {"warning", c.Warnings()}, {"dropped key", c.DroppedKeys()}, {"ignored", c.Ignored()}, {"registry", c.History()}} {
		for _, s := range l.all {
			fmt.Fprintf(&out, "%s: %s\n", l.what, s)
		}
	}
	return out.String()
}
