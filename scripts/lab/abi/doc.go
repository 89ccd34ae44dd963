// Package abi holds the tests of the I2C simulator through the kernel, as programs see it: run.sh boots the lab for them.
// Elsewhere they skip, for want of the device.
package abi
