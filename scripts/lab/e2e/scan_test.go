//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// gatewayd runs one of its commands, and gives what it says on standard output, and its exit code.
func gatewayd(t testing.TB, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(program(t, "gatewayd"), args...)
	var errs buffer
	cmd.Stderr = &errs
	b, err := cmd.Output()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return string(b) + errs.String(), cmd.ProcessState.ExitCode()
}

var (
	detected = regexp.MustCompile(` ([0-9a-f]{2}|UU)\b`)
	scanned  = regexp.MustCompile(`(?m)^  0x([0-9a-f]{2})  `)
)

// A look finds what i2cdetect finds, and leaves every chip as it was, interrupts included.
func TestScan(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21", "pcf8574@0x25", "bh1750@0x23", "aht20@0x38", "ina219@0x40", "sht31@0x44", "ads1115@0x48", "lm75@0x4c",
		"regs@0x50", "pca9548@0x70", "bme280@0x70/3/0x76", "bme280@0x76", "bmp280@0x77")
	run(t, "i2cset", "-y", "1", "0x21", "0x0c", "0xffff", "w") // pull-ups
	run(t, "i2cset", "-y", "1", "0x21", "0x04", "0xffff", "w") // interrupts
	i2c.do("0x21 input a0 low", "0x25 input 3 low")
	if i2c.do("get 0x21 inta", "get 0x25 int") != "low\nlow" {
		t.Fatal("the interrupts are not there")
	}
	state := func() (all []string) {
		for chip := range strings.Lines(i2c.do("list")) {
			chip = strings.Fields(chip)[0]
			all = append(all, chip+" "+i2c.do("get "+chip))
		}
		return all
	}
	was := state()
	i2c.transfers()
	began := time.Now()
	said, code := gatewayd(t, "scan")
	took, n := time.Since(began), 0
	for _, of := range i2c.transfers() {
		n += of
	}
	t.Logf("%d transfers in %v\n%s", n, took.Round(time.Millisecond), said)
	if code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if now := state(); !slices.Equal(was, now) {
		t.Errorf("was\n%s\nis\n%s", strings.Join(was, "\n"), strings.Join(now, "\n"))
	}
	var found, want []string
	for _, m := range scanned.FindAllStringSubmatch(said, -1) {
		found = append(found, m[1])
	}
	table := run(t, "i2cdetect", "-y", "1")
	for line := range strings.Lines(table) {
		row, rest, ok := strings.Cut(line, ":")
		for _, m := range detected.FindAllStringSubmatch(rest, -1) {
			if ok && strings.HasPrefix(m[1], row[:1]) {
				want = append(want, m[1])
			}
		}
	}
	if !slices.Equal(found, want) || len(want) != 13 {
		t.Errorf("found %q, i2cdetect has %q", found, want)
	}
	for _, part := range []string{"0x76  bme280, it says so itself", "0x77  bmp280, it says so itself"} {
		if !strings.Contains(said, part) {
			t.Errorf("want %q", part)
		}
	}
	// What it proposes is a configuration, and measures.
	_, proposed, _ := strings.Cut(said, "\n# For the configuration")
	file := filepath.Join(t.TempDir(), "config.yaml")
	write(t, file, "# "+proposed)
	if said, code := gatewayd(t, "check", "-c", file); code != 0 {
		t.Errorf("check ended with %d:\n%s", code, said)
	}
	i2c.do("0x76 temperature 21.74", "0x76 humidity 48")
	said, code = gatewayd(t, "read", "-c", file, "bme280_76", "bmp280_77")
	for _, want := range []string{"bme280_76  temperature  21.74 °C", "bme280_76  humidity     48.0 %", "bmp280_77  pressure     1013.3 hPa"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("read ended with %d, want %q in\n%s", code, want, said)
		}
	}
	i2c.do("absent 0x76")
	if said, code := gatewayd(t, "read", "-c", file, "bme280_76"); code != 1 || !strings.Contains(said, "nobody answers at 0x76") {
		t.Errorf("read ended with %d:\n%s", code, said)
	}
}

// Beside a gateway that works: no press is lost, no relay moves, and nothing is unavailable.
func TestScanBeside(t *testing.T) {
	i2c := newBus(t, "mcp23017@0x20", "mcp23017@0x21", "bme280@0x76", "bmp280@0x77")
	i2c.do("wire mcp23017@0x21 inta " + string(header(t, 4)) + "/pull")
	b := newBroker(t)
	o := b.observe()
	g := newGateway(t, b, `
chips:
  - {name: relays, type: mcp23017, address: 0x20}
  - {name: buttons, type: mcp23017, address: 0x21, interrupt: GPIO4}
inputs: [{name: button, chip: buttons, line: GPA0, pull: up, active_low: true}]
outputs: [{name: light, chip: relays, line: GPA1}]
rules: [{when: button, is: pressed, do: toggle, output: light}]
sensors: [{name: attic, type: bme280, every: 1s}]
`)
	o.shows(root+"status", "online")
	o.shows(root+"light", "OFF")
	o.shows(root+"button", "OFF")
	saw := i2c.watch()
	stop, done := make(chan struct{}), make(chan struct{})
	scans := 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			args := []string{"scan", "-c", g.file}
			if scans%2 == 0 {
				args = args[:1] // as if nobody knew of the gateway
			}
			if err := exec.Command(filepath.Join(os.Getenv("BIN"), "gatewayd"), args...).Run(); err != nil {
				t.Errorf("%q: %v", args, err)
			}
			scans++
		}
	}()
	const presses = 20
	for i := range presses { // each is held until it was seen, as the lab may be busy
		i2c.do("0x21 input a0 low")
		o.shows(root+"light", map[bool]string{true: "ON", false: "OFF"}[i%2 == 0])
		time.Sleep(250 * time.Millisecond) // there is time for a look
		i2c.do("0x21 input a0 open")
		o.shows(root+"button", "OFF")
	}
	close(stop)
	<-done
	o.shows(root+"light", "OFF")
	if got := of(saw(), "mcp23017@0x20 a1"); len(got) != presses {
		t.Errorf("%d presses, and the relay has moved %d times", presses, len(got))
	}
	if n := g.said("not available") + g.said("is not there"); n != 0 {
		t.Errorf("%d complaints", n)
	}
	t.Logf("%d presses during %d looks", presses, scans)
	if scans < 5 {
		t.Errorf("only %d looks", scans)
	}
}

// A bus that is stuck, and one on which nobody answers.
func TestScanTrouble(t *testing.T) {
	i2c := newBus(t, "bme280@0x76")
	i2c.do("fault all timeout on")
	began := time.Now()
	said, code := gatewayd(t, "scan")
	if took := time.Since(began); code != 1 || !strings.Contains(said, "the bus is stuck") || took > patience {
		t.Errorf("it ended with %d after %v:\n%s", code, took, said)
	}
	i2c.do("fault all off", "fault 0x76 nack on")
	if said, code := gatewayd(t, "scan"); code != 0 || !strings.Contains(said, "nobody answers") {
		t.Errorf("it ended with %d:\n%s", code, said)
	}
}
