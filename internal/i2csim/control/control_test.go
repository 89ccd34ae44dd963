package control

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/i2csim/bus"
)

func newBus(t *testing.T, lines ...string) *bus.Bus {
	t.Helper()
	b := bus.New(bus.Profiles["bcm2835"], func(time.Duration) {})
	for _, l := range lines {
		exec(t, b, l)
	}
	return b
}

func exec(t *testing.T, b *bus.Bus, line string) string {
	t.Helper()
	out, err := Exec(b, line)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return strings.Join(out, "\n")
}

func TestLines(t *testing.T) {
	b := newBus(t, "# a comment", "", "chip mcp23017@0x20", "chip regs@80,size=16,fill=7", "chip bme280@0x76")
	for _, c := range []struct{ line, want string }{
		{"list", "mcp23017@0x20\nregs@0x50\nbme280@0x76"},
		{"get regs@0x50 reg 15", "0x07"},
		{"get 0x50 reg 15", "0x07"},
		{"mcp23017@0x20 input 3 high", ""},
		{"mcp23017@32 input 4 high", ""},
		{"get mcp23017@0x20 pins", "0x0018"},
		{"0x20 reset", ""},
		{"get mcp23017@0x20 olat", "0x0000"},
		{"bme280@0x76 temperature 21.5", ""},
		{"get bme280@0x76 temperature", "21.5"},
		{"absent 0x76", ""},
		{"busy 0x20 on", ""},
		{"fault 0x20 nack 5", ""},
		{"fault bme280@0x76 timeout on", ""},
		{"fault all errno eio", ""},
		{"list", "mcp23017@0x20 busy fault nack 5\nregs@0x50\nbme280@0x76 absent fault timeout on\nall fault errno EIO 1"},
		{"fault all off", ""},
		{"fault 0x33 corrupt 2", ""},
		{"fault 0x33 off", ""},
		{"fault 0x20 nack off", ""},
		{"fault 0x76 off", ""},
		{"present 0x76", ""},
		{"busy 0x20 off", ""},
		{"remove bme280@0x76", ""},
		{"list", "mcp23017@0x20\nregs@0x50"},
		{"latency 500us", ""}, {"latency off", ""},
		{"speed 100k", ""}, {"speed 1M", ""}, {"speed 50000", ""}, {"speed off", ""},
		{"trace off", ""},
	} {
		if got := exec(t, b, c.line); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	if got := exec(t, b, "get 0x20"); !strings.Contains(got, "iodira 0xff\n") {
		t.Errorf("get: %s", got)
	}
	if got := exec(t, b, "vars 0x20"); !strings.Contains(got, "input (PIN low|high|open)\n") {
		t.Errorf("vars: %s", got)
	}
	if got := exec(t, b, "help"); !strings.Contains(got, "mcp23017") {
		t.Errorf("help: %s", got)
	}
	if got := exec(t, b, "stats"); !strings.HasPrefix(got, "all transfers=0 ") {
		t.Errorf("stats: %s", got)
	}
}

func TestErrors(t *testing.T) {
	b := newBus(t, "chip mcp23017@0x20")
	for _, l := range []string{
		"nonsense", "nonsense x", "chip", "chip x@0x21", "chip regs", "chip regs@0x99", "chip regs@0x02",
		"chip regs@0x20", "chip regs@0x21,size", "list all", "get", "get 0x21", "get 0x20 nothing",
		"0x20 nothing 1", "0x20 input", "0x20 input 16 low", "0x20 input 1 medium", "bme280@0x20 reset",
		"absent 0x21", "busy 0x20 maybe", "fault 0x20", "fault 0x20 bang", "fault 0x20 nack 0",
		"fault 0x20 nack 1 2", "fault 0x20 errno", "fault 0x20 errno EWHAT", "latency", "latency 5",
		"latency -1s", "speed fast", "speed 0", "wire 0x20 inta /nonexistent/file", "trace 1",
	} {
		if out, err := Exec(b, l); err == nil {
			t.Errorf("%s: %q", l, out)
		}
	}
}

func TestSocket(t *testing.T) {
	b := newBus(t, "chip pcf8574@0x20")
	path := filepath.Join(t.TempDir(), "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go Serve(l, b)
	if _, err := Listen(path); err == nil {
		t.Error("the socket was taken over")
	}

	var out bytes.Buffer
	if err := Client(path, time.Second, []string{"list", "0x20 input 1 low", "get 0x20 pins"}, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "pcf8574@0x20\n0xfd\n" {
		t.Errorf("%q", got)
	}
	if err := Client(path, 0, []string{"list", "bang x"}, &out); err == nil || !strings.HasPrefix(err.Error(), "bang x: ") {
		t.Errorf("%v", err)
	}

	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "watch")
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewScanner(c)
	next := func(want string) {
		t.Helper()
		if !in.Scan() || !strings.HasSuffix(in.Text(), want) {
			t.Fatalf("got %q, %v, want %q", in.Text(), in.Err(), want)
		}
	}
	next(" pcf8574@0x20 int low")
	for i := range 8 {
		level := "high"
		if i == 1 {
			level = "low"
		}
		next(fmt.Sprintf(" pcf8574@0x20 p%d %s", i, level))
	}
	next("watching")
	if e := b.Transfer([]bus.Msg{{Addr: 0x20, Buf: []byte{0x7f}}}); e != syscall.Errno(0) {
		t.Fatal(e)
	}
	next(" pcf8574@0x20 p7 low")
}

// A watcher that does not read is told how many changes it has missed.
func TestWatchTellsLosses(t *testing.T) {
	b := newBus(t, "chip pcf8574@0x20")
	ch := make(chan bus.Change, 2)
	defer b.Watch(ch)()
	set := func(v byte) {
		if e := b.Transfer([]bus.Msg{{Addr: 0x20, Buf: []byte{v}}}); e != 0 {
			t.Fatal(e)
		}
	}
	for i := range 5 {
		set(0xfe | byte(i&1)) // p0, from high
	}
	<-ch
	<-ch
	set(0xff)
	if got := (<-ch).Lost; got != 3 {
		t.Errorf("got %d lost, want 3", got)
	}
}
