package bridge

import (
	"bytes"
	"encoding/json"
)

// book is one device with all that belongs to it, as Home Assistant's device-based discovery has it: one retained document, or
// several where it is large.
type book struct {
	name       string // its place below the gateway's; empty: the gateway itself
	Device     device
	Origin     origin
	Available  []availability // of components that have none of their own
	Components []component    // in the order of the configuration
}

// device is what Home Assistant's device registry takes (2026.2, schema MQTT_ENTITY_DEVICE_INFO_SCHEMA).
type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	SWVersion    string   `json:"sw_version,omitempty"`
	SerialNumber string   `json:"serial_number,omitempty"`
	Area         string   `json:"suggested_area,omitempty"`
	Via          string   `json:"via_device,omitempty"`
}

// origin is who announces.
type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
}

// availability is a topic that tells whether something works.
type availability struct {
	Topic    string `json:"topic"`
	Yes      string `json:"payload_available,omitempty"`     // empty: online
	No       string `json:"payload_not_available,omitempty"` // empty: offline
	Template string `json:"value_template,omitempty"`
}

// component is one entity or trigger. Home Assistant drops keys that it does not know without a word, so that each here is held
// against its own schema by a test.
type component struct {
	key   string // of its identity, together with the document's topic and its platform
	point string // whose it is; empty: the gateway's
	raw   []byte // as it stands in documents; nil: not known yet

	Platform   string          `json:"platform"`
	Name       json.RawMessage `json:"name,omitempty"` // null: the device's name
	UniqueID   string          `json:"unique_id,omitempty"`
	EntityID   string          `json:"default_entity_id,omitempty"`
	Class      string          `json:"device_class,omitempty"`
	Unit       string          `json:"unit_of_measurement,omitempty"`
	StateClass string          `json:"state_class,omitempty"`
	Precision  *int            `json:"suggested_display_precision,omitempty"`
	Category   string          `json:"entity_category,omitempty"`
	Icon       string          `json:"icon,omitempty"`
	Enabled    *bool           `json:"enabled_by_default,omitempty"`

	StateTopic         string         `json:"state_topic,omitempty"`
	ValueTemplate      string         `json:"value_template,omitempty"`
	AttributesTopic    string         `json:"json_attributes_topic,omitempty"`
	AttributesTemplate string         `json:"json_attributes_template,omitempty"`
	CommandTopic       string         `json:"command_topic,omitempty"`
	CommandTemplate    string         `json:"command_template,omitempty"`
	QoS                *byte          `json:"qos,omitempty"`
	ExpireAfter        int            `json:"expire_after,omitempty"` // seconds
	Available          []availability `json:"availability,omitzero"`  // empty, not nil: always

	PayloadOn     string `json:"payload_on,omitempty"`
	PayloadOff    string `json:"payload_off,omitempty"`
	PayloadPress  string `json:"payload_press,omitempty"`
	PayloadOpen   string `json:"payload_open,omitempty"`
	PayloadClose  string `json:"payload_close,omitempty"`
	PayloadLock   string `json:"payload_lock,omitempty"`
	PayloadUnlock string `json:"payload_unlock,omitempty"`
	StateOpen     string `json:"state_open,omitempty"`
	StateClosed   string `json:"state_closed,omitempty"`
	StateLocked   string `json:"state_locked,omitempty"`
	StateUnlocked string `json:"state_unlocked,omitempty"`
	Volume        *bool  `json:"support_volume_set,omitempty"`

	EventTypes []string `json:"event_types,omitempty"`

	AutomationType string `json:"automation_type,omitempty"` // of a device trigger
	Type           string `json:"type,omitempty"`
	Subtype        string `json:"subtype,omitempty"`
	Topic          string `json:"topic,omitempty"`
	Payload        string `json:"payload,omitempty"`
}

// removal is what a component becomes when it is to go.
func (c *component) removal() component { return component{key: c.key, Platform: c.Platform} }

// json gives the component as it stands in documents.
func (c *component) json() []byte {
	if c.raw != nil {
		return c.raw
	}
	return marshal(c)
}

// document writes a book with these components, in their order.
func (b *book) document(components []component) []byte {
	root := struct {
		Device    device         `json:"device"`
		Origin    origin         `json:"origin"`
		Available []availability `json:"availability,omitempty"`
		Mode      string         `json:"availability_mode,omitempty"`
	}{b.Device, b.Origin, b.Available, ""}
	if len(b.Available) > 0 {
		root.Mode = "all"
	}
	out := bytes.TrimSuffix(marshal(root), []byte("}"))
	out = append(out, `,"components":{`...)
	for i := range components {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, marshal(components[i].key)...)
		out = append(out, ':')
		out = append(out, components[i].json()...)
	}
	return append(out, "}}"...)
}

// marshal writes JSON in which people can read < and &, as templates have them.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // text and numbers always marshal
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
