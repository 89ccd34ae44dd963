package sensors

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kernel's drivers/w1/slaves/w1_therm.c (6.12) and the data sheets: Maxim 19-7487 (DS18B20), 19-5485 (MAX31850).
func init() {
	Register(Driver{
		Name: "w1",
		Doc:  "1-Wire thermometers: DS18B20, DS18S20, DS1822, DS1825, DS28EA00, MAX31850",
		Keys: []Key{{
			Name: "serial", Doc: "its serial number; that of the only one on the bus unless said", Want: w1Want,
			Check: func(text string) error {
				_, err := w1ID(text)
				return err
			},
		}},
		Measures: []Quantity{temperature},
		Time:     2 * time.Second, // 750 ms for the conversion, 850 ms more for some copies
		Example:  "serial: 28-0316a279a0ff",
		Open:     openW1,
		Find:     w1Found,
	})
}

const (
	w1Devices = "sys/bus/w1/devices"
	w1Want    = "a serial number such as 28-0316a279a0ff"

	// Two readings so close to each other that the later one can be 85 °C, which is also what a part has in its memory when it was
	// switched on.
	w1Near     = 5
	w1NearTime = 10 * time.Minute
)

// w1Families are the first byte of a thermometer's serial number.
var w1Families = map[string]string{"10": "DS18S20", "22": "DS1822", "28": "DS18B20", "3b": "DS1825", "42": "DS28EA00"}

// w1 is a thermometer.
type w1 struct {
	id      string
	kernel  attributes
	folder  string
	bus     *w1Bus
	last    float64 // what was measured last, and when
	lastAt  time.Time
	release func()
}

func openW1(o Options) (Sensor, error) {
	type place struct{ id, folder, master string }
	at, err := within(patience, "1-Wire", func() (p place, err error) {
		if p.id, err = w1Find(&o); err != nil {
			return p, err
		}
		p.folder = o.under(w1Devices, p.id)
		if _, err := os.Stat(filepath.Join(p.folder, "w1_slave")); errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("the kernel has %s, and no driver for it: is the module w1_therm there (sudo modprobe w1_therm)?", p.id)
		}
		real, err := filepath.EvalSymlinks(p.folder)
		p.master = filepath.Dir(real)
		return p, err
	})
	if err != nil {
		return nil, err
	}
	s := &w1{id: at.id, kernel: o.kernel(), folder: at.folder, bus: w1BusAt(at.master)}
	s.release = s.bus.use()
	return s, nil
}

// Close lets the others on the bus know.
func (s *w1) Close() error {
	s.release()
	return nil
}

// w1Find gives the serial number of the thermometer that is wanted, as the kernel writes it.
func w1Find(o *Options) (string, error) {
	entries, err := os.ReadDir(o.under(w1Devices))
	if err != nil {
		return "", fmt.Errorf("the kernel has no 1-Wire bus: write dtoverlay=w1-gpio into /boot/firmware/config.txt, and restart")
	}
	var all []string
	for _, e := range entries {
		if family, _, ok := strings.Cut(e.Name(), "-"); ok && w1Families[family] != "" {
			all = append(all, e.Name())
		}
	}
	there := "there is none on the bus: check its wires, and the resistor of 4.7 kΩ between data and 3.3 V"
	if len(all) > 0 {
		there = "on the bus are " + strings.Join(all, ", ")
		if len(all) == 1 {
			there = "on the bus is " + all[0]
		}
	}
	if !o.Settings.Has("serial") {
		switch len(all) {
		case 0:
			return "", errors.New("no thermometer: " + there)
		case 1:
			return all[0], nil
		}
		return "", errors.New("which thermometer? " + there + ": write one of them, as serial: " + all[0])
	}
	id, err := w1ID(o.Settings.Text("serial"))
	if err == nil && !slices.Contains(all, id) {
		err = fmt.Errorf("no %s: %s", id, there)
	}
	return id, err
}

// w1ID gives a serial number as the kernel writes it: the family, and the number with its last byte first. Other programs have its bytes in
// one or the other order, with their check sum, which tells the order.
func w1ID(text string) (string, error) {
	bare := strings.NewReplacer("-", "", ":", "", ".", "", " ", "").Replace(strings.TrimPrefix(strings.ToLower(text), "0x"))
	b, err := hex.DecodeString(bare)
	switch {
	case err != nil:
	case len(b) == 7 && len(text) > 2 && text[2] == '.': // of owfs: in the order of the bus
		slices.Reverse(b[1:])
	case len(b) == 7 && strings.Contains(text, "-"):
	case len(b) == 8 && w1Sum(b) == 0 && w1Families[bare[:2]] != "":
		b = b[:7]
		slices.Reverse(b[1:])
	case len(b) == 8:
		slices.Reverse(b)
		if err = errors.New("its check sum is wrong"); w1Sum(b) == 0 {
			err = nil
		}
		b = b[:7]
		slices.Reverse(b[1:])
	default:
		err = errors.New("it has the wrong length")
	}
	if err != nil {
		return "", fmt.Errorf("wanted %s, as in /sys/bus/w1/devices", w1Want)
	}
	family := hex.EncodeToString(b[:1])
	if w1Families[family] == "" {
		return "", fmt.Errorf("it is no thermometer's: these begin with 10, 22, 28, 3b or 42; wanted %s", w1Want)
	}
	return family + "-" + hex.EncodeToString(b[1:]), nil
}

// w1Sum is the check sum of 1-Wire (Maxim application note 27): 0 over what ends with its own.
func w1Sum(data []byte) (sum byte) {
	for _, b := range data {
		for range 8 {
			mix := (sum ^ b) & 1
			if sum >>= 1; mix != 0 {
				sum ^= 0x8C
			}
			b >>= 1
		}
	}
	return sum
}

// Measure reads w1_slave, not the file temperature beside it: that has the number alone, which a bus that is held low makes 0, and a part
// that was just switched on 85.
func (s *w1) Measure(ctx context.Context) ([]Reading, error) {
	text, err := s.bus.read(ctx, s)
	if err != nil {
		return nil, err
	}
	t, err := s.celsius(text)
	if err != nil {
		return nil, err
	}
	s.last, s.lastAt = t, time.Now()
	return []Reading{temperature.is(t)}, nil
}

// celsius checks what the kernel has read, and gives the temperature.
func (s *w1) celsius(text string) (float64, error) {
	memory, t, err := w1Parse(text)
	if err != nil {
		return 0, err
	}
	low, high := -55.0, 125.0                       // 19-7487
	if s.id[:2] == "3b" && memory[4]&0xF0 == 0xF0 { // a MAX31850, which old kernels take for another part (19-5485: table 2, figure 4)
		if memory[0]&1 != 0 {
			what := []string{"is open", "touches ground", "touches the supply"}
			for i, text := range what {
				if memory[2]>>i&1 != 0 {
					return 0, errors.New("the thermocouple " + text)
				}
			}
			return 0, errors.New("the thermocouple has a fault")
		}
		t, low, high = float64(int16(uint16(memory[1])<<8|uint16(memory[0])&^3))/16, -270, 1800
	}
	switch {
	case t < low || t > high:
		return 0, fmt.Errorf("impossible temperature %.2f °C: the part measures from %v to %v", t, low, high)
	case t != 85:
	case memory[6] == 0x0C || s.lastAt.IsZero() || time.Since(s.lastAt) > w1NearTime || s.last < 85-w1Near || s.last > 85+w1Near:
		// An original has 0x10 there after a measurement of 85.0 °C.
		return 0, errors.New("85 °C, which is what it has in its memory before it measures: check its supply, or its resistor")
	}
	return t, nil
}

// w1Parse reads "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000": the part's memory, and the temperature.
func w1Parse(text string) (memory [9]byte, celsius float64, err error) {
	strange := fmt.Errorf("the kernel says %s, wanted a part's memory and its temperature", quoted(text))
	first, second, _ := strings.Cut(text, "\n")
	words := strings.Fields(first)
	if len(words) < 9 {
		return memory, 0, strange
	}
	zero := true
	for i, w := range words[:9] {
		b, err := strconv.ParseUint(w, 16, 8)
		if err != nil || len(w) != 2 {
			return memory, 0, strange
		}
		memory[i] = byte(b)
		zero = zero && b == 0
	}
	switch {
	case zero: // its check sum is right
		return memory, 0, errors.New("nothing but zeros: the data wire touches ground, or the part is broken")
	case w1Sum(memory[:]) != 0 || strings.HasSuffix(first, "NO"):
		return memory, 0, errors.New("wrong check sum: something disturbs the bus; check the wires, and the resistor between data and 3.3 V")
	}
	_, number, found := strings.Cut(second, "t=")
	milli, ok := kernelNumber(strings.TrimSpace(number))
	if !found || !ok {
		return memory, 0, strange
	}
	return memory, milli / 1000, nil
}
