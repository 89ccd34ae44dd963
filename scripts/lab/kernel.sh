#!/bin/sh
# Prints the path of a kernel for the lab, or says on standard error why there is none and exits with 1.
# LAB_KERNEL names one (it may be read-only; i2c-stub.ko lies beside it); else it is the one that was built before, in
# ${XDG_CACHE_HOME:-~/.cache}/gatewayd-lab. With --build, or LAB_BUILD=1, it is built there if need be: five minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
no() {
	echo "no lab: $*" >&2
	exit 1
}
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || no "its kernel runs on Linux on x86-64 only, this is $(uname -s) on $(uname -m)"
missing=''
command -v busybox >/dev/null || missing="$missing busybox-static"
command -v ip >/dev/null || missing="$missing iproute2"
[ -z "$missing" ] || no "it needs the packages$missing"

cached=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gatewayd-lab
if [ -n "${LAB_KERNEL:-}" ]; then
	kernel=$LAB_KERNEL
else
	kernel=$cached/linux
	if [ ! -x "$kernel" ] || [ ! -r "$cached/i2c-stub.ko" ]; then
		if [ "${1:-}" != --build ] && [ "${LAB_BUILD:-}" != 1 ]; then
			no "LAB_KERNEL names no kernel and none has been built ($here/kernel.sh --build does it, in five minutes)"
		fi
		"$here/build-kernel.sh" "$cached" >&2 || no "its kernel could not be built"
	fi
fi
[ -x "$kernel" ] || no "$kernel is not a program"
[ -r "$(dirname "$kernel")/i2c-stub.ko" ] || no "there is no i2c-stub.ko beside $kernel"
"$kernel" --version >/dev/null 2>&1 || no "$kernel does not run here"
echo "$(cd "$(dirname "$kernel")" && pwd)/$(basename "$kernel")"
