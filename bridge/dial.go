package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"gatewayd/internal/near"
)

// endpoint is where the broker is, without credentials.
type endpoint struct {
	scheme     string // tcp, tls, ws or wss
	host, port string
	path       string // of a websocket
}

// String is the URL, which can be read again: a zone stands behind %25 (RFC 6874).
func (e endpoint) String() string {
	return e.scheme + "://" + net.JoinHostPort(strings.Replace(e.host, "%", "%25", 1), e.port) + e.path
}

// secure reports whether TLS is spoken.
func (e endpoint) secure() bool { return e.scheme == "tls" || e.scheme == "wss" }

// schemes are those of broker URLs, what each means, and its default port.
var schemes = []struct{ name, meant, port string }{
	{"tcp", "tcp", "1883"}, {"mqtt", "tcp", "1883"},
	{"tls", "tls", "8883"}, {"ssl", "tls", "8883"}, {"mqtts", "tls", "8883"},
	{"ws", "ws", "80"}, {"wss", "wss", "443"},
}

// BrokerURL completes a broker's URL: its scheme is tcp, tls, ws or wss then, it has a port, and no user or password. The error
// shows neither.
func BrokerURL(broker string) (string, error) {
	e, _, err := parseBroker(broker)
	if err != nil {
		return "", err
	}
	return e.String(), nil
}

func parseBroker(broker string) (endpoint, *url.Userinfo, error) {
	refuse := func(format string, args ...any) (endpoint, *url.Userinfo, error) {
		return endpoint{}, nil, fmt.Errorf("%q"+format, append([]any{cut(redact(broker))}, args...)...)
	}
	scheme, rest, ok := strings.Cut(broker, "://")
	if !ok {
		if rest = redact(broker); rest == "" {
			rest = "homeassistant.local"
		}
		return refuse(" has no scheme: write tcp://%s, or tls://%[2]s for an encrypted connection", cut(rest))
	}
	var names []string
	for _, k := range schemes {
		names = append(names, k.name)
	}
	i := slices.Index(names, strings.ToLower(scheme))
	if i < 0 {
		hint := ""
		if meant := near.Of(scheme, slices.Values(names)); meant != "" {
			hint = fmt.Sprintf(", did you mean %q?", meant)
		}
		if scheme == "http" || scheme == "https" {
			hint = ": MQTT over websockets is ws or wss"
		}
		return refuse(": the scheme %q is not tcp, mqtt, tls, ssl, mqtts, ws or wss%s", cut(redact(scheme)), hint)
	}
	known := schemes[i]
	u, err := url.Parse(known.meant + "://" + rest)
	if err != nil || strings.ContainsAny(rest, " \t") {
		return refuse(" is not a URL: wanted %s://host:%s", known.name, known.port)
	}
	e := endpoint{scheme: known.meant, host: u.Hostname(), port: u.Port()}
	if e.port == "" {
		e.port = known.port
	}
	web := known.meant == "ws" || known.meant == "wss"
	switch port, err := strconv.Atoi(e.port); {
	case e.host == "":
		return refuse(" has no host: wanted %s://host:%s", known.name, known.port)
	case strings.Contains(e.host, ":") && !strings.HasPrefix(u.Host, "["):
		return refuse(": a host has no colon in it: a user belongs into username, and an IPv6 address into brackets, as in %s://[fd00::5]:%s", known.name, known.port)
	case err != nil || port < 1 || port > 65535:
		return refuse(": the port is out of range: wanted 1 to 65535")
	case u.Fragment != "" || strings.Contains(rest, "#"):
		return refuse(": a URL of a broker has no #: remove it and what follows")
	case !web && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery):
		_, shown, _ := strings.Cut(redact(broker), "://")
		return refuse(" has a path, which only ws and wss have: remove %q", cut(shown[max(0, strings.IndexAny(shown, "/?")):]))
	case u.RawQuery != "" || u.ForceQuery:
		return refuse(" has a ? in it, and what follows would be shown in logs: remove it; what is secret belongs into password_file")
	case web:
		if e.path = u.EscapedPath(); e.path == "" || e.path == "/" {
			e.path = "/mqtt" // what most brokers want, and mosquitto takes any
		}
	}
	return e, u.User, nil
}

// redact takes the credentials out of a URL that may be malformed, and what stands behind a ?, which may be a token.
func redact(s string) string {
	if i := strings.IndexByte(s, '?'); i > strings.LastIndexByte(s, '@') && i+1 < len(s) {
		s = s[:i+1] + "..."
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		if i := strings.Index(s, "://"); i >= 0 && i < at && !strings.ContainsAny(s[:i], "@:") {
			return s[:i+3] + s[at+1:]
		}
		return s[at+1:]
	}
	return s
}

// dial opens the connection to e: TCP, and TLS and a websocket above it. It asks no proxy.
// Timeouts of the TCP connection, and of TLS and HTTP together, are each limit.
func dial(ctx context.Context, e endpoint, secure *tls.Config, limit time.Duration) (stream, raw net.Conn, err error) {
	raw, err = dialTCP(ctx, e.host, e.port, limit)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stream = raw
	if e.secure() {
		t := tls.Client(raw, secure)
		if err := t.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, nil, stageError{"TLS", err}
		}
		stream = t
	}
	if e.scheme == "ws" || e.scheme == "wss" {
		if stream, err = dialWebsocket(ctx, e, stream); err != nil {
			raw.Close()
			return nil, nil, err
		}
	}
	return stream, raw, nil
}

// stageError says in which part of connecting an error happened.
type stageError struct {
	stage string
	err   error
}

func (e stageError) Error() string { return e.stage + ": " + e.err.Error() }
func (e stageError) Unwrap() error { return e.err }

func dialTCP(ctx context.Context, host, port string, limit time.Duration) (net.Conn, error) {
	var d net.Dialer // both address families, side by side
	hosts := []string{host}
	if isLocal(host) {
		addrs, err := resolveLocal(ctx, host)
		if err != nil {
			return nil, err
		}
		hosts = addrs
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var first error
	for i, h := range hosts {
		// Fairly, so that an address family that is not routed cannot use up the time of the other.
		part, cancel := context.WithTimeout(ctx, time.Until(deadline(ctx))/time.Duration(len(hosts)-i))
		c, err := d.DialContext(part, "tcp", net.JoinHostPort(h, port))
		cancel()
		if err == nil {
			return quick(c), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, stageError{"TCP", first}
}

func deadline(ctx context.Context) time.Time {
	t, _ := ctx.Deadline()
	return t
}

// secureConfig reads the certificates, so that new ones are in use from the next connection on.
func secureConfig(cfg *SessionConfig, host string) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: host,
		InsecureSkipVerify: cfg.Insecure, // #nosec G402 -- only by insecure: true, which the log and gateway/health shout about
	}
	if cfg.ServerName != "" {
		c.ServerName = cfg.ServerName
	}
	ca, cert, key := cfg.CA, cfg.Cert, cfg.Key
	if ca != "" {
		pem, err := readBounded(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate: it must be a PEM file", ca)
		}
	}
	if cert != "" || key != "" {
		if cert == "" || key == "" {
			return nil, errors.New("cert and key: give both or none")
		}
		public, err := readBounded(cert)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		secret, err := readBounded(key)
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		pair, err := tls.X509KeyPair(public, secret)
		if err != nil {
			return nil, fmt.Errorf("cert %s and key %s: %w", cert, key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// statusError is an HTTP answer that is no websocket.
type statusError struct {
	path, status string
	code         int
}

func (e statusError) Error() string { return fmt.Sprintf("HTTP %s at %s", e.status, e.path) }

// dialWebsocket makes stream a websocket. The caller closes stream after an error.
func dialWebsocket(ctx context.Context, e endpoint, stream net.Conn) (net.Conn, error) {
	greeting := &bounded{Conn: stream, left: maxGreeting}
	given := func(context.Context, string, string) (net.Conn, error) { return greeting, nil }
	d := websocket.Dialer{
		NetDialContext: given, NetDialTLSContext: given, // and no Proxy
		Subprotocols: []string{"mqtt"}, ReadBufferSize: readBuffer, WriteBufferSize: readBuffer,
	}
	ws, answer, err := d.DialContext(ctx, e.String(), nil)
	if err != nil {
		if answer != nil && answer.StatusCode != 101 {
			return nil, statusError{e.path, answer.Status, answer.StatusCode}
		}
		return nil, stageError{"websocket", err}
	}
	greeting.left = -1
	return &wsConn{Conn: ws.NetConn(), ws: ws}, nil
}

// maxGreeting is how many bytes an HTTP answer's header may have: the library takes whatever comes within the time.
const maxGreeting = 64 << 10

// bounded is a stream of which no more than so many bytes are read.
type bounded struct {
	net.Conn
	left int // -1: as many as there are
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return b.Conn.Read(p)
	}
	if b.left == 0 {
		return 0, fmt.Errorf("an HTTP header of more than %d bytes", maxGreeting)
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// wsConn makes a stream of binary frames. Of its Conn only deadlines for reading, addresses and Close are used.
type wsConn struct {
	net.Conn
	ws    *websocket.Conn
	frame io.Reader // the frame that is being read

	mu    sync.Mutex // guards the following, and writing: one writer at a time
	until time.Time  // deadline of writes
}

// SetWriteDeadline counts for the next Write; the library sets its own with each frame.
func (w *wsConn) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = t
	return nil
}

func (w *wsConn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ws.SetWriteDeadline(w.until)
	if err := w.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *wsConn) Read(p []byte) (int, error) {
	for {
		if w.frame == nil {
			_, r, err := w.ws.NextReader()
			if err != nil {
				return 0, err
			}
			w.frame = r
		}
		n, err := w.frame.Read(p)
		if err == io.EOF {
			w.frame, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}
