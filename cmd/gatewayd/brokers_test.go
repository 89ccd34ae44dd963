package main

import (
	"strings"
	"testing"
	"time"

	"gatewayd/internal/hatest"
	"gatewayd/internal/mqtttest"
)

// A broker is killed, and Home Assistant at the other one has the whole gateway; the local rules have not waited for that.
func TestGatewayChangesBroker(t *testing.T) {
	starting.Lock()
	first, second := mqtttest.StartMosquitto(t, nil), mqtttest.StartMosquitto(t, nil)
	starting.Unlock()
	h := &home{t: t, broker: first.Addr(), sent: map[string]int{}}
	h.ha = hatest.Start(t, second.Addr(), hatest.Options{})
	h.start(`broker: "tcp://`+first.Addr()+`"`, `brokers: ["tcp://`+first.Addr()+`", "tcp://`+second.Addr()+`"]`,
		"sensors:", "rules: [{when: l01_button, is: pressed, do: toggle, output: l01}]\nsensors:")
	c := newClient(t, "tcp://"+first.Addr())
	c.wants(t, "gatewayd/shed/status", "online")
	c.wants(t, "light/l01", "OFF")
	c.wants(t, "light/l01/button", "OFF")
	soon(t, "all is read", func() bool {
		health := c.saw("gatewayd/shed/gateway/health")
		return strings.Contains(health, `"level":"ok"`) && strings.Contains(health, `"attic":"ok"`)
	})
	if n := len(h.ha.Entities()); n > 0 {
		t.Fatalf("%d entities where the gateway is not", n)
	}
	first.Stop()
	killed := time.Now()
	h.put("l01_button", true) // nobody is there to hear it
	h.ha.Await(5*time.Second, "the light is there, and on", func() bool { e, ok := h.ha.Find("light.shed_l01"); return ok && e.State == "on" })
	t.Logf("in Home Assistant after %v", time.Since(killed).Round(time.Millisecond))
	h.settled("light.shed_l01", "switch.shed_pump", "sensor.shed_attic_temperature")
	h.ha.TurnOff("light.shed_l01")
	h.ha.AwaitState("light.shed_l01", "off")
	h.stop()
	h.unavailableAll("stopped")
}
