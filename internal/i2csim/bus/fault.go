package bus

import (
	"fmt"
	"syscall"
)

// Everywhere is the address of faults that strike all transfers.
const Everywhere uint16 = 0xffff

// FaultKind is a way for transfers to fail.
type FaultKind int

const (
	Nack    FaultKind = iota // nobody answers
	Timeout                  // the bus hangs until the controller gives up
	Corrupt                  // the first byte read has a wrong bit
	Error                    // the driver reports Errno
)

// Fault makes transfers to an address fail.
type Fault struct {
	Kind  FaultKind
	Errno syscall.Errno
	Left  int // transfers to come, negative: until further notice
}

var faultNames = [...]string{"nack", "timeout", "corrupt", "errno"}

// ParseFault finds a kind by its name.
func ParseFault(name string) (FaultKind, bool) {
	for i, n := range faultNames {
		if n == name {
			return FaultKind(i), true
		}
	}
	return 0, false
}

func (f *Fault) String() string {
	s := faultNames[f.Kind]
	if f.Kind == Error {
		s += " " + errnoName(f.Errno)
	}
	if f.Left < 0 {
		return s + " on"
	}
	return fmt.Sprintf("%s %d", s, f.Left)
}

// SetFault sets the fault of an address, or ends it with nil.
func (b *Bus) SetFault(addr uint16, f *Fault) {
	b.mu.Lock()
	defer b.unlock()
	if f == nil || f.Left == 0 {
		delete(b.faults, addr)
		return
	}
	b.faults[addr] = f
}

// takeFault gives the fault that strikes a transfer, if any, and counts it.
func (b *Bus) takeFault(addr uint16) *Fault {
	for _, a := range []uint16{Everywhere, addr} {
		f := b.faults[a]
		if f == nil {
			continue
		}
		if f.Left > 0 {
			if f.Left--; f.Left == 0 {
				delete(b.faults, a)
			}
		}
		return f
	}
	return nil
}

// fail carries out a fault as far as it ends the transfer.
func (b *Bus) fail(f *Fault, m *Msg, st *Stats) syscall.Errno {
	switch f.Kind {
	case Nack:
		st.Nacks++
		return b.Profile.AddrNack
	case Timeout:
		st.Timeouts++
		b.pause(b.timeout)
		return syscall.ETIMEDOUT
	case Error:
		return f.Errno
	}
	return 0
}
