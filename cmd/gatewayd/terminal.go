package main

import "os"

// orphaned gives what tells, at a SIGHUP, whether it came because the terminal is gone that the program was started in: that ends
// it, as any other program. A service has none.
func orphaned() func() bool {
	attached := func() bool {
		f, err := os.Open("/dev/tty")
		if err != nil {
			return false
		}
		f.Close()
		return true
	}
	was := attached()
	return func() bool { return was && !attached() }
}
