package config

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// exported gives the Config without what it was made from.
func exported(c *Config) Config {
	e := *c
	e.from = nil
	return e
}

func printed(t *testing.T, c *Config) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPrint compares what --print shows with the golden file, and reads it again.
func TestPrint(t *testing.T) {
	for _, file := range []string{"testdata/everything.yaml", "../../config.example.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, warnings, err := Parse("config.yaml", data)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: error:\n%v\nwarnings: %v", file, err, warnings)
		}
		got := printed(t, c)
		again, _, err := Parse("printed.yaml", got)
		if err != nil {
			t.Fatalf("%s printed cannot be read:\n%v\n%s", file, err, got)
		}
		equal(t, file+" printed and read", exported(again), exported(c))
		if twice := printed(t, again); !bytes.Equal(got, twice) {
			t.Errorf("%s printed twice differs:\n%s\n%s", file, got, twice)
		}
		if file != "testdata/everything.yaml" {
			continue
		}
		golden := "testdata/everything.golden"
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("differs from %s (-update writes it): %v\n%s", golden, err, got)
		}
	}
}

// TestGroupsInShort has groups written in three ways, which are one configuration.
func TestGroupsInShort(t *testing.T) {
	const outputs = "device: a\noutputs: [{name: l01, line: 4}, {name: l02, line: 5}]\ngroups:\n"
	var want Config
	for i, groups := range []string{
		"  - {name: all, outputs: [l01, l02]}\n  - {name: some, outputs: [l02]}\n",
		"  all: [l01, l02]\n  some:\n    - l02\n",
		"  - all: [l01, l02]\n  - {name: some, outputs: [l02]}\n",
		"  {all: [l01, l02], some: [l02]}\n",
	} {
		c, _, err := Parse("c.yaml", []byte(outputs+groups))
		if err != nil {
			t.Errorf("%s: %v", groups, err)
			continue
		}
		if i == 0 {
			want = exported(c)
		}
		equal(t, groups, exported(c), want)
		again, _, err := Parse("c.yaml", printed(t, c))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, groups+" printed", exported(again), want)
	}
}
