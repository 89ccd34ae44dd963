package gpio

import (
	"fmt"
	"strconv"
	"strings"
)

// headerLines is how many lines the 40-pin header has: GPIO0 to GPIO27, whose offsets on the header's chip are the same numbers.
const headerLines = 28

// headerPins is what each pin of the header is, from pin 1: the number of its GPIO, or one of the values below.
var headerPins = [40]int8{
	pin3V3, pin5V, 2, pin5V, 3, pinGround, 4, 14, pinGround, 15,
	17, 18, 27, pinGround, 22, 23, pin3V3, 24, 10, pinGround,
	9, 25, 11, 8, pinGround, 7, pinID, pinID, 5, pinGround,
	6, 12, 13, pinGround, 19, 16, 26, 20, pinGround, 21,
}

const (
	pin3V3    int8 = -1
	pin5V     int8 = -2
	pinGround int8 = -3
	pinID     int8 = -4 // GPIO0 and GPIO1: the firmware reads the HAT's EEPROM there at boot
)

var pinUse = map[int8]string{
	pin3V3:    "3.3 V power",
	pin5V:     "5 V power",
	pinGround: "ground",
	pinID:     "kept for the HAT's ID EEPROM (who needs it all the same writes GPIO0 for pin 27, GPIO1 for pin 28)",
}

// HeaderLine gives the offset of a line of the Raspberry Pi's 40-pin header. It is called by its number (17, GPIO17, BCM17), or
// by its pin (P1-11), in any case.
func HeaderLine(name string) (uint32, error) {
	s := strings.ToUpper(name)
	if pin, ok := strings.CutPrefix(s, "P1-"); ok {
		n, err := number(pin)
		if err != nil || n < 1 || n > len(headerPins) {
			return 0, fmt.Errorf("no line %q: wanted P1-1 to P1-%d%s", name, len(headerPins), because(err))
		}
		if line := headerPins[n-1]; line < 0 {
			return 0, fmt.Errorf("P1-%d is %s", n, pinUse[line])
		}
		return uint32(headerPins[n-1]), nil
	}
	digits, ok := strings.CutPrefix(s, "GPIO")
	if !ok {
		digits = strings.TrimPrefix(s, "BCM")
	}
	n, err := number(digits)
	if err != nil || n >= headerLines {
		return 0, fmt.Errorf("no line %q: wanted GPIO0 to GPIO%d, as 17, GPIO17, BCM17, or as a pin of the header, P1-11%s",
			name, headerLines-1, because(err))
	}
	return uint32(n), nil
}

// HeaderLineName gives the name of a line of the header for people: GPIO17 (pin 11).
func HeaderLineName(offset uint32) string {
	switch {
	case offset < 2:
		return fmt.Sprintf("GPIO%d (pin %d)", offset, 27+offset)
	case offset < headerLines:
		for i, line := range headerPins {
			if line == int8(offset) {
				return fmt.Sprintf("GPIO%d (pin %d)", offset, i+1)
			}
		}
	}
	return fmt.Sprintf("line %d", offset)
}

// lineNames is how a data sheet names the lines of an expander.
type lineNames struct {
	want   string // for people
	ports  bool   // 16 lines in two ports of 8
	name   func(offset uint32) string
	before []string // what a name may begin with; the longest first
	pin    func(rest string) (port, pin byte, ok bool)
}

// offset gives the line of that name, in any case, or of the bare number.
func (n *lineNames) offset(name string) (uint32, error) {
	s := strings.ToUpper(name)
	lines := 8
	if n.ports {
		lines = 16
	}
	o, err := number(s)
	if err == nil && o < lines {
		return uint32(o), nil
	}
	for _, before := range n.before {
		rest, ok := strings.CutPrefix(s, before)
		if !ok {
			continue
		}
		if port, pin, ok := n.pin(rest); ok && port < byte(lines/8) && pin < 8 {
			return uint32(port)*8 + uint32(pin), nil
		}
	}
	return 0, fmt.Errorf("no line %q: wanted %s, or 0 to %d%s", name, n.want, lines-1, because(err))
}

var (
	namesGPAB = lineNames{"GPA0 to GPA7, GPB0 to GPB7", true, func(o uint32) string { return fmt.Sprintf("GP%c%d", 'A'+o/8, o%8) },
		[]string{"GP", ""}, letterAndDigit}
	namesGP = lineNames{"GP0 to GP7", false, func(o uint32) string { return fmt.Sprintf("GP%d", o) }, []string{"GP"}, digitAlone}
	namesP  = lineNames{"P0 to P7", false, func(o uint32) string { return fmt.Sprintf("P%d", o) }, []string{"IO", "P"}, digitAlone}
	// The first digit is the port: P10 is the ninth line.
	namesPP = lineNames{"P00 to P07, P10 to P17 (or IO0_0 to IO1_7)", true, func(o uint32) string { return fmt.Sprintf("P%d%d", o/8, o%8) },
		[]string{"IO", "P"}, twoDigits}
)

func letterAndDigit(s string) (port, pin byte, ok bool) {
	if len(s) != 2 {
		return 0, 0, false
	}
	return s[0] - 'A', s[1] - '0', true
}

func digitAlone(s string) (port, pin byte, ok bool) {
	if len(s) != 1 {
		return 0, 0, false
	}
	return 0, s[0] - '0', true
}

func twoDigits(s string) (port, pin byte, ok bool) {
	if len(s) == 3 && (s[1] == '_' || s[1] == '.') {
		s = s[:1] + s[2:]
	}
	if len(s) != 2 {
		return 0, 0, false
	}
	return s[0] - '0', s[1] - '0', true
}

// IOPiPlusLine gives the line of an IO Pi Plus board, which is two MCP23017: bus1-3 is part 0, offset 2; bus2-16 is part 1,
// offset 15. The names are those printed on the board, in any case.
func IOPiPlusLine(name string) (part int, offset uint32, err error) {
	rest, ok := strings.CutPrefix(strings.ToLower(name), "bus")
	bus, pin, dash := strings.Cut(rest, "-")
	n, err := number(pin)
	if !ok || !dash || bus != "1" && bus != "2" || err != nil || n < 1 || n > 16 {
		if !ok || !dash {
			err = nil
		}
		return 0, 0, fmt.Errorf("no line %q: wanted bus1-1 to bus1-16, or bus2-1 to bus2-16%s", name, because(err))
	}
	return int(bus[0] - '1'), uint32(n - 1), nil
}

// IOPiPlusLineName gives the name printed on an IO Pi Plus board: bus1-3 for part 0, offset 2.
func IOPiPlusLineName(part int, offset uint32) string {
	if part < 0 || part > 1 || offset > 15 {
		return fmt.Sprintf("part %d line %d", part, offset)
	}
	return fmt.Sprintf("bus%d-%d", part+1, offset+1)
}

// errOctal is worth its own words: 017 is 15 to some readers of YAML, and 17 to others.
var errOctal = fmt.Errorf("a number that begins with 0 is octal to some: leave the 0 out")

// number reads a decimal number without sign, of at most four digits.
func number(s string) (int, error) {
	if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0123456789") == "" {
		return 0, errOctal
	}
	if len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(s)
}

// because adds the reason to an error text where the reason says more than the text does.
func because(err error) string {
	if err == errOctal {
		return "; " + err.Error()
	}
	return ""
}
