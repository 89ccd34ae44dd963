package sensors

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kernelClass is where the kernel shows devices of one kind.
type kernelClass struct {
	what   string // for people
	folder string
	prefix string // of their names there, which have a number that changes from one start to the next
}

// kernelDevice is one of them.
type kernelDevice struct {
	name   string // what its driver calls it
	parent string // where it is: 1-0076, spi0.0; empty: nowhere
	folder string // its own, without links: with the parent in it, so that it is never another one's
}

// deviceKey is the key that says which device is meant.
func deviceKey(examples string) Key {
	k := textKey("device", "which one: its name, or where it is", "a device's name or place, such as "+examples)
	return k.required()
}

// all gives the devices that there are, in the order of their names.
func (c *kernelClass) all(o *Options) (found []kernelDevice) {
	entries, err := os.ReadDir(o.under(c.folder))
	if err != nil {
		return nil // the folder is there with the first driver
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), c.prefix) {
			continue
		}
		folder, err := filepath.EvalSymlinks(o.under(c.folder, e.Name()))
		if err != nil {
			continue // it has just gone
		}
		name, err := o.kernel().text(filepath.Join(folder, "name"))
		if err != nil {
			continue
		}
		up := filepath.Dir(folder)
		if filepath.Base(up) == "hwmon" {
			up = filepath.Dir(up)
		}
		parent := filepath.Base(up)
		if parent == "virtual" {
			parent = ""
		}
		found = append(found, kernelDevice{name: name, parent: parent, folder: folder})
	}
	slices.SortFunc(found, func(a, b kernelDevice) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.parent, b.parent), cmp.Compare(a.folder, b.folder))
	})
	return found
}

// find gives the device that the settings name. Its number there is nothing to go by.
func (c *kernelClass) find(o *Options) (kernelDevice, error) {
	wanted := o.Settings.Text("device")
	all := c.all(o)
	var found []kernelDevice
	for _, d := range all {
		if d.parent == wanted {
			return d, nil
		}
		if d.name == wanted || bareName(d.name) == wanted {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var places []string
		for _, d := range found {
			places = append(places, cmp.Or(d.parent, "(nowhere)"))
		}
		return kernelDevice{}, fmt.Errorf("%d devices are called %s: write where the one is that you mean, as device: %s", len(found), wanted,
			strings.Join(places, ", or "))
	case len(all) == 0:
		return kernelDevice{}, fmt.Errorf("no %s %s: the kernel has none at all; is its overlay in /boot/firmware/config.txt?", c.what, wanted)
	}
	return kernelDevice{}, fmt.Errorf("no %s %s: the kernel has %s; is its overlay in /boot/firmware/config.txt?", c.what, wanted, listed(all))
}

// bareName is a name without the place that some drivers have in it: dht11@4.
func bareName(name string) string {
	bare, _, _ := strings.Cut(name, "@")
	return bare
}

// listed names devices for people.
func listed(all []kernelDevice) string {
	var names []string
	for _, d := range all {
		if d.parent == "" {
			names = append(names, d.name)
		} else {
			names = append(names, d.name+" at "+d.parent)
		}
	}
	return strings.Join(names, ", ")
}

// still makes sure that a device is the one that was found.
func (d *kernelDevice) still(kernel attributes) error {
	name, err := kernel.text(filepath.Join(d.folder, "name"))
	if err == nil && name != d.name {
		err = fmt.Errorf("%s has become %s", d.name, name)
	}
	return err
}

// attributes gives the names of a device's files. None of them is read.
func (d *kernelDevice) attributes() (names []string, err error) {
	entries, err := os.ReadDir(d.folder)
	if err != nil {
		return nil, fmt.Errorf("%s is gone", d.name)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// kernelKind is a kind of channel, and what makes our unit of the kernel's.
type kernelKind struct {
	Quantity
	factor float64
}

// channel is a number that a device measures.
type channel struct {
	quantity Quantity
	read     func(kernel attributes, folder string) (float64, error)
}

// kernelChannels finds a device, and its channels, in time.
func kernelChannels(o *Options, class *kernelClass, channels func(*kernelDevice, []string) []channel) (kernelDevice, []channel, error) {
	type found struct {
		device   kernelDevice
		channels []channel
	}
	f, err := within(patience, class.what+" "+o.Settings.Text("device"), func() (f found, err error) {
		if f.device, err = class.find(o); err != nil {
			return f, err
		}
		names, err := f.device.attributes()
		if err != nil {
			return f, err
		}
		if f.channels = channels(&f.device, names); len(f.channels) == 0 {
			err = fmt.Errorf("%s has nothing that could be measured", f.device.name)
		}
		return f, err
	})
	return f.device, f.channels, err
}

// quantitiesOf gives what channels measure.
func quantitiesOf(channels []channel) (all []Quantity) {
	for i := range channels {
		all = append(all, channels[i].quantity)
	}
	return all
}

// measure reads all channels, or none.
func (d *kernelDevice) measure(ctx context.Context, kernel attributes, channels []channel) (readings []Reading, err error) {
	if err := d.still(kernel); err != nil {
		return nil, err
	}
	kernel = kernel.once()
	for i := range channels {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := channels[i].read(kernel, d.folder)
		if err != nil {
			return nil, err
		}
		readings = append(readings, channels[i].quantity.is(v))
	}
	return readings, nil
}

// damp is a humidity: a wet sensor, or a very dry one, goes some way beyond what there is, and a broken one far.
func damp(v float64) float64 {
	if v > -5 && v < 105 {
		return min(max(v, 0), 100)
	}
	return v
}
