//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// These run as a service of systemd's, in a lab of their own: see scripts/lab/systemd.sh.

const serviceConfig = "/etc/gatewayd/config.yaml"

// serviceLimit is how long systemd may take to notice, wait and start again.
const serviceLimit = 40 * time.Second

// service is gatewayd as install.sh has installed it.
type service struct {
	t testing.TB
	i *bus
	o *observer
	b *broker

	began string // Unix time
}

const serviceParts = `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
inputs:
  - {name: button, line: GPIO17, pull: up, active_low: true}
outputs:
  - {name: light, chip: relays, line: GPA0}
  - {name: heater, chip: relays, line: GPA1, on_crash: off}
  - {name: pump, line: GPIO22, on_crash: off, on_exit: off}
  - {name: lamp, line: GPIO23, max_on: 10m}
rules:
  - {when: button, is: pressed, do: toggle, output: light}
`

// installed is that install.sh has run: what it does takes time here, and once is enough.
var installed sync.Once

// newService has gatewayd run as a service: installed as a person does it, or started anew.
func newService(t testing.TB) *service {
	t.Helper()
	program(t, "")
	if os.Getenv("SRC") == "" {
		t.Skip("SRC is not set: this runs under systemd, by scripts/lab/test.sh")
	}
	header(t, 22)
	header(t, 23)
	header(t, 17).pull(t, true)
	s := &service{t: t, i: newBus(t, "mcp23017@0x20"), b: newBroker(t)}
	s.o = s.b.observe()
	s.configure(serviceParts)
	// What the simulated bus has instead of i2c-dev's number and udev's rule for it.
	drop := "/etc/systemd/system/gatewayd.service.d"
	if err := os.MkdirAll(drop, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, drop+"/lab.conf", "[Service]\nDeviceAllow=/dev/i2c-1 rw\nWatchdogSec=4s\n")
	if exec.Command("getent", "group", "i2c").Run() != nil {
		run(t, "groupadd", "--system", "i2c")
	}
	run(t, "chgrp", "i2c", "/dev/i2c-1")
	run(t, "chmod", "0660", "/dev/i2c-1")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the journal:\n%s", s.journal())
		}
		run(t, "systemctl", "stop", "gatewayd")
		run(t, "systemctl", "reset-failed", "gatewayd")
	})
	s.began = strings.TrimSpace(run(t, "date", "+%s"))
	installed.Do(func() {
		if out := run(t, os.Getenv("SRC")+"/scripts/install.sh", program(t, "gatewayd")); !strings.Contains(out, "The service is running.") {
			t.Fatalf("install.sh: %s", out)
		}
	})
	run(t, "systemctl", "start", "gatewayd")
	s.o.showsWithin(serviceLimit, root+"status", "online")
	s.o.showsWithin(serviceLimit, root+"lamp", "OFF")
	s.o.showsWithin(serviceLimit, root+"heater", "OFF")
	return s
}

func (s *service) configure(parts string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(serviceConfig), 0o755); err != nil {
		s.t.Fatal(err)
	}
	write(s.t, serviceConfig, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\"}\n%s", s.b.addr(), parts))
}

// journal is what it has said since the test began.
func (s *service) journal() string {
	s.t.Helper()
	return run(s.t, "journalctl", "--no-pager", "-u", "gatewayd", "--since", "@"+s.began)
}

// property is what systemd knows of it.
func (s *service) property(name string) string {
	s.t.Helper()
	return run(s.t, "systemctl", "show", "gatewayd", "-P", name)
}

func (s *service) pid() int {
	s.t.Helper()
	n, err := strconv.Atoi(s.property("MainPID"))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// on switches outputs on, and sees it at their pins.
func (s *service) on(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.o.send(root+name+"/set", "ON")
		s.o.shows(root+name, "ON")
	}
}

// again waits until it runs as another process than before, and has told of its outputs.
func (s *service) again(pid, mark int, states map[string]string) {
	s.t.Helper()
	within(s.t, serviceLimit, "systemd has started it again", func() bool {
		return s.property("ActiveState") == "active" && s.pid() != pid && s.pid() != 0
	})
	for name, want := range states {
		within(s.t, serviceLimit, fmt.Sprintf("%s is told as %s", name, want), func() bool {
			list := s.o.payloads(mark, root+name)
			return len(list) > 0 && list[len(list)-1] == want
		})
	}
	s.o.showsWithin(serviceLimit, root+"status", "online")
}

// As installed it works, as a user of its own that has nothing but its devices.
func TestServiceInstalled(t *testing.T) {
	s := newService(t)
	button := header17(t)
	button.pull(t, false)
	s.o.shows(root+"light", "ON")
	s.i.becomes("0x20", "a0", true)
	button.pull(t, true)
	s.on("pump")
	line(os.Getenv("SIM")+"/sim_gpio22").becomes(t, true)

	s.on("lamp") // it has an end, which is to be kept

	status := read(t, fmt.Sprintf("/proc/%d/status", s.pid()))
	uid := run(t, "id", "-u", "gatewayd")
	for _, want := range []string{"Uid:\t" + uid + "\t" + uid, "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("its process has not %q:\n%s", want, status)
		}
	}
	// What the kernel lets it open: the chips' devices, what each service has (systemd.resource-control(5), DevicePolicy=closed), and
	// systemd's own nodes in the place of what is hidden, which are 0:0.
	for _, device := range strings.Split(read(t, "/sys/fs/cgroup/devices/system.slice/gatewayd.service/devices.list"), "\n") {
		number := strings.Fields(device)[1]
		major, _, _ := strings.Cut(number, ":")
		if !slices.Contains([]string{"0", "1", "5", "136", deviceMajor(t, "gpiochip"), deviceMajor(t, "i2c"), deviceMajor(t, "i2c-1")}, major) {
			t.Errorf("it may use the device %s", device)
		}
	}
	eventually(t, "the state file is there", func() bool {
		_, err := os.Stat("/var/lib/gatewayd/state")
		return err == nil
	})
	if mode := run(t, "stat", "-c", "%U %a", "/var/lib/gatewayd", "/var/lib/gatewayd/state"); mode != "gatewayd 700\ngatewayd 600" {
		t.Errorf("the state folder and file: %s", mode)
	}
}

func header17(t testing.TB) line { return line(os.Getenv("SIM") + "/sim_gpio17") }

// deviceMajor is a driver's number, or what no device has.
func deviceMajor(t testing.TB, name string) string {
	t.Helper()
	for l := range strings.Lines(read(t, "/proc/devices")) {
		if f := strings.Fields(l); len(f) == 2 && f[1] == name {
			return f[0]
		}
	}
	return "none"
}

// After a SIGKILL systemd runs safe-state and starts it again: each output is what its on_crash says.
func TestServiceKilled(t *testing.T) {
	s := newService(t)
	s.on("light", "heater", "pump", "lamp")
	pid, mark := s.pid(), s.o.mark()
	sawFar := s.i.watch()
	run(t, "kill", "-KILL", fmt.Sprint(pid))
	s.again(pid, mark, map[string]string{"light": "ON", "heater": "OFF", "pump": "OFF", "lamp": "ON"})
	if levels := of(sawFar(), "mcp23017@0x20 a0"); len(levels) > 0 {
		t.Errorf("the light, which was to stay on, took the levels %v", levels)
	}
	if n := s.property("NRestarts"); n != "1" {
		t.Errorf("NRestarts is %s, want 1", n)
	}
}

// One that is stopped in its tracks is ended by the watchdog, and outputs become what their on_crash says.
func TestServiceWatchdog(t *testing.T) {
	s := newService(t)
	s.on("light", "heater")
	pid, mark := s.pid(), s.o.mark()
	run(t, "kill", "-STOP", fmt.Sprint(pid))
	s.again(pid, mark, map[string]string{"light": "ON", "heater": "OFF"})
	if out := s.journal(); !strings.Contains(out, "watchdog") {
		t.Errorf("nothing of a watchdog in the journal:\n%s", out)
	}
}

// A command to restart ends it well, and systemd starts it again: no crash.
func TestServiceRestart(t *testing.T) {
	s := newService(t)
	s.on("light", "heater", "pump")
	pid, mark := s.pid(), s.o.mark()
	s.o.send(root+"gateway/set", "RESTART")
	s.again(pid, mark, map[string]string{"light": "ON", "heater": "ON", "pump": "OFF"})
}

// A configuration with mistakes keeps it down, without attempts for ever, until it is mended.
func TestServiceBadConfig(t *testing.T) {
	s := newService(t)
	s.on("light", "heater", "pump")
	s.configure(strings.Replace(serviceParts, "max_on", "max_onn", 1))
	if out, err := exec.Command("systemctl", "restart", "gatewayd").CombinedOutput(); err == nil {
		t.Errorf("it started: %s", out)
	}
	if code, n := s.property("ExecMainStatus"), s.property("NRestarts"); code != "78" || n != "0" {
		t.Errorf("it ended with %s and was started %s times again, want 78 and 0", code, n)
	}
	if out := s.journal(); !strings.Contains(out, `did you mean "max_on"`) {
		t.Errorf("the journal does not say what is wrong:\n%s", out)
	}
	s.o.shows(root+"status", "offline")
	s.configure(serviceParts)
	mark := s.o.mark()
	run(t, "systemctl", "start", "gatewayd")
	s.again(0, mark, map[string]string{"light": "ON", "heater": "ON", "pump": "OFF"})
}

// A stop is told, does what on_exit says, and is no crash.
func TestServiceStop(t *testing.T) {
	s := newService(t)
	s.on("light", "heater", "pump")
	sawFar := s.i.watch()
	began := time.Now()
	run(t, "systemctl", "stop", "gatewayd")
	t.Logf("measured: a stop took %v", time.Since(began).Round(10*time.Millisecond))
	if result := s.property("Result"); result != "success" {
		t.Errorf("its result is %s, want success", result)
	}
	s.o.shows(root+"status", "offline")
	line(os.Getenv("SIM")+"/sim_gpio22").becomes(t, false)
	if changes := sawFar(); len(changes) > 0 {
		t.Errorf("pins of the expander moved: %v", changes)
	}
}

// Names of the local network are asked for under the service's filter of system calls, by getent and by multicast.
func TestServiceLocalName(t *testing.T) {
	s := newService(t)
	write(t, serviceConfig, "device: e2e\nmqtt: {broker: \"tcp://nobody.local\"}\n"+serviceParts)
	run(t, "systemctl", "restart", "gatewayd")
	within(t, serviceLimit, "the journal says that the name is not found", func() bool {
		return strings.Contains(s.journal(), "nobody.local is not found on this network")
	})
	if out := s.journal(); strings.Contains(out, "not permitted") {
		t.Errorf("a system call is refused:\n%s", out)
	}
}

// systemctl reload changes what differs and nothing else, and fails where the configuration has mistakes.
func TestServiceReload(t *testing.T) {
	s := newService(t)
	s.on("light", "lamp")
	pid := s.pid()
	header(t, 24)
	sawFar := s.i.watch()
	s.configure(strings.Replace(serviceParts, "outputs:\n", "outputs:\n  - {name: fan, line: GPIO24}\n", 1))
	run(t, "systemctl", "reload", "gatewayd")
	s.o.showsWithin(serviceLimit, root+"fan", "OFF")
	s.on("fan")
	line(os.Getenv("SIM")+"/sim_gpio24").becomes(t, true)

	s.configure(strings.Replace(serviceParts, "toggle", "togle", 1))
	if out, err := exec.Command("systemctl", "reload", "gatewayd").CombinedOutput(); err == nil {
		t.Errorf("systemctl reload takes a configuration with mistakes: %s", out)
	}
	within(t, serviceLimit, "the journal says what is wrong", func() bool { return strings.Contains(s.journal(), `did you mean "toggle"`) })
	s.on("fan")
	if got := s.pid(); got != pid || s.property("ActiveState") != "active" {
		t.Errorf("it runs as %d and is %s, want %d and active", got, s.property("ActiveState"), pid)
	}
	if levels := of(sawFar(), "mcp23017@0x20 a0"); len(levels) > 0 {
		t.Errorf("the light, which nobody touched, took the levels %v", levels)
	}
}

// A password that only root can read is the service's by a credential.
func TestServiceCredential(t *testing.T) {
	s := newService(t)
	closed := absentBroker(t)
	users := filepath.Join(t.TempDir(), "users")
	write(t, users, "e2e:hidden\n")
	run(t, "mosquitto_passwd", "-U", users)
	write(t, closed.conf, strings.Replace(read(t, closed.conf), "allow_anonymous true", "allow_anonymous false\npassword_file "+users, 1)+"\n")
	closed.start()
	const secret, drop = "/etc/e2e.secret", "/etc/systemd/system/gatewayd.service.d/credential.conf"
	write(t, secret, "hidden\n")
	run(t, "chmod", "0600", secret)
	write(t, drop, "[Service]\nLoadCredential=mqtt:"+secret+"\n")
	t.Cleanup(func() {
		os.Remove(drop)
		run(t, "systemctl", "daemon-reload")
	})
	write(t, serviceConfig, fmt.Sprintf("device: e2e\nmqtt: {broker: \"tcp://%s\", username: e2e, password_file: $CREDENTIALS_DIRECTORY/mqtt}\n%s",
		closed.addr(), serviceParts))
	run(t, "systemctl", "daemon-reload")
	run(t, "systemctl", "restart", "gatewayd")
	within(t, serviceLimit, "it is connected", func() bool {
		return strings.Contains(s.journal(), "connected to the broker (broker: tcp://"+closed.addr())
	})

	// What systemd runs beside the service, for a reload and after a crash, does not have the credential: both work all the same.
	if out, err := exec.Command("systemctl", "reload", "gatewayd").CombinedOutput(); err != nil {
		t.Errorf("a reload fails: %v: %s", err, out)
	}
	run(t, "rm", "/run/gatewayd/after-crash") // so that safe-state reads the configuration
	run(t, "systemctl", "kill", "--signal=KILL", "gatewayd")
	within(t, serviceLimit, "safe-state has switched the heater off", func() bool {
		return strings.Contains(s.journal(), "after a crash: heater off")
	})
}

// The service may not ask the kernel whether its clock is right; systemd-timesyncd's mark tells.
func TestServiceClock(t *testing.T) {
	s := newService(t)
	const mark = "/run/systemd/timesync/synchronized"
	for _, right := range []bool{true, false} {
		os.Remove(mark)
		if right {
			run(t, "mkdir", "-p", filepath.Dir(mark))
			write(t, mark, "")
		}
		t.Cleanup(func() { os.Remove(mark) })
		from := s.o.mark()
		run(t, "systemctl", "restart", "gatewayd")
		s.o.hearsWithin(serviceLimit, from, root+"gateway/health", fmt.Sprintf(`"clock_synchronised":%v`, right))
	}
}
