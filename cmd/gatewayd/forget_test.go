package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/bridge"
	"gatewayd/internal/mqtttest"
)

// publish leaves a retained message at a broker.
func publish(t *testing.T, addr, topic, payload string) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("publishes"))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	c.Publish(topic, 1, true, payload).Wait()
	c.Disconnect(50)
}

// What was left is cleared at every broker that answers; one that does not is named.
func TestForgetAllBrokers(t *testing.T) {
	a, b := mqtttest.StartMosquitto(t, nil), mqtttest.StartMosquitto(t, nil)
	gone := mqtttest.FreePort(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	write := func(brokers string) {
		t.Helper()
		text := fmt.Sprintf("device: shed\nmqtt: {brokers: [%s]}\ninputs: [{name: door, line: 4}]\n", brokers)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := func(addr string) string { return fmt.Sprintf("%q", "tcp://"+addr) }
	publish(t, a.Addr(), "gatewayd/shed/door", "ON")
	publish(t, b.Addr(), "gatewayd/shed/status", "online")

	write(strings.Join([]string{one(fmt.Sprint("127.0.0.1:", gone)), one(a.Addr()), one(b.Addr())}, ", "))
	var out bytes.Buffer
	if err := forget(file, bridge.Forgetting{}, &out); err == nil || !strings.Contains(err.Error(), b.Addr()+" says that gateway") {
		t.Errorf("running at the last: got %v", err)
	}
	publish(t, a.Addr(), "gatewayd/shed/door", "ON")
	out.Reset()
	err := forget(file, bridge.Forgetting{Force: true}, &out)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("tcp://127.0.0.1:%d: nothing listens", gone)) || strings.Contains(err.Error(), a.Addr()) {
		t.Errorf("one is gone: got %v", err)
	}
	want := fmt.Sprintf("gatewayd/shed/door\n1 topic cleared at tcp://%s\ngatewayd/shed/status\n1 topic cleared at tcp://%s\n", a.Addr(), b.Addr())
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	write(one(a.Addr()) + ", " + one(b.Addr()))
	out.Reset()
	if err := forget(file, bridge.Forgetting{}, &out); err != nil || strings.Count(out.String(), "0 topics cleared") != 2 {
		t.Errorf("again: got %v\n%s", err, &out)
	}
}
