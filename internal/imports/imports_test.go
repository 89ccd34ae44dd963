package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// load asks the go command for all packages of the project, and those they import, on one operating system.
func load(t *testing.T, system string) graph {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Imports,TestImports,XTestImports", "gatewayd/...")
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH=arm64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(list.Args, " "), err, stderr.Bytes())
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return g
		} else if err != nil {
			t.Fatal(err)
		}
		g[p.ImportPath] = node{p.Imports, append(p.TestImports, p.XTestImports...)}
	}
}

// The packages that rules speak of, and one import that shows that each is still meant: when something is renamed or replaced,
// the rules must follow, or they forbid what nobody does.
var alive = map[string]string{
	gpio:              gpiocdev + "/uapi",
	sensors:           "periph.io/x/conn/v3/i2c",
	bridge:            paho,
	hatest:            paho,
	config:            yaml,
	cmd + "/gatewayd": mochi,
	i2cdev:            "periph.io/x/conn/v3/i2c",
	i2csim:            "periph.io/x/conn/v3/i2c",
	openhab:           bridge,
}

func TestProject(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			g := load(t, system)
			for _, r := range rules {
				for _, v := range r.violations(g) {
					t.Error(v)
				}
			}
			if system != "linux" {
				return
			}
			for pkg, imp := range alive {
				if !slices.Contains(g[pkg].imports, imp) {
					t.Errorf("%s does not import %s any more: a rule here speaks of something that is gone", pkg, imp)
				}
			}
		})
	}
}

// allowed breaks no rule, narrowly.
var allowed = graph{
	gpio:                      {imports: []string{gpiocdev + "/uapi", "periph.io/x/conn/v3/i2c"}, tests: []string{i2csim}},
	sensors:                   {imports: []string{"periph.io/x/conn/v3/i2c"}, tests: []string{i2csim}},
	bridge:                    {imports: []string{gpio, sensors, paho}, tests: []string{mqtttest, i2csim}},
	config:                    {imports: []string{bridge, gpio, sensors, yaml, i2cdev}},
	mqtttest:                  {imports: []string{mochi}},
	hatest:                    {imports: []string{paho}, tests: []string{mqtttest}},
	web:                       {imports: []string{bridge}},
	openhab:                   {imports: []string{bridge, sensors}, tests: []string{openhabs}},
	i2cdev:                    {imports: []string{"periph.io/x/conn/v3/i2c"}},
	cmd + "/gatewayd":         {imports: []string{bridge, config, web, openhab, distro, i2csim, mochi, mochi + "/listeners"}, tests: []string{paho, openhabs}},
	scripts + "/lab/pinbench": {imports: []string{paho, gpiocdev, scripts + "/lab/i2csim"}},
	distro:                    {imports: []string{"os"}},
	"gatewayd/bridgework":     {imports: []string{"gatewayd/internal/configuration", "periph.io/x/conn/v3"}}, // names that only begin alike
}

func TestRules(t *testing.T) {
	plants := []struct {
		name  string
		rule  int
		plant graph // replaces packages of allowed
		want  string
	}{
		{"gpio, sensors", 0, graph{gpio: {imports: []string{sensors}}}, gpio + " imports " + sensors},
		{"gpio, bridge in a test", 0, graph{gpio: {tests: []string{bridge}}}, gpio + " imports " + bridge + " (in a test)"},
		{"gpio, paho through another", 0, graph{
			gpio:                     {imports: []string{"gatewayd/internal/near"}},
			"gatewayd/internal/near": {imports: []string{"example.org/other"}},
			"example.org/other":      {imports: []string{paho}},
		}, gpio + " imports " + paho + " (through example.org/other)"},
		{"below gpio, yaml", 0, graph{gpio + "/names": {imports: []string{yaml}}}, gpio + "/names imports " + yaml},
		{"sensors, gpio", 1, graph{sensors: {imports: []string{gpio}}}, sensors + " imports " + gpio},
		{"sensors, config", 1, graph{sensors: {imports: []string{config}}}, sensors + " imports " + config},
		{"bridge, a bus", 2, graph{bridge: {imports: []string{i2cdev}}}, bridge + " imports " + i2cdev},
		{"bridge, part of the simulator", 2, graph{bridge: {imports: []string{i2csim + "/chip"}}}, bridge + " imports " + i2csim + "/chip"},
		{"bridge, periph", 2, graph{bridge: {imports: []string{"periph.io/x/conn/v3/physic"}}}, bridge + " imports periph.io/x/conn/v3/physic"},
		{"bridge, the kernel through another", 2, graph{
			bridge:                   {imports: []string{gpio, "gatewayd/internal/near"}},
			"gatewayd/internal/near": {imports: []string{gpiocdev + "/uapi"}},
		}, bridge + " imports " + gpiocdev + "/uapi (through gatewayd/internal/near)"},
		{"bridge, config", 3, graph{bridge: {imports: []string{config}}}, bridge + " imports " + config},
		{"bridge, the page", 3, graph{bridge: {imports: []string{web}}}, bridge + " imports " + web},
		{"page, paho", 4, graph{web: {imports: []string{paho}}}, web + " imports " + paho},
		{"program, paho", 4, graph{cmd + "/gatewayd": {imports: []string{paho}}}, cmd + "/gatewayd imports " + paho},
		{"program, yaml", 5, graph{cmd + "/gatewayd": {imports: []string{yaml}}}, cmd + "/gatewayd imports " + yaml},
		{"page, yaml in a test", 5, graph{web: {tests: []string{yaml}}}, web + " imports " + yaml + " (in a test)"},
		{"program, lines", 6, graph{cmd + "/gatewayd": {imports: []string{gpiocdev}}}, cmd + "/gatewayd imports " + gpiocdev},
		{"simulator, lines", 6, graph{i2csim: {imports: []string{gpiocdev + "/uapi"}}}, i2csim + " imports " + gpiocdev + "/uapi"},
		{"page, a broker", 7, graph{web: {imports: []string{mochi + "/listeners"}}}, web + " imports " + mochi + "/listeners"},
		{"program, a broker for tests", 8, graph{cmd + "/gatewayd": {imports: []string{mqtttest}}}, cmd + "/gatewayd imports " + mqtttest},
		{"program, a Home Assistant for tests", 8, graph{cmd + "/gatewayd": {imports: []string{hatest}}}, cmd + "/gatewayd imports " + hatest},
		{"program, host", 9, graph{cmd + "/gatewayd": {imports: []string{host}}}, cmd + "/gatewayd imports " + host},
		{"lab, sysfs", 9, graph{scripts + "/lab/x": {imports: []string{host + "/sysfs"}}}, scripts + "/lab/x imports " + host + "/sysfs"},
		{"host through a driver", 9, graph{
			scripts + "/lab/x":         {imports: []string{"periph.io/x/devices/v3/x"}},
			"periph.io/x/devices/v3/x": {imports: []string{host}},
		}, scripts + "/lab/x imports " + host + " (through periph.io/x/devices/v3/x)"},
		{"mochi's config", 10, graph{cmd + "/gatewayd": {imports: []string{mochiConf}}}, cmd + "/gatewayd imports " + mochiConf},
		{"mochi's config in a test", 10, graph{cmd + "/gatewayd": {tests: []string{mochiConf}}}, cmd + "/gatewayd imports " + mochiConf + " (in a test)"},
		{"internal, the program", 11, graph{web: {imports: []string{cmd + "/gatewayd"}}}, web + " imports " + cmd + "/gatewayd"},
		{"program, scripts", 12, graph{cmd + "/gatewayd": {imports: []string{scripts + "/lab/i2csim"}}}, cmd + "/gatewayd imports " + scripts + "/lab/i2csim"},
		{"openHAB's files, config", 13, graph{openhab: {imports: []string{config}}}, openhab + " imports " + config},
		{"openHAB's files, lines", 13, graph{openhab: {imports: []string{gpio}}}, openhab + " imports " + gpio},
		{"program, a player of openHAB", 14, graph{cmd + "/gatewayd": {imports: []string{openhabs}}}, cmd + "/gatewayd imports " + openhabs},
	}
	planted := map[int]bool{}
	for _, tt := range plants {
		t.Run(tt.name, func(t *testing.T) {
			planted[tt.rule] = true
			g := graph{}
			for pkg, n := range allowed {
				g[pkg] = n
			}
			for pkg, n := range tt.plant {
				g[pkg] = n
			}
			got := rules[tt.rule].violations(g)
			if want := tt.want + ": " + rules[tt.rule].why; !slices.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	for i, r := range rules {
		if got := r.violations(allowed); len(got) != 0 {
			t.Errorf("rule %d on allowed imports: got %q, want none", i, got)
		}
		if !planted[i] {
			t.Errorf("rule %d, %q: no plant shows that it can fail", i, r.why)
		}
	}
}
