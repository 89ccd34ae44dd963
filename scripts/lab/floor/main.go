//go:build linux

// Floor is the shortest program that joins a GPIO line to MQTT: what gatewayd is measured against. It checks nothing it need
// not, reconnects never, and loses edges when they come fast. With -button and -relay it is the shortest one for a button that
// toggles a relay, without a broker.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/warthog618/go-gpiocdev"
)

func main() {
	broker := flag.String("broker", "tcp://127.0.0.1:1883", "broker's `URL`")
	chip := flag.String("chip", "gpiochip0", "")
	in, out := flag.Int("in", 17, "input `line`"), flag.Int("out", 22, "output `line`")
	state, cmd := flag.String("state", "floor/in", "`topic` of the input"), flag.String("cmd", "floor/out/set", "`topic` that switches the output")
	button, relay := flag.Int("button", -1, "input `line` that toggles the relay"), flag.Int("relay", 23, "`line` of the relay")
	flag.Parse()
	if *button >= 0 {
		local(*chip, *button, *relay)
		end()
		return
	}

	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(*broker).SetClientID("floor"))
	wait(c.Connect())
	output, err := gpiocdev.RequestLine(*chip, *out, gpiocdev.AsOutput(0))
	check(err)
	_, err = gpiocdev.RequestLine(*chip, *in, gpiocdev.WithBothEdges, gpiocdev.WithEventHandler(func(e gpiocdev.LineEvent) {
		payload := "OFF"
		if e.Type == gpiocdev.LineEventRisingEdge {
			payload = "ON"
		}
		c.Publish(*state, 0, false, payload)
	}))
	check(err)
	wait(c.Subscribe(*cmd, 0, func(_ mqtt.Client, m mqtt.Message) {
		level := 0
		if string(m.Payload()) == "ON" {
			level = 1
		}
		check(output.SetValue(level))
	}))

	end()
}

// local toggles the relay with each edge of the button, as the rule does that gatewayd is measured with.
func local(chip string, button, relay int) {
	output, err := gpiocdev.RequestLine(chip, relay, gpiocdev.AsOutput(0))
	check(err)
	level := 0
	_, err = gpiocdev.RequestLine(chip, button, gpiocdev.WithBothEdges, gpiocdev.WithEventHandler(func(gpiocdev.LineEvent) {
		level = 1 - level
		check(output.SetValue(level))
	}))
	check(err)
}

func end() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

func wait(t mqtt.Token) { t.Wait(); check(t.Error()) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
