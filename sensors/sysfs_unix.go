//go:build unix

package sensors

import (
	"io/fs"
	"syscall"
)

// sysFiles are those of this machine. They are not opened with package os: where a driver says EAGAIN, as some do whose measurement is
// not over, that would wait for a sign that sysfs never gives.
type sysFiles struct{}

func (sysFiles) read(path string) ([]byte, error) {
	fd, err := open(path, syscall.O_RDONLY)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	return readAll(fd, path)
}

func readAll(fd int, path string) ([]byte, error) {
	buf := make([]byte, maxAttribute+1)
	n := 0
	for n < len(buf) {
		got, err := syscall.Read(fd, buf[n:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if got == 0 {
			break
		}
		n += got
	}
	return buf[:n], nil
}

func (sysFiles) write(path, text string) error {
	fd, err := open(path, syscall.O_WRONLY)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	if _, err := syscall.Write(fd, []byte(text)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

func open(path string, flags int) (fd int, err error) {
	for {
		if fd, err = syscall.Open(path, flags|syscall.O_CLOEXEC, 0); err != syscall.EINTR {
			return fd, err
		}
	}
}
