package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// checkFiles makes the paths in the configuration absolute, looks whether the files are there, and warns where others can read
// secrets. dir is the folder of the configuration.
func (d *draft) checkFiles(dir string) {
	m := &d.mqtt
	if _, there := os.LookupEnv(m.PasswordEnv); m.PasswordEnv != "" && !there { // perhaps only for who checks
		n, path := m.at("password_env")
		d.warnf(n, path, "%s is not in this environment: the service needs it in its own", m.PasswordEnv)
	}
	for _, f := range []struct {
		key    string
		path   *string
		secret bool
	}{{"password_file", &m.PasswordFile, true}, {"ca", &m.CA, false}, {"cert", &m.Cert, false}, {"key", &m.Key, true}} {
		if *f.path == "" || m.bad[f.key] {
			continue
		}
		n, path := m.at(f.key)
		if name, ok := credential(*f.path); ok {
			folder := os.Getenv("CREDENTIALS_DIRECTORY")
			if folder == "" {
				d.warnf(n, path, "only the service knows CREDENTIALS_DIRECTORY, by LoadCredential=%s:... in its unit: not looked at", name)
				continue
			}
			*f.path = filepath.Join(folder, name)
		}
		if !filepath.IsAbs(*f.path) {
			*f.path = filepath.Join(dir, *f.path)
		}
		switch info, err := os.Stat(*f.path); {
		case errors.Is(err, fs.ErrNotExist):
			m.errorf(&d.notes, f.key, "there is no file %s", *f.path)
		case err != nil: // perhaps only for who checks: the service may have rights that this user has not
			d.warnf(n, path, "cannot be looked at: %v", err)
		case info.IsDir():
			m.errorf(&d.notes, f.key, "%s is a folder, a file is wanted", *f.path)
		case f.secret && openToAll(info):
			d.warnf(n, path, "everybody on this computer can read it: chmod o-r %s", *f.path)
		}
	}
	if d.stateFile != "" {
		if !filepath.IsAbs(d.stateFile) {
			d.stateFile = filepath.Join(dir, d.stateFile)
		}
		if info, err := os.Stat(d.stateFile); err == nil && info.IsDir() {
			d.root.errorf(&d.notes, "state_file", "%s is a folder, a file is wanted, such as %s", d.stateFile, filepath.Join(d.stateFile, "state"))
		}
	}
	d.checkBacklogFile(dir)
}

// credential gives the name of a credential of the service: a path that begins with the folder in which systemd puts them, as
// systemd.exec(5) calls it.
func credential(path string) (name string, ok bool) {
	for _, folder := range []string{"$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/"} {
		if name, ok = strings.CutPrefix(path, folder); ok {
			return name, true
		}
	}
	return "", false
}

// openToAll tells whether users that are neither owner nor in the group can read the file. Windows keeps that elsewhere.
func openToAll(info fs.FileInfo) bool { return runtime.GOOS != "windows" && info.Mode()&0o004 != 0 }
