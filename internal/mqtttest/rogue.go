package mqtttest

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Rogue is what a gateway takes for a broker, and what does as it likes.
type Rogue struct {
	l    net.Listener
	play atomic.Pointer[func(*Guest)]
	wg   sync.WaitGroup
}

// Guest is one connection to a Rogue.
type Guest struct {
	net.Conn
	r       *bufio.Reader
	saw     func(topic string, payload []byte)
	serving bool
	online  chan struct{} // closed when the gateway has said that it is online
	ended   chan struct{} // closed when it has ended the connection
	writing sync.Mutex    // held for a packet
}

// Write sends whole packets.
func (g *Guest) Write(packets []byte) (int, error) {
	g.writing.Lock()
	defer g.writing.Unlock()
	return g.Conn.Write(packets)
}

// StartRogue listens on a loopback port, and plays with each connection; it is closed when play returns. saw is told what is published,
// by the goroutine of a connection; nil: nobody is.
func StartRogue(tb testing.TB, play func(*Guest), saw func(topic string, payload []byte)) *Rogue {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Rogue{l: l}
	r.Play(play)
	var mu sync.Mutex // guards the following
	open := map[net.Conn]bool{}
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			r.wg.Go(func() {
				g := &Guest{Conn: c, r: bufio.NewReader(c), saw: saw, online: make(chan struct{}), ended: make(chan struct{})}
				if _, err := g.r.Peek(1); err == nil { // else somebody only looked whether we are there
					(*r.play.Load())(g)
				}
				c.Close()
				if g.serving {
					<-g.ended
				}
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		r.wg.Wait()
	})
	return r
}

// Play has the next connections be played with otherwise.
func (r *Rogue) Play(play func(*Guest)) { r.play.Store(&play) }

// Addr is host and port to connect to.
func (r *Rogue) Addr() string { return r.l.Addr().String() }

// Packet reads the next packet.
func (g *Guest) Packet() (first byte, body []byte, err error) {
	first, err = g.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(g.r) // MQTT counts as it does
	if err != nil || length > 1<<28 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	body = make([]byte, length)
	_, err = io.ReadFull(g.r, body)
	return first, body, err
}

// Greet takes CONNECT and accepts it.
func (g *Guest) Greet() error {
	if _, _, err := g.Packet(); err != nil {
		return err
	}
	_, err := g.Write([]byte{0x20, 2, 0, 0})
	return err
}

// Answer gives what a packet is answered with as it should be; nil: it needs no answer.
func Answer(first byte, body []byte) []byte {
	switch first >> 4 {
	case 3: // PUBLISH
		if first&0x06 != 0 {
			at := 2 + int(binary.BigEndian.Uint16(body))
			return []byte{0x40, 2, body[at], body[at+1]}
		}
	case 8: // SUBSCRIBE
		codes := []byte{}
		for at := 2; at < len(body); at += 3 + int(binary.BigEndian.Uint16(body[at:])) {
			codes = append(codes, 1)
		}
		return append([]byte{0x90, byte(2 + len(codes)), body[0], body[1]}, codes...)
	case 10: // UNSUBSCRIBE
		return []byte{0xb0, 2, body[0], body[1]}
	case 12: // PINGREQ
		return []byte{0xd0, 0}
	}
	return nil
}

// Serve answers everything as it should be, until the connection ends. It is called once.
func (g *Guest) Serve() {
	defer close(g.ended)
	birth := false
	for {
		first, body, err := g.Packet()
		if err != nil {
			return
		}
		if first>>4 == 3 {
			n := 2 + int(binary.BigEndian.Uint16(body))
			topic, payload := string(body[2:n]), body[n+int(first&0x06):] // an identifier is 2 bytes, and so is the bit of QoS 1
			if g.saw != nil {
				g.saw(topic, payload)
			}
			if !birth && strings.HasSuffix(topic, "/status") && string(payload) == "online" {
				birth = true
				close(g.online)
			}
		}
		if a := Answer(first, body); a != nil {
			if _, err := g.Write(a); err != nil {
				return
			}
		}
	}
}

// Live greets, serves in the background, and returns when the gateway is online, or gone.
func (g *Guest) Live() {
	if g.Greet() != nil {
		return
	}
	g.serving = true
	go g.Serve()
	select {
	case <-g.online:
	case <-g.ended:
	}
}

// Ended waits for a while and tells whether the gateway has ended the connection.
func (g *Guest) Ended(within time.Duration) bool {
	if !g.serving {
		g.serving = true
		go g.Serve()
	}
	select {
	case <-g.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// Publish is a PUBLISH packet.
func Publish(first byte, topic string, id uint16, payload []byte) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(topic))), topic...)
	if first&0x06 != 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	body = append(body, payload...)
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}
