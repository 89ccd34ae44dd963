package bridge

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate stands between a session and its broker, sees each packet, and does to them what a network can do. It calls at the place in
// a session's life that it was told.
type gate struct {
	l      net.Listener
	target string
	status Status
	states int // a connection begins with so many at least
	wg     sync.WaitGroup

	mu    sync.Mutex // guards the following
	turn  *sync.Cond // something has changed
	conns map[net.Conn]bool
	done  bool
	shut  int  // so many connections are refused first
	held  bool // nothing passes; what was said meanwhile passes afterwards, as TCP sends it again
	slow  time.Duration
	at    string // the place where call is called, once
	nth   int    // of the messages there
	call  func()
	said  map[string]int // events that the broker was sent, by payload: how often
	acked map[string]int // of which the acknowledgement has reached the session
	order []string       // as they were said first
}

// The places in a session's life.
var moments = []string{"TCP", "CONNECT", "SUBSCRIBE", "dump", "settling", "greeting", "idle", "traffic", "leaving"}

func startGate(t *testing.T, target string, status Status, states int) *gate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{l: l, target: target, status: status, states: states, conns: map[net.Conn]bool{}, said: map[string]int{}, acked: map[string]int{}}
	g.turn = sync.NewCond(&g.mu)
	g.wg.Go(g.accept)
	return g
}

func (g *gate) stop() {
	g.l.Close()
	g.set(func() { g.done, g.held, g.slow = true, false, 0 })
	g.cut()
	g.wg.Wait()
}

func (g *gate) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	g.turn.Broadcast()
}

// cut ends all connections, with a reset.
func (g *gate) cut() {
	g.set(func() {
		for c := range g.conns {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		clear(g.conns)
	})
}

func (g *gate) accept() {
	for {
		in, err := g.l.Accept()
		if err != nil {
			return
		}
		refused := false
		g.set(func() {
			if refused = g.shut > 0; refused {
				g.shut--
			}
		})
		if refused {
			in.Close()
			continue
		}
		g.wg.Go(func() {
			l := &leg{gate: g, flying: map[uint16]string{}}
			g.set(func() { g.conns[in] = true })
			l.reached("TCP")
			g.mu.Lock()
			for g.held {
				g.turn.Wait()
			}
			g.mu.Unlock()
			out, err := net.Dial("tcp", g.target)
			if err != nil {
				in.Close()
				g.set(func() { delete(g.conns, in) })
				return
			}
			g.set(func() {
				if g.conns[out] = true; g.done || !g.conns[in] {
					in.Close()
					out.Close()
				}
			})
			var both sync.WaitGroup
			both.Go(func() { l.pass(in, out, l.asked) })
			both.Go(func() { l.pass(out, in, l.answered) })
			both.Wait()
			g.set(func() { delete(g.conns, in); delete(g.conns, out) })
		})
	}
}

// leg is one connection through the gate.
type leg struct {
	*gate
	published int
	born      bool
	flying    map[uint16]string // events, by packet identifier
}

// reached calls whoever waits for this place.
func (l *leg) reached(place string) {
	l.mu.Lock()
	call := l.call
	if call == nil || l.at != place {
		l.mu.Unlock()
		return
	}
	if l.nth--; l.nth > 0 {
		l.mu.Unlock()
		return
	}
	l.call = nil
	l.mu.Unlock()
	call()
}

// pass hands packets on.
func (l *leg) pass(from, to net.Conn, see func(packet []byte)) {
	defer from.Close()
	defer to.Close()
	r := bufio.NewReader(from)
	for {
		packet, err := readPacket(r)
		if err != nil {
			return
		}
		see(packet)
		for len(packet) > 0 {
			l.mu.Lock()
			for l.held {
				l.turn.Wait()
			}
			slow := l.slow
			l.mu.Unlock()
			n := len(packet)
			if slow > 0 {
				n = 1
				time.Sleep(slow)
			}
			if _, err := to.Write(packet[:n]); err != nil {
				return
			}
			packet = packet[n:]
		}
	}
}

func readPacket(r *bufio.Reader) ([]byte, error) {
	head := make([]byte, 1, 64)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length, shift := 0, 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		head = append(head, b)
		length |= int(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			break
		}
	}
	n := len(head)
	packet := slices.Grow(head, length)[:n+length]
	_, err := io.ReadFull(r, packet[n:])
	return packet, err
}

// asked sees what the session says.
func (l *leg) asked(packet []byte) {
	switch packet[0] >> 4 {
	case 1:
		l.reached("CONNECT")
	case 8:
		l.reached("SUBSCRIBE")
	case packetPublish:
		n := 1
		for packet[n] >= 0x80 {
			n++
		}
		body := packet[n+1:]
		length := int(binary.BigEndian.Uint16(body))
		topic, id, payload := string(body[2:2+length]), binary.BigEndian.Uint16(body[2+length:]), string(body[4+length:])
		switch {
		case topic == l.gate.status.Topic && payload == l.gate.status.Online:
			l.reached("greeting")
			l.born = true
		case topic == l.gate.status.Topic:
			l.reached("leaving")
		case strings.HasSuffix(topic, "/e"):
			l.set(func() {
				if l.flying[id] = payload; l.said[payload] == 0 {
					l.order = append(l.order, payload)
				}
				l.said[payload]++
			})
		}
		switch l.published++; {
		case l.born:
			l.reached("traffic")
		case l.published < l.states:
			l.reached("dump")
		default:
			l.reached("settling")
		}
	}
}

// answered sees what the broker says.
func (l *leg) answered(packet []byte) {
	if packet[0]>>4 == packetPuback {
		l.set(func() { l.acked[l.flying[binary.BigEndian.Uint16(packet[2:])]]++ })
	}
}
