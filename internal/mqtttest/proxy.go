package mqtttest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a target, and disturbs them.
type Proxy struct {
	Frozen  atomic.Bool // nothing is passed on, in either direction, and nothing is closed
	Stuck   atomic.Bool // nothing is read any more, so that whoever writes soon waits
	Closed  atomic.Bool // new connections are closed at once
	Accepts atomic.Int64

	l      net.Listener
	target string
	wg     sync.WaitGroup
	mu     sync.Mutex // guards the following
	conns  map[net.Conn]bool
	done   bool
}

// StartProxy listens on a loopback port.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{l: l, target: target, conns: make(map[net.Conn]bool)}
	p.wg.Go(p.accept)
	tb.Cleanup(p.Stop)
	return p
}

// Addr is host and port to connect to.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Stop ends the proxy and its connections.
func (p *Proxy) Stop() {
	p.l.Close()
	p.mu.Lock()
	p.done = true
	p.mu.Unlock()
	p.Kill()
	p.wg.Wait()
}

// Kill closes all connections and returns how many there were.
func (p *Proxy) Kill() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.conns)
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
	return n / 2
}

func (p *Proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		p.Accepts.Add(1)
		if p.Closed.Load() {
			in.Close()
			continue
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		done := p.done
		p.mu.Unlock()
		if done {
			p.Kill()
		}
		p.wg.Go(func() { p.pass(in, out) })
		p.wg.Go(func() { p.pass(out, in) })
	}
}

// has tells whether the connection was not killed.
func (p *Proxy) has(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[c]
}

func (p *Proxy) pass(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, from)
		delete(p.conns, to)
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for p.Stuck.Load() && p.has(from) {
			time.Sleep(5 * time.Millisecond)
		}
		if p.Frozen.Load() { // swallow
			if err != nil {
				return
			}
			continue
		}
		if _, werr := to.Write(buf[:n]); werr != nil || err == io.EOF || err != nil {
			return
		}
	}
}
