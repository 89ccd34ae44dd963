// Package openhab writes the files by which openHAB knows a gateway: a Thing of the MQTT binding with a channel for each point, and
// the Items that show and switch them. It makes text from the bridge's configuration, the same text from the same configuration, and
// does nothing else.
//
// What is written was held against the sources of openHAB: the MQTT binding's parameters (openhab-addons, bundles
// org.openhab.binding.mqtt and, in 4.x, org.openhab.binding.mqtt.generic: thing-types.xml, generic-thing.xml, *-channel-config.xml and
// the code that reads them), the grammars Thing.xtext and Items.xtext, and the semantic tags (openhab-core), as of 5.x in 2026 and, in
// what differs, of 4.x. Only what both know is used.
//
// What openHAB cannot show: that one point of several is not available, since a Thing has one availability, which is the gateway's. A
// sensor's readings become UNDEF when none comes; a contact or a light keeps its last state.
package openhab

import (
	"cmp"
	"strings"

	"gatewayd/bridge"
)

// Broker is how openHAB reaches the broker: a Bridge that is there already, or one to be written.
type Broker struct {
	UID string // of a Bridge that is there: mqtt:broker:home, or home; empty: one is written

	Host           string
	Port           string // empty: the usual one
	Secure         bool   // by TLS
	Authority      bool   // the certificate is not from a public authority
	WebSocket      bool
	WebSocketPath  string
	Username       string
	PasswordWanted bool
}

// ownBroker is the Bridge that is written.
const ownBroker = "mqtt:broker:gatewayd"

// uid is the Bridge's.
func (b *Broker) uid() string {
	switch {
	case b.UID == "":
		return ownBroker
	case strings.Contains(b.UID, ":"):
		return b.UID
	}
	return "mqtt:broker:" + b.UID
}

// File is what a file is to be called: gatewayd-shed.things. The extension is things or items.
func File(c *bridge.Config, extension string) string {
	return "gatewayd-" + identity(c) + "." + extension
}

// identity is what the gateway is recognised by.
func identity(c *bridge.Config) string { return cmp.Or(c.ID, c.Device) }

// thingUID is the gateway's Thing.
func thingUID(c *bridge.Config) string { return "mqtt:topic:gatewayd_" + identity(c) }

// gatewayName is the gateway's name for people.
func gatewayName(c *bridge.Config) string {
	return cmp.Or(c.HomeAssistant.Name, capital(strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(c.Device))), c.Device)
}

// header begins a file.
func header(c *bridge.Config, folder string) string {
	return "// conf/" + folder + "/" + File(c, folder) + "\n" +
		"// Made by \"gatewayd openhab\". Make it anew when the gateway's configuration changes, rather than edit it.\n\n"
}
