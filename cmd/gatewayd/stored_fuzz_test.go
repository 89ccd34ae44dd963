package main

import "testing"

// FuzzStored reads a state file whose checksum is right and whose content is anything: it is read and written, or refused, and no end
// is later than an output can be on.
func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"boot":"x","outputs":{"a":{"on":true,"end_ms":5000,"timed":true},"b":{}}}`))
	f.Add([]byte(`{"outputs":{"a":{"end_ms":9223372036854775807}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := parseStored(content)
		if err != nil {
			return
		}
		for _, another := range []bool{false, true} {
			kept := s.kept(another)
			if _, err := parseStored(storedOf(kept, "x").bytes()); err != nil || len(kept) != len(s.Outputs) {
				t.Errorf("%q: %d outputs, %v", content, len(kept), err)
			}
		}
	})
}
