package bridge

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// found is what matters of a document at the broker.
type found struct {
	components []component // with key, platform and what identifies them
	topics     []string    // that they were told to read, and what the gateway keeps besides
	text       string      // the document itself
}

// readFound reads a document that we, or an older version of us, have announced; of anything else it gives nothing.
func readFound(payload []byte) (f found) {
	type source struct {
		Topic string `json:"topic"`
	}
	var d struct {
		Origin     origin   `json:"origin"`
		Available  []source `json:"availability"`
		Components map[string]struct {
			Platform   string   `json:"platform"`
			UniqueID   string   `json:"unique_id"`
			Type       string   `json:"type"`
			Subtype    string   `json:"subtype"`
			State      string   `json:"state_topic"`
			Command    string   `json:"command_topic"`
			Attributes string   `json:"json_attributes_topic"`
			Available  []source `json:"availability"`
		} `json:"components"`
	}
	if json.Unmarshal(payload, &d) != nil || d.Origin.Name != originName {
		return found{}
	}
	topics := map[string]bool{}
	// What tells whether something works is below the gateway's name of then, as its own are. States may be anywhere, and below the
	// name of a gateway that lives.
	read := func(from []source) {
		for _, a := range from {
			topics[a.Topic] = true
			if rest, ok := strings.CutPrefix(a.Topic, Prefix+"/"); ok {
				device, _, _ := strings.Cut(rest, "/")
				topics[Prefix+"/"+device+"/gateway/info"], topics[Prefix+"/"+device+"/gateway/health"] = true, true
			}
		}
	}
	read(d.Available)
	for _, key := range slices.Sorted(maps.Keys(d.Components)) {
		c := d.Components[key]
		if c.Platform == "" { // Home Assistant has refused that document, and would refuse ours for its removal
			continue
		}
		f.components = append(f.components, component{key: key, Platform: c.Platform, UniqueID: c.UniqueID, Type: c.Type, Subtype: c.Subtype})
		topics[c.State], topics[c.Attributes] = true, true
		if state, ok := strings.CutSuffix(c.Command, "/set"); ok && c.Platform == "button" && !strings.HasPrefix(key, itself+"-") { // it has no state there, but at the broker
			topics[state] = true
		}
		read(c.Available)
	}
	maps.DeleteFunc(topics, func(topic string, _ bool) bool { return !validTopic(topic) })
	f.text = string(payload)
	f.topics = slices.Sorted(maps.Keys(topics))
	return f
}

// size is about what it takes, in components.
func (f *found) size() int { return 4 + len(f.components) + len(f.topics) + len(f.text)/256 }

// entity is what Home Assistant's registry knows a component by: a trigger, which has no unique_id, by its type and subtype.
type entity struct{ platform, uniqueID, subtype string }

func (c *component) entity() entity {
	if c.Platform == "device_automation" {
		return entity{c.Platform, c.Type, c.Subtype}
	}
	return entity{platform: c.Platform, uniqueID: c.UniqueID}
}
