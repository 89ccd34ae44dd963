package i2cdev

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	aloneWait = time.Second // three transfers at their worst
	alonePoll = time.Millisecond
)

// Alone keeps other programs that ask for the same from the bus, until done is called: a multiplexer's channel is opened in one transfer
// and used in the next. It waits a second for them at most. It keeps nobody from single transfers.
func (b *Bus) Alone() (done func(), err error) {
	fd, err := unix.Open(b.String(), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, b.explainOpen(err)
	}
	for end := time.Now().Add(aloneWait); ; time.Sleep(alonePoll) {
		switch err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return func() { _ = unix.Close(fd) }, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(end):
			continue
		}
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s: another gatewayd does not give up the bus's multiplexers (%w): end it", b, err)
	}
}
