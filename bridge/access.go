package bridge

import (
	"maps"
	"slices"
	"strings"
)

// Grant is what a broker's access list is to allow on a topic, or on all that match a filter.
type Grant struct {
	Filter      string
	Read, Write bool
}

// Allows reports whether the grant lets a client read, or write, a topic.
func (g *Grant) Allows(topic string, write bool) bool {
	return (write && g.Write || !write && g.Read) && Matches(g.Filter, topic)
}

// Access gives what a gateway must be allowed at its broker, and no more. Its own tree is one filter, since Forget looks there for what
// older configurations have left; whatever lies elsewhere is named. What it publishes it must be able to read, too: Forget
// clears what it finds.
func (t *Topics) Access(c *Config) []Grant {
	grants := []Grant{{t.root + "#", true, true}}
	for _, topic := range t.elsewhere(maps.Keys(t.published(c))) {
		grants = append(grants, Grant{topic, true, true})
	}
	for _, topic := range t.elsewhere(maps.Keys(t.targets)) {
		grants = append(grants, Grant{topic, true, false})
	}
	grants = append(grants, Grant{t.Discovery(""), true, true}, Grant{t.Discovery("+"), true, true})
	if c.HomeAssistant.Discovery {
		grants = append(grants, Grant{t.birth, true, false})
	}
	return grants
}

// ControllerAccess gives what somebody must be allowed who watches the gateway and sends it commands; and, besides, what Home
// Assistant must be allowed to find it, to forget it, and to say that it is there.
func (t *Topics) ControllerAccess(c *Config) (grants, homeAssistant []Grant) {
	grants = []Grant{{t.root + "#", true, false}, {t.root + "+/set", false, true}}
	for _, topic := range t.elsewhere(maps.Keys(t.published(c))) {
		grants = append(grants, Grant{topic, true, false})
	}
	for _, topic := range t.elsewhere(maps.Keys(t.targets)) {
		grants = append(grants, Grant{topic, false, true})
	}
	if c.HomeAssistant.Discovery {
		homeAssistant = []Grant{{t.Discovery(""), true, true}, {t.Discovery("+"), true, true}, {t.birth, false, true}}
	}
	return grants, homeAssistant
}

// elsewhere are those topics that do not lie in the gateway's own tree, sorted.
func (t *Topics) elsewhere(topics func(yield func(string) bool)) []string {
	return slices.DeleteFunc(slices.Sorted(topics), func(topic string) bool { return strings.HasPrefix(topic, t.root) })
}
