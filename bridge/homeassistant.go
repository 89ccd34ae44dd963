package bridge

// HomeAssistant is how the gateway announces itself to Home Assistant (MQTT discovery).
type HomeAssistant struct {
	Discovery    bool
	Prefix       string // of the discovery topics; empty: homeassistant
	BirthTopic   string // where Home Assistant says that it is there; empty: homeassistant/status
	BirthPayload string // empty: online
	Name         string // the gateway's, for people; empty: made from Device
	Area         string // where the gateway is
	Diagnostics  bool   // announce the gateway's own health, too
	Identify     string // the output that blinks when the gateway is asked to show itself; empty: none
}

// About is what the program knows of itself and of the board; empty fields are not known.
type About struct {
	Version        string
	Model          string   // Raspberry Pi 3 Model B Rev 1.2
	Serial         string   // the board's
	Chips          []string // the names of those that health reports
	CPUTemperature bool     // health has it
	UnderVoltage   bool     // health has it
	Throttled      bool     // health has it

	restarts bool // somebody restarts the gateway when it asks for it
	reloads  bool // somebody reads the configuration again when it asks for it
}
