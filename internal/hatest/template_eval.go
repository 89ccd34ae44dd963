package hatest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// undefined is what Jinja makes of a name or key that is not there: empty text, and an error as soon as one looks into it.
type undefined struct{ what string }

// scope is what a template sees.
type scope struct {
	names  map[string]any
	warned []string // what Home Assistant's log would say
}

func (s *scope) lookup(name string) any {
	if v, ok := s.names[name]; ok {
		return v
	}
	return undefined{name}
}

// Render evaluates a template as Home Assistant does with a payload: value, and value_json where it is JSON. The warnings are those
// that Home Assistant logs for values that are not there.
func (t *Template) Render(payload string, more map[string]any) (text string, warnings []string, err error) {
	s := &scope{names: map[string]any{"value": payload}}
	if v, err := decode([]byte(payload)); err == nil {
		s.names["value_json"] = v
	}
	for k, v := range more {
		s.names[k] = v
	}
	var out strings.Builder
	for _, n := range t.body {
		if err := n(s, &out); err != nil {
			return "", s.warned, fmt.Errorf("template %q: %w", t.source, err)
		}
	}
	return strings.TrimSpace(out.String()), s.warned, nil
}

// decode reads JSON with whole numbers as int64, as Python does.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return plain(v), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := number(v.String())
		if err != nil || strings.ContainsAny(v.String(), "eE") {
			f, _ := v.Float64()
			return f
		}
		return n
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// text writes a value as Python's str does.
func (s *scope) text(v any) (string, error) {
	switch v := v.(type) {
	case undefined:
		s.warned = append(s.warned, v.what+" is undefined when rendering")
		return "", nil
	case nil, bool, int64, float64, string:
		return word(v), nil
	}
	return "", fmt.Errorf("writing an object or list without tojson is %w", errUnsupported)
}

// word is Python's str of a simple value.
func word(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

func truth(v any) bool {
	switch v := v.(type) {
	case undefined, nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return true
}

// member is v.key and v['key'].
func member(v, key any) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, fmt.Errorf("%s is undefined, and %v of it was wanted", v.what, key)
	case map[string]any:
		if found, ok := v[fmt.Sprint(key)]; ok {
			return found, nil
		}
	case []any:
		if i, ok := key.(int64); ok && i >= 0 && i < int64(len(v)) {
			return v[i], nil
		}
	}
	return undefined{fmt.Sprint(key)}, nil
}

func get(s *scope, of expr, args []expr) (any, error) {
	v, err := of(s)
	if err != nil {
		return nil, err
	}
	key, err := args[0](s)
	if err != nil {
		return nil, err
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf(".get(%v): not an object", key)
	}
	if found, ok := o[fmt.Sprint(key)]; ok {
		return found, nil
	}
	if len(args) == 1 {
		return nil, nil
	}
	return args[1](s)
}

func real(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func compared(word string, a, b any) (any, error) {
	switch word {
	case "==", "!=":
		x, isX := real(a)
		y, isY := real(b)
		same := isX && isY && x == y
		if !isX && !isY {
			switch a.(type) {
			case string, nil:
				same = a == b
			case undefined:
				_, same = b.(undefined)
			default:
				return nil, fmt.Errorf("comparing objects is %w", errUnsupported)
			}
		}
		return same == (word == "=="), nil
	case "in":
		if o, ok := b.(map[string]any); ok {
			_, ok := o[fmt.Sprint(a)]
			return ok, nil
		}
		return nil, fmt.Errorf("in, but of an object, is %w", errUnsupported)
	}
	x, isX := real(a)
	y, isY := real(b)
	if !isX || !isY {
		return nil, fmt.Errorf("%v %s %v: not numbers", a, word, b)
	}
	return map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[word], nil
}

func calculated(word string, a, b any) (any, error) {
	x, isX := real(a)
	y, isY := real(b)
	if !isX || !isY {
		return nil, fmt.Errorf("%v %s %v: not numbers", a, word, b)
	}
	i, wholeA := a.(int64)
	j, wholeB := b.(int64)
	whole := wholeA && wholeB
	switch {
	case word == "+" && whole:
		return i + j, nil
	case word == "-" && whole:
		return i - j, nil
	case word == "*" && whole:
		return i * j, nil
	case word == "+":
		return x + y, nil
	case word == "-":
		return x - y, nil
	case word == "*":
		return x * y, nil
	case word == "/" && y != 0:
		return x / y, nil
	}
	return nil, fmt.Errorf("%v %s %v is %w", a, word, b, errUnsupported)
}

var tests = map[string]func(v any) bool{
	"defined":   func(v any) bool { _, is := v.(undefined); return !is },
	"undefined": func(v any) bool { _, is := v.(undefined); return is },
	"boolean":   func(v any) bool { _, is := v.(bool); return is },
	"none":      func(v any) bool { return v == nil },
	"number":    func(v any) bool { _, is := real(v); return is },
	"string":    func(v any) bool { _, is := v.(string); return is },
	"mapping":   func(v any) bool { _, is := v.(map[string]any); return is },
}
