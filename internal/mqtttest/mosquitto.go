// Package mqtttest gives tests a broker on loopback: the real mosquitto where it is installed, one inside the process, and a
// connection between that can be cut and frozen. Everything ends with the test.
package mqtttest

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// FreePort returns a loopback port on which nothing listens.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Mosquitto is a running mosquitto.
type Mosquitto struct {
	Dir  string // its folder, for certificates and password files
	Port int    // the port given to the configuration
	path string
	file string // its configuration
	cmd  *exec.Cmd
	log  *lockedBuffer
	runs bool
}

type lockedBuffer struct {
	mu sync.Mutex // guards the following
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// StartMosquitto runs mosquitto with the configuration that conf returns for a folder and a free port; nil: one plain listener
// for anybody. It skips the test where mosquitto is not installed.
func StartMosquitto(tb testing.TB, conf func(dir string, port int) string) *Mosquitto {
	tb.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
		if _, err := os.Stat(path); err != nil {
			tb.Skip("mosquitto is not installed: no test with a real broker")
		}
	}
	if conf == nil {
		conf = func(_ string, port int) string {
			return fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\n", port)
		}
	}
	m := &Mosquitto{Dir: tb.TempDir(), log: new(lockedBuffer), path: path}
	m.file = filepath.Join(m.Dir, "mosquitto.conf")
	for attempt := 0; ; attempt++ { // another process may take the port between
		m.Port = FreePort(tb)
		text := "persistence false\nlog_dest stderr\n"
		if os.Getuid() == 0 {
			text += "user root\n" // else it drops its rights and cannot read the folder
		}
		if err := os.WriteFile(m.file, []byte(text+conf(m.Dir, m.Port)), 0o600); err != nil {
			tb.Fatal(err)
		}
		m.start(tb)
		if answers(m.Port) {
			break
		}
		m.Stop()
		if attempt == 2 {
			tb.Fatalf("mosquitto does not start:\n%s", m.log)
		}
	}
	tb.Cleanup(func() {
		m.Stop()
		if tb.Failed() {
			tb.Logf("mosquitto:\n%s", strings.TrimSpace(m.log.String()))
		}
	})
	return m
}

func answers(port int) bool {
	for range 100 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// PasswordLine is a line of mosquitto's password_file: PBKDF2 with SHA-512 (type 7).
func PasswordLine(user, password string) string {
	const rounds = 101
	salt := []byte("gatewayd-tst")
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, sha512.Size)
	if err != nil {
		panic(err) // lengths are constants
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s:$7$%d$%s$%s\n", user, rounds, b64(salt), b64(key))
}

func (m *Mosquitto) start(tb testing.TB) {
	tb.Helper()
	m.cmd = exec.Command(m.path, "-c", m.file)
	m.cmd.Stderr, m.cmd.Stdout = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	m.runs = true
}

// Restart starts mosquitto again after Stop, at its place. It has kept nothing.
func (m *Mosquitto) Restart(tb testing.TB) {
	tb.Helper()
	m.start(tb)
	if !answers(m.Port) {
		tb.Fatalf("mosquitto does not start again:\n%s", m.log)
	}
}

// Stop ends mosquitto at once, if it still runs.
func (m *Mosquitto) Stop() {
	if !m.runs {
		return
	}
	m.runs = false
	m.cmd.Process.Kill()
	m.cmd.Wait()
}

// PID is its process.
func (m *Mosquitto) PID() int { return m.cmd.Process.Pid }

// Addr is host and port.
func (m *Mosquitto) Addr() string { return fmt.Sprintf("127.0.0.1:%d", m.Port) }

// Log is what it has written.
func (m *Mosquitto) Log() string { return m.log.String() }
