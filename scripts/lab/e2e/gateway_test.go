//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gateway is a running gatewayd, called "e2e".
type gateway struct {
	t    testing.TB
	file string
	env  []string
	log  buffer
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// root is where its topics lie.
const root = "gatewayd/e2e/"

// newGateway starts one with a configuration, without device and mqtt, that ends with the test.
func newGateway(t testing.TB, b *broker, config string) *gateway {
	t.Helper()
	return startGateway(t, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n%s", b.addr(), config))
}

func startGateway(t testing.TB, config string, env ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, file: filepath.Join(t.TempDir(), "config.yaml"), env: append(os.Environ(), env...)}
	write(t, g.file, config)
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("gatewayd:\n%s", last(g.log.String(), 80))
		}
	})
	g.start()
	return g
}

// start runs it, again if it was ended.
func (g *gateway) start() {
	g.t.Helper()
	g.cmd = exec.Command(program(g.t, "gatewayd"), "run", "-c", g.file)
	g.cmd.Env = g.env
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	cmd, done := g.cmd, make(chan struct{})
	g.done = done
	go func() {
		cmd.Wait()
		close(done)
	}()
}

func (g *gateway) pid() int { return g.cmd.Process.Pid }

func (g *gateway) signal(s unix.Signal) { g.cmd.Process.Signal(s) }

// ends waits for its end and gives the exit code; -1: by a signal.
func (g *gateway) ends(limit time.Duration) int {
	g.t.Helper()
	select {
	case <-g.done:
	case <-time.After(limit):
		g.t.Fatalf("gatewayd has not ended within %v", limit)
	}
	return g.cmd.ProcessState.ExitCode()
}

// stop ends it as systemd does: within 5 s, and well.
func (g *gateway) stop() {
	g.t.Helper()
	g.signal(unix.SIGTERM)
	if code := g.ends(5 * time.Second); code != 0 {
		g.t.Fatalf("gatewayd has ended with %d, want 0", code)
	}
}

// kill ends it at once.
func (g *gateway) kill() {
	g.signal(unix.SIGKILL)
	<-g.done
}

// says waits for a line of its log with all the parts.
func (g *gateway) says(parts ...string) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("its log has %q", parts), func() bool { return g.said(parts...) > 0 })
}

// said counts such lines.
func (g *gateway) said(parts ...string) (n int) {
lines:
	for line := range strings.Lines(g.log.String()) {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				continue lines
			}
		}
		n++
	}
	return n
}

// memory is what it takes, in KiB.
func (g *gateway) memory() int {
	g.t.Helper()
	f := strings.Fields(read(g.t, fmt.Sprintf("/proc/%d/statm", g.pid())))
	pages, err := strconv.Atoi(f[1])
	if err != nil {
		g.t.Fatal(err)
	}
	return pages * os.Getpagesize() / 1024
}

// health is what gateway/health says.
type health struct {
	Level                                               string
	Reasons                                             []string
	Chips, Sensors, Faults                              map[string]string
	Edges, Commands, Refused, Dropped, Superseded, Sent int
	LostEdges                                           int `json:"lost_edges"`
	Reconnects                                          int
}

// health waits for a report that is as wanted.
func (o *observer) health(what string, ok func(h *health) bool) (h health) {
	o.t.Helper()
	topic := root + "gateway/health"
	eventually(o.t, "gateway/health: "+what, func() bool {
		m, _ := o.last(topic)
		h = health{}
		return json.Unmarshal([]byte(m.payload), &h) == nil && ok(&h)
	})
	return h
}
