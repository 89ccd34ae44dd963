package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// broken says that the broker does what MQTT does not allow. The connection ends with it.
func broken(format string, args ...any) error {
	return &refusal{"the broker breaks the rules of MQTT: " + fmt.Sprintf(format, args...), "is it up to date, and is nothing else on its port?", errBroken}
}

var errBroken = errors.New("not MQTT")

// check looks at a packet of n bytes of header and length bytes of body before the client sees it, which believes what it is told: a
// SUBACK with more answers than there were questions ends the whole program, and messages at QoS 2 are kept until they are released,
// which may be never. What a broker may send to who subscribes at QoS 0 and 1 has, but for messages, a known length (MQTT 3.1.1,
// chapter 3).
func (c *conn) check(first byte, n, length int) error {
	want := 2
	switch kind := first >> 4; kind {
	case packetPublish:
		switch qos := first >> 1 & 3; {
		case qos > 1:
			return broken("it sends a message with QoS %d, which was not asked for", qos)
		case length < 2+2*int(qos):
			return broken("it sends a message of %d bytes", length)
		}
		return nil
	case packetConnack:
		if c.greeted {
			return broken("it greets a second time")
		}
		c.greeted = true
	case packetSuback:
		if length <= want {
			return broken("it sends an answer to a subscription of %d bytes", length)
		}
		if err := c.fill(n + 2); err != nil {
			return err
		}
		count, asked := c.questions(binary.BigEndian.Uint16(c.buf[c.r+n:]))
		if !asked {
			return broken("it answers a subscription that there is not")
		}
		want += count
	case packetDisconnect: // as MQTT 5 has it; some brokers say it to older clients, too, before they close
		return io.EOF
	case packetPuback, packetUnsuback:
	case packetPingresp:
		want = 0
	default:
		return broken("it sends a packet of type %d", kind)
	}
	if length != want {
		return broken("it sends a packet of type %d with %d bytes, %d are wanted", first>>4, length, want)
	}
	return nil
}

// subscribing notes how many filters a SUBSCRIBE has that we send: so many answers are to come (MQTT 3.1.1, 3.8.3). The client writes
// it whole. The caller holds mu.
func (c *conn) subscribing(p []byte) {
	at := 1
	for at < len(p) && p[at] >= 0x80 {
		at++
	}
	at++
	if at+2 > len(p) {
		return
	}
	id, count := binary.BigEndian.Uint16(p[at:]), 0
	for at += 2; at+2 <= len(p); count++ {
		at += 2 + int(binary.BigEndian.Uint16(p[at:])) + 1 // the filter's length, it, and its QoS
	}
	if c.asked == nil {
		c.asked = map[uint16]int{}
	}
	c.asked[id] = count
}

// questions tells how many filters the subscription had that is answered now.
func (c *conn) questions(id uint16) (count int, asked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count, asked = c.asked[id]
	delete(c.asked, id)
	return count, asked
}
