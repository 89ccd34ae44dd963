package sensors

import (
	"context"
	"time"

	"periph.io/x/conn/v3/i2c"
)

const (
	busyPolls = 4
	busyPoll  = 3 * time.Millisecond
	busHangs  = 50 * time.Millisecond // a part that does not answer is known within one
)

// readAfter reads after wait, the longest time that the part's data sheet has for what it is doing. A part that does not answer then is
// slower than its data sheet, as copies are: it is asked a few times more.
func readAfter(ctx context.Context, dev *i2c.Dev, wait time.Duration, buf []byte) error {
	for i := 0; ; i++ {
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		start := time.Now()
		err := dev.Tx(nil, buf)
		if err == nil || i == busyPolls || time.Since(start) > busHangs {
			return err
		}
		wait = busyPoll
	}
}
