package config

import (
	"bytes"
	"os"
	"reflect"
	"testing"
)

// FuzzParse: no file may end the program, and what is printed is read as the same.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/everything.yaml", "../../config.example.yaml", "testdata/mistakes.txt"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range bytes.Split(data, []byte("\n=== ")) {
			_, part, _ = bytes.Cut(part, []byte("\n"))
			part, _, _ = bytes.Cut(part, []byte(">>>\n"))
			f.Add(part)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			return
		}
		c, _, err := Parse("c.yaml", data)
		if err != nil {
			if errs, ok := err.(Errors); !ok || len(errs) == 0 || len(errs) > maxProblems+1 {
				t.Fatalf("%T with %d problems: %v", err, len(errs), err)
			}
			return
		}
		text := printed(t, c)
		again, _, err := Parse("printed.yaml", text)
		if err != nil {
			t.Fatalf("%v\nprinted:\n%s\nfrom:\n%s", err, text, data)
		}
		if got, want := exported(again), exported(c); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v\nprinted:\n%s", got, want, text)
		}
	})
}
