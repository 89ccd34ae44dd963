//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// asService is a gatewayd that runs as its service does.
type asService struct {
	t     *testing.T
	path  string // of its configuration
	cmd   *exec.Cmd
	out   *screen
	heard chan string // by systemd
	ended chan error
}

// startService runs gatewayd with a configuration.
func startService(t *testing.T, config string) *asService {
	t.Helper()
	folder := t.TempDir()
	socket := filepath.Join(folder, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	p := &asService{t: t, path: filepath.Join(folder, "c.yaml"), out: new(screen), heard: make(chan string, 1000), ended: make(chan error, 1)}
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			p.heard <- string(b[:n])
		}
	}()
	p.write(config)
	p.cmd = exec.Command(os.Args[0], "run", "-c", p.path)
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=", "RUNTIME_DIRECTORY="+folder)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		conn.Close()
		if t.Failed() {
			t.Logf("gatewayd:\n%s", p.out)
		}
	})
	p.hears("READY=1")
	return p
}

func (p *asService) write(config string) {
	p.t.Helper()
	if err := os.WriteFile(p.path, []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *asService) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// hears waits until systemd is told something that begins so, and gives it.
func (p *asService) hears(begins string) string {
	p.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case text := <-p.heard:
			if strings.HasPrefix(text, begins) {
				return text
			}
		case <-limit:
			p.t.Fatalf("systemd is not told %s; gatewayd says\n%s", begins, p.out)
		}
	}
}

// says waits until the log has a line with the text since mark, and gives where the log ends then.
func (p *asService) says(mark int, text string) int {
	p.t.Helper()
	soon(p.t, "the log has: "+text, func() bool { return strings.Contains(p.out.String()[mark:], text) })
	return len(p.out.String())
}

// A configuration with mistakes changes nothing, and is told until a good one is loaded, by whichever way.
func TestReloadRefused(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	good := fmt.Sprintf("device: shed\nmqtt: {broker: \"tcp://%s\"}\noutputs:\n  - {name: lamp, line: GPIO22}\n", b.Addr())
	c := newClient(t, "tcp://"+b.Addr())
	p := startService(t, good)
	c.wants(t, "gatewayd/shed/status", "online")
	const trouble = "the configuration is not the one that runs: "
	healthy := func(want bool) {
		t.Helper()
		soon(t, fmt.Sprintf("health has the trouble: %v", !want), func() bool {
			health := c.saw("gatewayd/shed/gateway/health")
			return health != "" && strings.Contains(health, trouble) != want
		})
	}

	p.write(good + "  - {name: lamp, line: GPIO99}\nnonsense: 1\n")
	mark := len(p.out.String())
	p.signal(syscall.SIGHUP)
	if got := p.hears("RELOADING=1"); runtime.GOOS == "linux" && !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$`).MatchString(got) {
		t.Errorf("systemd was told %q", got)
	}
	p.hears("READY=1")
	p.says(mark, "reload refused: the configuration has 3 mistakes: ")
	for _, want := range []string{`c.yaml:5:12: outputs[1].name: `, `c.yaml:5:24: outputs[1].line: `, `c.yaml:6:1: nonsense: unknown key`} {
		if !strings.Contains(p.out.String()[mark:], want) {
			t.Errorf("the log has no %s", want)
		}
	}
	soon(t, "the reason", func() bool { return c.saw("gatewayd/shed/gateway/error") != "" })
	if got, want := c.saw("gatewayd/shed/gateway/error"), regexp.MustCompile(`^reload refused: the configuration has \d mistakes: .*c\.yaml:\d+:\d+: .*: gatewayd check shows the others$`); !want.MatchString(got) {
		t.Errorf("got %q, want %v", got, want)
	}
	healthy(false)
	c.Publish("gatewayd/shed/lamp/set", 1, false, "banana") // it runs on
	soon(t, "an answer", func() bool { return strings.Contains(c.saw("gatewayd/shed/lamp/error"), "banana") })

	p.write(good)
	mark = len(p.out.String())
	p.signal(syscall.SIGHUP)
	p.hears("RELOADING=1")
	p.hears("READY=1")
	p.says(mark, "reloaded: nothing has changed; ")
	healthy(true)

	mark = len(p.out.String())
	p.write(good + "  - {name: fan, line: GPIO23}\n")
	c.Publish("gatewayd/shed/gateway/set", 1, false, "RELOAD")
	p.says(mark, "reloaded: 1 output new; ")
	soon(t, "the new one", func() bool { return c.saw("gatewayd/shed/fan/availability") != "" })

	// The file is looked at only when it says so; a change is then one without being asked for.
	p.write("watch: true\n" + good)
	time.Sleep(2*watchEvery + watchEvery/2)
	if c.saw("gatewayd/shed/fan/availability") == "" {
		t.Error("loaded, and nobody has asked for it")
	}
	mark = len(p.out.String())
	p.signal(syscall.SIGHUP)
	p.says(mark, "reloaded: 1 output gone, watch changed; ")
	soon(t, "fan is gone", func() bool { return c.saw("gatewayd/shed/fan/availability") == "" })
	mark = len(p.out.String())
	p.write("watch: true\n" + good + "  - {name: fan, line:") // half of it
	before := mark
	mark = p.says(mark, "reload refused: ")
	healthy(false)
	if said := p.out.String()[before:]; strings.Count(said, "c.yaml:") != 1 {
		t.Errorf("a single mistake is told otherwise than once: %s", said)
	}
	time.Sleep(2 * watchEvery)
	if again := p.out.String()[mark:]; strings.Contains(again, "reload refused") {
		t.Errorf("told again: %s", again)
	}
	p.write("watch: true\n" + good + "  - {name: fan, line: GPIO23}\n")
	p.says(mark, "reloaded: 1 output new; ")
	healthy(true)
	if err := os.Remove(p.path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * watchEvery)
	healthy(true) // being replaced: at a start, and when somebody asks, it is missed
	mark = len(p.out.String())
	p.signal(syscall.SIGHUP)
	p.says(mark, "reload refused: there is no configuration")
	healthy(false)

	for range 20 { // while it stops, too
		p.signal(syscall.SIGHUP)
	}
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGHUP)
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Error("it does not end")
	}
}

// Who floods the gateway with wishes to reload has one done in a second.
func TestReloadFlood(t *testing.T) {
	b := mqtttest.StartEmbedded(t, "")
	c := newClient(t, "tcp://"+b.Addr())
	p := startService(t, fmt.Sprintf("device: shed\nmqtt: {broker: \"tcp://%s\"}\noutputs:\n  - {name: lamp, line: GPIO22}\n", b.Addr()))
	c.wants(t, "gatewayd/shed/status", "online")
	began := time.Now()
	for range 500 {
		c.Publish("gatewayd/shed/gateway/set", 1, false, "RELOAD")
	}
	p.says(0, "reloaded")
	time.Sleep(2 * reloadPause)
	n, most := strings.Count(p.out.String(), "reloaded"), 1+int(time.Since(began)/reloadPause)
	if n > most {
		t.Errorf("%d reloads, want %d at most", n, most)
	}
}
