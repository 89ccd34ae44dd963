//go:build unix

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/mqtttest"
)

// manager is where a service tells systemd how it is.
type manager struct {
	*screen
	path string
}

func notified(t *testing.T) *manager {
	t.Helper()
	m := &manager{new(screen), filepath.Join(t.TempDir(), "s")}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			m.Write(append(b[:n:n], '\n'))
		}
	}()
	return m
}

// secrets are marked texts for every place that can hold one.
const (
	inFile = "Zfile4711-secret-in-a-file"
	inEnv  = "Zenvi4712-secret-in-the-environment"
	inURL  = "Zurls4713-secret-in-a-URL"
	inYAML = "Zyaml4714-secret-in-the-configuration"
	inKey  = "Zkeys4715secretInAKey"
)

// tells fails where a secret is in what somebody can see.
func tells(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range []string{inFile, inEnv, inURL, inYAML, inKey} {
		if i := strings.Index(text, s[:9]); i >= 0 {
			t.Errorf("%s shows %q: %.200q", where, s, text[max(0, i-80):])
		}
	}
}

// Nothing that the gateway says, to whomever, has a password or a key in it: not its log, its topics, what it tells systemd, what its
// commands print, nor the stacks that it leaves when it is aborted.
func TestSecretsStaySecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("password", inFile+"\n")
	write("broken.key", "-----BEGIN EC PRIVATE KEY-----\n"+inKey+"\n-----END EC PRIVATE KEY-----\n")
	m := mqtttest.StartMosquitto(t, func(folder string, port int) string {
		mqtttest.WriteCertificates(t, folder)
		for name, text := range map[string]string{
			"users": mqtttest.PasswordLine("file", inFile) + mqtttest.PasswordLine("env", inEnv) + mqtttest.PasswordLine("see", "see"),
			"acl":   "user file\ntopic readwrite #\nuser env\ntopic readwrite #\nuser see\ntopic readwrite #\n",
		} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprintf("listener %d 127.0.0.1\npassword_file %[2]s/users\nacl_file %[2]s/acl\n", port, folder)
	})
	const points = "\noutputs: [{name: lamp, line: GPIO22}]\n"
	all := newClient(t, "tcp://see:see@"+m.Addr())
	all.also("#")
	conf := func(name, mqtt string) string {
		return write(name, fmt.Sprintf("device: %s\nmqtt: {broker: \"tcp://%s\", %s}%s", strings.TrimSuffix(name, ".yaml"), m.Addr(), mqtt, points))
	}
	file := conf("file.yaml", "username: file, password_file: password")
	env := conf("env.yaml", "username: env, password_env: MQTT_SECRET")
	environment := []string{"MQTT_SECRET=" + inEnv}

	for name, path := range map[string]string{"file": file, "env": env} {
		n := notified(t)
		p := starts(t, append(environment, "NOTIFY_SOCKET="+n.path), "run", "-c", path)
		all.wants(t, "gatewayd/"+name+"/status", "online")
		soon(t, "health and info", func() bool {
			return all.saw("gatewayd/"+name+"/gateway/health") != "" && all.saw("gatewayd/"+name+"/gateway/info") != ""
		})
		all.Publish("gatewayd/"+name+"/lamp/set", 1, false, "nonsense")
		soon(t, "an error", func() bool { return all.saw("gatewayd/"+name+"/lamp/error") != "" })
		soon(t, "a status for systemd", func() bool { return strings.Contains(n.String(), "STATUS=connected") })
		var exit *exec.ExitError
		if err := p.ends(t, syscall.SIGABRT); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("aborted: %v", err)
		}
		if s := p.out.String(); !strings.Contains(s, "SIGABRT: abort") || !strings.Contains(s, "bridge.(*Session).Run") {
			t.Errorf("no stacks in\n%s", s)
		}
		tells(t, "the log", p.out.String())
		tells(t, "what systemd is told", n.String())
	}
	all.mu.Lock()
	for topic, payload := range all.seen {
		tells(t, "the topic "+topic, topic+" "+payload)
	}
	if len(all.seen) < 10 {
		t.Errorf("only %d topics", len(all.seen))
	}
	all.mu.Unlock()

	// What the commands print, of configurations that are right and of those that are wrong.
	wrong := strings.Replace(conf("wrong.yaml", "username: env, password_env: MQTT_SECRET"), "MQTT_SECRET", inEnv, 1)
	for _, path := range []string{
		file, env, wrong,
		conf("plain.yaml", "username: u, password: "+inYAML),
		conf("blank.yaml", "username: u, password:"+inYAML),
		conf("pass.yaml", "username: u, pass: ["+inYAML+"], Password: {a: "+inYAML+"}"),
		conf("variable.yaml", "username: u, password_env: \""+inYAML+"\""),
		write("url.yaml", "mqtt: {broker: \"tcp://u:"+inURL+"@127.0.0.1:1\"}"+points),
		write("url2.yaml", "mqtt: {broker: \"tcp://u:"+inURL+"@127.0.0.1:99999/x?"+inURL+"\"}"+points),
		write("url3.yaml", "mqtt: {broker: \"u:"+inURL+"@127.0.0.1\"}"+points),
		write("url4.yaml", "mqtt: {broker: \"wss://127.0.0.1/mqtt?token="+inURL+"\"}"+points),
		write("url5.yaml", "mqtt: {broker: \"http://u:"+inURL+"@127.0.0.1\"}"+points),
	} {
		for _, args := range [][]string{
			{"check", "-c", path}, {"check", "--print", "-c", path}, {"acl", "-c", path}, {"acl", "--controller", "ha", "-c", path}, {"openhab", "-c", path}, {"forget", "--list", "-c", path},
			{"safe-state", "-c", path}, {"scan", "-c", path}, {"read", "-c", path},
		} {
			p := starts(t, environment, args...)
			select {
			case <-p.ended:
			case <-time.After(20 * time.Second):
				t.Fatalf("%q does not end", args)
			}
			tells(t, fmt.Sprintf("%q", args), p.out.String())
			if path == file && args[0] == "check" && strings.Contains(p.out.String(), "error") {
				t.Errorf("%q: %s", args, p.out)
			}
		}
	}

	// Connections that fail, with a password that is wrong and a key that is broken.
	for name, mqtt := range map[string]string{
		"refused": `broker: "tcp://` + m.Addr() + `", username: other, password_file: password`,
		"nobody":  `broker: "tcp://127.0.0.1:1", username: env, password_env: MQTT_SECRET`,
		"key":     `broker: "tls://127.0.0.1:1", cert: ` + filepath.Join(m.Dir, "client.pem") + `, key: broken.key`,
		"keyfile": `broker: "tls://127.0.0.1:1", cert: broken.key, key: broken.key`,
	} {
		n := notified(t)
		p := starts(t, append(environment, "NOTIFY_SOCKET="+n.path), "run", "-c", write(name+".yaml", "device: x\nmqtt: {"+mqtt+"}"+points))
		soon(t, "no connection", func() bool {
			return strings.Contains(p.out.String(), "no connection to the broker") && strings.Contains(n.String(), "STATUS=local")
		})
		p.ends(t, syscall.SIGQUIT)
		tells(t, name+": the log", p.out.String())
		tells(t, name+": what systemd is told", n.String())
	}
	demo := starts(t, nil, "demo", "--broker", "tcp://u:"+inURL+"@"+m.Addr())
	soon(t, "the demo is refused", func() bool {
		return strings.Contains(demo.out.String(), "broker") && strings.Contains(demo.out.String(), "refuse") || strings.Contains(demo.out.String(), "authorise")
	})
	demo.ends(t, syscall.SIGABRT)
	tells(t, "the demo", demo.out.String())
}
