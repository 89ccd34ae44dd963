package sensors

import (
	"os"
	"strings"
)

// w1Found gives the thermometers that the kernel has seen on 1-Wire buses.
func w1Found(root string) (all []Found) {
	entries, err := os.ReadDir((&Options{Root: root}).under(w1Devices))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		family, _, _ := strings.Cut(e.Name(), "-")
		if part := w1Families[family]; part != "" {
			all = append(all, Found{What: part + " " + e.Name(), Keys: "serial: " + e.Name()})
		}
	}
	return all
}
