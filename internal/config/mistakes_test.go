package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMistakes reads testdata/mistakes.txt: each case is a title, a file, and exactly what is said about it.
func TestMistakes(t *testing.T) {
	hostName = func() (string, error) { return "pi", nil }
	defer func() { hostName = os.Hostname }()
	const file = "testdata/mistakes.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, rest, _ := strings.Cut(string(data), "=== ")
	anew := intro
	for _, block := range strings.Split(rest, "\n=== ") {
		title, body, _ := strings.Cut(block, "\n")
		in, want, _ := strings.Cut(body+"\n", ">>>\n")
		want = strings.TrimSpace(want)
		got := said(in)
		anew += "=== " + title + "\n" + in + ">>>\n" + got + "\n"
		if got != want && !*update {
			t.Errorf("%s:\n got %s\nwant %s", title, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(anew), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// said gives errors and warnings, one line each.
func said(in string) string {
	_, warnings, err := Parse("c.yaml", []byte(in))
	var lines []string
	if err != nil {
		lines = append(lines, err.Error())
	}
	for _, w := range warnings {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}

func TestBounds(t *testing.T) {
	hostName = func() (string, error) { return "Pi.lan", nil }
	defer func() { hostName = os.Hostname }()

	c, _, err := Parse("c.yaml", []byte("inputs: [{name: a, line: 4}]"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "device", c.Device, "pi")
	equal(t, "client id", c.MQTT.ClientID, "gatewayd-pi")

	_, _, err = Parse("c.yaml", []byte(strings.Repeat("#", maxSize+1)))
	if err == nil || err.Error() != "c.yaml: is larger than 1024 KiB: this is not a configuration of gatewayd" {
		t.Errorf("too large: %v", err)
	}
	_, _, err = Parse("c.yaml", []byte("inputs: ["+strings.Repeat("{nmae: x},", 50000)+"]"))
	errs, ok := err.(Errors)
	if !ok || len(errs) != maxProblems+1 {
		t.Fatalf("%T with %d problems, want %d", err, len(errs), maxProblems+1)
	}
	equal(t, "the last", errs[maxProblems].String(), fmt.Sprintf("c.yaml: and %d more", 150000-maxProblems))

	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'z'; i++ {
		bomb += fmt.Sprintf("%c: &%[1]c [%s*%c]\n", i, strings.Repeat(fmt.Sprintf("*%c,", i-1), 9), i-1)
	}
	if _, _, err = Parse("c.yaml", []byte(bomb)); err == nil {
		t.Error("no error for a file that grows")
	}
	if _, _, err = Parse("c.yaml", []byte("inputs: &a [*a]")); err == nil {
		t.Error("no error for a file that contains itself")
	}
}
