package bridge

import "reflect"

// thermostats has rules on readings go on that are the same, on the same sensor. Any other begins anew: it acts with the next measurement.
func (a *adoption) thermostats(s *state) {
	for _, is := range s.thermostats {
		for _, was := range a.was.thermostats {
			if !a.fresh[is.sensor] && reflect.DeepEqual(is.Thermostat, was.Thermostat) {
				is.thermostatLife = was.thermostatLife
				a.pursuits(is, was)
				break
			}
		}
	}
}

// pursuits goes on with what a rule is after. An output that is new to it, or begins anew, gets what the zone is for.
func (a *adoption) pursuits(is, was *thermostat) {
	for _, p := range is.pursuits {
		name := p.output.cfg.Name
		for _, old := range was.pursuits {
			if old.output.cfg.Name != name || a.fresh[name] {
				continue
			}
			p.over, p.told = old.over, old.told
			if old.output.pursuit == old {
				p.output.pursuit = p
			}
			break
		}
	}
}
