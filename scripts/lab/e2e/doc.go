// Package e2e proves the whole gateway in the lab: each test starts gatewayd as a process of its own, on the kernel's GPIO and I2C,
// with a real mosquitto, and plays the world around them. scripts/lab/test.sh boots the lab for it. Elsewhere the tests skip.
package e2e
