package bridge

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// TestMosquittoTransports goes once around over each kind of connection: state out, command in, a large command, clean stop.
func TestMosquittoTransports(t *testing.T) {
	t.Setenv("all_proxy", "socks5://127.0.0.1:1") // must not matter
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	var ports [5]int
	m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
		mqtttest.WriteCertificates(t, dir)
		ports[0] = port
		for i := range ports[1:] {
			ports[i+1] = mqtttest.FreePort(t)
		}
		const server = "cafile %[1]s/ca.pem\ncertfile %[1]s/server.pem\nkeyfile %[1]s/server.key\n"
		return fmt.Sprintf("allow_anonymous true\nlistener %[2]d 127.0.0.1\n"+
			"listener %[3]d 127.0.0.1\n"+server+
			"listener %[4]d 127.0.0.1\n"+server+"require_certificate true\n"+
			"listener %[5]d 127.0.0.1\nprotocol websockets\n"+
			"listener %[6]d 127.0.0.1\nprotocol websockets\n"+server,
			dir, ports[0], ports[1], ports[2], ports[3], ports[4])
	})
	w := observe(t, m.Addr())
	ca := filepath.Join(m.Dir, "ca.pem")
	for _, test := range []struct {
		name string
		cfg  SessionConfig
	}{
		{"tcp", SessionConfig{Broker: fmt.Sprintf("mqtt://127.0.0.1:%d", ports[0])}},
		{"tls", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[1]), CA: ca}},
		{"tls by name", SessionConfig{Broker: fmt.Sprintf("mqtts://localhost:%d", ports[1]), CA: ca, ServerName: "broker.test"}},
		{"client certificate", SessionConfig{Broker: fmt.Sprintf("ssl://127.0.0.1:%d", ports[2]), CA: ca,
			Cert: filepath.Join(m.Dir, "client.pem"), Key: filepath.Join(m.Dir, "client.key")}},
		{"ws", SessionConfig{Broker: fmt.Sprintf("ws://127.0.0.1:%d/mqtt", ports[3])}},
		{"wss", SessionConfig{Broker: fmt.Sprintf("wss://127.0.0.1:%d", ports[4]), CA: ca}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Subscriptions = []string{"gw/+/set"}
			r := startSession(t, test.cfg, stateMsg("gw/a", test.name))
			begin := time.Now()
			r.await(t, true)
			if d := time.Since(begin); d > time.Second {
				t.Errorf("online after %v", d)
			}
			w.until(t, "gw/a="+test.name)
			w.until(t, "gw/status=online")
			sizes := []int{1, 70_000, 300_000, 2}
			if strings.HasPrefix(test.cfg.Broker, "ws") {
				sizes = []int{1, 1000, 2} // mosquitto 2.0.11 stalls on its own with large websocket messages
			}
			for _, n := range sizes {
				w.say(t, "gw/a/set", strings.Repeat("x", n), false)
				select {
				case in := <-r.received:
					if len(in.Payload) != min(n, MaxPayload) {
						t.Errorf("%d bytes: received %d", n, len(in.Payload))
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("%d bytes were not received: %v", n, r.Stats().LastError)
				}
			}
			for i := range 500 {
				r.Publish(eventMsg("gw/e", fmt.Sprint(i)))
			}
			r.stop()
			got := w.until(t, "gw/status=stopped")
			n := 0
			for _, s := range got {
				if s == fmt.Sprint("gw/e=", n) {
					n++
				}
			}
			if n != 500 {
				t.Errorf("%d of 500 events in order before the stop", n)
			}
			if st := r.Stats(); st.Connects != 1 || st.InFlight != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
	for _, test := range []struct {
		name, want string
		cfg        SessionConfig
	}{
		{"unknown authority", "not known here", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[1])}},
		{"other authority", "not known here", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[1]), CA: filepath.Join(m.Dir, "other.pem")}},
		{"wrong name", "is not for localhost, its names are [broker.test] [127.0.0.1]", SessionConfig{Broker: fmt.Sprintf("tls://localhost:%d", ports[1]), CA: ca}},
		{"no client certificate", "cert and key", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[2]), CA: ca}},
		{"ca is no certificate", "holds no certificate", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[1]), CA: filepath.Join(m.Dir, "ca.key")}},
		{"plain to TLS", "TLS", SessionConfig{Broker: fmt.Sprintf("tcp://127.0.0.1:%d", ports[1])}},
		{"TLS to plain", "tcp://", SessionConfig{Broker: fmt.Sprintf("tls://127.0.0.1:%d", ports[0]), CA: ca}},
		{"websocket to plain", "right port", SessionConfig{Broker: fmt.Sprintf("ws://127.0.0.1:%d", ports[0])}},
		{"plain to websocket", "", SessionConfig{Broker: fmt.Sprintf("tcp://127.0.0.1:%d", ports[3])}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Timeout = time.Second
			r := startSession(t, test.cfg)
			l := r.await(t, false)
			t.Log(l.Err)
			if l.Err == nil || !strings.Contains(l.Err.Error(), test.want) {
				t.Errorf("got %v, want %q", l.Err, test.want)
			}
		})
	}
}

func TestMosquittoExpired(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"expired": "expired on", "early": "check this computer's clock"} {
		m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
			mqtttest.WriteCertificates(t, dir)
			return fmt.Sprintf("allow_anonymous true\nlistener %[2]d 127.0.0.1\ncafile %[1]s/ca.pem\ncertfile %[1]s/%[3]s.pem\nkeyfile %[1]s/%[3]s.key\n",
				dir, port, name)
		})
		r := startSession(t, SessionConfig{Broker: "tls://" + m.Addr(), CA: filepath.Join(m.Dir, "ca.pem")})
		if l := r.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, l.Err, want)
		}
		r.stop()
	}
}

// TestMosquittoPassword changes the password in the file and expects the next attempt to use it.
func TestMosquittoPassword(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
		if err := os.WriteFile(filepath.Join(dir, "acl"), []byte("user anna\ntopic readwrite gw/#\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "users"), []byte(mqtttest.PasswordLine("anna", "secret")), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("listener %[2]d 127.0.0.1\nallow_anonymous false\npassword_file %[1]s/users\nacl_file %[1]s/acl\n", dir, port)
	})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startSession(t, SessionConfig{Broker: "tcp://" + m.Addr(), Username: "anna", PasswordFile: file, Subscriptions: []string{"gw/+/set", "secret/set"}})
	if l := r.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), `(user "anna")`) {
		t.Errorf("wrong password: %v", l.Err)
	}
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.await(t, true)
	t.Logf("refused: %q", r.Stats().Refused) // mosquitto grants what its ACL forbids, and sends nothing
	other := startSession(t, SessionConfig{Broker: "tcp://" + m.Addr()})
	if l := other.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), "no user name is given") {
		t.Errorf("no user: %v", l.Err)
	}
}

// TestMosquittoTakeover checks against the real broker that the will of a session that was taken over does not stay, and that a
// killed broker and a frozen one are noticed.
func TestMosquittoTakeover(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, nil)
	p := mqtttest.StartProxy(t, m.Addr())
	w := observe(t, m.Addr())
	r := startSession(t, SessionConfig{Broker: "tcp://" + p.Addr(), AckTimeout: time.Second, Timeout: time.Second})
	r.await(t, true)
	w.until(t, "gw/status=online")
	p.Frozen.Store(true) // we go, and the broker does not see it: the new connection takes the old session over
	r.Publish(stateMsg("gw/a", "1"))
	r.await(t, false)
	p.Frozen.Store(false)
	r.await(t, true)
	w.until(t, "gw/a=1")
	last := ""
	for s := range w.seen {
		if strings.HasPrefix(s, "gw/status=") {
			last = s
		}
		if len(w.seen) == 0 {
			time.Sleep(300 * time.Millisecond)
			if len(w.seen) == 0 {
				break
			}
		}
	}
	if last != "gw/status=online" {
		t.Errorf("the last status is %q", last)
	}
	proc, err := os.FindProcess(m.PID())
	if err != nil {
		t.Fatal(err)
	}
	proc.Signal(syscall.SIGTERM)
	if l := r.await(t, false); l.Err == nil || !strings.Contains(l.Err.Error(), "closed the connection") {
		t.Errorf("broker stopped: %v", l.Err)
	}
}

// TestMosquittoLatency guards against delayed acknowledgements: Debian's mosquitto holds its next packet back until the kernel has
// acknowledged the one before, 40 ms later if nobody cares.
func TestMosquittoLatency(t *testing.T) {
	m := mqtttest.StartMosquitto(t, nil)
	r := startSession(t, SessionConfig{Broker: "tcp://" + m.Addr(), Subscriptions: []string{"gw/+/set"}})
	r.await(t, true)
	c := mqtt.NewClient(clientOptions(m.Addr(), "commander"))
	if tok := c.Connect(); tok.Wait() && tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer c.Disconnect(100)
	const n = 100
	slow := 0
	for i := range n {
		begin := time.Now()
		c.Publish("gw/a/set", 0, false, "ON")
		<-r.received
		if time.Since(begin) > 15*time.Millisecond {
			slow++
		}
		r.Publish(stateMsg("gw/a", fmt.Sprint(i))) // its acknowledgement is what the next command waits behind
	}
	if slow > n/4 {
		t.Errorf("%d of %d commands took more than 15 ms", slow, n)
	}
}
