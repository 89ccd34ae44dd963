package sensors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestW1ID(t *testing.T) {
	// 28 ff 64 1e 83 16 05 is a ROM as it comes over the wire, and 1d its check sum.
	rom := []byte{0x28, 0xFF, 0x64, 0x1E, 0x83, 0x16, 0x05}
	sum := w1Sum(rom)
	wire, number := fmt.Sprintf("28FF641E831605%02X", sum), fmt.Sprintf("0x%02x051683"+"1e64ff28", sum)
	for text, want := range map[string]string{
		"28-0316a279a0ff": "28-0316a279a0ff", "28-0316A279A0FF": "28-0316a279a0ff", "3B-000000183fce": "3b-000000183fce", "10-000802b4f8a1": "10-000802b4f8a1",
		"28.FF641E831605": "28-0516831e64ff", wire: "28-0516831e64ff", number: "28-0516831e64ff",
		"28:FF:64:1E:83:16:05:" + wire[14:]: "28-0516831e64ff", "28-0516831e64ff": "28-0516831e64ff",
	} {
		if got, err := w1ID(text); got != want || err != nil {
			t.Errorf("%q: got %q, error %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "28", "28-", "28-0316a279a0f", "28-0316a279a0fff", "28-0316a279a0fg", "280316a279a0ff", "28FF641E831605" + "00", "../../etc/passwd", "28-0316a279a0ff/..", "01-0316a279a0ff", "28/0316a279a0ff"} {
		if got, err := w1ID(text); err == nil || !strings.Contains(err.Error(), "wanted a serial number such as 28-0316a279a0ff") {
			t.Errorf("%q: got %q, error %v", text, got, err)
		}
	}
}

// w1Text is what the kernel says of a part with that memory.
func w1Text(milli int, memory ...byte) string {
	memory = append(slices.Clone(memory), w1Sum(memory))
	return fmt.Sprintf("% x : crc=%02x YES\n% x t=%d", memory, memory[8], memory, milli)
}

// ds18b20 is its memory at a temperature, 19-7487 figure 7: what an original has in byte 6 depends on the measurement.
func ds18b20(milli int) string {
	raw := uint16(int16(milli * 16 / 1000))
	return w1Text(milli, byte(raw), byte(raw>>8), 0x4B, 0x46, 0x7F, 0xFF, 0x10-byte(raw&0xF), 0x10)
}

// powerOn is a DS18B20's memory before it measures (19-7487), as Maxim prints it with its check sum.
const powerOn = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000"

func TestW1Parse(t *testing.T) {
	broken := strings.Replace(ds18b20(21312), "54 01", "55 01", 1)
	for _, c := range []struct {
		name, text, id string
		want           float64
		err            string
	}{
		{name: "21.3 °C", text: ds18b20(21312), want: 21.312},
		{name: "below zero", text: ds18b20(-10125), want: -10.125},
		{name: "zero", text: ds18b20(0), want: 0},
		{name: "hot", text: ds18b20(125000), want: 125},
		{name: "DS18S20", id: "10-000802b4f8a1", text: w1Text(24875, 0x32, 0x00, 0x4B, 0x46, 0xFF, 0xFF, 0x02, 0x10), want: 24.875},
		{name: "DS1825", id: "3b-000000183fce", text: w1Text(21312, 0x55, 0x01, 0x4B, 0x46, 0x7F, 0xFF, 0x0B, 0x10), want: 21.312},
		{name: "MAX31850, as a new kernel tells it", id: "3b-000000183fce", text: w1Text(1600000, 0x00, 0x64, 0x90, 0x15, 0xF0, 0xFF, 0xFF, 0xFF), want: 1600},
		{name: "MAX31850, as an old one does", id: "3b-000000183fce", text: w1Text(6400, 0x92, 0x01, 0x90, 0x15, 0xF0, 0xFF, 0xFF, 0xFF), want: 25},
		{name: "MAX31850 below zero", id: "3b-000000183fce", text: w1Text(0, 0x60, 0xF0, 0x90, 0x15, 0xF0, 0xFF, 0xFF, 0xFF), want: -250},
		{name: "MAX31850, open", id: "3b-000000183fce", text: w1Text(0, 0x01, 0x00, 0x91, 0x15, 0xF0, 0xFF, 0xFF, 0xFF), err: "thermocouple is open"},
		{name: "MAX31850, grounded", id: "3b-000000183fce", text: w1Text(0, 0x01, 0x00, 0x92, 0x15, 0xF0, 0xFF, 0xFF, 0xFF), err: "thermocouple touches ground"},
		{name: "just switched on", text: powerOn, err: "before it measures"},
		{name: "85 °C of a copy, and nothing before it", text: ds18b20(85000), err: "before it measures"},
		{name: "127.94 °C", text: ds18b20(127937), err: "impossible temperature 127.94"},
		{name: "too cold", text: ds18b20(-127000), err: "impossible temperature -127.00"},
		{name: "held low", text: w1Text(0, 0, 0, 0, 0, 0, 0, 0, 0), err: "nothing but zeros"},
		{name: "nobody", text: "ff ff ff ff ff ff ff ff ff : crc=c9 NO\nff ff ff ff ff ff ff ff ff t=-62", err: "wrong check sum"},
		{name: "the kernel says no", text: strings.Replace(ds18b20(21312), "YES", "NO", 1), err: "wrong check sum"},
		{name: "a flipped bit", text: broken, err: "wrong check sum"},
		{name: "cut off", text: ds18b20(21312)[:60], err: "wanted a part's memory"},
		{name: "no number", text: strings.Replace(ds18b20(21312), "t=21312", "t=", 1), err: "wanted a part's memory"},
		{name: "a word", text: "hello", err: "wanted a part's memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &w1{id: "28-0316a279a0ff"}
			if c.id != "" {
				s.id = c.id
			}
			got, err := s.celsius(c.text)
			if c.err == "" && (got != c.want || err != nil) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, error %v, want %v %s", got, err, c.want, c.err)
			}
		})
	}
}

// 85 °C is believed of a part that was near before, and whose memory says that it measured.
func TestW1EightyFive(t *testing.T) {
	for _, c := range []struct {
		name   string
		before float64
		ago    time.Duration
		text   string
		good   bool
	}{
		{"from 84 °C", 84, time.Minute, ds18b20(85000), true},
		{"from 84 °C, but just switched on", 84, time.Minute, powerOn, false},
		{"from 21 °C", 21, time.Second, ds18b20(85000), false},
		{"from 84 °C, but long ago", 84, time.Hour, ds18b20(85000), false},
	} {
		s := &w1{id: "28-0316a279a0ff", last: c.before, lastAt: time.Now().Add(-c.ago)}
		if got, err := s.celsius(c.text); (err == nil) != c.good || c.good && got != 85 {
			t.Errorf("%s: got %v, error %v", c.name, got, err)
		}
	}
}

// w1Tree is a bus as the kernel shows it.
func w1Tree(t testing.TB, ids ...string) (root string) {
	root = tree(t, "sys/bus/w1/devices/w1_bus_master1 -> ../../../devices/w1_bus_master1", "sys/devices/w1_bus_master1/w1_master_slave_count: 1")
	for _, id := range ids {
		plugW1(t, root, id, ds18b20(21312))
	}
	return root
}

func plugW1(t testing.TB, root, id, text string) {
	grow(t, root, "sys/devices/w1_bus_master1/"+id+"/w1_slave: "+text, "sys/bus/w1/devices/"+id+" -> ../../../devices/w1_bus_master1/"+id)
}

func openedW1(o Options) (float64, error) {
	s, err := Lookup("w1").Open(o)
	if err != nil {
		return 0, err
	}
	defer s.(*w1).Close()
	r, err := s.Measure(context.Background())
	if err != nil {
		return 0, err
	}
	return r[0].Value, nil
}

func TestW1Find(t *testing.T) {
	a, b := "28-0316a279a0ff", "28-051683e1feff"
	for _, c := range []struct {
		name, root, id, err string
	}{
		{name: "by its number", root: w1Tree(t, a, b), id: a},
		{name: "in capitals", root: w1Tree(t, a, b), id: strings.ToUpper(b)},
		{name: "the only one", root: w1Tree(t, a, "01-00000a1b2c3d")},
		{name: "which one", root: w1Tree(t, a, b), err: "which thermometer? on the bus are " + a + ", " + b + ": write one of them, as serial: " + a},
		{name: "another one", root: w1Tree(t, a), id: b, err: "no " + b + ": on the bus is " + a},
		{name: "none", root: w1Tree(t), id: b, err: "no " + b + ": there is none on the bus: check its wires"},
		{name: "none at all", root: w1Tree(t), err: "no thermometer: there is none on the bus"},
		{name: "no bus", root: t.TempDir(), id: b, err: "dtoverlay=w1-gpio"},
		{name: "no driver", root: tree(t, "sys/bus/w1/devices/"+a+"/name: x"), id: a, err: "modprobe w1_therm"},
	} {
		o := Options{Root: c.root, Settings: Settings{}}
		if c.id != "" {
			o.Settings["serial"] = []string{c.id}
		}
		got, err := openedW1(o)
		if c.err == "" && (got != 21.312 || err != nil) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: got %v, error %v, want %q", c.name, got, err, c.err)
		}
	}
}

// A thermometer that is plugged out and in again, and another one in its place.
func TestW1HotPlug(t *testing.T) {
	a, b := "28-0316a279a0ff", "28-051683e1feff"
	root := w1Tree(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	samples := make(chan Sample)
	p := NewPoller(PollerConfig{Name: "flow", Driver: Lookup("w1"), Options: Options{Root: root}, Every: time.Second, Misses: 1}, samples)
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	until := func(what string, holds func(Sample) bool) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for {
			p.Soon()
			select {
			case s := <-samples:
				if holds(s) {
					return
				}
			case <-deadline:
				t.Fatalf("not seen: %s", what)
			}
		}
	}
	until("it measures", func(s Sample) bool { return s.Err == nil })
	os.RemoveAll(filepath.Join(root, "sys/devices/w1_bus_master1", a))
	os.Remove(filepath.Join(root, "sys/bus/w1/devices", a))
	until("it is gone", func(s Sample) bool { return s.Err != nil && strings.Contains(s.Err.Error(), "no thermometer") })
	plugW1(t, root, b, ds18b20(-1000))
	until("another one measures", func(s Sample) bool { return s.Err == nil && s.Readings[0].Value == -1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// simW1 is a 1-Wire bus in the kernel's words (drivers/w1/slaves/w1_therm.c, 6.12): flags, sleeps and what is done without the lock.
type simW1 struct {
	t       testing.TB
	mu      sync.Mutex // the bus, and what follows
	now     map[string]int
	memory  map[string]int // what was converted last
	flag    map[string]int
	convert time.Duration
	bulk    int // conversions of all
	single  int
	failure string // of the next trigger: "signal", "family"
	locked  error  // of writing
}

func (k *simW1) read(path string) ([]byte, error) {
	id, file := filepath.Base(filepath.Dir(path)), filepath.Base(path)
	switch file {
	case "therm_bulk_read":
		return []byte("0\n"), nil
	case "conv_time":
		return fmt.Appendf(nil, "%d\n", k.convert.Milliseconds()), nil
	case "features":
		return []byte("0\n"), nil
	}
	k.mu.Lock()
	flag := k.flag[id]
	k.mu.Unlock()
	switch {
	case flag < 0:
		return nil, nil
	case flag == 0:
		k.mu.Lock()
		k.single++
		at := k.now[id]
		k.mu.Unlock()
		time.Sleep(k.convert)
		k.mu.Lock()
		k.memory[id] = at
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	time.Sleep(12 * time.Millisecond)
	k.flag[id] = 0
	return []byte(ds18b20(k.memory[id])), nil
}

func (k *simW1) write(path, text string) error {
	if k.locked != nil {
		return k.locked
	}
	if filepath.Base(path) != "therm_bulk_read" || text != "trigger\n" {
		k.t.Errorf("%q to %s", text, path)
	}
	set := func(flag int) {
		for id := range k.now {
			k.flag[id] = flag
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == "family" {
		return nil
	}
	k.bulk++
	set(-1)
	if k.failure == "signal" {
		k.failure = ""
		set(1)
		return nil
	}
	at := make(map[string]int)
	for id, v := range k.now {
		at[id] = v
	}
	k.mu.Unlock()
	time.Sleep(k.convert)
	k.mu.Lock()
	k.memory = at
	set(1)
	return nil
}

// w1House is thermometers on a simulated bus.
func w1House(t *testing.T, n int) (k *simW1, all []*w1) {
	k = &simW1{t: t, now: map[string]int{}, memory: map[string]int{}, flag: map[string]int{}, convert: 750 * time.Millisecond}
	bus := &w1Bus{folder: "/sys/devices/w1_bus_master1", turn: make(chan struct{}, 1)}
	for i := range n {
		id := fmt.Sprintf("28-%012x", i+1)
		k.now[id], k.memory[id] = 20000+i*1000, 85000
		all = append(all, &w1{id: id, kernel: attributes{k}, folder: bus.folder + "/" + id, bus: bus, release: bus.use()})
	}
	return k, all
}

// all measures with all thermometers, each a little later than the one before it.
func w1All(t *testing.T, all []*w1, apart time.Duration) (values []float64, took time.Duration, err error) {
	values = make([]float64, len(all))
	errs := make([]error, len(all))
	start := time.Now()
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			defer cancel()
			r, err := s.Measure(ctx)
			if errs[i] = err; err == nil {
				values[i] = r[0].Value
			}
		})
	}
	wg.Wait()
	return values, time.Since(start), errors.Join(errs...)
}

func wantW1(t *testing.T, values []float64, err error, first float64) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	for i, v := range values {
		if v != first+float64(i) {
			t.Errorf("thermometer %d: got %v, want %v", i, v, first+float64(i))
		}
	}
}

// All convert at the wish of the first that is due; the next round is a new one, and never shows what was.
func TestW1Together(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, all := w1House(t, 20)
		for round := range 3 {
			for i := range all {
				k.now[all[i].id] = 20000 + i*1000 + round*100
			}
			values, took, err := w1All(t, all, 50*time.Millisecond)
			for i := range values {
				values[i] -= float64(round) / 10
				values[i] = rounded(values[i], 3)
			}
			wantW1(t, values, err, 20)
			t.Logf("%d thermometers within %v, %d conversions of all, %d of one", len(all), took, k.bulk, k.single)
			if k.bulk != round+1 || k.single != 0 || took > 1100*time.Millisecond {
				t.Errorf("round %d: %d conversions of all, %d of one, in %v", round, k.bulk, k.single, took)
			}
			time.Sleep([]time.Duration{10 * time.Second, 100 * time.Millisecond, 0}[round])
		}
	})
}

// Nothing that was converted for another moment is told: not to who measures twice, and not to who was not due then.
func TestW1Stale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, all := w1House(t, 2)
		for i, s := range []*w1{all[0], all[0], all[1]} {
			k.now[s.id] = 30000 + i*1000
			values, _, err := w1All(t, []*w1{s}, 0)
			wantW1(t, values, err, 30+float64(i))
			time.Sleep(time.Duration(i) * 10 * time.Second)
		}
	})
}

// A single one does not have all convert, and does not show what another program had converted an hour ago.
func TestW1Alone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, all := w1House(t, 1)
		k.memory[all[0].id], k.flag[all[0].id] = 3000, 1
		values, took, err := w1All(t, all, 0)
		wantW1(t, values, err, 20)
		if k.bulk != 0 || k.single != 1 || took > time.Second {
			t.Errorf("%d conversions of all, %d of one, in %v", k.bulk, k.single, took)
		}
	})
}

// Where we may not ask for it, or the kernel does not do it, each converts for itself; parts with a supply wire do so side by side.
func TestW1NotTogether(t *testing.T) {
	for name, fault := range map[string]func(*simW1){
		"not allowed":        func(k *simW1) { k.locked = syscall.EACCES },
		"read-only":          func(k *simW1) { k.locked = syscall.EROFS },
		"a part without":     func(k *simW1) { k.failure = "family" },
		"and old conversion": func(k *simW1) { k.failure = "family"; k.flag["28-000000000003"], k.memory["28-000000000003"] = 1, 3000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, all := w1House(t, 8)
				fault(k)
				for range 2 {
					values, took, err := w1All(t, all, 50*time.Millisecond)
					wantW1(t, values, err, 20)
					if took > 1500*time.Millisecond {
						t.Errorf("took %v", took)
					}
					time.Sleep(30 * time.Second)
				}
			})
		})
	}
}

// A signal breaks the kernel's sleep off, and the kernel then shows what was converted before that: 85 °C, or a minute-old value.
func TestW1Signal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, all := w1House(t, 3)
		for id := range k.memory {
			k.memory[id] = 3000
		}
		k.failure = "signal"
		values, _, err := w1All(t, all, 0)
		wantW1(t, values, err, 20)
		if k.bulk != 2 {
			t.Errorf("%d conversions", k.bulk)
		}
	})
}

// A bus that hangs makes those that wait for it fail in time, with the reason.
func TestW1Hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, all := w1House(t, 2)
		all[0].bus.turn <- struct{}{}
		_, took, err := w1All(t, all[1:], 0)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "busy") || took > 8*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		<-all[0].bus.turn
		values, _, err := w1All(t, all, 0)
		wantW1(t, values, err, 20)
		_ = k
	})
}
