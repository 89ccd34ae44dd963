package bus

import (
	"fmt"
	"strings"
	"syscall"
)

// errnos are those that controllers and their drivers are known to report, and some that drivers of chips must bear all the same.
// A table of our own, as the names are known to no package that is there on every system.
var errnos = []struct {
	name string
	e    syscall.Errno
}{
	{"EREMOTEIO", EREMOTEIO}, // first: elsewhere than on Linux it shares ENXIO's number
	{"EPERM", syscall.EPERM},
	{"ENOENT", syscall.ENOENT},
	{"EINTR", syscall.EINTR},
	{"EIO", syscall.EIO},
	{"ENXIO", syscall.ENXIO},
	{"EAGAIN", syscall.EAGAIN},
	{"ENOMEM", syscall.ENOMEM},
	{"EACCES", syscall.EACCES},
	{"EFAULT", syscall.EFAULT},
	{"EBUSY", syscall.EBUSY},
	{"ENODEV", syscall.ENODEV},
	{"EINVAL", syscall.EINVAL},
	{"ENOTTY", syscall.ENOTTY},
	{"EPIPE", syscall.EPIPE},
	{"ENOSYS", syscall.ENOSYS},
	{"EPROTO", syscall.EPROTO},
	{"EBADMSG", syscall.EBADMSG},
	{"EOVERFLOW", syscall.EOVERFLOW},
	{"EOPNOTSUPP", syscall.EOPNOTSUPP},
	{"ESHUTDOWN", syscall.ESHUTDOWN},
	{"ETIMEDOUT", syscall.ETIMEDOUT},
	{"ECANCELED", syscall.ECANCELED},
}

func errnoName(e syscall.Errno) string {
	for _, n := range errnos {
		if n.e == e {
			return n.name
		}
	}
	return fmt.Sprint(int(e))
}

// ParseErrno finds an error by its name, such as EIO.
func ParseErrno(name string) (syscall.Errno, bool) {
	for _, n := range errnos {
		if strings.EqualFold(n.name, name) {
			return n.e, true
		}
	}
	return 0, false
}
