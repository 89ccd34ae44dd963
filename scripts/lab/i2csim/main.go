//go:build linux

// I2csim simulates an I2C bus with its chips behind a character device that
// behaves like Linux's /dev/i2c-N. See README.md.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/control"
	"gatewayd/internal/i2csim/cuse"
	"gatewayd/internal/i2csim/i2cdev"
)

const defaultSocket = "/run/i2csim.sock"

func main() {
	log.SetFlags(0)
	log.SetPrefix("i2csim: ")
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "ctl":
		err = ctl(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "bench":
		err = bench(os.Args[2:])
	default:
		err = simulate()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func simulate() error {
	var (
		number  = flag.Int("bus", 1, "number of the bus: the device is /dev/i2c-`N`")
		stub    = flag.String("stub", "", "load this i2c-stub.ko so that sysfs shows the bus")
		adapter = flag.String("adapter", "bcm2835", "controller to imitate: "+strings.Join(slices.Sorted(maps.Keys(bus.Profiles)), ", "))
		socket  = flag.String("socket", defaultSocket, "control socket")
		lines   []string
	)
	flag.Func("chip", "chip on the bus, `KIND@ADDR` (repeatable)", func(s string) error {
		lines = append(lines, "chip "+s)
		return nil
	})
	flag.Func("do", "control `LINE` to carry out at the start (repeatable)", func(s string) error {
		lines = append(lines, s)
		return nil
	})
	flag.Func("config", "`FILE` of control lines to carry out at the start (repeatable)", func(s string) error {
		f, err := os.Open(s)
		if err != nil {
			return err
		}
		defer f.Close()
		more, err := readLines(f)
		lines = append(lines, more...)
		return err
	})
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: i2csim [FLAGS]\n       i2csim ctl [FLAGS] LINE...\n       i2csim bench [FLAGS]\n\n")
		flag.PrintDefaults()
		fmt.Fprintf(flag.CommandLine.Output(), "\nControl lines:\n\n%s\n", control.Usage)
	}
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected %q", flag.Arg(0))
	}
	profile, ok := bus.Profiles[*adapter]
	if !ok {
		return fmt.Errorf("no adapter %q", *adapter)
	}

	// Requests come one after the other and are short. Waking further threads
	// for them would only cost time, above all on the lab's one processor.
	runtime.GOMAXPROCS(1)

	b := bus.New(profile, sleep)
	b.Log = slog.Default()
	for _, l := range lines {
		if _, err := control.Exec(b, l); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)

	name := fmt.Sprintf("i2c-%d", *number)
	if exists("/sys/class/cuse/" + name) {
		return fmt.Errorf("%s is simulated already", name)
	}
	if *stub != "" {
		remove, err := addAdapter(*stub, *number, profile.Adapter)
		if err != nil {
			return err
		}
		defer remove()
	}
	node := filepath.Join("/dev", name)
	if err := os.Remove(node); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	srv, err := cuse.New(name, &i2cdev.Device{Bus: b})
	if err != nil {
		return err
	}
	defer srv.Close()
	if !exists(node) {
		return fmt.Errorf("no %s has appeared", node)
	}
	l, err := control.Listen(*socket)
	if err != nil {
		return err
	}
	defer l.Close()

	failed := make(chan error, 2)
	go func() { failed <- srv.Serve() }()
	go func() { failed <- control.Serve(l, b) }()
	log.Printf("%s is %s", node, deviceNumber(name))
	select {
	case err := <-failed:
		return errors.Join(errors.New("stopped"), err)
	case <-stop:
		return nil
	}
}

func readLines(r io.Reader) (lines []string, err error) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}

func deviceNumber(name string) string {
	b, err := os.ReadFile("/sys/class/cuse/" + name + "/dev")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// sleep waits more precisely than time.Sleep, which counts in milliseconds
// where nothing else runs. The last part of the wait stops the whole program,
// which is cheaper than to let Go's scheduler find other work meanwhile.
func sleep(d time.Duration) {
	end := time.Now().Add(d)
	if d > 3*time.Millisecond {
		time.Sleep(d - 2*time.Millisecond)
	}
	for left := time.Until(end); left > 0; left = time.Until(end) {
		ts := unix.NsecToTimespec(left.Nanoseconds())
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
}

func ctl(args []string) error {
	fs := flag.NewFlagSet("ctl", flag.ExitOnError)
	socket := fs.String("socket", defaultSocket, "control socket")
	wait := fs.Duration("wait", 0, "wait this long for the socket to appear")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: i2csim ctl [FLAGS] LINE... (each LINE one argument; - reads lines from standard input)\n\n")
		fs.PrintDefaults()
		fmt.Fprintf(fs.Output(), "\n%s\n", control.Usage)
	}
	fs.Parse(args)
	lines := fs.Args()
	if slices.Equal(lines, []string{"-"}) {
		var err error
		if lines, err = readLines(os.Stdin); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		lines = []string{"list"}
	}
	return control.Client(*socket, *wait, lines, os.Stdout)
}
