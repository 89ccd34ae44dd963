//go:build !linux

package bus

import "syscall"

// EREMOTEIO is what most controllers' drivers say when nobody answers. Not every system has it: ENXIO, which other drivers
// of Linux use for the same, stands for it here.
const EREMOTEIO = syscall.ENXIO
