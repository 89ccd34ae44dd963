#!/bin/sh
# The lab's init: a simulated Pi header (gpio-sim, 54 lines named GPIO0..GPIO53), then the job, then power off.
# In the job, $SIM is the folder with each line's sim_gpioN/pull (what drives an input: pull-up or pull-down)
# and sim_gpioN/value (what an output drives: 0 or 1).
export PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs run /run
mkdir -p /dev/shm /run/lock
mount -t tmpfs shm /dev/shm
mount -t configfs none /sys/kernel/config
ip link set lo up
lab=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^lab=//p')
lab_dir='' lab_job=''
cd /sys/kernel/config/gpio-sim || exit
mkdir pi pi/bank0
echo 54 >pi/bank0/num_lines
echo pinctrl-bcm2835 >pi/bank0/label
n=0
while [ $n -lt 54 ]; do
	mkdir pi/bank0/line$n
	echo GPIO$n >pi/bank0/line$n/name
	n=$((n + 1))
done
echo 1 >pi/live
SIM=/sys/devices/platform/$(cat pi/dev_name)/$(cat pi/bank0/chip_name)
export SIM
# shellcheck source=/dev/null
. "$lab/env"
cd "$lab_dir" || exit
if [ -n "${LAB_FIRST:-}" ]; then # the job is the first process itself, writes the status and powers off
	export lab
	exec sh "$lab_job"
fi
code=0
(exec sh "$lab_job") || code=$?
echo "$code" >"$lab/status"
sync
echo o >/proc/sysrq-trigger 2>/dev/null
busybox poweroff -f 2>/dev/null || poweroff -f 2>/dev/null || halt -f
