// Package config reads the configuration file: defaults, checks of every value, checks of what fits together, all mistakes at
// once and each with its place. It fills the configuration types of the other packages, and nothing else in this program knows YAML.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"

	"gatewayd/bridge"
	"gatewayd/gpio"
	"gatewayd/sensors"
)

// Config is a complete and checked configuration. Its exported fields can be compared with reflect.DeepEqual.
type Config struct {
	Device string
	// StateFile is where is kept what outlives a crash or a power cut; empty: where the service has its files, if it is one.
	// Load makes it absolute, Parse leaves it as it is.
	StateFile string
	SaveEvery time.Duration // how often that file has the totals of counters written, at most
	Watch     bool          // the configuration is loaded again when its file has changed
	MQTT      MQTT
	Backlog   Backlog
	Chips     []Chip // those with lines in use; the header first
	Bridge    bridge.Config
	Sensors   []Sensor // in the order of Bridge.Sensors

	from *draft // what it was made from, for Print
}

// MQTT is how the broker is reached.
type MQTT struct {
	Broker       string   // URL with scheme tcp, tls, ws or wss, host and port, without credentials; empty where there are Brokers
	Brokers      []string // several, as Broker; nil: that one
	PreferFirst  bool     // go back to the first when it answers again
	Username     string
	PasswordFile string // holds the password, perhaps with a line end; path as CA
	PasswordEnv  string // the environment's variable that holds it
	ClientID     string
	CA           string // PEM file; empty: the system's. Load makes the paths absolute, Parse leaves them as they are
	Cert, Key    string // PEM files of the client certificate; both or none
	ServerName   string // expected in the broker's certificate; empty: the URL's host
	Insecure     bool   // the broker's certificate is not checked
	KeepAlive    time.Duration
}

// All gives the brokers, the first one first.
func (m *MQTT) All() []string {
	if len(m.Brokers) > 0 {
		return m.Brokers
	}
	return []string{m.Broker}
}

// ChipType is how a chip is driven.
type ChipType string

const (
	Header   ChipType = "header"   // the Raspberry Pi's 40-pin header
	GPIOChip ChipType = "gpiochip" // any other chip that the kernel drives
	MCP23017 ChipType = "mcp23017" // as all of gpio.Expanders, by their names in small letters
)

// Expander gives the type of an I2C expander; nil: it is none.
func (t ChipType) Expander() *gpio.ExpanderType { return gpio.Expander(string(t)) }

// Chip is one chip with its lines. An IO Pi Plus board is two: io/bus1 and io/bus2.
type Chip struct {
	Name      string
	Type      ChipType
	Label     string           // of a GPIOChip: what the kernel calls it; or else
	Device    string           // /dev/gpiochip2
	Bus       int              // of an I2C chip: /dev/i2c-N
	Addr      uint16           // 7 bits
	Interrupt *gpio.LineConfig // the header's line that the chip pulls low; chips can share one, and then have equal values; nil: none
	Poll      time.Duration    // of an I2C chip without interrupt: how often its inputs are read
	Lines     []gpio.LineConfig
	Board     int // of an IO Pi Plus: the bus as the board's print counts it, 1 or 2; 0: not one
}

// LineName is what people call a line of the chip.
func (c *Chip) LineName(offset uint32) string {
	expander := c.Type.Expander()
	switch {
	case c.Board > 0:
		return gpio.IOPiPlusLineName(c.Board-1, offset)
	case c.Type == Header:
		return gpio.HeaderLineName(offset)
	case expander != nil:
		return expander.LineName(offset)
	}
	return fmt.Sprintf("line %d", offset)
}

// Sensor is a sensor's hardware side.
type Sensor struct {
	Name       string
	Driver     *sensors.Driver
	Bus        int
	Addr       uint16 // 0 for a driver that has no addresses
	Mux        uint16 // the address of the mux that it is behind; 0: none
	Channel    int    // of the mux
	Settings   sensors.Settings
	Every      time.Duration
	Misses     int
	Measures   []string                     // the quantities that are told; nil: all
	Treatments map[string]sensors.Treatment // what becomes of some of them
}

// Load reads the file at path, or standard input if path is "-". The error holds Errors if the configuration has mistakes; any
// other error says that the file cannot be read. Unlike Parse it also looks for the files that the configuration names, relative to
// its own folder or to the service's credentials, and at who can read the secrets.
func Load(path string) (c *Config, warnings []Problem, err error) {
	in, name, dir := io.Reader(os.Stdin), "<stdin>", "."
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, cannotRead(path, err)
		}
		defer f.Close()
		in, name, dir = f, path, filepath.Dir(path)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil {
		return nil, nil, cannotRead(name, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	return parse(name, data, func(d *draft) { d.checkFiles(dir) })
}

// cannotRead says why there is no configuration, and what helps.
func cannotRead(path string, err error) error {
	why := err
	var at *fs.PathError
	if errors.As(err, &at) {
		why = at.Err // its path is the one that is told anyway
	}
	msg := fmt.Sprintf("the configuration %s cannot be read: %v", path, why)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		msg = fmt.Sprintf("there is no configuration %s: copy config.example.yaml there and write into it what is wired, or name another file with -c", path)
	case errors.Is(err, fs.ErrPermission):
		msg += ": try it with sudo"
	case errors.Is(err, syscall.EISDIR):
		msg += ": name the file in it, such as " + filepath.Join(path, "config.yaml")
	}
	return &unread{msg, err}
}

// unread is the error of a file that cannot be read, in words for people.
type unread struct {
	msg string
	err error
}

func (u *unread) Error() string { return u.msg }
func (u *unread) Unwrap() error { return u.err }

// Parse reads a configuration from data; file is what messages call it. The error, if any, is Errors.
func Parse(file string, data []byte) (c *Config, warnings []Problem, err error) {
	return parse(file, data, func(*draft) {})
}

func parse(file string, data []byte, more func(*draft)) (*Config, []Problem, error) {
	d := &draft{notes: notes{file: file}, data: data, besides: more}
	presets(rootKeys, d)
	if n := d.parseDocument(data); n != nil && !isNull(n) {
		readSection(&d.notes, n, "", rootKeys, nil, d)
		d.check()
		more(d)
	} else if len(d.problems) == 0 {
		d.errorf(nil, "", "%s", nothingToDo)
	}
	warnings, err := d.result()
	if err != nil {
		return nil, warnings, err
	}
	return d.build(), warnings, nil
}

// Anew reads the same text once more: what sensors of the kernel's measure can be asked of them only when they are there. The
// Config must come from Load or Parse.
func (c *Config) Anew() (*Config, error) {
	made, _, err := parse(c.from.file, c.from.data, c.from.besides)
	return made, err
}

// Print writes the complete configuration as YAML, all defaults included, from which Parse makes an equal Config. There are no secrets
// in it. The Config must come from Load or Parse.
func (c *Config) Print(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(printSection(rootKeys, c.from)); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return e.Close()
}

const nothingToDo = `nothing to do: at least one input, output or sensor is wanted, such as inputs: [{name: door, line: GPIO17, pull: up}]`

// rootKeys are the sections of the file, in the order in which they are printed.
var rootKeys = append([]key[*draft]{
	field("device", "this gateway's name, the first level of its topics", device, func(d *draft) *string { return &d.device }),
	field("id", "what controllers know it by when device was changed; device unless said", gatewayID, func(d *draft) *string { return &d.id }),
	field("state_file", "where it keeps what outlives a crash or a power cut; the service's /var/lib/gatewayd/state unless said", path,
		func(d *draft) *string { return &d.stateFile }),
	field("save_every", "how often that is written for the totals of counters: what a power cut may cost", duration(10*time.Second, 24*time.Hour),
		func(d *draft) *time.Duration { return &d.saveEvery }, 5*time.Minute),
	field("watch", "whether this file is loaded again when it has changed", boolean, func(d *draft) *bool { return &d.watch }, false),
	group("mqtt", "the broker", mqttKeys, func(d *draft) *mqtt { return &d.mqtt }),
	group("backlog", "what is told late, after the broker was away", backlogKeys, func(d *draft) *kept { return &d.kept }),
	homeAssistantGroup,
	chipList,
}, append(pointLists, interlockList, ruleList)...)

var notDevice = regexp.MustCompile(`[^a-z0-9_-]+`)

var device, gatewayID = deviceOr("a device's name"), deviceOr("an id")

func deviceOr(what string) value[string] {
	return scalar("small letters, digits, - and _", func(s string) (string, error) {
		if s == "" || len(s) > 64 || notDevice.MatchString(s) {
			return s, fmt.Errorf("%s cannot be %s: up to 64 small letters a to z, digits, - and _ are allowed", quote(s), what)
		}
		return s, nil
	}, wordOrNothing)
}

// hostName is replaced in tests.
var hostName = os.Hostname

// defaultDevice is the host's name, without its domain, as a topic level.
func defaultDevice() string {
	host, _ := hostName() // a host without a name is no reason to stop
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	host = strings.Trim(notDevice.ReplaceAllString(host, "-"), "-")
	if host == "" {
		return "gatewayd"
	}
	return host[:min(len(host), 64)]
}
