package sensors

import (
	"context"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// sensirion is a part that takes commands of 16 bits, and words with a check sum each. It answers a command some time later, and no
// other before.
type sensirion struct{ dev i2c.Dev }

// order sends a command with its words.
func (s *sensirion) order(command uint16, args ...uint16) error {
	msg := []byte{byte(command >> 8), byte(command)}
	for _, a := range args {
		p := []byte{byte(a >> 8), byte(a)}
		msg = append(msg, append(p, crc8(shtCRC, p))...)
	}
	return s.dev.Tx(msg, nil)
}

// ask sends a command with its words, and reads n words after wait.
func (s *sensirion) ask(ctx context.Context, n int, wait time.Duration, command uint16, args ...uint16) ([]uint16, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.order(command, args...); err != nil {
		return nil, err
	}
	buf := make([]byte, 3*n)
	if err := readAfter(ctx, &s.dev, wait, buf); err != nil {
		return nil, err
	}
	return words(shtCRC, buf)
}
