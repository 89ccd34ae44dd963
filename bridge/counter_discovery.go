package bridge

// announce puts the counter's total and rate into its book, each as a sensor of its own.
func (c *Counter) announce(to *catalogue) {
	s := c.Sensor()
	s.announce(to)
}
