package bridge

// Group is several outputs that take commands together, and have a state: on as long as one of them is.
type Group struct {
	Name         string
	Label        string
	Outputs      []string
	CommandTopic string // empty: <state topic>/set
	Channel
	Entity Entity
}
