package hatest

import "fmt"

// conditional is a [if b else c].
func (p *parser) conditional() (expr, error) {
	yes, err := p.or()
	if err != nil || !p.is('n', "if") {
		return yes, err
	}
	test, err := p.or()
	if err != nil {
		return nil, err
	}
	no := expr(func(*scope) (any, error) { return undefined{"the other branch of an if"}, nil })
	if p.is('n', "else") {
		if no, err = p.conditional(); err != nil {
			return nil, err
		}
	}
	return func(s *scope) (any, error) {
		v, err := test(s)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			return yes(s)
		}
		return no(s)
	}, nil
}

// binary reads operands joined by words of one strength.
func (p *parser) binary(operand func() (expr, error), words []string, join func(word string, a, b expr) expr) (expr, error) {
	a, err := operand()
	for err == nil {
		found := ""
		for _, w := range words {
			if p.is('o', w) || p.is('n', w) {
				found = w
				break
			}
		}
		if found == "" {
			return a, nil
		}
		var b expr
		if b, err = operand(); err == nil {
			a = join(found, a, b)
		}
	}
	return nil, err
}

func (p *parser) or() (expr, error) {
	return p.binary(p.and, []string{"or"}, func(_ string, a, b expr) expr { return lazy(a, b, false) })
}

func (p *parser) and() (expr, error) {
	return p.binary(p.not, []string{"and"}, func(_ string, a, b expr) expr { return lazy(a, b, true) })
}

// lazy evaluates b only where a does not decide.
func lazy(a, b expr, on bool) expr {
	return func(s *scope) (any, error) {
		v, err := a(s)
		if err != nil || truth(v) != on {
			return v, err
		}
		return b(s)
	}
}

func (p *parser) not() (expr, error) {
	if !p.is('n', "not") {
		return p.compare()
	}
	e, err := p.not()
	return func(s *scope) (any, error) { v, err := e(s); return !truth(v), err }, err
}

func (p *parser) compare() (expr, error) {
	return p.binary(p.sum, []string{"==", "!=", "<=", ">=", "<", ">", "in"}, func(word string, a, b expr) expr {
		return both(a, b, func(_ *scope, x, y any) (any, error) { return compared(word, x, y) })
	})
}

func (p *parser) sum() (expr, error) {
	return p.binary(p.product, []string{"+", "-", "~"}, func(word string, a, b expr) expr {
		return both(a, b, func(s *scope, x, y any) (any, error) {
			if word == "~" {
				left, err := s.text(x)
				if err != nil {
					return nil, err
				}
				right, err := s.text(y)
				return left + right, err
			}
			return calculated(word, x, y)
		})
	})
}

func (p *parser) product() (expr, error) {
	return p.binary(p.tested, []string{"*", "/", "%"}, func(word string, a, b expr) expr {
		return both(a, b, func(_ *scope, x, y any) (any, error) { return calculated(word, x, y) })
	})
}

func both(a, b expr, f func(s *scope, x, y any) (any, error)) expr {
	return func(s *scope) (any, error) {
		x, err := a(s)
		if err != nil {
			return nil, err
		}
		y, err := b(s)
		if err != nil {
			return nil, err
		}
		return f(s, x, y)
	}
}

// tested is a value with "is [not] defined" and such behind.
func (p *parser) tested() (expr, error) {
	e, err := p.postfix()
	for err == nil && p.is('n', "is") {
		negated := p.is('n', "not")
		word := p.all[p.at]
		p.at++
		test, ok := tests[word.text]
		if word.kind != 'n' || !ok {
			return nil, fmt.Errorf("is %s is %w", word.text, errUnsupported)
		}
		before := e
		e = func(s *scope) (any, error) { v, err := before(s); return test(v) != negated, err }
	}
	return e, err
}

// arguments reads what stands, with commas between, before the closing parenthesis or bracket; the opening one is taken.
func (p *parser) arguments(closing string) (all []expr, err error) {
	for !p.is('o', closing) {
		if len(all) > 0 {
			if err := p.want(","); err != nil {
				return nil, err
			}
		}
		e, err := p.conditional()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// postfix is a value with .name, ['key'], .get() and filters behind.
func (p *parser) postfix() (expr, error) {
	e, err := p.primary()
	for err == nil {
		before := e
		switch {
		case p.is('o', "."):
			name := p.all[p.at]
			p.at++
			if name.kind != 'n' {
				return nil, fmt.Errorf("got %q, want a name behind the dot", name.text)
			}
			if !p.is('o', "(") {
				e = func(s *scope) (any, error) {
					v, err := before(s)
					if err != nil {
						return nil, err
					}
					return member(v, name.text)
				}
				continue
			}
			args, err := p.arguments(")")
			if err != nil {
				return nil, err
			}
			if name.text != "get" || len(args) < 1 || len(args) > 2 {
				return nil, fmt.Errorf(".%s() is %w", name.text, errUnsupported)
			}
			e = func(s *scope) (any, error) { return get(s, before, args) }
		case p.is('o', "["):
			key, err := p.conditional()
			if err != nil {
				return nil, err
			}
			if err := p.want("]"); err != nil {
				return nil, err
			}
			e = both(before, key, func(_ *scope, v, k any) (any, error) { return member(v, k) })
		case p.is('o', "|"):
			if e, err = p.filter(before); err != nil {
				return nil, err
			}
		default:
			return e, nil
		}
	}
	return e, err
}

func (p *parser) filter(before expr) (expr, error) {
	name := p.all[p.at]
	p.at++
	f, ok := filters[name.text]
	if name.kind != 'n' || !ok {
		return nil, fmt.Errorf("the filter %s is %w", name.text, errUnsupported)
	}
	var args []expr
	if p.is('o', "(") {
		var err error
		if args, err = p.arguments(")"); err != nil {
			return nil, err
		}
	}
	return func(s *scope) (any, error) {
		v, err := before(s)
		if err != nil {
			return nil, err
		}
		given := make([]any, len(args))
		for i, a := range args {
			if given[i], err = a(s); err != nil {
				return nil, err
			}
		}
		return f(v, given)
	}, nil
}
