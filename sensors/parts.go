package sensors

import (
	"slices"
	"strings"
)

// ForPart gives the driver that says of itself that it is for a part, as "SHT21" or "ds18b20", or nil.
func ForPart(part string) *Driver {
	if d := Lookup(strings.ToLower(part)); d != nil {
		return d
	}
	if len(part) < 4 || !strings.ContainsAny(part, "0123456789") {
		return nil
	}
	for _, d := range Drivers() {
		words := strings.FieldsFunc(d.Doc, func(r rune) bool { return strings.ContainsRune(" :,;()", r) })
		if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, part) }) {
			return d
		}
	}
	return nil
}
