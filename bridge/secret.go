package bridge

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxSecret is the most that a file with a password or certificates may hold: whoever names /dev/zero must not fill the memory.
const maxSecret = 1 << 20

// password reads the broker's password where it is kept; given is what the URL has.
func (c *SessionConfig) password(given string) (string, error) {
	switch {
	case c.PasswordFile != "":
		b, err := readBounded(c.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("password_file: %w", err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	case c.PasswordEnv != "":
		pass, there := os.LookupEnv(c.PasswordEnv)
		if !there {
			return "", &refusal{fmt.Sprintf("password_env: there is no %s in the environment", c.PasswordEnv),
				"give it to the service (EnvironmentFile= in its unit) and restart it, or use password_file", nil}
		}
		return pass, nil
	}
	return given, nil
}

// readBounded is os.ReadFile for what should be small.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(b) > maxSecret {
		err = &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", maxSecret)}
	}
	return b, err
}
