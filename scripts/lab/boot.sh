#!/bin/sh
# Runs a job in the lab: boot.sh JOB.sh [NAME=VALUE ...]. The job sees this machine's own files, a gpio-sim chip and loopback only,
# and in its environment the NAMEs, SIM (the lines' folder) and STUB (the i2c-stub.ko beside the kernel, for i2csim).
# Exits with the job's status; 124: out of time (LAB_SECONDS, 300), 125: no kernel, or it ended before the job, 130 and 143: interrupted.
# With LAB_FIRST=yes the job is the first process: it writes its status to $lab/status and powers off.
# The kernel is the one that kernel.sh finds. Needs busybox-static and iproute2. Several labs may run at the same time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# = 0 ] || [ ! -r "$1" ]; then
	echo "usage: boot.sh JOB.sh [NAME=VALUE ...]" >&2
	exit 125
fi
job=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
kernel=$("$here/kernel.sh") || exit 125

lab=$(mktemp -d "${TMPDIR:-/tmp}/lab.XXXXXX")
pid='' filter=''
# shellcheck disable=SC2317 # the traps call it
end() {
	trap '' INT TERM HUP
	if [ -n "$pid" ]; then # timeout, which hands the signal on to the kernel, and after 5 seconds kills it
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" || true
	fi
	[ -z "$filter" ] || wait "$filter" || true
	rm -rf "$lab"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the job gets, written down so that no value has to pass a kernel's command line.
quote() { printf "%s='%s'\n" "$1" "$(printf '%s' "$2" | sed "s/'/'\\\\''/g")"; }
{
	quote lab_dir "$PWD"
	quote lab_job "$job"
	for pair in "STUB=$(dirname "$kernel")/i2c-stub.ko" "$@"; do
		name=${pair%%=*}
		case $pair in
		[A-Za-z_]*=*) case $name in *[!A-Za-z0-9_]*) name='' ;; esac ;;
		*) name='' ;;
		esac
		if [ -z "$name" ]; then
			echo "boot.sh: \"$pair\" is not NAME=VALUE" >&2
			exit 125
		fi
		printf 'export '
		quote "$name" "${pair#*=}"
	done
} >"$lab/env"

cp "$here/init.sh" "$lab/init.sh" # where its path has no spaces
mkfifo "$lab/console"
grep --line-buffered -v -e '^Failed to initialize ubd' -e 'sysrq: Power Off' -e 'reboot: Power down' <"$lab/console" &
filter=$!
# The lab's memory is a file in TMPDIR, so have it where files are memory.
memory=/dev/shm
[ -w "$memory" ] || memory=$lab
TMPDIR=$memory timeout -k 5 "${LAB_SECONDS:-300}" "$kernel" mem=512M quiet con=null con0=null,fd:1 "uml_dir=$lab/" \
	rootfstype=hostfs rootflags=/ rw "init=$lab/init.sh" "lab=$lab" </dev/null >"$lab/console" 2>&1 &
pid=$!
code=0
wait "$pid" || code=$?
pid=''
wait "$filter" || true
filter=''
if [ -s "$lab/status" ]; then
	code=$(cat "$lab/status")
elif [ "$code" = 124 ] || [ "$code" = 137 ]; then
	echo "boot.sh: the job was not done after ${LAB_SECONDS:-300} s (LAB_SECONDS)" >&2
	code=124
else
	echo "boot.sh: the lab's kernel ended before its job (its own status: $code)" >&2
	code=125
fi
exit "$code"
