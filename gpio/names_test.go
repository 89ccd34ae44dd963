package gpio

import (
	"strings"
	"testing"
)

func TestHeaderLine(t *testing.T) {
	for _, c := range []struct {
		name string
		want uint32
		err  string // part of the error; empty: none
	}{
		{"17", 17, ""}, {"GPIO17", 17, ""}, {"gpio17", 17, ""}, {"BCM17", 17, ""}, {"bcm0", 0, ""}, {"GPIO27", 27, ""},
		{"P1-11", 17, ""}, {"p1-40", 21, ""}, {"P1-3", 2, ""}, {"P1-13", 27, ""}, {"P1-36", 16, ""}, {"0", 0, ""},
		{"P1-6", 0, "P1-6 is ground"}, {"P1-1", 0, "3.3 V"}, {"P1-4", 0, "5 V"}, {"P1-27", 0, "EEPROM"}, {"P1-28", 0, "GPIO1"},
		{"P1-0", 0, "P1-1 to P1-40"}, {"P1-41", 0, "P1-1 to P1-40"}, {"P1-", 0, "P1-1 to P1-40"}, {"P1-011", 0, "octal"},
		{"28", 0, "GPIO27"}, {"GPIO40", 0, "GPIO27"}, {"017", 0, "octal"}, {"GPIO017", 0, "octal"}, {"00", 0, "octal"},
		{"", 0, "GPIO27"}, {"-1", 0, "GPIO27"}, {"+1", 0, "GPIO27"}, {"GPIO", 0, "GPIO27"}, {"GPIO 17", 0, "GPIO27"},
		{"GPIOBCM17", 0, "GPIO27"}, {"17.0", 0, "GPIO27"}, {"0x11", 0, "GPIO27"}, {"4294967313", 0, "GPIO27"}, {"١٧", 0, "GPIO27"},
	} {
		checkName(t, "HeaderLine", c.name, func(s string) (uint32, error) { return HeaderLine(s) }, c.want, c.err)
	}
}

func TestHeaderLineName(t *testing.T) {
	for offset, want := range map[uint32]string{
		17: "GPIO17 (pin 11)", 0: "GPIO0 (pin 27)", 1: "GPIO1 (pin 28)", 21: "GPIO21 (pin 40)", 28: "line 28",
	} {
		if got := HeaderLineName(offset); got != want {
			t.Errorf("HeaderLineName(%d) = %q, want %q", offset, got, want)
		}
	}
	seen := map[string]bool{}
	for o := range uint32(headerLines) {
		name := HeaderLineName(o)
		if seen[name] || !strings.HasPrefix(name, "GPIO") {
			t.Errorf("HeaderLineName(%d) = %q: not a name of its own", o, name)
		}
		seen[name] = true
	}
}

func TestMCP23017Line(t *testing.T) {
	for _, c := range []struct {
		name string
		want uint32
		err  string
	}{
		{"GPA0", 0, ""}, {"GPA7", 7, ""}, {"GPB0", 8, ""}, {"gpb7", 15, ""}, {"A3", 3, ""}, {"b3", 11, ""}, {"15", 15, ""}, {"0", 0, ""},
		{"GPA8", 0, "GPA7"}, {"GPC0", 0, "GPA7"}, {"16", 0, "0 to 15"}, {"GP3", 0, "GPA7"}, {"GPA03", 0, "GPA7"}, {"GPA", 0, "GPA7"},
		{"", 0, "GPA7"}, {"07", 0, "octal"}, {"-1", 0, "GPA7"}, {"GPGPA3", 0, "GPA7"},
	} {
		checkName(t, "MCP23017Line", c.name, MCP23017.Line, c.want, c.err)
	}
	for o := range uint32(16) {
		if got, err := MCP23017.Line(MCP23017.LineName(o)); got != o || err != nil {
			t.Errorf("MCP23017Line(%q) = %d, %v, want %d", MCP23017.LineName(o), got, err, o)
		}
	}
}

func TestIOPiPlusLine(t *testing.T) {
	for _, c := range []struct {
		name string
		want uint32 // part * 16 + offset
		err  string
	}{
		{"bus1-3", 2, ""}, {"bus2-16", 31, ""}, {"BUS1-1", 0, ""}, {"bus2-9", 24, ""},
		{"bus1-0", 0, "bus1-1 to"}, {"bus1-17", 0, "bus1-1 to"}, {"bus3-1", 0, "bus2-16"}, {"bus1-03", 0, "octal"}, {"bus1", 0, "bus1-1 to"},
		{"", 0, "bus1-1 to"}, {"1-3", 0, "bus1-1 to"}, {"bus1-3-4", 0, "bus1-1 to"}, {"bus-1", 0, "bus1-1 to"}, {"bus01-1", 0, "bus1-1"},
	} {
		one := func(s string) (uint32, error) {
			part, offset, err := IOPiPlusLine(s)
			return uint32(part)*16 + offset, err
		}
		checkName(t, "IOPiPlusLine", c.name, one, c.want, c.err)
	}
	for part := range 2 {
		for o := range uint32(16) {
			name := IOPiPlusLineName(part, o)
			if p, got, err := IOPiPlusLine(name); p != part || got != o || err != nil {
				t.Errorf("IOPiPlusLine(%q) = %d, %d, %v, want %d, %d", name, p, got, err, part, o)
			}
		}
	}
}

func checkName(t *testing.T, what, name string, f func(string) (uint32, error), want uint32, wantErr string) {
	t.Helper()
	got, err := f(name)
	switch {
	case wantErr == "" && (err != nil || got != want):
		t.Errorf("%s(%q) = %d, %v, want %d", what, name, got, err, want)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("%s(%q) = %d, %v, want an error with %q", what, name, got, err, wantErr)
	}
}

func FuzzLineNames(f *testing.F) {
	for _, s := range []string{"17", "GPIO17", "P1-11", "GPA3", "bus1-3", "017", "P1-", "P17", "IO1_7", "GP7", "\xff", "bus1-٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, err := HeaderLine(s); err == nil && o >= headerLines {
			t.Errorf("HeaderLine(%q) = %d", s, o)
		}
		for _, kind := range Expanders() {
			if o, err := kind.Line(s); err == nil && o >= uint32(kind.Lines) {
				t.Errorf("%s: Line(%q) = %d", kind.Name, s, o)
			}
		}
		if p, o, err := IOPiPlusLine(s); err == nil && (p < 0 || p > 1 || o > 15) {
			t.Errorf("IOPiPlusLine(%q) = %d, %d", s, p, o)
		}
	})
}

func TestExpanderLine(t *testing.T) {
	for _, c := range []struct {
		kind, name string
		want       uint32
		err        string
	}{
		{"mcp23008", "GP0", 0, ""}, {"mcp23008", "gp7", 7, ""}, {"MCP23008", "3", 3, ""}, {"mcp23008", "GP8", 0, "GP0 to GP7"}, {"mcp23008", "GPA3", 0, "GP0 to GP7"},
		{"pcf8574", "P0", 0, ""}, {"pcf8574a", "p7", 7, ""}, {"pca9534", "IO5", 5, ""}, {"pcf8574", "P8", 0, "P0 to P7, or 0 to 7"}, {"pcf8574", "P03", 0, "P0 to P7"},
		{"pcf8574", "8", 0, "0 to 7"}, {"pcf8575", "P07", 7, ""}, {"pcf8575", "P10", 8, ""}, {"pcf8575", "10", 10, ""}, {"pca9555", "IO1_7", 15, ""},
		{"tca9555", "P1_0", 8, ""}, {"xl9535", "IO0.3", 3, ""}, {"pca9535", "io12", 10, ""}, {"pca9535", "P18", 0, "P10 to P17"}, {"pca9535", "P20", 0, "P10 to P17"},
		{"pca9535", "P1", 0, "P10 to P17"}, {"pca9535", "IO1-7", 0, "IO0_0"}, {"pca9535", "07", 0, "octal"}, {"pca9535", "", 0, "P00"}, {"pca9535", "16", 0, "0 to 15"},
	} {
		checkName(t, c.kind, c.name, Expander(c.kind).Line, c.want, c.err)
	}
	seen := map[string]bool{}
	for _, kind := range Expanders() {
		if seen[kind.Name] || Expander(kind.Name) != kind || kind.Last-kind.First != 7 {
			t.Errorf("%+v", kind)
		}
		seen[kind.Name] = true
		for o := range uint32(kind.Lines) {
			if got, err := kind.Line(kind.LineName(o)); got != o || err != nil {
				t.Errorf("%s: Line(%q) = %d, %v, want %d", kind.Name, kind.LineName(o), got, err, o)
			}
		}
		if other := kind.Sibling; other != "" && (Expander(other) == nil || Expander(other).Sibling != kind.Name) {
			t.Errorf("%s: its sibling is %s", kind.Name, other)
		}
		// What it cannot do is an error with a remedy, and an output is never asked for a pull.
		for _, l := range []LineConfig{{}, {Pull: PullUp}, {Pull: PullDown}, {Pull: PullNone}, {Output: true, Pull: PullDown}} {
			ok := l.Output || l.Pull == PullAsIs || l.Pull == PullUp && kind.pulls != pullsNone || l.Pull == PullNone && (kind.pulls == pullsNone || kind.pulls == pullsChosen)
			key, msg := kind.Refuse(&l, kind.LineName(0))
			if (msg == "") != ok || msg != "" && (key != "pull" || !strings.Contains(msg, kind.Name) || !strings.Contains(msg, ": ")) {
				t.Errorf("%s: %+v is refused with %q, %q", kind.Name, l, key, msg)
			}
		}
	}
}
