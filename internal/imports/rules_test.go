package imports

import (
	"fmt"
	"slices"
	"strings"
)

// What rules talk about. A path stands for itself and everything below it; all means every package of the project.
const (
	all       = "gatewayd"
	bridge    = "gatewayd/bridge"
	cmd       = "gatewayd/cmd"
	gpio      = "gatewayd/gpio"
	sensors   = "gatewayd/sensors"
	scripts   = "gatewayd/scripts"
	config    = "gatewayd/internal/config"
	i2cdev    = "gatewayd/internal/i2cdev"
	i2csim    = "gatewayd/internal/i2csim"
	mqtttest  = "gatewayd/internal/mqtttest"
	openhab   = "gatewayd/internal/openhab"
	openhabs  = "gatewayd/internal/openhabtest"
	hatest    = "gatewayd/internal/hatest"
	web       = "gatewayd/internal/web"
	gpiocdev  = "github.com/warthog618/go-gpiocdev"
	mochi     = "github.com/mochi-mqtt/server/v2"
	mochiConf = "github.com/mochi-mqtt/server/v2/config"
	paho      = "github.com/eclipse/paho.mqtt.golang"
	yaml      = "gopkg.in/yaml.v3"
	periph    = "periph.io"
	host      = "periph.io/x/host/v3"
	distro    = "periph.io/x/host/v3/distro"
)

// A rule says what packages may not import, and why.
type rule struct {
	who    []string
	but    []string // packages that the rule does not mean
	never  []string
	except []string // imports that are fine although never covers them
	// direct: only what is imported by the package itself counts; else also what comes through other packages.
	direct bool
	// behind: with direct false, what these import is their own affair.
	behind []string
	tests  bool // test files are meant too, for what they import themselves
	why    string
}

var rules = []rule{
	{
		who: []string{gpio}, never: []string{sensors, bridge, config, web, paho, mochi, yaml}, tests: true,
		why: "gpio knows lines and chips, and can be used and tested without sensors, MQTT and configuration files",
	},
	{
		who: []string{sensors}, never: []string{gpio, bridge, config, web, paho, mochi, yaml}, tests: true,
		why: "sensors knows readings, and can be used and tested without lines, MQTT and configuration files",
	},
	{
		who: []string{bridge}, never: []string{i2cdev, i2csim, gpiocdev, periph}, behind: []string{gpio, sensors},
		why: "bridge knows the facts of gpio and sensors, never a chip, a bus or a driver: hardware that is added changes nothing there",
	},
	{
		who: []string{bridge}, never: []string{config, web, yaml},
		why: "bridge is given values; internal/config makes them from a file, internal/web asks it: both import it",
	},
	{
		who: []string{all}, but: []string{bridge, scripts, hatest}, never: []string{paho}, direct: true,
		why: "only the session in bridge talks to a broker, so that the client's traps are in one place; hatest is another program's part",
	},
	{
		who: []string{all}, but: []string{config}, never: []string{yaml}, direct: true, tests: true,
		why: "only internal/config reads YAML, so that a mistake is told with its place, the same way everywhere",
	},
	{
		who: []string{all}, but: []string{gpio, scripts}, never: []string{gpiocdev}, direct: true, tests: true,
		why: "only gpio asks the kernel for lines, so that each has one owner",
	},
	{
		who: []string{all}, but: []string{cmd, mqtttest}, never: []string{mochi}, direct: true,
		why: "only the demo, and tests, have a broker inside; the gateway and its parts need none",
	},
	{
		who: []string{all}, never: []string{mqtttest, hatest},
		why: "they are a broker and a Home Assistant for tests; test files alone import them",
	},
	{
		who: []string{all}, never: []string{host}, except: []string{distro}, tests: true,
		why: "its host.Init and its drivers map memory and take lines that are not ours; host/v3/distro, which names the board, is sound",
	},
	{
		who: []string{all}, never: []string{mochiConf}, tests: true,
		why: "it reads files we have no use for, and brings hundreds of modules",
	},
	{
		who: []string{all}, but: []string{cmd}, never: []string{cmd}, tests: true,
		why: "the program is put together from the parts, never the other way round",
	},
	{
		who: []string{all}, but: []string{scripts}, never: []string{scripts}, tests: true,
		why: "what is in scripts is for building and testing; the gateway is complete without",
	},
	{
		who: []string{openhab}, never: []string{config, web, mochi, yaml, i2cdev, i2csim, gpio}, behind: []string{bridge},
		why: "it makes text from the bridge's configuration, and needs neither files nor hardware for it",
	},
	{
		who: []string{all}, never: []string{openhabs},
		why: "it plays openHAB for tests; test files alone import it",
	},
}

// node is a package: what it imports itself, and what its test files do.
type node struct{ imports, tests []string }

// graph has the packages by their import paths, other modules' too.
type graph map[string]node

// below reports whether a package is one of these paths or lies below one.
func below(pkg string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
}

// violations checks one rule: a line per package and import, sorted.
func (r rule) violations(g graph) []string {
	var found []string
	for pkg, n := range g {
		if !below(pkg, r.who) || below(pkg, r.but) {
			continue
		}
		tell := func(what, through string) {
			if below(what, r.never) && !below(what, r.except) && !below(pkg, []string{what}) {
				found = append(found, fmt.Sprintf("%s imports %s%s: %s", pkg, what, through, r.why))
			}
		}
		reached := map[string]bool{}
		var walk func(imports []string, through string)
		walk = func(imports []string, through string) {
			for _, imp := range imports {
				if reached[imp] {
					continue
				}
				reached[imp] = true
				tell(imp, through)
				if !r.direct && !below(imp, r.behind) {
					walk(g[imp].imports, " (through "+imp+")")
				}
			}
		}
		walk(n.imports, "")
		if r.tests {
			for _, imp := range n.tests {
				if !reached[imp] {
					tell(imp, " (in a test)")
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
