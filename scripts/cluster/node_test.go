package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nodeConfig is how a node of the cluster is started. It goes through the environment.
type nodeConfig struct {
	Name  string
	Dir   string // for its store and its log
	NATS  int    // port
	MQTT  int    // port
	Route int    // port
	Peers []int  // the route ports of all
}

// environment has this program be a node instead of a test, so that it can be killed.
const environment = "GATEWAYD_CLUSTER_NODE"

func TestMain(m *testing.M) {
	text := os.Getenv(environment)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options is a node as its manual has it: a name of its own, the cluster's name, JetStream on, MQTT on.
func (c *nodeConfig) options() *server.Options {
	o := &server.Options{
		ServerName: c.Name, Host: "127.0.0.1", Port: c.NATS, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(c.Dir, "store"), JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 256 << 20,
		Cluster: server.ClusterOpts{Name: "gatewayd", Host: "127.0.0.1", Port: c.Route, PoolSize: 3},
		MQTT: server.MQTTOpts{
			Host: "127.0.0.1", Port: c.MQTT, StreamReplicas: 3, JSAPITimeout: apiTimeout,
		},
		LogFile: c.log(), Logtime: true,
	}
	var peers []string
	for _, port := range c.Peers {
		if port != c.Route {
			peers = append(peers, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
		}
	}
	o.Routes = server.RoutesFromStr(strings.Join(peers, ","))
	return o
}

// apiTimeout is how long a node waits for the others to store a message. When they do not, it acknowledges a retained one nevertheless,
// and it is lost: so this must be longer than an election (9 s), and than a gateway waits for an acknowledgement (10 s).
const apiTimeout = 15 * time.Second

func (c *nodeConfig) log() string { return filepath.Join(c.Dir, "log") }

// serve runs a node until its input ends, as it does when the test does, however that comes. Each line of its input is a question
// how it is, and answered with a line.
func serve(text string) error {
	var c nodeConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	s, err := server.NewServer(c.options())
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	in := bufio.NewScanner(os.Stdin)
	for out := json.NewEncoder(os.Stdout); in.Scan(); {
		if err := out.Encode(ask(s)); err != nil {
			return err
		}
	}
	return nil // not s.Shutdown: nobody needs its store any more
}

// condition is how a node sees the cluster.
type condition struct {
	Health    string            // ok, or what is not
	Leaders   map[string]string // which node leads: of the cluster itself, under "", and of each stream
	Consumers int
}

func ask(s *server.Server) condition {
	c := condition{Leaders: map[string]string{}}
	health := s.Healthz(nil)
	if c.Health = health.Status; health.Error != "" {
		c.Health += ": " + health.Error
	}
	js, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		c.Health = err.Error()
		return c
	}
	c.Consumers = js.Consumers
	if js.Meta != nil {
		c.Leaders[""] = js.Meta.Leader
	}
	for _, account := range js.AccountDetails {
		for i := range account.Streams {
			if d := &account.Streams[i]; d.Cluster != nil {
				c.Leaders[d.Name] = d.Cluster.Leader
			}
		}
	}
	return c
}

// node is a broker of the cluster, as a process.
type node struct {
	nodeConfig
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (n *node) broker() string { return fmt.Sprintf("tcp://127.0.0.1:%d", n.MQTT) }

func (n *node) start() error {
	text, err := json.Marshal(n.nodeConfig)
	if err != nil {
		return err
	}
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), environment+"="+string(text), "GOMEMLIMIT=256MiB")
	n.cmd.Stderr = os.Stderr
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	n.out = bufio.NewReader(out)
	return n.cmd.Start()
}

// kill is SIGKILL.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Kill()
	n.in.Close()
	n.cmd.Wait()
	n.cmd = nil
}

var errDead = errors.New("it does not run")

func (n *node) ask() (c condition, err error) {
	if n.cmd == nil {
		return c, errDead
	}
	if _, err := io.WriteString(n.in, "\n"); err != nil {
		return c, err
	}
	line, err := n.out.ReadBytes('\n')
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(line, &c)
}
