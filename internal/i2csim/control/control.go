// Package control is the text interface to a simulated bus. The same lines
// come from the command line, from files and over a unix socket.
package control

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/chip"
)

// Usage lists the lines.
const Usage = `chip KIND@ADDR[,OPTION=VALUE...]      put a chip on the bus
remove CHIP                           take it off
list                                  chips, with their disturbances
vars CHIP                             what can be got and set
CHIP VAR VALUE...                     set
CHIP reset                            power-on
get CHIP [VAR [ARG...]]               show
wire CHIP PIN FILE                    make a file follow a pin (gpio-sim: its pull file); pins on one FILE share a line
watch                                 every pin's level, "watching", then changes until the connection ends
absent CHIP | present CHIP            disconnect, connect
busy CHIP on|off                      as if a kernel driver had the address
fault ADDR nack|timeout|corrupt|errno NAME [on|N]   N transfers, 1 by default
fault ADDR off
latency DURATION|off                  for each transaction
speed BITS|100k|400k|1M|off           time on the wire
stats                                 traffic since last asked
trace on|off                          show transactions on standard error
help
CHIP is KIND@ADDR or ADDR; of a fault, ADDR may be "all". Behind a multiplexer ADDR is MUX/CHANNEL/ADDR: 0x70/3/0x76.`

// Exec carries out one line and gives what there is to say.
func Exec(b *bus.Bus, line string) ([]string, error) {
	f := strings.Fields(line)
	if len(f) == 0 || strings.HasPrefix(f[0], "#") {
		return nil, nil
	}
	verb, args := f[0], f[1:]
	if c, ok := commands[verb]; ok {
		if len(args) < c.least || c.most >= 0 && len(args) > c.most {
			return nil, fmt.Errorf("%s: wrong number of words", verb)
		}
		return c.run(b, args)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("no command %q (try help)", verb)
	}
	addr, err := target(b, verb)
	if err != nil {
		return nil, err
	}
	return nil, b.Do(addr, func(c chip.Chip) error {
		if args[0] == "reset" && len(args) == 1 {
			c.Reset()
			return nil
		}
		return chip.Set(c, args[0], args[1:])
	})
}

var commands map[string]struct {
	least, most int // words
	run         func(*bus.Bus, []string) ([]string, error)
}

func init() {
	type cmd = struct {
		least, most int
		run         func(*bus.Bus, []string) ([]string, error)
	}
	// quiet adapts a command that has nothing to say.
	quiet := func(f func(*bus.Bus, []string) error) func(*bus.Bus, []string) ([]string, error) {
		return func(b *bus.Bus, a []string) ([]string, error) { return nil, f(b, a) }
	}
	commands = map[string]cmd{
		"chip":   {1, 1, addChip},
		"remove": {1, 1, quiet(on((*bus.Bus).Remove))},
		"list":   {0, 0, func(b *bus.Bus, _ []string) ([]string, error) { return b.List(), nil }},
		"vars":   {1, 1, vars},
		"get":    {1, -1, get},
		"wire": {3, 3, quiet(func(b *bus.Bus, a []string) error {
			addr, err := target(b, a[0])
			if err != nil {
				return err
			}
			return b.Wire(addr, a[1], a[2])
		})},
		"absent":  {1, 1, quiet(on(func(b *bus.Bus, addr uint16) error { return b.SetAbsent(addr, true) }))},
		"present": {1, 1, quiet(on(func(b *bus.Bus, addr uint16) error { return b.SetAbsent(addr, false) }))},
		"busy": {2, 2, quiet(func(b *bus.Bus, a []string) error {
			addr, err := target(b, a[0])
			if err != nil {
				return err
			}
			v, err := onOff(a[1])
			if err != nil {
				return err
			}
			return b.SetBusy(addr, v)
		})},
		"fault":   {2, 4, quiet(fault)},
		"latency": {1, 1, quiet(latency)},
		"speed":   {1, 1, quiet(speed)},
		"stats":   {0, 0, func(b *bus.Bus, _ []string) ([]string, error) { return b.TakeStats(), nil }},
		"trace": {1, 1, quiet(func(b *bus.Bus, a []string) error {
			v, err := onOff(a[0])
			if err != nil {
				return err
			}
			if v {
				b.SetTrace(os.Stderr)
			} else {
				b.SetTrace(nil)
			}
			return nil
		})},
		"help": {0, 0, func(*bus.Bus, []string) ([]string, error) {
			return append(strings.Split(Usage, "\n"), "Kinds: "+strings.Join(chip.Kinds(), " ")), nil
		}},
	}
}

// on adapts a function of an address to a command that names a chip.
func on(f func(*bus.Bus, uint16) error) func(*bus.Bus, []string) error {
	return func(b *bus.Bus, a []string) error {
		addr, err := target(b, a[0])
		if err != nil {
			return err
		}
		return f(b, addr)
	}
}

// target finds the address that a chip's name or a number stands for.
func target(b *bus.Bus, s string) (uint16, error) {
	if strings.Contains(s, "@") {
		kind, at, _ := strings.Cut(s, "@")
		if addr, err := address(at); err == nil {
			s = kind + "@" + bus.FormatAddr(addr)
		}
		addr, ok := b.Find(s)
		if !ok {
			return 0, fmt.Errorf("no chip %s", s)
		}
		return addr, nil
	}
	return address(s)
}

func address(s string) (uint16, error) {
	addr, err := bus.ParseAddr(s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a command nor an address", s)
	}
	return addr, nil
}

func addChip(b *bus.Bus, a []string) ([]string, error) {
	parts := strings.Split(a[0], ",")
	kind, at, ok := strings.Cut(parts[0], "@")
	if !ok {
		return nil, fmt.Errorf("%q is not KIND@ADDR", parts[0])
	}
	addr, err := address(at)
	if err != nil {
		return nil, err
	}
	opt := chip.Options{}
	for _, p := range parts[1:] {
		k, v, ok := strings.Cut(p, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not OPTION=VALUE", p)
		}
		opt[k] = v
	}
	name, err := b.Add(kind, addr, opt)
	if err != nil {
		return nil, err
	}
	return []string{name}, nil
}

func vars(b *bus.Bus, a []string) (out []string, err error) {
	addr, err := target(b, a[0])
	if err != nil {
		return nil, err
	}
	err = b.Do(addr, func(c chip.Chip) error {
		for _, v := range c.Vars() {
			line := v.Name
			if v.Set != nil {
				line += " (" + v.Help + ")"
			}
			out = append(out, line)
		}
		return nil
	})
	return out, err
}

func get(b *bus.Bus, a []string) (out []string, err error) {
	addr, err := target(b, a[0])
	if err != nil {
		return nil, err
	}
	err = b.Do(addr, func(c chip.Chip) error {
		if len(a) > 1 {
			s, err := chip.Get(c, a[1], a[2:])
			out = []string{s}
			return err
		}
		for _, v := range c.Vars() {
			if v.Get == nil {
				continue
			}
			if s, err := v.Get(nil); err == nil { // some need arguments
				out = append(out, v.Name+" "+s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func fault(b *bus.Bus, a []string) error {
	addr := bus.Everywhere
	if a[0] != "all" {
		var err error
		if addr, err = target(b, a[0]); err != nil {
			return err
		}
	}
	if a[1] == "off" {
		b.SetFault(addr, nil)
		return nil
	}
	kind, ok := bus.ParseFault(a[1])
	if !ok {
		return fmt.Errorf("no fault %q", a[1])
	}
	f := &bus.Fault{Kind: kind, Left: 1}
	a = a[2:]
	if kind == bus.Error {
		if len(a) == 0 {
			return errors.New("errno wants a name, such as EIO")
		}
		if f.Errno, ok = bus.ParseErrno(a[0]); !ok {
			return fmt.Errorf("no error %q", a[0])
		}
		a = a[1:]
	}
	switch {
	case len(a) == 0:
	case len(a) > 1:
		return errors.New("fault: wrong number of words")
	case a[0] == "on":
		f.Left = -1
	case a[0] == "off":
		f = nil
	default:
		n, err := strconv.Atoi(a[0])
		if err != nil || n < 1 {
			return fmt.Errorf("%q is neither on nor a number of transfers", a[0])
		}
		f.Left = n
	}
	b.SetFault(addr, f)
	return nil
}

func latency(b *bus.Bus, a []string) error {
	if a[0] == "off" {
		b.SetLatency(0)
		return nil
	}
	d, err := time.ParseDuration(a[0])
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration, such as 500us", a[0])
	}
	b.SetLatency(d)
	return nil
}

func speed(b *bus.Bus, a []string) error {
	s, factor := a[0], 1
	switch {
	case s == "off":
		b.SetSpeed(0)
		return nil
	case strings.HasSuffix(s, "k"):
		s, factor = strings.TrimSuffix(s, "k"), 1000
	case strings.HasSuffix(s, "M"):
		s, factor = strings.TrimSuffix(s, "M"), 1000000
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 10_000_000/factor {
		return fmt.Errorf("%q is not a speed, such as 100k", a[0])
	}
	b.SetSpeed(n * factor)
	return nil
}

func onOff(s string) (bool, error) {
	switch s {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither on nor off", s)
}
