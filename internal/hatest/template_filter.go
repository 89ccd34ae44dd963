package hatest

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// filters are Jinja's and Home Assistant's, as far as they are known here.
var filters = map[string]func(v any, args []any) (any, error){
	"default": byDefault, "d": byDefault,
	"int": func(v any, args []any) (any, error) {
		return converted("int", v, args, func(f float64) any { return int64(f) })
	},
	"float": func(v any, args []any) (any, error) {
		return converted("float", v, args, func(f float64) any { return f })
	},
	"round":   rounded,
	"tojson":  func(v any, args []any) (any, error) { return asJSON(v, args, true) },
	"to_json": func(v any, args []any) (any, error) { return asJSON(v, args, false) },
	"lower":   func(v any, args []any) (any, error) { return strings.ToLower(word(v)), none("lower", args) },
	"upper":   func(v any, args []any) (any, error) { return strings.ToUpper(word(v)), none("upper", args) },
}

func none(name string, args []any) error {
	if len(args) > 0 {
		return fmt.Errorf("%s with arguments is %w", name, errUnsupported)
	}
	return nil
}

func byDefault(v any, args []any) (any, error) {
	if len(args) < 1 || len(args) > 2 {
		return nil, fmt.Errorf("default with %d arguments is %w", len(args), errUnsupported)
	}
	if _, is := v.(undefined); is || len(args) == 2 && truth(args[1]) && !truth(v) {
		return args[0], nil
	}
	return v, nil
}

// converted makes a number. Home Assistant's int and float raise without a default.
func converted(name string, v any, args []any, make func(float64) any) (any, error) {
	f, ok := real(v)
	if text, is := v.(string); is {
		var err error
		f, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
		ok = err == nil
	}
	switch {
	case ok && !math.IsNaN(f) && !math.IsInf(f, 0):
		return make(f), nil
	case len(args) == 1:
		return args[0], nil
	case len(args) > 1:
		return nil, fmt.Errorf("%s with %d arguments is %w", name, len(args), errUnsupported)
	}
	return nil, fmt.Errorf("the filter %s got %v, and has no default", name, v)
}

func rounded(v any, args []any) (any, error) {
	digits := int64(0)
	if len(args) > 0 {
		var ok bool
		if digits, ok = args[0].(int64); !ok || len(args) > 1 {
			return nil, fmt.Errorf("round with these arguments is %w", errUnsupported)
		}
	}
	n, err := converted("round", v, nil, func(f float64) any { return f })
	if err != nil {
		return nil, err
	}
	scale := math.Pow10(int(digits))
	f := math.RoundToEven(n.(float64)*scale) / scale // Python rounds halves to even
	if digits == 0 {
		return int64(f), nil
	}
	return f, nil
}

// asJSON writes JSON. Jinja's own tojson makes <, >, & and ' safe for HTML; Home Assistant's to_json does not.
func asJSON(v any, args []any, html bool) (any, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("tojson with arguments is %w", errUnsupported)
	}
	if u, is := v.(undefined); is {
		return nil, fmt.Errorf("%s is undefined and cannot be JSON", u.what)
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(html)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	text := strings.TrimSpace(out.String())
	if html {
		text = strings.ReplaceAll(text, "'", `\u0027`)
	}
	return text, nil
}
