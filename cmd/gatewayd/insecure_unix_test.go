//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// program is a gatewayd of its own.
type program struct {
	*exec.Cmd
	out   *screen // all that it says
	ended chan error
}

// starts runs gatewayd with arguments and more of an environment.
func starts(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...), out: new(screen), ended: make(chan error, 1)}
	p.Env = append(append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "GOTRACEBACK="), env...)
	p.Stdout, p.Stderr = p.out, p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		p.Process.Kill()
		if t.Failed() {
			t.Log(p.out)
		}
	})
	return p
}

// ends sends a signal and waits for the end.
func (p *program) ends(t *testing.T, s os.Signal) error {
	t.Helper()
	p.Process.Signal(s)
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(15 * time.Second):
		t.Fatalf("it does not end after %v", s)
		return nil
	}
}

// A certificate that nobody vouches for is refused, with the remedy; the remedy works; and where the check is switched off, that stands
// in the log and in health.
func TestInsecure(t *testing.T) {
	var plain int
	m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
		mqtttest.WriteCertificates(t, dir)
		plain = mqtttest.FreePort(t) // the first to listen: the other is waited for
		return fmt.Sprintf("allow_anonymous true\nlistener %[3]d 127.0.0.1\nlistener %[2]d 127.0.0.1\ncertfile %[1]s/self.pem\nkeyfile %[1]s/self.key\n", dir, port, plain)
	})
	soon(t, "the broker's other listener answers", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", plain))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	c := newClient(t, fmt.Sprintf("tcp://127.0.0.1:%d", plain))
	path := filepath.Join(t.TempDir(), "c.yaml")
	run := func(more string) *program {
		t.Helper()
		text := fmt.Sprintf("device: shed\nmqtt: {broker: \"tls://%s\"%s}\noutputs: [{name: lamp, line: GPIO22}]\n", m.Addr(), more)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return starts(t, nil, "run", "-c", path)
	}
	const shout, reason = "INSECURE: THE BROKER'S CERTIFICATE IS NOT CHECKED", `"INSECURE: the broker's certificate is not checked`

	p := run("")
	soon(t, "the certificate is refused", func() bool {
		return strings.Contains(p.out.String(), "authority that is not known here: set ca to the file")
	})
	if got := c.saw("gatewayd/shed/status"); got != "" {
		t.Errorf("it has connected all the same: %q", got)
	}
	p.ends(t, os.Interrupt)

	p = run(", ca: " + filepath.Join(m.Dir, "self.pem"))
	c.wants(t, "gatewayd/shed/status", "online")
	soon(t, "health", func() bool { return c.saw("gatewayd/shed/gateway/health") != "" })
	p.ends(t, os.Interrupt)
	if s := p.out.String() + c.saw("gatewayd/shed/gateway/health"); strings.Contains(s, "INSECURE") {
		t.Errorf("a connection that is checked is called insecure:\n%s", s)
	}

	check := func(more string) string {
		t.Helper()
		text := "mqtt: {broker: \"tls://broker\"" + more + "}\noutputs: [{name: lamp, line: GPIO22}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), os.Args[0], "check", "-c", path)
		c.Env = append(os.Environ(), asProgram+"=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("check: %v: %s", err, out)
		}
		return string(out)
	}
	const warning = "warning: mqtt.insecure: the broker's certificate is not checked"
	if out := check(", insecure: true"); !strings.Contains(out, warning) {
		t.Errorf("check does not warn: %s", out)
	}
	if out := check(""); strings.Contains(out, "warning") {
		t.Errorf("check warns of nothing: %s", out)
	}

	for range 2 { // at each start
		c.wants(t, "gatewayd/shed/status", "offline")
		p = run(", insecure: true")
		c.wants(t, "gatewayd/shed/status", "online")
		soon(t, "health says that it is insecure", func() bool {
			h := c.saw("gatewayd/shed/gateway/health")
			return strings.Contains(h, reason) && strings.Contains(h, `"level":"degraded"`)
		})
		p.ends(t, os.Interrupt)
		if n := strings.Count(p.out.String(), shout); n != 1 {
			t.Errorf("the log says it %d times, want once:\n%s", n, p.out)
		}
	}
}
