package sensors

import (
	"regexp"
	"strconv"
	"strings"
)

// finder gives what the kernel has of a class, as far as the driver of that name can read anything of it.
func (c *kernelClass) finder(driver string) func(root string) []Found {
	return func(root string) (all []Found) {
		o := Options{Root: root}
		devices := c.all(&o)
		names := map[string]int{}
		for _, d := range devices {
			names[d.name]++
		}
		for _, d := range devices {
			device, what := d.name, d.name
			if d.parent != "" && d.parent != d.name {
				what += " at " + d.parent
				if names[d.name] > 1 { // its place tells it from others
					device = d.parent
				}
			}
			o.Settings = Settings{"device": {device}}
			quantities, err := Lookup(driver).Offers(o)
			if err != nil || len(quantities) == 0 {
				continue
			}
			var measures []string
			for _, q := range quantities {
				measures = append(measures, q.Name)
			}
			if !plainWord.MatchString(device) {
				device = strconv.Quote(device)
			}
			all = append(all, Found{What: what + ": " + strings.Join(measures, ", "), Keys: "device: " + device})
		}
		return all
	}
}

// plainWord is what YAML takes for a text without quotes, also in { }.
var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]*$|^[0-9]+-[0-9a-f]{4}$`)
