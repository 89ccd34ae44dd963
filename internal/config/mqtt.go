package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

// mqtt is the section mqtt.
type mqtt struct {
	place
	MQTT
	status status
}

type status struct {
	place
	bridge.Status
}

var mqttKeys = []key[*mqtt]{
	field("broker", "the broker's URL; tcp://localhost:1883 unless said", oneBroker, func(m *mqtt) *string { return &m.Broker }),
	field("brokers", "several brokers, in place of broker: when one is lost, the next is used", several(broker), func(m *mqtt) *[]string { return &m.Brokers }),
	field("prefer_first", "go back to the first of brokers when it answers again", boolean, func(m *mqtt) *bool { return &m.PreferFirst }, false),
	field("username", "the user, where the broker wants one", username, func(m *mqtt) *string { return &m.Username }),
	field("password_file", "a file with the password in it", path, func(m *mqtt) *string { return &m.PasswordFile }),
	field("password_env", "the environment's variable with the password in it", variable, func(m *mqtt) *string { return &m.PasswordEnv }),
	field("client_id", "what the broker calls this client", text("a text", 256), func(m *mqtt) *string { return &m.ClientID }),
	field("ca", "a PEM file with the authority that signed the broker's certificate", path, func(m *mqtt) *string { return &m.CA }),
	field("cert", "a PEM file with the client's certificate", path, func(m *mqtt) *string { return &m.Cert }),
	field("key", "a PEM file with the client certificate's key", path, func(m *mqtt) *string { return &m.Key }),
	field("server_name", "the name in the broker's certificate", text("a host name", 255), func(m *mqtt) *string { return &m.ServerName }),
	field("insecure", "do not check the broker's certificate: anybody between could read and switch everything", boolean, func(m *mqtt) *bool { return &m.Insecure }, false),
	field("keep_alive", "how soon a dead connection is noticed", duration(5*time.Second, time.Hour),
		func(m *mqtt) *time.Duration { return &m.KeepAlive }, bridge.KeepAlive),
	group("status", "where and how the gateway says that it is there", statusKeys, func(m *mqtt) *status { return &m.status }),
}

var statusKeys = []key[*status]{
	field("topic", "where", topic, func(s *status) *string { return &s.Topic }),
	field("online", "the payload while the gateway is there; online unless said", payload, func(s *status) *string { return &s.Online }),
	field("offline", "the payload, sent by the broker, after it was lost; offline unless said", payload, func(s *status) *string { return &s.Offline }),
	field("stopped", "the payload after a clean stop; that of offline unless said", payload, func(s *status) *string { return &s.Stopped }),
}

// path is a file's path; Load makes it absolute.
var path = text("a file's path", 4096)

// broker is a broker's URL, which becomes one with scheme tcp, tls, ws or wss, and a port.
var broker = scalar("a URL, such as tcp://homeassistant.local:1883", func(s string) (string, error) {
	if err := checkText(s, 1024); err != nil {
		return s, err
	}
	if strings.Contains(s, "://") && strings.Contains(s, "@") { // also in a URL that is not one for that reason
		return s, errors.New("user and password do not belong into the URL, where logs would show them: use the keys username and password_file")
	}
	return bridge.BrokerURL(s)
}, wordOrNothing)

// oneBroker is broker, with a hint for who writes several.
var oneBroker = func() value[string] {
	v := broker
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (string, bool) {
		if n.Kind == yaml.SequenceNode && !refused(n) {
			complain(n, "one broker is wanted: several belong to the key brokers")
			return "", false
		}
		return broker.parse(n, complain)
	}
	return v
}()

// checkBrokers looks at which brokers there are, and gives all that could be read.
func (m *mqtt) checkBrokers(r *notes) []string {
	if m.has("brokers") && m.has("broker") {
		m.errorf(r, "broker", "there are brokers, too: put this one into that list")
		m.bad["broker"] = true
	}
	for i, b := range m.Brokers {
		if !m.bad["brokers"] && slices.Contains(m.Brokers[:i], b) {
			m.errorf(r, "brokers", "%s is named twice", b)
			m.bad["brokers"] = true
		}
	}
	if m.PreferFirst && !m.bad["broker"] && !m.bad["brokers"] && len(m.Brokers) < 2 {
		m.errorf(r, "prefer_first", "there is only one broker: write several into brokers, or remove this")
	}
	if m.Broker == "" && !m.has("brokers") {
		m.Broker = "tcp://localhost:1883"
	}
	return m.All()
}

func (m *mqtt) check(d *draft) {
	r := &d.notes
	brokers := m.checkBrokers(r)
	if m.ClientID == "" {
		m.ClientID = "gatewayd-" + d.device
	}
	st := &m.status
	st.Status = bridge.NewTopics(&bridge.Config{Device: d.device, Status: st.Status}).StatusOf(st.Status)
	for _, k := range []string{"online", "offline"} {
		if st.has(k) && !st.bad["online"] && !st.bad["offline"] && st.Online == st.Offline {
			st.errorf(r, k, "online and offline are the same payload: nobody could tell one from the other")
			break
		}
	}
	if st.has("stopped") && !st.bad["stopped"] && !st.bad["online"] && st.Online == st.Stopped {
		st.errorf(r, "stopped", "online and stopped are the same payload: nobody could tell one from the other")
	}

	if m.has("password_env") && m.has("password_file") {
		m.errorf(r, "password_env", "there is a password_file, too: remove one of the two")
	}
	for _, k := range []string{"password_file", "password_env"} {
		if m.has(k) && !m.has("username") {
			m.errorf(r, k, "there is no username: MQTT has no password without one")
			break
		}
	}
	for _, k := range [][2]string{{"cert", "key"}, {"key", "cert"}} {
		if m.has(k[0]) && !m.has(k[1]) {
			m.errorf(r, k[0], "there is no %s: a client certificate needs both cert and key", k[1])
		}
	}
	if m.Insecure {
		for _, k := range []string{"ca", "server_name"} {
			if m.has(k) {
				m.errorf(r, "insecure", "there is %s, which would not be looked at: remove insecure, or remove %[1]s", k)
			}
		}
	}
	if m.bad["broker"] || m.bad["brokers"] || slices.ContainsFunc(brokers, encrypted) {
		return
	}
	for _, k := range []string{"ca", "cert", "key", "server_name", "insecure"} {
		if m.has(k) && (k != "insecure" || m.Insecure) {
			m.errorf(r, k, "the connection to %s is not encrypted, so this has no use: write the broker as tls:// or wss://, or remove this", join(brokers, "and"))
		}
	}
}

func encrypted(broker string) bool {
	return strings.HasPrefix(broker, "tls://") || strings.HasPrefix(broker, "wss://")
}
