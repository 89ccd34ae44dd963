package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// asProgram has the test binary be gatewayd.
const asProgram = "GATEWAYD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A program that is asked to restart ends so that it is started again, once, however often it is asked, and only if it can start
// again with the configuration as it is by then.
func TestRestart(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	path := filepath.Join(t.TempDir(), "c.yaml")
	good := fmt.Sprintf("device: shed\nmqtt: {broker: \"tcp://%s\"}\noutputs:\n  - {name: lamp, line: GPIO22}\n", b.Addr())
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	c := newClient(t, "tcp://"+b.Addr())
	var out bytes.Buffer
	p := exec.CommandContext(t.Context(), os.Args[0], "run", "-c", path)
	p.Env = append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nobody"), "WATCHDOG_USEC=")
	p.Stdout, p.Stderr = &out, &out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	c.wants(t, "gatewayd/shed/status", "online")

	write(good + "  - {name: lamp, line: GPIO99}\nnonsense: 1\n")
	c.Publish("gatewayd/shed/gateway/set", 1, false, "RESTART")
	soon(t, "the restart is refused", func() bool { return strings.HasPrefix(c.saw("gatewayd/shed/gateway/error"), "restart refused: ") })
	refused := c.saw("gatewayd/shed/gateway/error")
	if want := regexp.MustCompile(`^restart refused: the configuration has \d mistakes: .*c\.yaml:\d+:\d+: .*: gatewayd check shows the others$`); !want.MatchString(refused) {
		t.Errorf("got %q, want %v", refused, want)
	}
	soon(t, "health has it as the last error", func() bool {
		return strings.Contains(c.saw("gatewayd/shed/gateway/health"), `"last_error":"restart refused: `)
	})

	write(good)
	for range 100 {
		c.Publish("gatewayd/shed/gateway/set", 1, false, "restart")
	}
	var err error
	select {
	case err = <-ended:
	case <-time.After(15 * time.Second):
		p.Process.Kill()
		t.Fatal("it does not end")
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitRestart {
		t.Errorf("ended with %v, want code %d\n%s", err, exitRestart, out.String())
	}
	c.wants(t, "gatewayd/shed/status", "offline")
	if n := strings.Count(out.String(), "restarting, as asked"); n != 1 || !strings.Contains(out.String(), "disconnected from the broker") {
		t.Errorf("told %d times, want once, after it stopped in order:\n%s", n, out.String())
	}
}

// Where nobody would start it again, Home Assistant gets no button for it, and a wish is refused.
func TestNoRestart(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := fmt.Sprintf("device: shed\nmqtt: {broker: \"tcp://%s\"}\noutputs:\n  - {name: lamp, line: GPIO22}\n", b.Addr())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, "tcp://"+b.Addr())
	p := exec.CommandContext(t.Context(), os.Args[0], "run", "-c", path)
	p.Env = append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { p.Process.Kill(); p.Wait() }()
	c.wants(t, "gatewayd/shed/status", "online")
	const document = "homeassistant/device/gatewayd_shed/config"
	soon(t, "the document", func() bool { return c.saw(document) != "" })
	if strings.Contains(c.saw(document), "gateway-restart") {
		t.Errorf("a restart is announced: %s", c.saw(document))
	}
	c.Publish("gatewayd/shed/gateway/set", 1, false, "RESTART")
	c.wants(t, "gatewayd/shed/gateway/error", "gateway: command refused: nobody restarts it here")
}

// The demo restarts within itself, and its lamps stay as they are.
func TestDemoRestarts(t *testing.T) {
	out, stop := playing(t, &demo{address: "127.0.0.1:0", quiet: true})
	address := regexp.MustCompile(`broker +(tcp://127\.0\.0\.1:\d+) \(embedded\)`)
	soon(t, "the demo tells its broker", func() bool { return address.MatchString(out.String()) })
	c := newClient(t, address.FindStringSubmatch(out.String())[1], "light/l01", "gatewayd/demo/status")
	c.wants(t, "light/l01", "OFF")
	c.Publish("light/l01/set", 1, false, "ON")
	c.wants(t, "light/l01", "ON")
	for range 2 {
		before := len(out.String())
		c.Publish("gatewayd/demo/gateway/set", 1, false, "RESTART")
		c.Publish("gatewayd/demo/gateway/set", 1, false, "RESTART")
		soon(t, "it restarts", func() bool { return strings.Contains(out.String()[before:], "the gateway restarts") })
		c.wants(t, "gatewayd/demo/status", "online")
		soon(t, "the lamp is read again", func() bool { return strings.Contains(out.String()[before:], "light/l01 ON") })
		if strings.Contains(out.String()[before:], "light/l01 OFF") {
			t.Errorf("the lamp did not stay on:\n%s", out.String()[before:])
		}
		c.Publish("light/l01/set", 1, false, "ON") // it takes commands again
		soon(t, "an answer", func() bool { return strings.Count(out.String()[before:], "light/l01 ON") > 1 })
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Count(out.String(), "Ctrl-C ends") != 1 {
		t.Error("the welcome was said again")
	}
}
