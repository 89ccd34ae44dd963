#!/bin/sh
# Proves the simulator inside the lab, with i2c-tools, gpiod and the tests of this folder: run.sh boots it. From it comes
#   BIN   directory with i2csim and abi.test
# and from the lab SIM and STUB. Writes nothing but below /run, which is the lab's own.
failed=0
ok() { # WHAT WANT GOT
	if [ "$2" = "$3" ]; then echo "ok    $1: $3"; else echo "FAIL  $1: got '$3', want '$2'"; failed=1; fi
}
i2csim=$BIN/i2csim
ctl() { "$i2csim" ctl "$@"; }

"$i2csim" -stub "$STUB" -chip mcp23017@0x20 -chip mcp23017@0x21 -chip bme280@0x76 \
	-chip pcf8574@0x24 -chip bh1750@0x23 -chip sht31@0x44 -chip ads1115@0x48 \
	-chip tmp102@0x49 -chip ina219@0x40 -chip aht20@0x38 -chip regs@0x50 &
pid=$!
ctl -wait 5s list >/dev/null

echo "--- what user space sees"
ls -ld /dev/i2c-* /sys/bus/i2c/devices/* /sys/class/i2c-dev/*
i2cdetect -l
i2cdetect -F 1 | grep -E '^I2C|Quick|Block Read'
i2cdetect -y 1

echo "--- i2c-tools"
ok "IODIRA at power-on" 0xff "$(i2cget -y 1 0x20 0x00)"
i2cset -y 1 0x20 0x00 0xf0
ok "IODIRA written" 0xf0 "$(i2cget -y 1 0x20 0x00)"
ok "as the simulator sees it" 0xf0 "$(ctl 'get mcp23017@0x20 iodira')"
i2cset -y 1 0x20 0x14 0x05
ok "OLATA" 0x05 "$(ctl 'get mcp23017@0x20 olata')"
ok "pin a2" high "$(ctl 'get mcp23017@0x20 pin a2')"
ctl 'mcp23017@0x20 input a7 high'
ok "GPIOA" 0x85 "$(i2cget -y 1 0x20 0x12)"
i2cset -y 1 0x20 0x0c 0x1234 w
ok "word" 0x1234 "$(i2cget -y 1 0x20 0x0c w)"
ok "one transfer, write and read" "0xf0 0xff" "$(i2ctransfer -y 1 w1@0x20 0x00 r2)"
i2cset -y 1 0x50 0x10 1 2 3 4 i
ok "i2c block" "0x02 0x03 0x04" "$(i2cget -y 1 0x50 0x11 i 3)"
ok "BME280 identifies itself" 0x60 "$(i2cget -y 1 0x76 0xd0)"
ok "SHT31 status with checksum" "0x80 0x10 0xe1" "$(i2ctransfer -y 1 w2@0x44 0xf3 0x2d r3)"
ctl '0x20 reset'
ok "after a reset" 0xff "$(i2cget -y 1 0x20 0x00)"

echo "--- faults"
ctl 'fault 0x20 nack 2'
ok "first" "Error: Read failed" "$(i2cget -y 1 0x20 0 2>&1)"
ok "second" "Error: Read failed" "$(i2cget -y 1 0x20 0 2>&1)"
ok "third" 0xff "$(i2cget -y 1 0x20 0 2>&1)"
ok "no answer" "Error: Sending messages failed: Remote I/O error" "$(i2ctransfer -y 1 w1@0x33 0 2>&1)"
ctl 'absent 0x20'
ok "absent" "Error: Sending messages failed: Remote I/O error" "$(i2ctransfer -y 1 w1@0x20 0 2>&1)"
ctl 'present 0x20' 'fault 0x20 timeout'
ok "timeout" "Error: Sending messages failed: Connection timed out" "$(i2ctransfer -y 1 w1@0x20 0 2>&1)"
ctl 'busy 0x20 on'
ok "busy" "Error: Could not set address to 0x20: Device or resource busy" "$(i2cget -y 1 0x20 0 2>&1)"
ctl 'busy 0x20 off' 'stats' >/dev/null
i2cget -y 1 0x20 0 >/dev/null
ok "cost" "0x20 transfers=1 messages=2 written=1 read=1 nacks=0 timeouts=0 bits=39 at100k=390µs at400k=97.5µs" "$(ctl stats | grep ^0x20)"

echo "--- an interrupt through a GPIO line"
ctl "wire mcp23017@0x20 inta $SIM/sim_gpio17/pull"
ok "INTA at rest" 1 "$(gpioget gpiochip0 17)"
gpiomon --falling-edge --num-events=1 --format=%o gpiochip0 17 >/run/edge &
mon=$!
sleep 0.5
i2cset -y 1 0x20 0x0c 0xff # pull-ups
i2cset -y 1 0x20 0x04 0x08 # interrupt on change of A3
ctl '0x20 input a3 low'
wait $mon
ok "edge on line" 17 "$(cat /run/edge)"
ok "INTA" 0 "$(gpioget gpiochip0 17)"
ok "INTFA" 0x08 "$(i2cget -y 1 0x20 0x0e)"
ok "INTCAPA" 0xf7 "$(i2cget -y 1 0x20 0x10)"
ok "INTA cleared" 1 "$(gpioget gpiochip0 17)"

echo "--- the kernel's interface"
I2CSIM_DEV=/dev/i2c-1 "$BIN/abi.test" -test.v >/run/abi 2>&1
ok "tests of the interface" 0 $?
grep -E '^(---|    |PASS|FAIL)' /run/abi

echo "--- time per transaction"
"$i2csim" bench -n 500
for s in 'speed 400k' 'speed 100k' 'latency 1ms'; do
	ctl "$s"
	echo "$s: $("$i2csim" bench -n 200 | grep RDWR)"
	ctl 'speed off' 'latency off'
done

echo "--- two interrupts on one line, and who watches the pins"
ctl '0x20 reset' '0x21 reset'
ctl "wire mcp23017@0x21 inta $SIM/sim_gpio17/pull"
ctl watch >/run/pins &
watcher=$!
until grep -q watching /run/pins; do sleep 0.05; done
for chip in 0x20 0x21; do
	i2cset -y 1 $chip 0x0a 0x44         # mirrored, open drain
	i2ctransfer -y 1 w3@$chip 0x0c 0xff 0xff # pull-ups
	i2ctransfer -y 1 w3@$chip 0x04 0xff 0xff # interrupt on change
	i2cset -y 1 $chip 0x15 0x80         # a latch of an input moves no pin
	ctl "$chip input a2 low"
	ok "line after $chip" 0 "$(gpioget gpiochip0 17)"
done
i2cget -y 1 0x20 0x12 >/dev/null
ok "line after one is served" 0 "$(gpioget gpiochip0 17)"
i2cget -y 1 0x21 0x12 >/dev/null
ok "line after both are served" 1 "$(gpioget gpiochip0 17)"
kill $watcher
wait $watcher
sed '1,/^watching/d' /run/pins >/run/changes
ok "changes of b7, which only the pull-up moved" high "$(awk '$2 == "mcp23017@0x20" && $3 == "b7" { print $4 }' /run/changes)"
ok "changes of a2" "high low" "$(awk '$2 == "mcp23017@0x20" && $3 == "a2" { print $4 }' /run/changes | xargs)"
ok "missed changes" 0 "$(grep -c lost /run/changes)"

kill $pid
wait $pid
ok "exit" 0 $?
ok "nothing left" "" "$(ls -d /dev/i2c-* /sys/bus/i2c/devices/* 2>/dev/null)"
if [ $failed = 0 ]; then echo "all is well"; else echo "something failed"; fi
exit $failed
