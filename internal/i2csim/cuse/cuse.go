//go:build linux

// Package cuse makes a character device of a Go program, by the kernel's CUSE
// protocol on /dev/cuse (linux/fuse.h). Ioctls are unrestricted: the handler
// tells the kernel which of the caller's memory to copy, and is asked again.
package cuse

import (
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is what the program offers.
type Device interface {
	Open() File
}

// File is one open file of the device. Calls may come at the same time.
type File interface {
	// Read fills p and gives the number of bytes; p has at most MaxIO.
	Read(p []byte) (int, unix.Errno)
	// Write takes p, of at most MaxIO bytes, and gives the number taken.
	Write(p []byte) (int, unix.Errno)
	Ioctl(c *Ioctl) Reply
	Release()
}

// MaxIO is the most that one read or write brings; the kernel splits longer
// ones, unless the first part was not taken in full.
const MaxIO = 16384

// Ioctl is an ioctl as far as it is known: In is the memory asked for so far,
// valid during the call, Out the number of bytes that may be answered.
type Ioctl struct {
	Cmd uint32
	Arg uint64
	In  []byte
	Out int
}

// Vec is a piece of the caller's memory.
type Vec struct {
	Base uint64
	Len  uint64
}

// Reply answers an ioctl: with a result (negative: an error) and the bytes to
// copy out, or, where Retry is set, with the memory needed to go on.
type Reply struct {
	Result   int32
	Out      []byte
	Retry    bool
	ReadFrom []Vec
	WriteTo  []Vec
}

// Opcodes and flags of linux/fuse.h.
const (
	opOpen    = 14
	opRead    = 15
	opWrite   = 16
	opRelease = 18
	opIoctl   = 39
	opInit    = 4096

	cuseUnrestrictedIoctl = 1 << 0
	ioctl32Bit            = 1 << 3
	ioctlRetry            = 1 << 2

	protocolMajor = 7
	protocolMinor = 31
)

// The kernel's structures.
type (
	inHeader struct {
		Len, Opcode    uint32
		Unique, NodeID uint64
		UID, GID, PID  uint32
		Extlen, _      uint16
	}
	outHeader struct {
		Len    uint32
		Error  int32
		Unique uint64
	}
	initIn  struct{ Major, Minor, _, Flags uint32 }
	initOut struct {
		Major, Minor, _, Flags            uint32
		MaxRead, MaxWrite, DevMaj, DevMin uint32
		_                                 [10]uint32
	}
	openOut struct {
		FH       uint64
		Flags, _ uint32
	}
	releaseIn struct {
		FH    uint64
		_     [2]uint32
		Owner uint64
	}
	readIn struct { // also that of write, whose data follow
		FH, Offset uint64
		Size, _    uint32
		Owner      uint64
		Flags, _   uint32
	}
	writeOut struct{ Size, _ uint32 }
	ioctlIn  struct {
		FH              uint64
		Flags, Cmd      uint32
		Arg             uint64
		InSize, OutSize uint32
	}
	ioctlOut struct {
		Result                 int32
		Flags, InVecs, OutVecs uint32
	}
)

// Server is a device that exists.
type Server struct {
	dev   Device
	file  *os.File // the device exists as long as it is open
	conn  syscall.RawConn
	mu    sync.Mutex
	files map[uint64]File
	next  uint64
	idle  []*request // to be used again
}

// New creates the character device /dev/name.
func New(name string, dev Device) (*Server, error) {
	f, err := os.OpenFile("/dev/cuse", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Server{dev: dev, file: f, conn: conn, files: map[uint64]File{}}
	if err := s.handshake(name); err != nil {
		f.Close()
		return nil, fmt.Errorf("CUSE_INIT: %w", err)
	}
	return s, nil
}

// Close removes the device.
func (s *Server) Close() error { return s.file.Close() }

// Serve answers requests until the device is gone.
func (s *Server) Serve() error {
	for {
		r := s.newRequest()
		err := r.receive()
		if err == unix.ENODEV {
			return nil
		}
		if err != nil {
			return fmt.Errorf("/dev/cuse: %w", err)
		}
		go r.handle()
		runtime.Gosched() // most requests are answered at once
	}
}

func (s *Server) open() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.files[s.next] = s.dev.Open()
	return s.next
}

func (s *Server) lookup(fh uint64) File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[fh]
}

func (s *Server) release(fh uint64) {
	s.mu.Lock()
	f := s.files[fh]
	delete(s.files, fh)
	s.mu.Unlock()
	if f != nil {
		f.Release()
	}
}

// request is one request with its answer.
type request struct {
	*Server
	in, out []byte
	n       int // bytes of in
}

// An ioctl brings up to 32 pages of data, after its headers.
const bufferSize = 33 << 12

// newRequest gives a request to fill, preferably one that is done with: fresh
// memory is dear where page faults are slow, as under User-Mode Linux.
func (s *Server) newRequest() *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		r := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return r
	}
	return &request{Server: s, in: make([]byte, bufferSize), out: make([]byte, bufferSize)}
}

func (r *request) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, r)
}

// receive waits for a request. Neither reading nor writing blocks, so that
// Go's scheduler need not know of the system calls.
func (r *request) receive() error {
	for {
		var e unix.Errno
		err := r.conn.Read(func(fd uintptr) bool {
			var n uintptr
			n, _, e = unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&r.in[0])), uintptr(len(r.in)))
			r.n = int(n)
			return e != unix.EAGAIN
		})
		if err != nil {
			return err
		}
		switch e {
		case 0:
			return nil
		case unix.EINTR, unix.ENOENT: // ENOENT: the caller has given up
		default:
			return e
		}
	}
}

var errShort = errors.New("short request from the kernel")

// take splits a structure off the front of a request. Structures are read in
// place: requests and their structures are aligned to 8 bytes.
func take[T any](p []byte) (*T, []byte, error) {
	var v T
	if len(p) < int(unsafe.Sizeof(v)) {
		return nil, nil, errShort
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(p))), p[unsafe.Sizeof(v):], nil
}

// put lays out an answer: its header, a structure v, and data of n bytes that
// the caller fills.
func put[T any](r *request, v T, n int) (data []byte) {
	at := unsafe.Sizeof(outHeader{})
	*(*T)(unsafe.Pointer(&r.out[at])) = v
	at += unsafe.Sizeof(v)
	return r.out[at:][:n]
}

// send answers a request with an error or with size bytes put before.
func (r *request) send(unique uint64, e unix.Errno, size uintptr) (err error) {
	size += unsafe.Sizeof(outHeader{})
	if e != 0 {
		size = unsafe.Sizeof(outHeader{})
	}
	*(*outHeader)(unsafe.Pointer(&r.out[0])) = outHeader{Len: uint32(size), Error: -int32(e), Unique: unique}
	cerr := r.conn.Control(func(fd uintptr) {
		_, _, e := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&r.out[0])), size)
		if e != 0 && e != unix.ENOENT { // ENOENT: the caller has died meanwhile
			err = e
		}
	})
	return errors.Join(err, cerr)
}

func (s *Server) handshake(name string) error {
	r := s.newRequest()
	defer r.done()
	if err := r.receive(); err != nil {
		return err
	}
	h, body, err := take[inHeader](r.in[:r.n])
	if err != nil {
		return err
	}
	in, _, err := take[initIn](body)
	if err != nil {
		return err
	}
	if h.Opcode != opInit || in.Major != protocolMajor {
		return fmt.Errorf("opcode %d, protocol %d.%d", h.Opcode, in.Major, in.Minor)
	}
	if in.Flags&cuseUnrestrictedIoctl == 0 {
		return errors.New("the kernel has no unrestricted ioctl")
	}
	info := "DEVNAME=" + name + "\x00"
	out := initOut{
		Major:    protocolMajor,
		Minor:    min(in.Minor, protocolMinor),
		Flags:    cuseUnrestrictedIoctl,
		MaxRead:  MaxIO,
		MaxWrite: MaxIO,
	}
	copy(put(r, out, len(info)), info)
	return r.send(h.Unique, 0, unsafe.Sizeof(out)+uintptr(len(info)))
}

// handle answers the request.
func (r *request) handle() {
	defer r.done()
	if err := r.answer(); err != nil {
		log.Printf("/dev/cuse: %v", err)
	}
}

func (r *request) answer() error {
	h, body, err := take[inHeader](r.in[:r.n])
	if err != nil {
		return err
	}
	switch h.Opcode {
	case opOpen:
		out := openOut{FH: r.open()}
		put(r, out, 0)
		return r.send(h.Unique, 0, unsafe.Sizeof(out))
	case opRelease:
		in, _, err := take[releaseIn](body)
		if err != nil {
			return err
		}
		r.release(in.FH)
		return r.send(h.Unique, 0, 0)
	case opRead:
		in, _, err := take[readIn](body)
		if err != nil {
			return err
		}
		p := put(r, struct{}{}, int(min(in.Size, MaxIO)))
		n, e := r.lookup(in.FH).Read(p)
		return r.send(h.Unique, e, uintptr(n))
	case opWrite:
		in, data, err := take[readIn](body)
		if err != nil {
			return err
		}
		n, e := r.lookup(in.FH).Write(data)
		out := writeOut{Size: uint32(n)}
		put(r, out, 0)
		return r.send(h.Unique, e, unsafe.Sizeof(out))
	case opIoctl:
		return r.ioctl(h.Unique, body)
	}
	// Notably interrupt: transfers are not interruptible, and after ENOSYS the
	// kernel asks no more; and poll: after ENOSYS the kernel acts as for a
	// driver without poll, always ready.
	return r.send(h.Unique, unix.ENOSYS, 0)
}

func (r *request) ioctl(unique uint64, body []byte) error {
	in, data, err := take[ioctlIn](body)
	if err != nil {
		return err
	}
	if len(data) < int(in.InSize) {
		return errShort
	}
	if in.Flags&ioctl32Bit != 0 { // 32-bit callers have other structures
		return r.send(unique, unix.ENOTTY, 0)
	}
	a := r.lookup(in.FH).Ioctl(&Ioctl{Cmd: in.Cmd, Arg: in.Arg, In: data[:in.InSize], Out: int(in.OutSize)})
	size := unsafe.Sizeof(ioctlOut{})
	if !a.Retry {
		copy(put(r, ioctlOut{Result: a.Result}, len(a.Out)), a.Out)
		return r.send(unique, 0, size+uintptr(len(a.Out)))
	}
	vecs := len(a.ReadFrom) + len(a.WriteTo)
	more := int(unsafe.Sizeof(Vec{})) * vecs
	out := ioctlOut{Flags: ioctlRetry, InVecs: uint32(len(a.ReadFrom)), OutVecs: uint32(len(a.WriteTo))}
	p := unsafe.Slice((*Vec)(unsafe.Pointer(unsafe.SliceData(put(r, out, more)))), vecs)
	copy(p[copy(p, a.ReadFrom):], a.WriteTo)
	return r.send(unique, 0, size+uintptr(more))
}
