package bridge

import (
	"slices"
	"strings"
	"testing"
)

func TestTopics(t *testing.T) {
	cfg := house()
	topics := NewTopics(cfg)
	for _, c := range []struct{ got, want string }{
		{topics.Status(), "gatewayd/shed/status"},
		{topics.State("door"), "gatewayd/shed/door"},
		{topics.State("l01"), "light/l01"},
		{topics.Command("l01"), "light/l01/set"},
		{topics.Command("l02"), "gatewayd/shed/l02/set"},
		{topics.Command("door"), ""},
		{topics.Error("l01"), "gatewayd/shed/l01/error"},
		{topics.Availability("l01"), "gatewayd/shed/l01/availability"},
		{topics.Reading("attic", "temperature"), "gatewayd/shed/attic/temperature"},
		{topics.Gateway("health"), "gatewayd/shed/gateway/health"},
		{topics.Target("light/l01/set"), "l01"},
		{topics.Target("gatewayd/shed/l02/set"), "l02"},
		{topics.Target("gatewayd/shed/nobody/set"), "nobody"},
		{topics.Target("gatewayd/shed/l02"), ""},
		{topics.Target("light/l02/set"), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	want := []string{"gatewayd/shed/+/set", "light/l01/set"}
	if got := topics.Subscriptions(cfg); !slices.Equal(got, want) {
		t.Errorf("subscriptions %q, want %q", got, want)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/+", "a/b", true}, {"a/+", "a/b/c", false}, {"a/+", "a", false},
		{"a/+/c", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"#", "a/b", true}, {"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"a/+", "a/", true}, {"+", "a", true}, {"+", "", true}, {"a", "a/b", false},
	} {
		if got := Matches(c.filter, c.topic); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.filter, c.topic, got)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("gatewayd/+/set", "gatewayd/l01/set")
	f.Fuzz(func(t *testing.T, filter, topic string) {
		got := Matches(filter, topic)
		if !strings.ContainsAny(filter, "+#") && got != (filter == topic) {
			t.Errorf("Matches(%q, %q) = %v without wildcards", filter, topic, got)
		}
		if !strings.HasPrefix(topic, "$") && !Matches("#", topic) {
			t.Errorf("# does not match %q", topic)
		}
	})
}
