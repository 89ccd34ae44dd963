//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A CUSE device is no I2C adapter to the kernel, so that sysfs does not know
// it. The i2c-stub module makes an adapter with all that belongs to it in
// sysfs, and a device node, which the CUSE device replaces.
//
// The kernel gives an adapter the lowest free number. For bus 1, another copy
// of i2c-stub takes number 0 first and is unloaded afterwards. The kernel
// loads a module once only, hence each copy gets a name of its own, patched
// into the file's contents before they are loaded, as is the adapter's name.

const (
	stubModule  = "i2c_stub"
	stubAdapter = "SMBus stub driver"
	stubParams  = "chip_addr=0x03" // it wants a chip; user space never sees it
	adapterSize = 48               // of the name in struct i2c_adapter
)

func sysAdapter(bus int) string { return fmt.Sprintf("/sys/bus/i2c/devices/i2c-%d", bus) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// addAdapter loads the i2c-stub module of the given file so that its adapter
// gets the number of the bus and the given name. It gives a function that
// unloads the module.
func addAdapter(file string, bus int, adapter string) (remove func(), err error) {
	module := func(i int) string { return fmt.Sprintf("i2c_%02x%02x", bus, i) } // as long as i2c_stub
	unload := func(i int) func() {
		return func() { unix.DeleteModule(module(i), 0) }
	}
	for i := range 10 {
		if exists("/sys/module/" + module(i)) { // of a simulator that was killed
			unload(i)()
		}
	}
	if exists(sysAdapter(bus)) {
		return nil, fmt.Errorf("there is an adapter i2c-%d already", bus)
	}
	ko, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	old, name := make([]byte, adapterSize), make([]byte, adapterSize)
	copy(old, stubAdapter)
	copy(name[:adapterSize-1], adapter)
	if !bytes.Contains(ko, []byte(stubModule)) || !bytes.Contains(ko, old) {
		return nil, fmt.Errorf("%s is not the i2c-stub module", file)
	}
	ko = bytes.ReplaceAll(ko, old, name)
	for i := range 10 {
		before := adapters()
		if err := unix.InitModule(bytes.ReplaceAll(ko, []byte(stubModule), []byte(module(i))), stubParams); err != nil {
			return nil, fmt.Errorf("loading %s: %w", file, err)
		}
		if exists(sysAdapter(bus)) {
			return unload(i), nil
		}
		defer unload(i)()
		if adapters() == before {
			return nil, errors.New("the module made no adapter")
		}
	}
	return nil, fmt.Errorf("no adapter got the number %d", bus)
}

func adapters() int {
	m, _ := filepath.Glob("/sys/bus/i2c/devices/i2c-*")
	return len(m)
}
