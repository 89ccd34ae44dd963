package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/config"
	"gatewayd/internal/i2csim"
	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/chip"
	"gatewayd/internal/i2csim/control"
	"gatewayd/sensors"
)

// machine is a machine to look at: buses with simulated chips, and a tree of the kernel's files.
type machine struct {
	*testing.T
	root  string
	wires map[int]*bus.Bus
	open  func(number int) i2c.Bus // nil: the wires, watched
}

func newMachine(t *testing.T, numbers ...int) *machine {
	t.Helper()
	b := &machine{T: t, root: t.TempDir(), wires: map[int]*bus.Bus{}}
	for _, n := range numbers {
		b.wires[n] = bus.New(bus.Profiles["bcm2835"], nil)
		t.Cleanup(func() { b.wires[n].Close() })
		b.file(fmt.Sprintf("dev/i2c-%d", n), "")
		b.file(fmt.Sprintf("sys/bus/i2c/devices/i2c-%d/name", n), "bcm2835 (i2c@7e804000)\n")
	}
	return b
}

func (b *machine) file(path, text string) {
	b.Helper()
	path = filepath.Join(b.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

func (b *machine) link(path, target string) {
	b.Helper()
	path = filepath.Join(b.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		b.Skip("no symbolic links here: ", err)
	}
}

func (b *machine) do(number int, lines ...string) (said []string) {
	b.Helper()
	for _, l := range lines {
		out, err := control.Exec(b.wires[number], l)
		if err != nil {
			b.Fatalf("%s: %v", l, err)
		}
		said = append(said, out...)
	}
	return said
}

// scan looks at the board, with that configuration, and gives what is said, with the error at its end.
func (b *machine) scan(cfg string) string {
	b.Helper()
	s := &scan{root: b.root, limit: scanLimit, open: b.open}
	if b.open == nil {
		s.open = func(n int) i2c.Bus {
			return &harmless{b.T, i2csim.New(b.wires[n], fmt.Sprintf("/dev/i2c-%d", n)), s.used[n]}
		}
	}
	path := filepath.Join(b.TempDir(), "config.yaml")
	if cfg != "" {
		if err := os.WriteFile(path, []byte(cfg), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.configured(path, false); err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.run(b.Context(), &out); err != nil {
		fmt.Fprintf(&out, "error: %v\n", err)
	}
	return out.String()
}

// harmless is a bus on which nothing is written but the registers that may be asked for, and not even these where a gateway works.
type harmless struct {
	*testing.T
	i2c.Bus
	used map[uint16]string
}

func (h *harmless) String() string { return h.Bus.String() }

func (h *harmless) Tx(addr uint16, w, r []byte) error {
	may := len(w) == 0
	for _, a := range asking {
		may = may || len(w) == 1 && len(r) > 0 && a.first <= addr && addr <= a.last && slices.Contains(a.regs, w[0]) && h.used[addr] == ""
	}
	if !may {
		h.Errorf("0x%02x: % x is written, and %d bytes are read", addr, w, len(r))
	}
	return h.Bus.Tx(addr, w, r)
}

// proposed gives the configuration in what was said, which has to be one.
func (b *machine) proposed(said string) *config.Config {
	b.Helper()
	_, text, found := strings.Cut(said, "\n# For the configuration")
	if !found {
		b.Fatalf("there is no configuration in\n%s", said)
	}
	cfg, _, err := config.Parse("scan", []byte("# "+text))
	if err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	return cfg
}

// golden compares with a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// house fills a board as people do.
func (b *machine) house() {
	b.do(1, "chip bh1750@0x23", "chip pcf8574@0x25", "chip ina219@0x40", "chip regs@0x41", "0x41 reg 0xff 0x22", "0x41 reg 0 0x60", "chip regs@0x50", "chip pca9548@0x70", "chip bme280@0x70/2/0x77", "chip bme280@0x76",
		"chip mcp23017@0x20", "chip sht31@0x44")
	b.do(3, "chip bmp280@0x77")
	b.link("sys/bus/i2c/devices/1-0068/driver", "../../drivers/rtc-ds1307")
	b.file("sys/bus/i2c/devices/1-0068/name", "ds3231\n")
	b.file("sys/devices/platform/soc/fef04500.i2c/i2c-20/name", "fef04500.i2c\n")
	b.link("sys/devices/platform/soc/fef04500.i2c/driver", "../../../../bus/platform/drivers/brcmstb-i2c")
	b.link("sys/bus/i2c/devices/i2c-20", "../../../devices/platform/soc/fef04500.i2c/i2c-20")
	b.file("sys/bus/w1/devices/28-0316a279a0ff/w1_slave", "")
	const chip = "sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0062/iio:device0/"
	b.file(chip+"name", "scd4x\n")
	b.file(chip+"in_temp_input", "21450\n")
	b.link("sys/bus/iio/devices/iio:device0", "../../../../"+chip)
	b.link("sys/bus/i2c/devices/1-0062/driver", "../../drivers/scd4x")
}

func TestScan(t *testing.T) {
	b := newMachine(t, 1, 3)
	b.house()
	said := b.scan("")
	golden(t, "testdata/scan/house.txt", said)
	b.proposed(said)
	golden(t, "testdata/scan/configured.txt", b.scan(`
chips: [{name: relays, type: mcp23017, address: 0x20}]
inputs: [{name: bmp280_3_77, line: 4}]
sensors:
  - {name: attic, type: bme280, address: 0x76}
  - {name: cellar, type: bme280, address: 0x77, mux: 0x70, channel: 2}
`))
}

// Whatever chip is wherever: it is as it was before, and its interrupt is still there.
func TestScanChangesNothing(t *testing.T) {
	for _, kind := range chip.Kinds() {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newMachine(t, 1)
				for addr := uint16(firstAddr); addr <= lastAddr; addr++ {
					if at := placesOf[kind]; at == nil && addr%2 == 0 || slices.Contains(at, addr) { // not all: then something would hold SDA
						b.do(1, fmt.Sprintf("chip %s@0x%02x", kind, addr))
					}
				}
				b.pend(kind)
				was := b.state()
				if len(was) == 0 {
					t.Fatal("there are no chips")
				}
				said := b.scan("")
				if n := strings.Count(said, "\n  0x"); n != len(was) {
					t.Errorf("%d of %d chips are found:\n%s", n, len(was), said)
				}
				b.same(was)
			})
		})
	}
}

// placesOf are the addresses of parts for which it matters; of others it is every second one.
var placesOf = func() map[string][]uint16 {
	all := map[string][]uint16{"pca9548": {0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77}, "sht31": {0x44, 0x45}}
	for _, c := range config.ChipTypes() {
		all[c.Type] = c.Addrs
		for _, other := range config.ChipTypes() {
			if other.Type == c.Type+"a" {
				all[c.Type] = slices.Concat(c.Addrs, other.Addrs)
			}
		}
	}
	return all
}()

// pend has inputs change, so that chips that have an interrupt pull it.
func (b *machine) pend(kind string) {
	for _, l := range b.wires[1].List() {
		at := strings.TrimPrefix(l, kind+"@")
		switch {
		case strings.HasPrefix(kind, "mcp230"):
			b.pull(at)
		case strings.HasPrefix(kind, "pcf857"), strings.HasPrefix(kind, "pca95"):
			if kind != "pca9548" {
				b.do(1, at+" input 1 low")
			}
		}
	}
}

// pull has an MCP230xx tell of an input, as a gateway sets it.
func (b *machine) pull(at string) {
	var addr uint16
	fmt.Sscanf(at, "0x%x", &addr)
	dev := i2csim.New(b.wires[1], "")
	for _, w := range [][]byte{{0x0c, 0xff, 0xff}, {0x04, 0xff, 0xff}} { // GPPU, GPINTEN; of an MCP23008 something else
		dev.Tx(addr, w, nil)
	}
	b.do(1, at+" input 1 low")
}

// state is all that the chips have, by chip and what is asked of it.
func (b *machine) state() map[string][]string {
	all := map[string][]string{}
	for _, l := range b.wires[1].List() {
		all[l] = b.do(1, "get "+l)
	}
	return all
}

func (b *machine) same(was map[string][]string) {
	b.Helper()
	now := b.state()
	for _, l := range slices.Sorted(maps.Keys(was)) {
		if !slices.Equal(was[l], now[l]) {
			b.Errorf("%s: was\n%q\nis\n%q", l, was[l], now[l])
		}
	}
}

// A pending interrupt of a gateway's expander is there after a look, and so is its reason.
func TestScanLeavesInterrupts(t *testing.T) {
	b := newMachine(t, 1)
	b.do(1, "chip mcp23017@0x20", "chip pcf8574@0x38")
	b.pull("0x20")
	b.do(1, "0x38 input 1 low")
	pins := func() []string { return b.do(1, "get 0x20 inta", "get 0x38 int", "get 0x20 intf") }
	was := pins()
	if was[0] != "low" || was[1] != "low" {
		t.Fatalf("the interrupts are not there: %q", was)
	}
	b.scan("")
	if now := pins(); !slices.Equal(was, now) {
		t.Errorf("was %q, is %q", was, now)
	}
}

// A multiplexer at the address of a BME280 is not asked, as its channels would be switched.
func TestScanMux(t *testing.T) {
	b := newMachine(t, 1)
	b.do(1, "chip pca9548@0x76", "chip bme280@0x76/4/0x77", "0x76 channels 0x12")
	if said := b.scan(""); !strings.Contains(said, "multiplexer") {
		t.Errorf("got\n%s", said)
	}
	if got := b.do(1, "get 0x76 channels"); got[0] != "0x12" {
		t.Errorf("its channels are %s, want 0x12", got)
	}
}

func TestScanFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"nobody", nil, "nobody answers: is the part's supply there"},
		{"no answer at all", []string{"chip bme280@0x76", "fault 0x76 nack on"}, "nobody answers: is the part's supply there"},
		{"a wire that is loose", []string{"chip bme280@0x76", "fault 0x76 nack 1"}, "nobody answers"},
		{"stuck", []string{"chip bme280@0x76", "fault all timeout on"}, "timed out\n"},
		{"stuck by one", []string{"chip bme280@0x76", "chip mcp23017@0x20", "fault 0x20 timeout on"}, "  0x76  bme280, it says so itself"},
		{"slow", []string{"chip bme280@0x76", "latency 210ms"}, "it is too slow: after 5s only the addresses below 0x20 were looked at"},
		{"held by the kernel", []string{"chip bme280@0x76", "busy 0x76 on"}, "0x76"},
		{"reads fail", []string{"chip bme280@0x76", "fault 0x76 corrupt on"}, "  0x76  "},
		{"refused", []string{"fault all errno EACCES on"}, "permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newMachine(t, 1)
				b.do(1, c.lines...)
				start := time.Now()
				if said := b.scan(""); !strings.Contains(said, c.want) {
					t.Errorf("want %q in\n%s", c.want, said)
				}
				if took := time.Since(start); took > scanLimit+time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A part that answers only now and then is told, and not proposed.
func TestScanFickle(t *testing.T) {
	b := newMachine(t, 1)
	b.do(1, "chip bme280@0x76", "chip mcp23017@0x20")
	b.open = func(int) i2c.Bus { return &once{Bus: i2csim.New(b.wires[1], "")} }
	said := b.scan("")
	if !strings.Contains(said, "0x76  answers only now and then") || strings.Contains(said, "type: bme280") || !strings.Contains(said, "type: mcp23017") {
		t.Errorf("got\n%s", said)
	}
}

// once has one address answer a single time.
type once struct {
	i2c.Bus
	n int
}

func (o *once) Tx(addr uint16, w, r []byte) error {
	if addr == 0x76 {
		if o.n++; o.n > 1 {
			return bus.EREMOTEIO
		}
	}
	return o.Bus.Tx(addr, w, r)
}

// hangs never comes back.
type hangs struct {
	i2c.Bus
	end chan struct{}
}

func (h hangs) Tx(uint16, []byte, []byte) error {
	<-h.end
	return syscall.ETIMEDOUT
}

// A bus that hangs in the kernel is left behind, and the others are looked at.
func TestScanHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMachine(t, 1, 3)
		end := make(chan struct{})
		defer close(end)
		b.do(3, "chip bmp280@0x77")
		b.open = func(n int) i2c.Bus {
			if n == 1 {
				return hangs{end: end}
			}
			return i2csim.New(b.wires[n], "")
		}
		start := time.Now()
		said := b.scan("")
		if took := time.Since(start); took > scanLimit+2*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, want := range []string{"a call to it has not come back within 5s", "  0x77  bmp280, it says so itself", "error: 1 bus"} {
			if !strings.Contains(said, want) {
				t.Errorf("want %q in\n%s", want, said)
			}
		}
	})
}

// Where SDA is low, everything answers.
func TestScanHeldLow(t *testing.T) {
	b := newMachine(t, 1)
	b.open = func(int) i2c.Bus { return answers{} }
	if said := b.scan(""); !strings.Contains(said, "something holds SDA low") || strings.Contains(said, "0x20") {
		t.Errorf("got\n%s", said)
	}
}

// answers acknowledges everything.
type answers struct{ i2c.Bus }

func (answers) Tx(uint16, []byte, []byte) error { return nil }

// An adapter that cannot send an address alone has a byte read instead, but not of what a gateway works with.
func TestScanWithoutQuick(t *testing.T) {
	b := newMachine(t, 1)
	b.wires[1] = bus.New(bus.Profiles["designware"], nil)
	defer b.wires[1].Close()
	b.do(1, "chip mcp23017@0x20", "chip pcf8574@0x21", "chip bme280@0x76")
	b.pull("0x20")
	said := b.scan("chips: [{name: relays, type: mcp23017, address: 0x20}]\ninputs: [{name: x, chip: relays, line: 0}]\n")
	for _, want := range []string{"  0x20  chip \"relays\"", "  0x21  one of mcp23017", "  0x76  bme280, it says so itself", "cannot send an address alone"} {
		if !strings.Contains(said, want) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
	if got := b.do(1, "get 0x20 inta"); got[0] != "low" {
		t.Error("the interrupt is gone")
	}
}

func TestScanNoBus(t *testing.T) {
	said := newMachine(t).scan("")
	for _, want := range []string{"raspi-config nonint do_i2c 0", "dtparam=i2c_arm=on", "-aG i2c ", "dtoverlay=w1-gpio"} {
		if !strings.Contains(said, want) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
}

// What is proposed is a configuration, whatever is there: every part that is known, at every address, and each alone.
func TestScanProposal(t *testing.T) {
	l := looker{scan: &scan{}, bus: nobody{}}
	var all []*seenChip
	for addr := uint16(firstAddr); addr <= lastAddr; addr++ {
		c := &seenChip{addr: addr}
		if l.identify(c); len(c.parts) > 0 {
			all = append(all, c)
		}
	}
	if len(all) < 20 {
		t.Errorf("%d addresses have parts", len(all))
	}
	propose := func(chips ...*seenChip) *config.Config {
		t.Helper()
		var text strings.Builder
		(&scan{names: map[string]bool{}}).propose(&text, []*seenBus{{number: 1, chips: chips}, {number: 2, chips: chips}}, nil)
		return (&machine{T: t}).proposed(text.String())
	}
	propose(all...)
	for _, c := range all {
		for i, part := range c.parts {
			other := *c
			other.parts = append([]string{part}, slices.Delete(slices.Clone(c.parts), i, i+1)...)
			cfg := propose(&other)
			if slices.ContainsFunc(c.parts, func(p string) bool { return sensors.Lookup(p) == nil }) {
				if len(cfg.Sensors) > 0 {
					t.Errorf("0x%02x: a sensor is proposed where %q can be, and would switch outputs", c.addr, c.parts)
				}
			} else if cfg.Sensors[0].Driver.Name != part {
				t.Errorf("0x%02x: the first is %s, want %s", c.addr, cfg.Sensors[0].Driver.Name, part)
			}
		}
	}
}

// nobody answers.
type nobody struct{ i2c.Bus }

func (nobody) Tx(uint16, []byte, []byte) error { return bus.EREMOTEIO }
