package bridge

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickConn acknowledges TCP segments at once. Left alone, the kernel delays that by up to 40 ms, and a broker without
// TCP_NODELAY (mosquitto, as Debian configures it) holds its next packet back until then. The kernel falls back to delaying by
// itself, so the option is set again after each read: tcp(7), TCP_QUICKACK.
type quickConn struct {
	*net.TCPConn
	raw syscall.RawConn
	set func(fd uintptr) // made once: no allocation per read
}

func quick(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	q := &quickConn{TCPConn: tcp, raw: raw, set: func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	}}
	raw.Control(q.set)
	return q
}

func (q *quickConn) Read(p []byte) (int, error) {
	n, err := q.TCPConn.Read(p)
	if err == nil {
		q.raw.Control(q.set)
	}
	return n, err
}
