package bridge

import (
	"slices"
	"testing"
)

// TestAccess: what the gateway publishes and subscribes to is allowed, and without any one line it would not be.
func TestAccess(t *testing.T) {
	own := house()
	own.HomeAssistant.Discovery = true
	own.Status.Topic = "alive/shed"
	for name, c := range map[string]*Config{"house": house(), "own topics": own, "nothing": {Device: "shed"}} {
		topics := NewTopics(c)
		var need []Grant // exact topics
		for topic := range topics.published(c) {
			need = append(need, Grant{topic, true, true})
		}
		for _, f := range append(topics.Subscriptions(c), topics.Announcements(c)...) {
			need = append(need, Grant{one(f), true, false})
		}
		need = append(need, Grant{topics.Discovery(""), true, true}, Grant{one(topics.Discovery("+")), true, true})
		grants := topics.Access(c)
		for _, n := range need {
			for _, write := range []bool{false, true} {
				if (!write || n.Write) && !allowed(grants, n.Filter, write) {
					t.Errorf("%s: %s is not allowed (write %v)", name, n.Filter, write)
				}
			}
		}
		for i := range grants {
			rest := slices.Delete(slices.Clone(grants), i, i+1)
			if !slices.ContainsFunc(need, func(n Grant) bool { return !allowed(rest, n.Filter, false) }) {
				t.Errorf("%s: nothing needs %+v", name, grants[i])
			}
		}
	}
}

// one is a topic that matches a filter.
func one(filter string) string {
	b := []byte(filter)
	for i := range b {
		if b[i] == '+' {
			b[i] = 'x'
		}
	}
	return string(b)
}

func allowed(grants []Grant, topic string, write bool) bool {
	return slices.ContainsFunc(grants, func(g Grant) bool { return g.Allows(topic, write) })
}
