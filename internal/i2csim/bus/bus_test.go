package bus

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatewayd/internal/i2csim/chip"
)

// fixture is a bus whose waits are recorded.
type fixture struct {
	*Bus
	*testing.T
	slept []time.Duration
}

func newFixture(t *testing.T, profile string, chips ...string) *fixture {
	t.Helper()
	f := &fixture{T: t}
	f.Bus = New(Profiles[profile], func(d time.Duration) { f.slept = append(f.slept, d) })
	for i, kind := range chips {
		if _, err := f.Add(kind, 0x20+uint16(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func w(addr uint16, b ...byte) Msg      { return Msg{Addr: addr, Buf: b} }
func rd(addr uint16, n int) Msg         { return Msg{Addr: addr, Flags: Read, Buf: make([]byte, n)} }
func (f *fixture) tx(m ...Msg) []Msg    { f.Helper(); f.fails(0, m...); return m }
func (f *fixture) last(m ...Msg) []byte { f.Helper(); return f.tx(m...)[len(m)-1].Buf }

func (f *fixture) fails(want syscall.Errno, m ...Msg) {
	f.Helper()
	if e := f.Transfer(m); e != want {
		f.Errorf("%v: %s, want %s", m, errnoName(e), errnoName(want))
	}
}

func TestTransfer(t *testing.T) {
	f := newFixture(t, "bcm2835", "mcp23017", "regs")
	f.tx(w(0x20, 0x00, 0x0f))
	if got := f.last(w(0x20, 0x00), rd(0x20, 2)); !bytes.Equal(got, []byte{0x0f, 0xff}) {
		t.Errorf("% x", got)
	}
	// Several chips in one transaction.
	f.tx(w(0x20, 0x0c, 0xff), w(0x21, 5, 6))
	if got := f.last(w(0x21, 5), w(0x20, 0x0c), rd(0x20, 1)); got[0] != 0xff {
		t.Errorf("% x", got)
	}
	f.tx(w(0x20)) // SMBus quick
}

func TestProfiles(t *testing.T) {
	twoReads := []Msg{w(0x20, 0), rd(0x20, 1), w(0x20, 1), rd(0x20, 1)}
	twoChips := []Msg{w(0x20, 0), w(0x21, 0)}
	for _, c := range []struct {
		profile                           string
		absent, refused, reads, two, none syscall.Errno
	}{
		{"bcm2835", EREMOTEIO, EREMOTEIO, syscall.EOPNOTSUPP, 0, 0},
		{"designware", EREMOTEIO, EREMOTEIO, 0, syscall.EINVAL, syscall.EOPNOTSUPP},
		{"gpio", syscall.ENXIO, syscall.EIO, 0, 0, 0},
	} {
		f := newFixture(t, c.profile, "regs", "regs", "sht31")
		f.fails(c.absent, w(0x40, 1))
		f.fails(c.absent, Msg{Addr: 0x20, Flags: Ten, Buf: []byte{1}})
		f.fails(c.refused, w(0x22, 0x12, 0x34))
		f.fails(c.reads, twoReads...)
		f.fails(c.two, twoChips...)
		f.fails(c.none, w(0x20))
	}
}

func TestBlockRead(t *testing.T) {
	for profile, want := range map[string]int{"gpio": 4, "bcm2835": 1} {
		f := newFixture(t, profile, "regs")
		f.tx(w(0x20, 0, 3, 7, 8, 9, 0))
		m := f.tx(w(0x20, 0), Msg{Addr: 0x20, Flags: Read | RecvLen, Buf: make([]byte, 1)})
		if got := m[1].Buf; len(got) != want || got[0] != 3 {
			t.Errorf("%s: % x", profile, got)
		}
	}
	f := newFixture(t, "gpio", "regs")
	f.fails(syscall.EPROTO, w(0x20, 0), Msg{Addr: 0x20, Flags: Read | RecvLen, Buf: make([]byte, 1)})
}

func TestFaults(t *testing.T) {
	f := newFixture(t, "bcm2835", "regs", "regs")
	f.SetFault(0x20, &Fault{Kind: Nack, Left: 2})
	f.tx(w(0x21, 0))
	f.fails(EREMOTEIO, w(0x20, 0), rd(0x20, 1))
	f.fails(EREMOTEIO, w(0x21, 0, 42), w(0x20, 0))
	f.tx(w(0x20, 0))
	if got := f.last(w(0x21, 0), rd(0x21, 1)); got[0] != 42 {
		t.Error("what came before the fault was not carried out")
	}

	f.SetTimeout(50 * time.Millisecond)
	f.SetFault(Everywhere, &Fault{Kind: Timeout, Left: -1})
	f.fails(syscall.ETIMEDOUT, w(0x20, 0))
	f.fails(syscall.ETIMEDOUT, w(0x21, 0))
	if len(f.slept) != 2 || f.slept[1] != 50*time.Millisecond {
		t.Errorf("slept %v", f.slept)
	}
	f.SetFault(Everywhere, nil)

	f.SetFault(0x20, &Fault{Kind: Corrupt, Left: 1})
	if got := f.last(w(0x20, 0), rd(0x20, 2)); got[0] != 1 || got[1] != 0 {
		t.Errorf("% x", got)
	}
	if got := f.last(w(0x20, 0), rd(0x20, 2)); got[0] != 0 {
		t.Errorf("% x", got)
	}

	f.SetRetries(2)
	f.SetFault(0x20, &Fault{Kind: Error, Errno: syscall.EAGAIN, Left: 2})
	f.tx(w(0x20, 0)) // tried again
	f.SetFault(0x20, &Fault{Kind: Error, Errno: syscall.EIO, Left: 1})
	f.fails(syscall.EIO, w(0x20, 0))

	if err := f.SetAbsent(0x20, true); err != nil {
		t.Fatal(err)
	}
	f.fails(EREMOTEIO, w(0x20, 0))
	f.SetAbsent(0x20, false)
	f.tx(w(0x20, 0))
	if err := f.SetAbsent(0x30, true); err == nil {
		t.Error("no chip there")
	}
}

func TestStatsAndTime(t *testing.T) {
	f := newFixture(t, "bcm2835", "regs")
	f.SetSpeed(100_000)
	f.SetLatency(time.Millisecond)
	f.tx(w(0x20, 0), rd(0x20, 2)) // 10+9 + 10+18 + 1 bits
	f.fails(EREMOTEIO, w(0x33, 1, 2, 3))
	if want := []time.Duration{1480 * time.Microsecond, 1110 * time.Microsecond}; len(f.slept) != 2 || f.slept[0] != want[0] || f.slept[1] != want[1] {
		t.Errorf("slept %v, want %v", f.slept, want)
	}
	got := strings.Join(f.TakeStats(), "\n")
	for _, want := range []string{
		"0x20 transfers=1 messages=2 written=1 read=2 nacks=0 timeouts=0 bits=48 at100k=480µs at400k=120µs",
		"0x33 transfers=1 messages=1 written=0 read=0 nacks=1 timeouts=0 bits=11",
		"all transfers=2 messages=3 written=1 read=2 nacks=1 timeouts=0 bits=59",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if got := f.TakeStats(); len(got) != 1 {
		t.Errorf("still %v", got)
	}
}

func TestWire(t *testing.T) {
	f := newFixture(t, "bcm2835", "mcp23017")
	dir := t.TempDir()
	pull, plain := filepath.Join(dir, "pull"), filepath.Join(dir, "level")
	content := func(path, want string) {
		t.Helper()
		if b, _ := os.ReadFile(path); !strings.HasPrefix(string(b), want) {
			t.Errorf("%s has %q, want %q", path, b, want)
		}
	}
	for _, p := range []string{pull, plain} {
		os.WriteFile(p, nil, 0o600)
		if err := f.Wire(0x20, "inta", p); err != nil {
			t.Fatal(err)
		}
	}
	content(pull, "pull-up")
	content(plain, "1")
	changes := make(chan Change, 10)
	stop := f.Watch(changes)
	f.tx(w(0x20, 0x04, 0x01))
	f.Do(0x20, func(c chip.Chip) error { return chip.Set(c, "input", []string{"0", "high"}) })
	content(pull, "pull-down")
	content(plain, "0")
	stop()
	if c := <-changes; c.Pin != "a0" || !c.High || c.Chip != "mcp23017@0x20" {
		t.Errorf("%+v", c)
	}
	if c := <-changes; c.Pin != "inta" || c.High {
		t.Errorf("%+v", c)
	}
	if err := f.Wire(0x20, "intc", pull); err == nil {
		t.Error("there is no such pin")
	}
	if err := f.Remove(0x20); err != nil {
		t.Fatal(err)
	}
	f.fails(EREMOTEIO, w(0x20))
}

func TestTrace(t *testing.T) {
	f := newFixture(t, "bcm2835", "regs")
	var b bytes.Buffer
	f.SetTrace(&b)
	f.tx(w(0x20, 1), rd(0x20, 2))
	f.fails(EREMOTEIO, w(0x21, 1))
	for _, want := range []string{" 0x20 w[01] 0x20 r[00 00]\n", " 0x21 w[01] EREMOTEIO\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
}

// A transfer that waits does not keep the chips from being changed.
func TestWaitsLeaveChipsFree(t *testing.T) {
	waiting, resume := make(chan bool), make(chan bool)
	b := New(Profiles["bcm2835"], func(time.Duration) {
		waiting <- true
		<-resume
	})
	b.Add("regs", 0x20, nil)
	b.SetLatency(time.Second)
	done := make(chan []byte)
	go func() {
		m := []Msg{rd(0x20, 1)}
		b.Transfer(m)
		done <- m[0].Buf
	}()
	<-waiting
	b.Do(0x20, func(c chip.Chip) error { return chip.Set(c, "reg", []string{"0", "9"}) })
	resume <- true
	if got := <-done; got[0] != 9 {
		t.Errorf("% x", got)
	}
}
