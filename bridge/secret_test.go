package bridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPassword(t *testing.T) {
	dir := t.TempDir()
	file, large := filepath.Join(dir, "password"), filepath.Join(dir, "large")
	for name, text := range map[string]string{file: " with blanks \r\n", large: strings.Repeat("x", maxSecret+1)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GATEWAYD_TEST_THERE", "in the environment")
	for _, c := range []struct {
		name, want, reason string
		cfg                SessionConfig
	}{
		{"none", "of the URL", "", SessionConfig{}},
		{"file", " with blanks ", "", SessionConfig{PasswordFile: file}},
		{"no file", "", "none", SessionConfig{PasswordFile: filepath.Join(dir, "none")}},
		{"too large", "", "larger than", SessionConfig{PasswordFile: large}},
		{"variable", "in the environment", "", SessionConfig{PasswordEnv: "GATEWAYD_TEST_THERE"}},
		{"no variable", "", "there is no GATEWAYD_TEST_NONE in the environment", SessionConfig{PasswordEnv: "GATEWAYD_TEST_NONE"}},
	} {
		got, err := c.cfg.password("of the URL")
		if got != c.want || (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %q, %v, want %q, %q", c.name, got, err, c.want, c.reason)
		}
	}
	if _, err := secureConfig(&SessionConfig{CA: large}, "host"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("an endless file of certificates: got %v", err)
	}
}
