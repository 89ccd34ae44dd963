package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"gatewayd/internal/config"
	"gatewayd/internal/statefile"
)

// runningFile is where the gateway notes for gatewayd safe-state what it runs with: the file may have been changed since, and have
// mistakes. It is in the folder that systemd removes with the service, so that it never tells of another run; empty: there is none.
func runningFile() string {
	folder, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":") // systemd.exec(5)
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, "after-crash")
}

// noteRunning writes what is to be done after a crash of a gateway that runs with this configuration.
func noteRunning(path string, cfg *config.Config, log *slog.Logger) {
	content, err := json.Marshal(cfg.AfterCrash())
	if err == nil {
		err = statefile.Save(path, content)
	}
	if err != nil {
		log.Error("it cannot be noted what runs: after a crash, on_crash is as the configuration file says by then", "error", err)
		os.Remove(path) // what runs is not that
	}
}

// afterCrash gives the chips with what their outputs are to become: as noted by the gateway that has crashed, or else as the
// configuration says.
func afterCrash(path string, log *slog.Logger) ([]config.Chip, error) {
	if noted := runningFile(); noted != "" {
		content, err := statefile.Load(noted)
		var chips []config.Chip
		if err == nil {
			err = json.Unmarshal(content, &chips)
		}
		if err == nil {
			return chips, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			log.Error(fmt.Sprintf("what the gateway ran with is not known: %s is taken", path), "error", err)
		}
	}
	cfg, err := load(path)
	if err != nil {
		return nil, err
	}
	return cfg.AfterCrash(), nil
}
