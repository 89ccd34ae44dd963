package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/internal/config"
	"gatewayd/internal/i2cdev"
)

// hardware is what the gateway is built on: a board, or the demo's simulated one.
type hardware interface {
	header() (gpio.Chip, error)                       // the 40-pin header
	gpiochip(label, device string) (gpio.Chip, error) // another chip that the kernel drives; one of the two is given
	bus(number int) i2c.Bus                           // opens when it is used
	buses() map[string]bridge.Bus                     // how those that are used do, by number
	sys() string                                      // where the kernel tells of the board itself: sysfs; empty: nowhere
}

// raspberry is the hardware of the machine that the program runs on.
type raspberry struct {
	mu     sync.Mutex // guards the following
	opened map[int]*i2cdev.Bus
}

func newRaspberry() *raspberry { return &raspberry{opened: map[int]*i2cdev.Bus{}} }

func (b *raspberry) header() (gpio.Chip, error) {
	return gpio.OpenCharDev(gpio.CharDev{Labels: gpio.HeaderLabels})
}

func (b *raspberry) gpiochip(label, device string) (gpio.Chip, error) {
	which := gpio.CharDev{Device: device}
	if label != "" {
		which.Labels = []string{label}
	}
	return gpio.OpenCharDev(which)
}

func (b *raspberry) bus(number int) i2c.Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened[number] == nil {
		b.opened[number] = i2cdev.New(number)
	}
	return b.opened[number]
}

// deaf is how many transfers in a row fail before nothing on a bus seems to answer: a chip that is gone is tried a few times.
const deaf = 5

func (b *raspberry) buses() map[string]bridge.Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]bridge.Bus{}
	for number, bus := range b.opened {
		s := bus.Stats()
		told := bridge.Bus{Transfers: s.Transfers, Errors: s.Failed(), Answers: s.InARow < deaf, LastAt: s.LastAt}
		if s.LastError != nil {
			told.LastError = s.LastError.Error()
		}
		all[strconv.Itoa(number)] = told
	}
	return all
}

func (b *raspberry) sys() string { return "/sys" }

// open gives the function that opens a configured chip.
func open(c *config.Chip, hw hardware, interrupt gpio.Interrupt, log *slog.Logger) func() (gpio.Chip, error) {
	switch c.Type {
	case config.Header:
		return hw.header
	case config.GPIOChip:
		return func() (gpio.Chip, error) { return hw.gpiochip(c.Label, c.Device) }
	}
	if kind := c.Type.Expander(); kind != nil {
		expander := gpio.ExpanderConfig{Bus: hw.bus(c.Bus), Addr: c.Addr, Interrupt: interrupt, Poll: c.Poll, Log: log}
		return func() (gpio.Chip, error) { return kind.Open(expander) }
	}
	return func() (gpio.Chip, error) { return nil, fmt.Errorf("chip %q: no driver for type %q", c.Name, c.Type) }
}
