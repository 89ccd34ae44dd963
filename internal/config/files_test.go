package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return file
	}
	write("secret", "geheim", 0o640)
	write("ca.pem", "", 0o644)
	write("client.pem", "", 0o644)
	open := write("client.key", "", 0o644)
	const points = "\ninputs: [{name: a, line: 4}]\n"

	good := write("good.yaml", "mqtt: {broker: tls://a, username: u, password_file: secret, ca: ca.pem, cert: ./client.pem, key: "+open+"}\nstate_file: kept/state"+points, 0o644)
	c, warnings, err := Load(good)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files", []string{c.MQTT.PasswordFile, c.MQTT.CA, c.MQTT.Cert, c.MQTT.Key},
		[]string{filepath.Join(dir, "secret"), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), open})
	equal(t, "state file", c.StateFile, filepath.Join(dir, "kept", "state")) // it need not be there
	if runtime.GOOS != "windows" {
		said := ""
		for _, w := range warnings {
			said += w.String()
		}
		if want := ": warning: mqtt.key: everybody on this computer can read it: chmod o-r " + open; !strings.HasSuffix(said, want) || len(warnings) != 1 {
			t.Errorf("warnings %s, want one that ends with %s", said, want)
		}
	}

	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		if runtime.GOOS == "windows" {
			want = 0
		}
		write("open", "geheim", mode)
		file := write("plain.yaml", "mqtt: {username: u, password_file: open}"+points, 0o644)
		if _, warnings, err := Load(file); err != nil || len(warnings) != want {
			t.Errorf("password in a file with mode %o: warnings %v, error %v, want %d warnings", mode, warnings, err, want)
		}
	}

	bad := write("bad.yaml", "mqtt: {broker: tls://a, username: u, password_file: none, ca: none.pem, cert: ., key: x.key}\nstate_file: ."+points, 0o644)
	_, _, err = Load(bad)
	want := strings.NewReplacer("BAD", bad, "DIR", dir).Replace(`BAD:1:53: mqtt.password_file: there is no file DIR/none
BAD:1:63: mqtt.ca: there is no file DIR/none.pem
BAD:1:79: mqtt.cert: DIR is a folder, a file is wanted
BAD:1:87: mqtt.key: there is no file DIR/x.key
BAD:2:13: state_file: DIR is a folder, a file is wanted, such as DIR/state`)
	if err == nil || filepath.ToSlash(err.Error()) != filepath.ToSlash(want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}

	if _, _, err := Load(filepath.Join(dir, "nothing")); err == nil {
		t.Error("no error for a file that is not there")
	} else if _, ok := err.(Errors); ok {
		t.Errorf("a file that is not there is told as a mistake in it: %v", err)
	}
}

// Secrets that the service alone has: systemd's credentials, and its environment. Who checks the file elsewhere is warned, no more.
func TestSecretsOfTheService(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"c.yaml": "mqtt: {broker: tls://a, username: u, password_file: $CREDENTIALS_DIRECTORY/mqtt, cert: \"${CREDENTIALS_DIRECTORY}/cert\", key: $CREDENTIALS_DIRECTORY/key}\n" +
			"inputs: [{name: a, line: 4}]\n",
		"e.yaml": "mqtt: {username: u, password_env: GATEWAYD_TEST_SECRET}\ninputs: [{name: a, line: 4}]\n",
		"mqtt":   "geheim", "cert": "", "key": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	said := func(name string, want ...string) *Config {
		t.Helper()
		c, warnings, err := Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(warnings) != len(want) {
			t.Fatalf("%s: warnings %v, want %d", name, warnings, len(want))
		}
		for i, w := range warnings {
			if !strings.Contains(w.Msg, want[i]) {
				t.Errorf("%s: got %q, want %q in it", name, w.Msg, want[i])
			}
		}
		return c
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	said("c.yaml", "LoadCredential=mqtt:", "LoadCredential=cert:", "LoadCredential=key:")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	c := said("c.yaml")
	equal(t, "files", []string{c.MQTT.PasswordFile, c.MQTT.Cert, c.MQTT.Key}, []string{filepath.Join(dir, "mqtt"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")})
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "none"))
	if _, _, err := Load(filepath.Join(dir, "c.yaml")); err == nil || !strings.Contains(err.Error(), "there is no file "+filepath.Join(dir, "none", "mqtt")) {
		t.Errorf("a credential that the unit does not load: got %v", err)
	}

	said("e.yaml", "GATEWAYD_TEST_SECRET is not in this environment")
	t.Setenv("GATEWAYD_TEST_SECRET", "geheim")
	equal(t, "variable", said("e.yaml").MQTT.PasswordEnv, "GATEWAYD_TEST_SECRET")
}
