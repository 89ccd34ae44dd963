#!/bin/sh
# The part of bench.sh that runs in the lab: a line of JSON per measurement. BIN is the folder of the programs.
cd /run || exit
broker() { # NODELAY
	printf 'listener 1883 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay %s\n' "$1" >mosquitto.conf
	mosquitto -c mosquitto.conf >/dev/null 2>&1 &
	broker=$!
	sleep 0.5
}
config() { # QOS
	cat <<Y
device: bench
mqtt: {broker: "tcp://127.0.0.1:1883"}
inputs:
  - {name: in, line: GPIO17, debounce: 0, qos: $1}
  - {name: button, line: GPIO18, debounce: 0, qos: $1}
outputs:
  - {name: out, line: GPIO22, qos: $1}
  - {name: relay, line: GPIO23, qos: $1}
rules:
  - {when: button, is: changed, do: toggle, output: relay}
Y
}
measure() { # NAME PID ARGUMENT...
	name=$1 pid=$2
	shift 2
	"$BIN/pinbench" -name "$name" -pid "$pid" -n "$TRIPS" -json "$@" 2>/dev/null
	kill "$pid"
	wait "$pid"
}
lines="-pull $SIM/sim_gpio17/pull -value $SIM/sim_gpio22/value -idle 1s"
local="-local -idle 0 -burst 0 -pull $SIM/sim_gpio18/pull -value $SIM/sim_gpio23/value"
gatewayd() { # NAME QOS ARGUMENT...
	"$BIN/gatewayd" run -c "$2.yaml" 2>>gatewayd.log &
	pid=$!
	name=$1 qos=$2
	shift 2
	sleep 0.7
	measure "$name" $pid -qos "$qos" "$@"
}
floor() { # NAME
	name=$1
	"$BIN/floor" 2>/dev/null &
	pid=$!
	sleep 0.7
	# shellcheck disable=SC2086
	measure "$name" $pid -in floor/in -cmd floor/out/set $lines
}
topics='-in gatewayd/bench/in -cmd gatewayd/bench/out/set'
config 0 >0.yaml
config 1 >1.yaml
# Every program meets its rival within one pair, and each goes first in turn.
i=0
while [ $i -lt "$PAIRS" ]; do
	i=$((i + 1))
	for nodelay in false true; do
		broker $nodelay
		suffix=''
		[ $nodelay = false ] || suffix=_nodelay
		# shellcheck disable=SC2086
		if [ $((i % 2)) = 0 ]; then
			floor floor$suffix
			[ $nodelay = true ] || gatewayd qos0 0 $topics $lines
			gatewayd qos1$suffix 1 $topics $lines
		else
			gatewayd qos1$suffix 1 $topics $lines
			[ $nodelay = true ] || gatewayd qos0 0 $topics $lines
			floor floor$suffix
		fi
		if [ $nodelay = false ]; then
			"$BIN/floor" -button 18 -relay 23 &
			pid=$!
			sleep 0.7
			# shellcheck disable=SC2086
			measure floor_local $pid $local
			# shellcheck disable=SC2086
			gatewayd local 1 $local
		fi
		kill $broker
		wait $broker
	done
done

# Memory and the time until it is online, with 54 lines and two expanders.
"$BIN/i2csim" -stub "$STUB" -chip mcp23017@0x20 -chip mcp23017@0x21 2>/dev/null &
i2c=$!
"$BIN/i2csim" ctl -wait 5s list >/dev/null
{
	echo 'device: big'
	echo 'mqtt: {broker: "tcp://127.0.0.1:1883"}'
	echo 'chips: [{name: io, type: iopiplus}]'
	echo 'inputs:'
	for n in $(seq 4 15); do echo "  - {name: in$n, line: $n}"; done
	for n in 1 2 3 4 5 6 7 9 10 11 12 13 14 15; do echo "  - {name: button$n, chip: io, line: bus2-$n, pull: up, active_low: true}"; done
	echo 'outputs:'
	for n in $(seq 16 27); do echo "  - {name: out$n, line: $n}"; done
	for n in $(seq 1 16); do echo "  - {name: light$n, chip: io, line: bus1-$n}"; done
	echo 'rules:'
	for n in 1 2 3 4 5 6 7; do echo "  - {when: button$n, do: toggle, output: light$n}"; done
} >big.yaml
broker false
i=0
while [ $i -lt "$PAIRS" ]; do
	i=$((i + 1))
	mosquitto_sub -R -C 1 -t gatewayd/big/status >online &
	sub=$!
	sleep 0.3
	start=$(date +%s%N)
	"$BIN/gatewayd" run -c big.yaml 2>>gatewayd.log &
	pid=$!
	wait $sub
	took=$((($(date +%s%N) - start) / 1000))
	sleep 5
	rss=$(awk '/^VmRSS/ { print $2 }' /proc/$pid/status)
	before=$(awk '{ print $14 + $15 }' /proc/$pid/stat)
	sleep 5
	after=$(awk '{ print $14 + $15 }' /proc/$pid/stat)
	echo "{\"name\":\"big\",\"start_us\":$took,\"rss_kb\":$rss,\"idle_cpu_percent\":$(((after - before) / 5))}"
	kill $pid
	wait $pid
	mosquitto_pub -r -n -t gatewayd/big/status
done
kill $broker $i2c
wait
grep -v -e connected -e 'gatewayd starts' -e stopping gatewayd.log >&2
exit 0
