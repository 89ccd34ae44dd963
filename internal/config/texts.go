package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// checkText refuses what no text in the file needs and what breaks logs, terminals and topics.
func checkText(s string, longest int) error {
	switch {
	case s == "":
		return errors.New("is empty: remove the key, or give it a value")
	case len(s) > longest:
		return fmt.Errorf("%s is %d bytes long: at most %d are allowed", quote(s), len(s), longest)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8 text")
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return fmt.Errorf("%s has a control character in it", quote(s))
	}
	return nil
}

// text is free text of at most so many bytes.
func text(want string, longest int) value[string] {
	return scalar(want, func(s string) (string, error) { return s, checkText(s, longest) }, wordOrNothing)
}

// verbatim is text as it is written in the file, whatever YAML would take it for: on, 1, null.
func verbatim(want string, check func(string) error, node func(string) *yaml.Node) value[string] {
	v := scalar(want, func(s string) (string, error) { return s, check(s) }, node)
	parse := v.parse
	v.parse = func(n *yaml.Node, complain func(*yaml.Node, string)) (string, bool) {
		if isNull(n) && n.Value != "" && !refused(n) {
			return n.Value, true
		}
		return parse(n, complain)
	}
	return v
}

var payload = verbatim("a text, taken as it is written", func(s string) error {
	if err := checkText(s, 256); err != nil {
		return err
	}
	if strings.TrimSpace(s) != s {
		return fmt.Errorf("%s has blanks around it, which do not count in a payload: remove them", quote(s))
	}
	return nil
}, quotedOrNothing)

// username is a user's name: MQTT has room for 65535 bytes.
var username = verbatim("a text, taken as it is written", func(s string) error {
	if len(s) > 65535 {
		return fmt.Errorf("is %d bytes long: MQTT has room for 65535", len(s))
	}
	if s == "" || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return errors.New("is empty, or has characters that MQTT does not allow")
	}
	return nil
}, wordOrNothing)

// isVariable takes capitals alone, as whoever writes the password itself there is to see no more than that in the log.
var isVariable = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// variable is the name of a variable of the environment. What is not one may be the password itself, and is not repeated.
var variable = scalar("the name of an environment variable, such as MQTT_PASSWORD", func(s string) (string, error) {
	if len(s) > 256 || !isVariable.MatchString(s) {
		return s, errors.New("the name of an environment variable in capitals is wanted, such as MQTT_PASSWORD, not the password itself")
	}
	return s, nil
}, wordOrNothing)

var notName = regexp.MustCompile(`[^a-z0-9_]+`)

// name is a name of a point or a chip, and a level of its topics; pointID is what a point is recognised by.
var name, pointID = nameOr("a name"), nameOr("an id")

func nameOr(what string) value[string] {
	return scalar("small letters, digits and _", func(s string) (string, error) {
		if s == "" || notName.MatchString(s) {
			msg := quote(s) + " cannot be " + what + ": small letters a to z, digits and _ are allowed"
			if better := strings.Trim(notName.ReplaceAllString(strings.ToLower(s), "_"), "_"); better != "" && len(better) <= 64 {
				msg += ", such as " + better
			}
			return s, errors.New(msg)
		}
		return s, checkText(s, 64)
	}, wordOrNothing)
}

// reference is the name of something that is defined elsewhere in the file, which is checked when all is read.
var reference = scalar("a name from this file", func(s string) (string, error) { return s, checkText(s, 256) }, wordOrNothing)

// topic is where something is published, or commands come from: never a filter.
var topic = scalar("an MQTT topic", func(s string) (string, error) { return s, checkTopic(s) }, wordOrNothing)

func checkTopic(s string) error {
	switch err := checkText(s, 65535); {
	case err != nil:
		return err
	case s[0] == '$':
		return fmt.Errorf("%s: topics that begin with $ belong to the broker", quote(s))
	case strings.ContainsAny(s, "+#"):
		return fmt.Errorf("%s: + and # are wildcards, a topic cannot have them", quote(s))
	}
	return nil
}
