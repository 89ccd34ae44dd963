package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// brokers are the nodes of one cluster.
type brokers [3]*node

// startBrokers gives a cluster whose nodes have found each other.
func startBrokers(t *testing.T) *brokers {
	t.Helper()
	for attempt := 0; ; attempt++ { // another process may take a port between
		var b brokers
		dir := t.TempDir()
		var peers []int
		for range b {
			peers = append(peers, mqtttest.FreePort(t))
		}
		for i := range b {
			name := fmt.Sprintf("n%d", i+1)
			b[i] = &node{nodeConfig: nodeConfig{Name: name, Dir: filepath.Join(dir, name), NATS: mqtttest.FreePort(t), MQTT: mqtttest.FreePort(t),
				Route: peers[i], Peers: peers}}
			if err := os.Mkdir(b[i].Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := b[i].start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b[i].kill)
		}
		if err := b.await(time.Minute, "a leader", func(c *condition) bool { return c.Leaders[""] != "" && c.Health == "ok" }); err == nil {
			return &b
		} else if attempt == 2 {
			b.tell(t)
			t.Fatal(err)
		}
		for _, n := range b {
			n.kill()
		}
	}
}

// running are the nodes that were not killed.
func (b *brokers) running() (nodes []*node) {
	for _, n := range b {
		if n.cmd != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// await waits until every node that runs is so.
func (b *brokers) await(limit time.Duration, what string, so func(*condition) bool) error {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		all := true
		for _, n := range b.running() {
			c, err := n.ask()
			if err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
			if so(&c) {
				continue
			}
			if all = false; time.Now().After(end) {
				return fmt.Errorf("%s: not %s within %v: %+v", n.Name, what, limit, c)
			}
		}
		if all {
			return nil
		}
	}
}

// led waits until every node that runs sees a leader that runs, of the cluster and of each stream.
func (b *brokers) led(limit time.Duration) error {
	alive := map[string]bool{}
	for _, n := range b.running() {
		alive[n.Name] = true
	}
	return b.await(limit, "led", func(c *condition) bool {
		for _, leader := range c.Leaders {
			if !alive[leader] {
				return false
			}
		}
		return len(c.Leaders) > 1
	})
}

// tell shows what the nodes complained of last.
func (b *brokers) tell(t *testing.T) {
	t.Helper()
	for _, n := range b {
		text, _ := os.ReadFile(n.log())
		var said []string
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "connect to route") || strings.Contains(line, "Waiting for routing") {
				continue // to those that are dead
			}
			if strings.Contains(line, "[ERR]") || strings.Contains(line, "[WRN]") || strings.Contains(line, "[FTL]") {
				said = append(said, line)
			}
		}
		t.Logf("%s complained %d times:\n%s", n.Name, len(said), strings.Join(said[max(0, len(said)-40):], ""))
	}
}
