// Package i2cdev speaks with the chips on an I2C bus of the kernel, /dev/i2c-N. Its [Bus] is periph's i2c.BusCloser: one
// transfer at a time, each bounded in time, every error in plain words with the errno inside, and everything counted.
// A bus that is not there yet, or goes away and comes back, needs no new Bus.
//
// Without Linux a Bus can be made, and each transfer says that there is no I2C.
package i2cdev

import (
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"

	"gatewayd/internal/clock"
)

var _ i2c.BusCloser = (*Bus)(nil)

// ValidAddr tells whether a chip can have that 7-bit address: 0x03 to 0x77, the addresses
// that i2cdetect looks at; those outside have meanings of their own (general call, CBUS, 10-bit).
func ValidAddr(addr uint16) bool { return 0x03 <= addr && addr <= 0x77 }

// Counters count what happened on a bus, or with one address of it. Transfers are those tried; each failed one is counted in
// one of the others too.
type Counters struct {
	Transfers uint64
	NoAnswer  uint64    // nobody acknowledged
	Timeout   uint64    // the bus was stuck, or the chip held the clock for too long
	Busy      uint64    // a kernel driver owns the address: nothing was sent
	Other     uint64    // the bus could not be opened, and the rest
	InARow    uint64    // how many of the last transfers failed without one between that did not
	LastError error     // nil if there was none
	LastAt    time.Time // when that was, as package clock has the time
}

// Failed gives how many transfers failed.
func (c Counters) Failed() uint64 { return c.NoAnswer + c.Timeout + c.Busy + c.Other }

// Stats are a bus's counters since it was made.
type Stats struct {
	Counters
	Opens uint64              // how often the device was opened
	Addrs map[uint16]Counters // of the addresses that were used
}

// class is the kind of a failure.
type class uint8

const (
	other class = iota
	noAnswer
	timeout
	busy
)

// stats is a lock of its own, so that asking never waits for a bus that hangs.
type stats struct {
	mu    sync.Mutex // guards the following
	all   Counters
	opens uint64
	addrs map[uint16]*Counters
}

func (s *stats) count(addr uint16, c class, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.addrs[addr]
	if one == nil {
		if s.addrs == nil {
			s.addrs = map[uint16]*Counters{}
		}
		one = &Counters{}
		s.addrs[addr] = one
	}
	one.add(c, err)
	s.all.add(c, err)
}

func (s *stats) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
}

func (s *stats) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make(map[uint16]Counters, len(s.addrs))
	for addr, c := range s.addrs {
		addrs[addr] = *c
	}
	return Stats{Counters: s.all, Opens: s.opens, Addrs: addrs}
}

func (c *Counters) add(cl class, err error) {
	c.Transfers++
	if err == nil {
		c.InARow = 0
		return
	}
	c.InARow++
	switch cl {
	case noAnswer:
		c.NoAnswer++
	case timeout:
		c.Timeout++
	case busy:
		c.Busy++
	default:
		c.Other++
	}
	c.LastError, c.LastAt = err, clock.Now()
}
