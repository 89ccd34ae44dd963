//go:build linux

package main

import (
	"flag"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gatewayd/internal/i2csim/bus"
	"gatewayd/internal/i2csim/client"
	"gatewayd/internal/i2csim/i2cdev"
)

// bench measures how long transactions take, the device's node included.
func bench(args []string) error {
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	dev := fs.String("dev", "/dev/i2c-1", "device")
	addr := fs.Uint("addr", 0x20, "address of a chip")
	reg := fs.Uint("reg", 0x00, "a register of it that may be written with what it holds")
	n := fs.Int("n", 1000, "transactions of each sort")
	fs.Parse(args)

	fd, err := unix.Open(*dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", *dev, err)
	}
	defer unix.Close(fd)
	if r := client.Ioctl(fd, i2cdev.I2C_SLAVE, uintptr(*addr)); r < 0 {
		return fmt.Errorf("I2C_SLAVE: %w", unix.Errno(-r))
	}
	var (
		a     = uint16(*addr)
		w     = []byte{byte(*reg)}
		r1    = make([]byte, 1)
		r2    = make([]byte, 2)
		block [34]byte
	)
	bySyscall := func(n int, err error) int {
		if err != nil {
			return -int(err.(unix.Errno))
		}
		return n
	}
	for _, t := range []struct {
		name string
		do   func() int
	}{
		{"I2C_SLAVE (no bus traffic)", func() int { return client.Ioctl(fd, i2cdev.I2C_SLAVE, uintptr(a)) }},
		{"read 1 byte", func() int { return bySyscall(unix.Read(fd, r1)) }},
		{"write register pointer", func() int { return bySyscall(unix.Write(fd, w)) }},
		{"I2C_SMBUS read byte data", func() int { return client.SMBus(fd, 1, byte(*reg), 2, &block) }},
		{"I2C_SMBUS write byte data", func() int { return client.SMBus(fd, 0, byte(*reg), 2, &block) }},
		{"I2C_RDWR write 1, read 2", func() int {
			return client.RDWR(fd, []client.Msg{client.Message(a, 0, w), client.Message(a, bus.Read, r2)})
		}},
	} {
		times := make([]time.Duration, *n)
		for i := range times {
			start := time.Now()
			if r := t.do(); r < 0 {
				return fmt.Errorf("%s: %w", t.name, unix.Errno(-r))
			}
			times[i] = time.Since(start)
		}
		slices.Sort(times)
		at := func(q float64) time.Duration {
			return times[int(q*float64(len(times)-1))].Round(100 * time.Nanosecond)
		}
		fmt.Printf("%-28s median %-9v 90%% %-9v 99%% %-9v max %v\n", t.name, at(0.5), at(0.9), at(0.99), at(1))
	}
	return nil
}
