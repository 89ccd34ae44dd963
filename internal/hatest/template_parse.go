package hatest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errUnsupported marks what Home Assistant may well understand, but this small interpreter does not: then a person must look.
var errUnsupported = errors.New("not understood by hatest: write the template more simply, or teach hatest")

// expr is an expression: evaluated with the names that are set.
type expr func(s *scope) (any, error)

// node is a part of a template that writes text.
type node func(s *scope, out *strings.Builder) error

// Template is a parsed template of the small part of Jinja that publishers need.
type Template struct {
	source string
	body   []node
}

// parseTemplate reads a template; errUnsupported tells that it may be right nevertheless.
func parseTemplate(source string) (*Template, error) {
	all, err := pieces(source)
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", source, err)
	}
	p := &blocks{rest: all}
	body, end, err := p.block()
	if err == nil && end != "" {
		err = fmt.Errorf("{%% %s %%} without an if", end)
	}
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", source, err)
	}
	return &Template{source, body}, nil
}

// blocks walks over pieces.
type blocks struct{ rest []piece }

// block reads until a statement that ends or divides one, which it returns; "" at the end of the template.
func (b *blocks) block() (body []node, end string, err error) {
	for len(b.rest) > 0 {
		p := b.rest[0]
		b.rest = b.rest[1:]
		switch p.kind {
		case 't':
			body = append(body, func(_ *scope, out *strings.Builder) error { out.WriteString(p.text); return nil })
		case 'e':
			e, err := parseExpr(p.text)
			if err != nil {
				return nil, "", err
			}
			body = append(body, func(s *scope, out *strings.Builder) error {
				v, err := e(s)
				if err != nil {
					return err
				}
				text, err := s.text(v)
				out.WriteString(text)
				return err
			})
		case 's':
			words := strings.Fields(p.text)
			if len(words) == 0 {
				return nil, "", errors.New("an empty statement")
			}
			switch words[0] {
			case "endif", "else", "elif":
				return body, strings.TrimSpace(p.text), nil
			case "if":
				n, err := b.branch(strings.TrimSpace(p.text)[len("if"):])
				if err != nil {
					return nil, "", err
				}
				body = append(body, n)
			case "set":
				name, value, ok := strings.Cut(strings.TrimSpace(p.text)[len("set"):], "=")
				if !ok {
					return nil, "", fmt.Errorf("{%% %s %%}: a block set is %w", p.text, errUnsupported)
				}
				e, err := parseExpr(value)
				if err != nil {
					return nil, "", err
				}
				name = strings.TrimSpace(name)
				body = append(body, func(s *scope, _ *strings.Builder) (err error) { s.names[name], err = e(s); return err })
			default:
				return nil, "", fmt.Errorf("{%% %s %%} is %w", words[0], errUnsupported)
			}
		}
	}
	return body, "", nil
}

// branch reads what follows {% if condition %} up to its endif.
func (b *blocks) branch(condition string) (node, error) {
	test, err := parseExpr(condition)
	if err != nil {
		return nil, err
	}
	yes, end, err := b.block()
	if err != nil {
		return nil, err
	}
	var no []node
	switch {
	case end == "endif":
	case end == "else":
		if no, end, err = b.block(); err != nil {
			return nil, err
		}
		if end != "endif" {
			return nil, fmt.Errorf("got {%% %s %%}, want endif", end)
		}
	case strings.HasPrefix(end, "elif"):
		n, err := b.branch(end[len("elif"):])
		if err != nil {
			return nil, err
		}
		no = []node{n}
	default:
		return nil, errors.New("an if without endif")
	}
	return func(s *scope, out *strings.Builder) error {
		v, err := test(s)
		if err != nil {
			return err
		}
		body := no
		if truth(v) {
			body = yes
		}
		for _, n := range body {
			if err := n(s, out); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// parser walks over the tokens of an expression.
type parser struct {
	all []token
	at  int
}

func parseExpr(src string) (expr, error) {
	all, err := tokens(src)
	if err != nil {
		return nil, err
	}
	p := &parser{all: all}
	e, err := p.conditional()
	if err == nil && p.all[p.at].kind != 0 {
		err = fmt.Errorf("%q in %q is %w", p.all[p.at].text, src, errUnsupported)
	}
	return e, err
}

// is takes a word if it comes next.
func (p *parser) is(kind byte, text string) bool {
	if t := p.all[p.at]; t.kind == kind && t.text == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(op string) error {
	if !p.is('o', op) {
		return fmt.Errorf("got %q, want %q", p.all[p.at].text, op)
	}
	return nil
}

// number reads a literal.
func number(text string) (any, error) {
	if !strings.Contains(text, ".") {
		return strconv.ParseInt(text, 10, 64)
	}
	return strconv.ParseFloat(text, 64)
}
