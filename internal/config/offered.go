package config

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"gatewayd/sensors"
)

// offerings are what devices measured when they were there last. One that is away while a configuration is read goes on to measure that:
// else all that is told of it would be taken back.
type offerings struct {
	mu  sync.Mutex // guards the following
	all map[string][]sensors.Quantity
}

var offered = offerings{all: map[string][]sensors.Quantity{}}

// of gives what a sensor's device measures, or did.
func (o *offerings) of(s *sensor) ([]sensors.Quantity, error) {
	options := s.options()
	now, err := s.driver.Quantities(options)
	if s.driver.Offers == nil {
		return now, err
	}
	which := fmt.Sprintf("%s %s %d %v", cmp.Or(options.Root, sensors.Root), s.driver.Name, options.Addr, s.settings) // a map is printed in order
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.all[which] = now
		return now, nil
	}
	if before, known := o.all[which]; known && !errors.As(err, new(*sensors.WrongSetting)) {
		return before, nil
	}
	return nil, err
}
