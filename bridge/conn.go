package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MaxPayload is the most that Inbound.Payload holds. A longer payload arrives cut to exactly this length, so refuse it from
// this length on.
const MaxPayload = 64 << 10

const (
	readBuffer = 4 << 10 // an acknowledgement is 4 bytes; many come in one read

	packetConnack    = 2
	packetPublish    = 3
	packetPuback     = 4
	packetSubscribe  = 8
	packetSuback     = 9
	packetUnsuback   = 11
	packetPingresp   = 13
	packetDisconnect = 14
)

var (
	errTLSPort  = errors.New("the broker's port answers with TLS")
	errHTTPPort = errors.New("the broker's port answers with HTTP")
)

// conn is the connection to the broker as the MQTT client sees it, over TCP, TLS or a websocket. Reads are buffered, because
// the client reads byte by byte. Acknowledgements of our own messages go to flight, the client knows nothing of them. A PUBLISH
// whose payload exceeds MaxPayload is cut on its way, so that it is acknowledged and cannot fill the memory. Every write has a
// time limit.
type conn struct {
	net.Conn           // the stream
	raw       net.Conn // the TCP connection below it
	timeout   time.Duration
	acked     func(id uint16) // takes acknowledgements of our own messages; called by the reader
	oversized *atomic.Uint64  // counts PUBLISH packets that were cut

	// of the one reader
	buf     []byte // buf[r:w] was read and not handed on
	r, w    int
	head    []byte // of the current packet, to be handed on first
	pass    int    // bytes of the current packet to be handed on
	skip    int    // bytes of it to be thrown away after that
	began   bool   // the first packet has come
	greeted bool   // CONNACK has come
	hdr     [5]byte

	mu     sync.Mutex // guards the following
	code   byte       // CONNACK's return code
	cause  error      // given to fail
	armed  time.Time  // when the write deadline was last set
	limit  time.Time  // no write lasts longer; zero: it has its time
	closed bool
	asked  map[uint16]int // how many filters a SUBSCRIBE has that is not answered yet, by its identifier
}

func newConn(stream, raw net.Conn, timeout time.Duration, acked func(uint16), oversized *atomic.Uint64) *conn {
	return &conn{Conn: stream, raw: raw, timeout: timeout, acked: acked, oversized: oversized, buf: make([]byte, readBuffer)}
}

// fail makes the connection end with cause: pending and later reads and writes return it. It does not close, because the
// client takes a closed connection for its own doing and then tells nobody.
func (c *conn) fail(cause error) {
	if errors.Is(cause, net.ErrClosed) { // that is no reason, only its consequence
		cause = errCut
	}
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	c.raw.SetDeadline(time.Unix(1, 0))
}

// until limits all writes from here on, and the one that waits now, until it is called again.
func (c *conn) until(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.limit, c.armed = t, time.Time{}
		c.raw.SetWriteDeadline(t)
	}
}

// failure returns what was given to fail, or nil.
func (c *conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// connack returns the return code of the broker's CONNACK; 0: accepted, or none has come.
func (c *conn) connack() byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// gone reports whether the connection has ended, or must.
func (c *conn) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.cause != nil
}

func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Conn.Close()
}

// SetDeadline limits reading alone; Write has a limit of its own.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: the client would set and clear one with each message, and none for what it answers.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.cause != nil {
		defer c.mu.Unlock()
		return 0, c.cause
	}
	if len(p) > 0 && p[0]>>4 == packetSubscribe {
		c.subscribing(p)
	}
	if now := time.Now(); now.Sub(c.armed) > c.timeout/4 { // not with each write: it costs as much as a small one
		c.armed = now
		end := now.Add(c.timeout)
		if !c.limit.IsZero() && c.limit.Before(end) {
			end = c.limit
		}
		c.Conn.SetWriteDeadline(end)
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	return n, c.because(err)
}

// because replaces err by the cause given to fail, if there is one.
func (c *conn) because(err error) error {
	if err == nil {
		return nil
	}
	if cause := c.failure(); cause != nil {
		return cause
	}
	return err
}

func (c *conn) Read(p []byte) (int, error) {
	for len(p) > 0 {
		switch {
		case len(c.head) > 0:
			n := copy(p, c.head)
			c.head = c.head[n:]
			return n, nil
		case c.pass > 0:
			if c.r == c.w && c.pass >= len(c.buf) && len(p) >= len(c.buf) { // large: without the buffer
				n, err := c.Conn.Read(p[:min(len(p), c.pass)])
				c.pass -= n
				return n, c.because(err)
			}
			if err := c.fill(1); err != nil {
				return 0, err
			}
			n := copy(p[:min(len(p), c.pass)], c.buf[c.r:c.w])
			c.r += n
			c.pass -= n
			return n, nil
		case c.skip > 0:
			if err := c.fill(1); err != nil {
				return 0, err
			}
			n := min(c.skip, c.w-c.r)
			c.r += n
			c.skip -= n
		default:
			if err := c.header(); err != nil {
				return 0, err
			}
		}
	}
	return 0, nil
}

// header reads the fixed header of the next packet and decides what becomes of it (MQTT 3.1.1, 2.2).
func (c *conn) header() error {
	length, n := 0, 1
	for ; ; n++ {
		if n > 4 {
			return broken("it sends a length that never ends")
		}
		if err := c.fill(n + 1); err != nil {
			return err
		}
		b := c.buf[c.r+n]
		length |= int(b&0x7f) << (7 * (n - 1))
		if n == 1 && !c.began {
			if err := notMQTT(c.buf[c.r], b); err != nil {
				return err
			}
			if err := c.fill(4); err != nil {
				return err
			}
			c.mu.Lock()
			c.began, c.code = true, c.buf[c.r+3]
			c.mu.Unlock()
		}
		if b < 0x80 {
			n++
			break
		}
	}
	first := c.buf[c.r]
	if first>>4 == packetPuback && length == 2 {
		if err := c.fill(n + 2); err != nil {
			return err
		}
		if id := binary.BigEndian.Uint16(c.buf[c.r+n:]); id >= firstID {
			c.r += n + 2
			c.acked(id)
			return nil
		}
	}
	if err := c.check(first, n, length); err != nil {
		if errors.Is(err, errBroken) {
			c.fail(err)
		}
		return err
	}
	if first>>4 != packetPublish || length <= MaxPayload { // its payload is shorter still
		c.take(n, length)
		return nil
	}
	if err := c.fill(n + 2); err != nil {
		return err
	}
	keep := 2 + int(binary.BigEndian.Uint16(c.buf[c.r+n:])) + MaxPayload // length of the topic, topic, payload
	if first&0x06 != 0 {
		keep += 2 // packet identifier
	}
	if length <= keep {
		c.take(n, length)
		return nil
	}
	c.r += n
	c.head = appendHeader(c.hdr[:0], first, keep)
	c.pass, c.skip = keep, length-keep
	c.oversized.Add(1)
	return nil
}

// take hands on a packet of n bytes of header and length bytes of body as it is.
func (c *conn) take(n, length int) {
	c.head = append(c.hdr[:0], c.buf[c.r:c.r+n]...)
	c.r += n
	c.pass = length
}

// fill waits until n bytes are buffered; n is at most a header's length.
func (c *conn) fill(n int) error {
	for c.w-c.r < n {
		if c.r > 0 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
		}
		m, err := c.Conn.Read(c.buf[c.w:])
		c.w += m
		if err != nil && c.w-c.r < n {
			return c.because(err)
		}
	}
	return nil
}

func appendHeader(b []byte, first byte, length int) []byte {
	b = append(b, first)
	for ; length >= 0x80; length >>= 7 {
		b = append(b, byte(length)|0x80)
	}
	return append(b, byte(length))
}

// notMQTT looks at the first two bytes of a broker, which always are those of a CONNACK.
func notMQTT(a, b byte) error {
	switch {
	case a>>4 == packetConnack:
		return nil
	case (a == 0x15 || a == 0x16) && b == 0x03: // a TLS record: alert or handshake
		return errTLSPort
	case a == 'H' && b == 'T':
		return errHTTPPort
	}
	return fmt.Errorf("what answers is no MQTT broker: it began with the bytes %02x %02x", a, b)
}
