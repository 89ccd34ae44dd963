package sensors

import (
	"slices"
	"strings"
)

// ForPart gives the driver that says of itself that it is for a part, as "SHT21" or "ds18b20", or nil. A driver for some parts is meant
// rather than one for all that the kernel drives.
func ForPart(part string) *Driver {
	if d := Lookup(strings.ToLower(part)); d != nil {
		return d
	}
	if len(part) < 4 || !strings.ContainsAny(part, "0123456789") {
		return nil
	}
	var kernel *Driver
	for _, d := range Drivers() {
		switch words := strings.FieldsFunc(d.Doc, func(r rune) bool { return strings.ContainsRune(" :,;()", r) }); {
		case !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, part) }):
		case d.Name != "iio" && d.Name != "hwmon":
			return d
		case kernel == nil:
			kernel = d
		}
	}
	return kernel
}
