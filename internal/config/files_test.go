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
		file := write("plain.yaml", "mqtt: {username: u, password: geheim}"+points, mode)
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
