package openhab

import (
	"fmt"
	"net"
	"strings"

	"gatewayd/bridge"
)

// Things gives the .things file: the broker, unless openHAB knows it already, and the gateway with its channels.
func Things(c *bridge.Config, b *Broker) string {
	var out strings.Builder
	out.WriteString(header(c, "things"))
	if b.UID == "" {
		writeBroker(&out, b)
	}
	t := bridge.NewTopics(c)
	status := t.StatusOf(c.Status)
	if status.Stopped != status.Offline {
		fmt.Fprintf(&out, "// openHAB knows one payload for offline: after a clean stop (mqtt.status.stopped: %s) this Thing stays ONLINE.\n", comment(quote(status.Stopped)))
	}
	fmt.Fprintf(&out, "Thing %s %s (%s)", thingUID(c), quote(gatewayName(c)), b.uid())
	if c.HomeAssistant.Area != "" {
		fmt.Fprintf(&out, " @ %s", quote(c.HomeAssistant.Area))
	}
	fmt.Fprintf(&out, " [\n%s\n] {\n", lines([]param{
		text("availabilityTopic", status.Topic), text("payloadAvailable", status.Online), text("payloadNotAvailable", status.Offline)}))
	if all := channels(c); len(all) > 0 {
		out.WriteString("    Channels:\n")
		for i := range all {
			ch := &all[i]
			fmt.Fprintf(&out, "        Type %s : %s %s [ %s ]\n", ch.kind, ch.id, quote(ch.name), list(ch.params))
		}
	}
	out.WriteString("}\n")
	return out.String()
}

// writeBroker writes the Bridge. openHAB can have only one to the same host and port.
func writeBroker(out *strings.Builder, b *Broker) {
	out.WriteString("// If openHAB has a Bridge to this broker already, leave this one out: gatewayd openhab --broker-uid UID\n")
	if ip := net.ParseIP(b.Host); b.Host == "localhost" || ip != nil && ip.IsLoopback() {
		fmt.Fprintf(out, "// %s is the computer that openHAB runs on. If the broker is on another one, write its address here.\n", comment(b.Host))
	}
	params := []param{text("host", b.Host)}
	if b.Port != "" {
		params = append(params, param{"port", b.Port})
	}
	params = append(params, param{"secure", fmt.Sprint(b.Secure)})
	if b.Authority { // openHAB takes the certificate it meets first, and then no other
		params = append(params, param{"certificatepin", "true"}, param{"publickeypin", "true"})
	}
	if b.WebSocket {
		params = append(params, text("protocol", "WEBSOCKETS"))
		if b.WebSocketPath != "" && b.WebSocketPath != "/" {
			params = append(params, text("webSocketPath", b.WebSocketPath))
		}
	}
	params = append(params, number("qos", 1))
	if b.Username != "" {
		params = append(params, text("username", b.Username))
	}
	fmt.Fprintf(out, "Bridge %s \"MQTT broker\" [\n%s", b.uid(), lines(params))
	if b.PasswordWanted {
		out.WriteString("\n    // , password=\"...\"     remove the slashes and write it here; or give openHAB a user of its own")
	}
	out.WriteString("\n]\n\n")
}

// list writes parameters side by side.
func list(params []param) string {
	var out []string
	for _, p := range params {
		out = append(out, p.key+"="+p.value)
	}
	return strings.Join(out, ", ")
}

// lines writes parameters below each other.
func lines(params []param) string {
	var out []string
	for _, p := range params {
		out = append(out, "    "+p.key+"="+p.value)
	}
	return strings.Join(out, ",\n")
}
