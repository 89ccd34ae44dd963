package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"
	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/config"
	"gatewayd/internal/i2cdev"
)

// scanLimit is how long a bus may take. 112 addresses take a tenth of a second, a bus that is stuck half a minute.
const scanLimit = 5 * time.Second

// scan looks at what is wired to a machine. It writes nothing into any chip.
type scan struct {
	root  string // where the kernel's files are
	open  func(number int) i2c.Bus
	limit time.Duration
	used  map[int]map[uint16]string // by bus and address: what the configuration has there
	names map[string]bool           // that the configuration has
	note  string                    // about the configuration
}

func scanCommand() *ffcli.Command {
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	path := flags.String("c", usualConfig, "the configuration `file`, if there is one: what it has is named, and not proposed again")
	c := command("gatewayd scan [-c FILE]", "Look at what is wired: I2C, 1-Wire, and the kernel's sensors; nothing is switched or changed.", flags)
	c.Exec = plain(func() error {
		s := &scan{root: "/", open: func(number int) i2c.Bus { return i2cdev.New(number) }, limit: scanLimit}
		given := false
		flags.Visit(func(f *flag.Flag) { given = given || f.Name == "c" })
		if err := s.configured(*path, given); err != nil {
			return err
		}
		return s.run(context.Background(), os.Stdout)
	})
	return c
}

// configured notes what a configuration uses. One that is not there, or is wrong, is an error only if it was asked for.
func (s *scan) configured(path string, given bool) error {
	s.used, s.names = map[int]map[uint16]string{}, map[string]bool{}
	cfg, _, err := config.Load(path)
	switch {
	case err == nil:
	case given:
		_, err := load(path)
		return err
	case !errors.Is(err, fs.ErrNotExist):
		s.note = fmt.Sprintf("%s could not be read, or has mistakes (gatewayd check shows them): what it has is proposed again.", path)
		return nil
	default:
		return nil
	}
	use := func(bus int, addr uint16, who string) {
		if s.used[bus] == nil {
			s.used[bus] = map[uint16]string{}
		}
		s.used[bus][addr] = who
	}
	for i := range cfg.Chips {
		c := &cfg.Chips[i]
		name, _, _ := strings.Cut(c.Name, "/")
		s.names[name] = true
		if c.Type.Expander() != nil {
			use(c.Bus, c.Addr, fmt.Sprintf("chip %q (%s)", c.Name, c.Type))
		}
		for _, l := range c.Lines {
			s.names[l.Name] = true
		}
	}
	for _, d := range cfg.Sensors {
		s.names[d.Name] = true
		switch {
		case d.Mux != 0:
			use(d.Bus, d.Mux, fmt.Sprintf("the mux of sensor %q", d.Name))
		case len(d.Driver.Addrs) > 0:
			use(d.Bus, d.Addr, fmt.Sprintf("sensor %q (%s)", d.Name, d.Driver.Name))
		}
	}
	for _, g := range cfg.Bridge.Groups {
		s.names[g.Name] = true
	}
	return nil
}

// run looks, tells what it has found, and writes a configuration with it.
func (s *scan) run(ctx context.Context, out io.Writer) error {
	buses := s.buses()
	var wg sync.WaitGroup
	for _, b := range buses {
		wg.Go(func() { s.look(ctx, b) })
	}
	wg.Wait()
	var text strings.Builder
	if s.note != "" {
		text.WriteString(s.note + "\n\n")
	}
	if len(buses) == 0 {
		text.WriteString("I2C: there is no bus. Switch it on: sudo raspi-config nonint do_i2c 0 (or dtparam=i2c_arm=on in\n" +
			"/boot/firmware/config.txt), and restart. To use it without sudo: sudo usermod -aG i2c " + userName() + "\n")
	}
	failed := 0
	for _, b := range buses {
		b.tell(&text)
		if b.err != nil {
			failed++
		}
	}
	kernel := s.kernel()
	tellKernel(&text, s.root, kernel)
	s.propose(&text, buses, kernel)
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%s could not be looked at to the end: the reason stands above", count(failed, "bus"))
	}
	return nil
}

// seenBus is what was seen on a bus.
type seenBus struct {
	number  int
	adapter string // what the kernel calls its controller
	left    string // why it is left alone; empty: it is not
	err     error
	notes   []string
	chips   []*seenChip // by address
}

// buses gives the machine's buses, by number.
func (s *scan) buses() []*seenBus {
	all := map[int]*seenBus{}
	for _, pattern := range []string{"dev/i2c-*", "sys/bus/i2c/devices/i2c-*"} {
		found, _ := filepath.Glob(filepath.Join(s.root, pattern))
		for _, f := range found {
			n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(f), "i2c-"))
			if err == nil && all[n] == nil {
				all[n] = &seenBus{number: n}
			}
		}
	}
	var list []*seenBus
	for _, n := range slices.Sorted(maps.Keys(all)) {
		b := all[n]
		dir := filepath.Join(s.root, "sys/bus/i2c/devices", fmt.Sprintf("i2c-%d", n))
		name, _ := os.ReadFile(filepath.Join(dir, "name"))
		b.adapter = strings.TrimSpace(string(name))
		// The controllers of the HDMI sockets: what answers there is a monitor.
		if at, err := filepath.EvalSymlinks(dir); err == nil {
			if driver, err := os.Readlink(filepath.Join(filepath.Dir(at), "driver")); err == nil && filepath.Base(driver) == "brcmstb-i2c" {
				b.left = "it is of an HDMI socket"
			}
		}
		list = append(list, b)
	}
	return list
}

// look looks at a bus, as long as it may take. A call that hangs is left behind.
func (s *scan) look(ctx context.Context, b *seenBus) {
	if b.left != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	l := &looker{scan: s, bus: s.open(b.number), seen: seenBus{number: b.number, adapter: b.adapter}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.sweep(ctx)
	}()
	select {
	case <-done:
		*b = l.seen
		return
	case <-ctx.Done():
	}
	select {
	case <-done: // it has noticed
		*b = l.seen
	case <-time.After(time.Second):
		b.err = fmt.Errorf("a call to it has not come back within %v: it is left alone; look for a bus that is stuck, or restart the Raspberry Pi", s.limit)
	}
}

func userName() string {
	if u := os.Getenv("USER"); u != "" && u != "root" {
		return u
	}
	return "pi"
}
