package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
)

var digits = regexp.MustCompile(`^-?[0-9]+$`)

// integer is a decimal number.
func integer[V int | uint32 | byte](what string, least, most int) value[V] {
	want := fmt.Sprintf("%s, %d to %d", what, least, most)
	return scalar(want, func(s string) (V, error) {
		switch {
		case !digits.MatchString(s):
			return 0, fmt.Errorf("%s is not a whole number: wanted %s", quote(s), want)
		case len(s) > 1 && s[0] == '0':
			return 0, fmt.Errorf("%s begins with 0, which is octal to some: write %s", quote(s), withoutZeros(s))
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("%s is out of range: wanted %s", quote(s), want)
		}
		return V(n), nil
	}, func(v V) *yaml.Node { return plain(strconv.FormatUint(uint64(v), 10)) })
}

func withoutZeros(s string) string {
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return clip(s)
}

// address is a 7-bit I2C address. It is written as data sheets and i2cdetect write it, and no other way.
var address = scalar("hexadecimal, such as 0x20", func(s string) (uint16, error) {
	low := strings.ToLower(s)
	hex, ok := strings.CutPrefix(low, "0x")
	if !ok {
		octal := strings.TrimLeft(strings.TrimPrefix(low, "0o"), "0")
		switch n, err := strconv.Atoi(s); {
		case strings.HasPrefix(low, "0") && digits.MatchString(octal) && len(octal) <= 2:
			return 0, fmt.Errorf("%s looks octal: I2C addresses are written hexadecimal: 0x%s", quote(s), octal)
		case err == nil && n > 0 && n <= 99:
			return 0, fmt.Errorf("I2C addresses are written hexadecimal: write 0x%d; decimal %d would be 0x%02x", n, n, n)
		}
		return 0, fmt.Errorf("%s is not an I2C address: wanted hexadecimal, such as 0x20", quote(s))
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return 0, fmt.Errorf("%s is not a hexadecimal number: wanted one such as 0x20", quote(s))
	}
	if err != nil || n < 0x08 || n > 0x77 { // the rest is reserved: I2C-bus specification UM10204, section 3.1.12
		return 0, fmt.Errorf("%s is no I2C address: they go from 0x08 to 0x77", quote(s))
	}
	return uint16(n), nil
}, func(a uint16) *yaml.Node {
	if a == 0 {
		return nil
	}
	return plain(fmt.Sprintf("0x%02x", a))
})

// duration is a length of time with its unit, from least to most. A bare 0 will do where zero is allowed.
func duration(least, most time.Duration) value[time.Duration] {
	return durationOr(false, least, most)
}

// durationOr0 also allows 0, which then means: not at all.
func durationOr0(least, most time.Duration) value[time.Duration] {
	return durationOr(true, least, most)
}

func durationOr(zero bool, least, most time.Duration) value[time.Duration] {
	want := fmt.Sprintf("a duration from %s to %s", bridge.Hours(least), bridge.Hours(most))
	if zero && least > 0 {
		want += ", or 0"
	}
	return scalar(want, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil && digits.MatchString(strings.ReplaceAll(s, ".", "")):
			return 0, fmt.Errorf("%s has no unit: write %ss for seconds, %sms for milliseconds", quote(s), clip(s), clip(s))
		case err != nil && dayOrWeek.MatchString(s):
			return 0, fmt.Errorf("%s: the units are ms, s, m and h: write a day as 24h", quote(s))
		case err != nil:
			return 0, fmt.Errorf("%s is not a duration: wanted a number with its unit (ms, s, m, h), such as 500ms, 30s, 1h30m", quote(s))
		case d < 0:
			return 0, fmt.Errorf("%s is negative: wanted %s", quote(s), want)
		case zero && d == 0:
			return 0, nil
		case d < least || d > most:
			return 0, fmt.Errorf("%s is out of range: wanted %s", quote(s), want)
		}
		return d, nil
	}, func(d time.Duration) *yaml.Node { return plain(bridge.Hours(d)) })
}

var dayOrWeek = regexp.MustCompile(`^[0-9.]+ *(d|w|day|days|week|weeks)$`)
