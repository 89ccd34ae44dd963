package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
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
	field("broker", "the broker's URL", broker, func(m *mqtt) *string { return &m.Broker }, "tcp://localhost:1883"),
	field("username", "the user, where the broker wants one", credential(wordOrNothing), func(m *mqtt) *string { return &m.Username }),
	field("password", "the password; password_file keeps it out of this file", credential(redact), func(m *mqtt) *string { return &m.Password }),
	field("password_file", "a file with the password in it", path, func(m *mqtt) *string { return &m.PasswordFile }),
	field("client_id", "what the broker calls this client", text("a text", 256), func(m *mqtt) *string { return &m.ClientID }),
	field("ca", "a PEM file with the authority that signed the broker's certificate", path, func(m *mqtt) *string { return &m.CA }),
	field("cert", "a PEM file with the client's certificate", path, func(m *mqtt) *string { return &m.Cert }),
	field("key", "a PEM file with the client certificate's key", path, func(m *mqtt) *string { return &m.Key }),
	field("server_name", "the name in the broker's certificate", text("a host name", 255), func(m *mqtt) *string { return &m.ServerName }),
	field("keep_alive", "how soon a dead connection is noticed", duration(5*time.Second, time.Hour),
		func(m *mqtt) *time.Duration { return &m.KeepAlive }, 20*time.Second),
	group("status", "where and how the gateway says that it is there", statusKeys, func(m *mqtt) *status { return &m.status }),
}

var statusKeys = []key[*status]{
	field("topic", "where", topic, func(s *status) *string { return &s.Topic }),
	field("online", "the payload while the gateway is there", payload, func(s *status) *string { return &s.Online }, "online"),
	field("offline", "the payload, sent by the broker, after it was lost", payload, func(s *status) *string { return &s.Offline }, "offline"),
	field("stopped", "the payload after a clean stop; that of offline unless said", payload, func(s *status) *string { return &s.Stopped }),
}

// path is a file's path; Load makes it absolute.
var path = text("a file's path", 4096)

// redacted stands for a password where a configuration is printed.
const redacted = "(redacted)"

func redact(password string) *yaml.Node {
	if password == "" {
		return nil
	}
	return word(redacted)
}

// schemes are those of broker URLs, what each means, and its default port.
var schemes = []struct{ name, meant, port string }{
	{"tcp", "tcp", "1883"}, {"mqtt", "tcp", "1883"},
	{"tls", "tls", "8883"}, {"ssl", "tls", "8883"}, {"mqtts", "tls", "8883"},
	{"ws", "ws", "80"}, {"wss", "wss", "443"},
}

// broker is a broker's URL, which becomes one with scheme tcp, tls, ws or wss, and a port.
var broker = scalar("a URL, such as tcp://homeassistant.local:1883", func(s string) (string, error) {
	if err := checkText(s, 1024); err != nil {
		return s, err
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s, fmt.Errorf("%s has no scheme: write tcp://%s, or tls://%[2]s for an encrypted connection", quoteURL(s), clip(withoutUser(s)))
	}
	var known []string
	for _, k := range schemes {
		known = append(known, k.name)
	}
	i := slices.Index(known, strings.ToLower(scheme))
	if i < 0 {
		hint := didYouMean(scheme, known)
		if scheme == "http" || scheme == "https" {
			hint = ": MQTT over websockets is ws or wss"
		}
		return s, fmt.Errorf("the scheme %s is not %s%s", quote(scheme), join(known, "or"), hint)
	}
	u, err := url.Parse(schemes[i].meant + "://" + rest)
	switch {
	case strings.Contains(rest, "@"):
		return s, fmt.Errorf("user and password do not belong into the URL, where logs would show them: use the keys username and password_file")
	case err != nil:
		return s, fmt.Errorf("%s is not a URL: wanted scheme://host:port", quote(s))
	case u.Hostname() == "":
		return s, fmt.Errorf("%s has no host: wanted %s://host:%s", quote(s), scheme, schemes[i].port)
	case strings.ContainsAny(u.Host, " \t"):
		return s, fmt.Errorf("%s has a blank in its host", quote(s))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(rest, "#"):
		return s, fmt.Errorf("%s: nothing may follow the path: remove what begins with ? or #", quote(s))
	case strings.Trim(u.Path, "/") != "" && u.Scheme != "ws" && u.Scheme != "wss":
		return s, fmt.Errorf("%s has a path, which only ws and wss have: remove %s", quote(s), quote(u.Path))
	}
	if u.Scheme == "tcp" || u.Scheme == "tls" {
		u.Path = ""
	}
	if u.Port() == "" {
		u.Host = strings.TrimSuffix(u.Host, ":") + ":" + schemes[i].port
	} else if n, err := strconv.Atoi(u.Port()); err != nil || n < 1 || n > 65535 {
		return s, fmt.Errorf("%s: the port is out of range: wanted 1 to 65535", quote(s))
	}
	return u.String(), nil
}, wordOrNothing)

// withoutUser drops what may be a password from the text of a URL.
func withoutUser(s string) string { return s[strings.LastIndex(s, "@")+1:] }

func quoteURL(s string) string { return quote(withoutUser(s)) }

func (m *mqtt) check(d *draft) {
	r := &d.notes
	if m.ClientID == "" {
		m.ClientID = "gatewayd-" + d.device
	}
	st := &m.status
	if st.Topic == "" {
		st.Topic = bridge.NewTopics(&bridge.Config{Device: d.device}).Status()
	}
	if st.Stopped == "" {
		st.Stopped = st.Offline
	}
	for _, k := range []string{"online", "offline"} {
		if st.has(k) && !st.bad["online"] && !st.bad["offline"] && st.Online == st.Offline {
			st.errorf(r, k, "online and offline are the same payload: nobody could tell one from the other")
			break
		}
	}
	if st.has("stopped") && !st.bad["stopped"] && !st.bad["online"] && st.Online == st.Stopped {
		st.errorf(r, "stopped", "online and stopped are the same payload: nobody could tell one from the other")
	}

	if m.has("password") && m.has("password_file") {
		m.errorf(r, "password", "there is a password_file, too: remove one of the two")
	}
	for _, k := range []string{"password", "password_file"} {
		if m.has(k) && !m.has("username") {
			m.errorf(r, k, "there is no username: MQTT has no password without one")
			break
		}
	}
	if m.Password == redacted {
		n, at := m.at("password")
		r.warnf(n, at, "this is what check --print writes in place of a password: put the real one here")
	}
	for _, k := range [][2]string{{"cert", "key"}, {"key", "cert"}} {
		if m.has(k[0]) && !m.has(k[1]) {
			m.errorf(r, k[0], "there is no %s: a client certificate needs both cert and key", k[1])
		}
	}
	if m.bad["broker"] {
		return
	}
	if scheme, _, _ := strings.Cut(m.Broker, "://"); scheme != "tls" && scheme != "wss" {
		for _, k := range []string{"ca", "cert", "key", "server_name"} {
			if m.has(k) {
				m.errorf(r, k, "the connection to %s is not encrypted, so this has no use: write the broker as tls:// or wss://, or remove this", m.Broker)
			}
		}
	}
}
