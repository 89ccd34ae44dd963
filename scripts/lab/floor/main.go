//go:build linux

// Floor is the shortest program that joins a GPIO line to MQTT: what gatewayd is measured against. It checks nothing it need
// not, reconnects never, and loses edges when they come fast.
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
	flag.Parse()

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
