package hatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// payload is one component of a document, with what it inherits. An empty config removes the component.
type payload struct {
	hash     string // its identity: platform, object id and key
	platform string
	topic    string // of the document
	key      string
	config   map[string]any
	shared   []string // keys that the document gave it, besides device and origin
}

// component is one that has been discovered.
type component struct {
	payload
	entity  *entity
	trigger *trigger
}

// platform loads when its first component comes.
type platform struct {
	loaded  bool
	waiting []payload // that are to be added then
}

var discoveryTopic = regexp.MustCompile(`^(\w+)/(?:([a-zA-Z0-9_-]+)/)?([a-zA-Z0-9_-]+)/config$`)

// discover takes a message on a discovery topic.
func (c *Core) discover(m message) {
	match := discoveryTopic.FindStringSubmatch(strings.TrimPrefix(m.topic, c.opt.Prefix+"/"))
	switch {
	case match == nil:
		c.warnf("%s: illegal discovery topic", m.topic)
	case match[1] != "device" && !slices.Contains(schema().Supported, match[1]):
		c.warnf("%s: integration %s is not supported", m.topic, match[1])
	case match[1] != "device":
		c.failf("%s: a document for a single component: hatest knows those for devices only", m.topic)
	case m.payload == "":
		c.cleanup(m)
	default:
		all, err := c.document(m, match[2], match[3])
		if err != nil {
			c.warnf("%s: invalid MQTT device discovery payload: %v", m.topic, err)
			return
		}
		for _, p := range all {
			if _, waits := c.pending[p.hash]; waits {
				// As Home Assistant's message handler does: it returns, and the rest of the document is lost.
				c.pending[p.hash] = append(c.pending[p.hash], p)
				return
			}
			c.process(p)
		}
	}
}

// cleanup is an empty document: all that came with it goes.
func (c *Core) cleanup(m message) {
	found := false
	for _, hash := range sorted(c.discovered) {
		if d := c.discovered[hash]; d != nil && d.topic == m.topic {
			found = true
			if _, waits := c.pending[hash]; waits {
				c.pending[hash] = append(c.pending[hash], payload{hash: hash, platform: d.platform, topic: d.topic, key: d.key})
				return
			}
			c.remove(d)
		}
	}
	if !found && !c.emptied[m.topic] { // else Home Assistant has brought this on itself
		c.warnf("%s: no device components to cleanup", m.topic)
	}
}

// document checks a device's document as a whole, and takes it apart, in its order.
func (c *Core) document(m message, nodeID, objectID string) ([]payload, error) {
	v, err := decode([]byte(m.payload))
	root, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, fmt.Errorf("not a JSON object")
	}
	long(root, schema().Short)
	device, _ := root["device"].(map[string]any)
	origin, _ := root["origin"].(map[string]any)
	long(device, schema().ShortDevice)
	long(origin, schema().ShortOrigin)
	longAvailability(root)
	given := maps.Clone(root)
	checked, unknown, err := schema().Document.check(root)
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("extra keys not allowed: %s", strings.Join(unknown, ", "))
	}
	if err != nil {
		return nil, err
	}
	if checked["device"], unknown, err = schema().Device.check(device); err != nil || len(unknown) > 0 {
		return nil, fmt.Errorf("device: extra keys %v, %w", unknown, orExtra(err))
	}
	if ids, _ := checked["device"].(map[string]any)["identifiers"].([]any); len(ids) == 0 {
		if connections, _ := device["connections"].([]any); len(connections) == 0 {
			return nil, fmt.Errorf("device: at least one identifier or connection is wanted")
		}
		c.failf("%s: a device with connections alone: hatest knows identifiers", m.topic)
	}
	if checked["origin"], unknown, err = schema().Origin.check(origin); err != nil || len(unknown) > 0 {
		return nil, fmt.Errorf("origin: extra keys %v, %w", unknown, orExtra(err))
	}
	components := root["components"].(map[string]any)
	var all []payload
	for _, key := range order(m.payload) {
		config, ok := components[key].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("component %s: not an object", key)
		}
		p, err := c.take(key, config)
		if err != nil {
			return nil, fmt.Errorf("component %s: %w", key, err)
		}
		p.topic = m.topic
		p.hash = strings.Join([]string{p.platform, objectID, nodeID, key}, " ")
		if len(p.config) > 0 {
			p.config["device"], p.config["origin"] = checked["device"], checked["origin"]
			for _, k := range schema().Shared {
				if v, ok := given[k]; ok && !has(p.config, k) {
					p.config[k] = v
					p.shared = append(p.shared, k)
				}
			}
		}
		all = append(all, p)
	}
	return all, nil
}

func orExtra(err error) error {
	if err == nil {
		err = fmt.Errorf("which are not allowed")
	}
	return err
}

func has(o map[string]any, key string) bool { _, ok := o[key]; return ok }

// take checks what the document's schema wants of a component, and replaces abbreviations.
func (c *Core) take(key string, config map[string]any) (p payload, err error) {
	long(config, schema().Short)
	longAvailability(config)
	name, _ := config["platform"].(string)
	if !slices.Contains(schema().Supported, name) {
		return p, fmt.Errorf("platform %q is missing or unknown", name)
	}
	p = payload{platform: name, key: key, config: config}
	if len(config) > 1 && slices.Contains(schema().Entities, name) && config["unique_id"] == nil {
		return p, fmt.Errorf("required key unique_id is missing")
	}
	delete(config, "platform")
	if base, ok := config["~"].(string); ok {
		delete(config, "~")
		expand(config, base)
	}
	return p, nil
}

// expand puts the base topic where ~ stands.
func expand(config map[string]any, base string) {
	for k, v := range config {
		switch v := v.(type) {
		case string:
			if strings.HasSuffix(k, "topic") && strings.HasPrefix(v, "~") {
				config[k] = base + v[1:]
			} else if strings.HasSuffix(k, "topic") && strings.HasSuffix(v, "~") {
				config[k] = v[:len(v)-1] + base
			}
		case []any:
			for _, e := range v {
				if o, ok := e.(map[string]any); ok {
					expand(o, base)
				}
			}
		}
	}
}

func longAvailability(o map[string]any) {
	list, _ := o["availability"].([]any)
	for _, e := range list {
		if entry, ok := e.(map[string]any); ok {
			long(entry, schema().Short)
		}
	}
}

// order gives the keys of the components as they are written.
func order(document string) (keys []string) {
	var root map[string]json.RawMessage
	json.Unmarshal([]byte(document), &root) // it has been read before
	raw := root["components"]
	if raw == nil {
		raw = root["cmps"]
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.Token()
	for d.More() {
		key, err := d.Token()
		var skip json.RawMessage
		if err != nil || d.Decode(&skip) != nil {
			return keys
		}
		if name := key.(string); !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	return keys
}

// process adds, changes or removes one component.
func (c *Core) process(p payload) {
	if known := c.discovered[p.hash]; known != nil {
		switch {
		case len(p.config) == 0:
			c.remove(known)
		case same(known.config, p.config):
		default:
			c.change(known, p)
		}
		return
	}
	if len(p.config) == 0 {
		return // nothing to remove
	}
	if _, modelled := schema().Platforms[p.platform]; !modelled {
		c.failf("%s %s: platform %s is not played by hatest", p.topic, p.key, p.platform)
		return
	}
	c.discovered[p.hash] = &component{payload: p}
	host := c.platforms[p.platform]
	if host == nil {
		host = new(platform)
		c.platforms[p.platform] = host
		c.after(c.opt.LoadAfter, func() { c.load(host) })
	}
	if host.loaded {
		c.add(c.discovered[p.hash])
		return
	}
	host.waiting = append(host.waiting, p)
	c.pending[p.hash] = nil
}

// load adds what waited for a platform, and then what came for those meanwhile.
func (c *Core) load(host *platform) {
	host.loaded = true
	for _, p := range host.waiting {
		if d := c.discovered[p.hash]; d != nil {
			c.add(d)
		}
		later := c.pending[p.hash]
		delete(c.pending, p.hash)
		for _, l := range later {
			c.process(l)
		}
	}
	host.waiting = nil
}

func same(a, b map[string]any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}
