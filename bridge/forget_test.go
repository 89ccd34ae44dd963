package bridge

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatewayd/internal/mqtttest"
)

// kept gives the topics that a broker keeps messages on.
func kept(t *testing.T, broker string) []string {
	t.Helper()
	topics, seen := []string(nil), make(chan string, 100)
	c := person(t, broker)
	defer c.Disconnect(50)
	c.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if m.Retained() || m.Topic() == "end" {
			seen <- m.Topic()
		}
	}).Wait()
	c.Publish("end", 1, false, "x") // comes behind what the broker keeps
	for {
		select {
		case topic := <-seen:
			if topic == "end" {
				slices.Sort(topics)
				return topics
			}
			topics = append(topics, topic)
		case <-time.After(10 * time.Second):
			t.Fatal("the broker does not answer")
		}
	}
}

// person is somebody with an MQTT program.
func person(t *testing.T, broker string) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(clientOptions(strings.TrimPrefix(broker, "tcp://"), fmt.Sprint("person-", time.Now().UnixNano())))
	if token := c.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	return c
}

func TestForget(t *testing.T) {
	broker := "tcp://" + mqtttest.StartMosquitto(t, nil).Addr()
	c := person(t, broker)
	defer c.Disconnect(50)
	old := aBook("", "attic sensor u1")
	old.Components[0].StateTopic = "house/attic" // of an older configuration
	for topic, payload := range map[string]string{
		"gatewayd/shed/status": "online", "gatewayd/shed/door": "ON", "gatewayd/shed/gone/availability": "online",
		"light/l01": "OFF", "house/attic": "21", "house/cellar": `{"temperature":4.5}`, "house/roof": "somebody else's", "homeassistant/device/gatewayd_shed/config": string(old.document(old.Components)),
		"homeassistant/device/gatewayd_shed/hall/config": "{}",
		"gatewayd/other/status":                          "online", "homeassistant/device/gatewayd_other/config": "{}", "light/l99": "ON",
	} {
		c.Publish(topic, 1, true, payload).Wait()
	}
	all := kept(t, broker)
	ours := []string{"gatewayd/shed/door", "gatewayd/shed/gone/availability", "gatewayd/shed/status",
		"homeassistant/device/gatewayd_shed/config", "homeassistant/device/gatewayd_shed/hall/config", "house/attic", "house/cellar", "light/l01"}
	others := []string{"gatewayd/other/status", "homeassistant/device/gatewayd_other/config", "house/roof", "light/l99"}
	cfg := house()
	cfg.Sensors = append(cfg.Sensors, Sensor{Name: "cellar", Topic: "house/cellar", JSON: true}, Sensor{Name: "roof", Topic: "house/roof"})
	forget := func(how Forgetting) ([]string, error) {
		return Forget(t.Context(), SessionConfig{Broker: broker, ClientID: "gatewayd-shed"}, cfg, how, slog.New(slog.DiscardHandler))
	}
	for _, tt := range []struct {
		name       string
		how        Forgetting
		want, left []string
		err        error
	}{
		{"running", Forgetting{}, nil, all, ErrRunning},
		{"look", Forgetting{Look: true}, ours, all, nil},
		{"force", Forgetting{Force: true}, ours, others, nil},
		{"nothing left", Forgetting{}, nil, others, nil},
	} {
		got, err := forget(tt.how)
		if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, %v\nwant %q, %v", tt.name, got, err, tt.want, tt.err)
		}
		if left := kept(t, broker); !slices.Equal(left, tt.left) {
			t.Errorf("%s: left\n%q\nwant\n%q", tt.name, left, tt.left)
		}
	}
}

// A broker acknowledges what it does not allow: what was not cleared is told.
func TestForgetNotAllowed(t *testing.T) {
	m := mqtttest.StartMosquitto(t, func(dir string, port int) string {
		for file, text := range map[string]string{
			"acl":   "topic read #\ntopic write gatewayd/shed/door\ntopic write end\nuser anna\ntopic readwrite #\n",
			"users": mqtttest.PasswordLine("anna", "secret"),
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprintf("listener %[2]d 127.0.0.1\nallow_anonymous true\npassword_file %[1]s/users\nacl_file %[1]s/acl\n", dir, port)
	})
	anna := mqtt.NewClient(clientOptions(m.Addr(), "anna").SetUsername("anna").SetPassword("secret"))
	if token := anna.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer anna.Disconnect(50)
	for _, topic := range []string{"gatewayd/shed/door", "light/l01", "gatewayd/shed/gone"} {
		anna.Publish(topic, 1, true, "ON").Wait()
	}
	_, err := Forget(t.Context(), SessionConfig{Broker: "tcp://" + m.Addr(), ClientID: "gatewayd-shed"}, house(), Forgetting{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), `clear "gatewayd/shed/gone" and 1 more: allow`) {
		t.Errorf("got %v", err)
	}
	if left := kept(t, "tcp://"+m.Addr()); !slices.Equal(left, []string{"gatewayd/shed/gone", "light/l01"}) {
		t.Errorf("left: %q", left)
	}
}

func TestForgetWithoutBroker(t *testing.T) {
	broker := fmt.Sprintf("tcp://127.0.0.1:%d", mqtttest.FreePort(t))
	_, err := Forget(t.Context(), SessionConfig{Broker: broker, ClientID: "gatewayd-shed"}, house(), Forgetting{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "nothing listens on") {
		t.Errorf("got %v", err)
	}
}
