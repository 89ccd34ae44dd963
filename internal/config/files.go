package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// checkFiles makes the paths in the configuration absolute, looks whether the files are there, and warns where others can read
// secrets. dir is the folder of the configuration, file its path, or "-".
func (d *draft) checkFiles(dir, file string) {
	m := &d.mqtt
	for _, f := range []struct {
		key    string
		path   *string
		secret bool
	}{{"password_file", &m.PasswordFile, true}, {"ca", &m.CA, false}, {"cert", &m.Cert, false}, {"key", &m.Key, true}} {
		if *f.path == "" || m.bad[f.key] {
			continue
		}
		if !filepath.IsAbs(*f.path) {
			*f.path = filepath.Join(dir, *f.path)
		}
		n, path := m.at(f.key)
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
	if m.Password != "" && m.Password != redacted && file != "-" {
		if info, err := os.Stat(file); err == nil && openToAll(info) {
			n, path := m.at("password")
			d.warnf(n, path, "everybody on this computer can read it: chmod o-r %s, or use password_file", file)
		}
	}
}

// openToAll tells whether users that are neither owner nor in the group can read the file. Windows keeps that elsewhere.
func openToAll(info fs.FileInfo) bool { return runtime.GOOS != "windows" && info.Mode()&0o004 != 0 }
