package hatest

import "fmt"

// primary is a literal, a name or what is in parentheses.
func (p *parser) primary() (expr, error) {
	t := p.all[p.at]
	p.at++
	constant := func(v any, err error) (expr, error) { return func(*scope) (any, error) { return v, nil }, err }
	switch {
	case t.kind == 's':
		return constant(t.text, nil)
	case t.kind == 'd':
		return constant(number(t.text))
	case t.kind == 'n':
		switch t.text {
		case "true", "True":
			return constant(true, nil)
		case "false", "False":
			return constant(false, nil)
		case "none", "None":
			return constant(nil, nil)
		}
		if p.all[p.at] == (token{'o', "("}) {
			return nil, fmt.Errorf("%s() is %w", t.text, errUnsupported)
		}
		return func(s *scope) (any, error) { return s.lookup(t.text), nil }, nil
	case t == token{'o', "("}:
		e, err := p.conditional()
		if err != nil {
			return nil, err
		}
		return e, p.want(")")
	case t == token{'o', "-"}:
		e, err := p.postfix()
		return func(s *scope) (any, error) {
			v, err := e(s)
			if err != nil {
				return nil, err
			}
			return calculated("-", int64(0), v)
		}, err
	case t == token{'o', "{"}:
		return p.object()
	case t == token{'o', "["}:
		return p.list()
	case t.kind == 0:
		return nil, fmt.Errorf("an expression ends too early")
	}
	return nil, fmt.Errorf("%q is not expected here", t.text)
}

// list is a literal such as [1, 2].
func (p *parser) list() (expr, error) {
	all, err := p.arguments("]")
	if err != nil {
		return nil, err
	}
	return func(s *scope) (any, error) {
		values := make([]any, len(all))
		for i := range all {
			var err error
			if values[i], err = all[i](s); err != nil {
				return nil, err
			}
		}
		return values, nil
	}, nil
}

// object is a literal such as {'state': value}, for tojson.
func (p *parser) object() (expr, error) {
	var keys, values []expr
	for !p.is('o', "}") {
		if len(keys) > 0 {
			if err := p.want(","); err != nil {
				return nil, err
			}
		}
		k, err := p.conditional()
		if err != nil {
			return nil, err
		}
		if err := p.want(":"); err != nil {
			return nil, err
		}
		v, err := p.conditional()
		if err != nil {
			return nil, err
		}
		keys, values = append(keys, k), append(values, v)
	}
	return func(s *scope) (any, error) {
		o := map[string]any{}
		for i := range keys {
			k, err := keys[i](s)
			if err != nil {
				return nil, err
			}
			name, ok := k.(string)
			if !ok {
				return nil, fmt.Errorf("the key %v is %w", k, errUnsupported)
			}
			if o[name], err = values[i](s); err != nil {
				return nil, err
			}
		}
		return o, nil
	}, nil
}
