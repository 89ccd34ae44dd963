//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatewayd/internal/mqtttest"
)

// The steps of docs/security.md, taken as they stand there, in a folder in place of /etc and as a user who needs no sudo, make a broker
// and a gateway that speak with each other, encrypted, by a password, within the access list.
func TestSecurityPage(t *testing.T) {
	for _, tool := range []string{"openssl", "mosquitto_passwd", "sh", "install"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the page's steps cannot be taken", tool)
		}
	}
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	etc := t.TempDir()
	here := strings.NewReplacer("/etc/", etc+"/", "192.168.1.10", "127.0.0.1", "homeassistant.local:8883", "127.0.0.1:PORT", "-g mosquitto ", "")
	blocks := map[string][]string{}
	for _, m := range regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks[m[1]] = append(blocks[m[1]], here.Replace(m[2]))
	}
	if len(blocks["sh"]) != 3 || len(blocks["yaml"]) != 1 || len(blocks[""]) != 1 {
		t.Fatalf("the page has other blocks: %d, %d, %d", len(blocks["sh"]), len(blocks["yaml"]), len(blocks[""]))
	}
	for _, folder := range []string{"gatewayd", "mosquitto/certs", "bin", "work"} {
		if err := os.MkdirAll(filepath.Join(etc, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(etc, "bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script("sudo", `exec "$@"`)
	script("chgrp", ":") // there are no such groups here
	script("gatewayd", asProgram+"=1 exec '"+os.Args[0]+`' "$@"`)
	config := filepath.Join(etc, "gatewayd", "config.yaml")
	write := func(mqtt string) {
		if err := os.WriteFile(config, []byte("device: shed\n"+mqtt+"outputs: [{name: lamp, line: GPIO22}]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	shell := func(block string) ([]byte, error) {
		sh := exec.CommandContext(t.Context(), "sh", "-euc", block)
		sh.Dir, sh.Env = filepath.Join(etc, "work"), append(os.Environ(), "PATH="+filepath.Join(etc, "bin")+":"+os.Getenv("PATH"))
		return sh.CombinedOutput()
	}
	for _, block := range blocks["sh"] {
		if out, err := shell(block); err != nil {
			t.Fatalf("%v\n%s\n%s", err, block, out)
		}
	}
	info, err := os.Stat(filepath.Join(etc, "gatewayd", "password"))
	if err != nil || info.Mode().Perm() != 0o640 || info.Size() < 40 {
		t.Errorf("the password's file: %v, %v", info, err)
	}
	if b, err := os.ReadFile(filepath.Join(etc, "mosquitto", "passwd")); err != nil || !strings.HasPrefix(string(b), "shed:$") {
		t.Errorf("the broker's passwords: %q, %v", b, err)
	}
	m := mqtttest.StartMosquitto(t, func(_ string, port int) string {
		return strings.Replace(blocks[""][0], "listener 8883", fmt.Sprintf("listener %d 127.0.0.1", port), 1)
	})
	write(strings.Replace(blocks["yaml"][0], "PORT", fmt.Sprint(m.Port), 1))
	p := starts(t, nil, "run", "-c", config)
	soon(t, "connected", func() bool { return strings.Contains(p.out.String(), "connected to the broker") })
	if s := p.out.String(); strings.Contains(s, "config.yaml:") || strings.Contains(s, "access list") || strings.Contains(s, "INSECURE") {
		t.Errorf("it complains:\n%s", s)
	}

	acl := filepath.Join(etc, "mosquitto", "gatewayd.acl")
	before, err := os.ReadFile(acl)
	if err != nil || len(before) == 0 {
		t.Fatalf("the access list: %q, %v", before, err)
	}
	write("mqtt: {broker: banana}\n")
	if out, err := shell(blocks["sh"][1]); err == nil {
		t.Errorf("an access list is made of a configuration with a mistake:\n%s", out)
	}
	if after, err := os.ReadFile(acl); err != nil || string(after) != string(before) {
		t.Errorf("a configuration with a mistake has cost the access list: %q, %v", after, err)
	}
}
