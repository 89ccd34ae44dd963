package bus

import "syscall"

// EREMOTEIO is what most controllers' drivers say when nobody answers.
const EREMOTEIO = syscall.EREMOTEIO
