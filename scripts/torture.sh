#!/bin/sh
# Breaks the gateway for long: the tests that scripts/test.sh runs in short, in full. On this machine alone, with brokers and chips of its
# own; what it starts it ends. A line for each step; the measured lines of each test below it; a table for docs/reliability.md at the end.
#
# torture.sh [-t MINUTES] [NAME ...]   NAME: broker week buses reload hostile cluster service fuzz; all by default
#                                      -t: how long all fuzzing together may take (60); week takes half an hour, all others together about 40 minutes
# Exits with 1 if anything failed. Needs go and mosquitto; service needs a kernel for the lab (scripts/lab/kernel.sh).
set -eu
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin" CGO_ENABLED=0
minutes=60
while [ $# -gt 0 ]; do
	case $1 in
	-t) minutes=${2:?-t wants minutes}; shift ;;
	-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit ;;
	-*) echo "torture.sh: there is no option $1: see torture.sh --help" >&2; exit 64 ;;
	*) break ;;
	esac
	shift
done
steps=${*:-broker week buses reload hostile cluster service fuzz}
work=$(mktemp -d "${TMPDIR:-/tmp}/torture.XXXXXX")
pid=''
# shellcheck disable=SC2317 # the traps call it
end() {
	[ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" || true
	rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

failed=''
# run NAME COMMAND ...: runs it, and shows what it measured, or all that it said.
run() {
	name=$1
	shift
	began=$(date +%s) code=0
	"$@" >"$work/log" 2>&1 &
	pid=$!
	wait "$pid" || code=$?
	pid=''
	took=$(($(date +%s) - began))
	if [ $code = 0 ]; then
		printf 'ok    %-10s %5d s\n' "$name" $took
		sed -n -E -e 's/^ +[a-z_]+_test\.go:[0-9]+: /        /p' -e 's/^(pass|skip) /        &/p' "$work/log" | tail -n 30
	else
		failed="$failed $name"
		printf 'FAIL  %-10s %5d s\n' "$name" $took
		sed 's/^/        /' "$work/log" | tail -n 200
	fi
	printf '| %s | %s | %d s |\n' "$name" "$([ $code = 0 ] && echo passed || echo FAILED)" $took >>"$work/table"
}

broker() { go test ./bridge -run '^TestTorture$' -v -torture 1000 -timeout 40m; }
week() { go test ./bridge -run '^TestWeek$' -v -week 1 -timeout 150m; }
buses() {
	TORTURE_FAULTS=100000 go test ./cmd/gatewayd -run '^TestTorture$|^TestHotPlug$' -v -timeout 60m &&
		TORTURE_FAULTS=1 go test ./gpio -run FlippedBit -timeout 10m
}
hostile() { GATEWAYD_TEST_FLOOD=1m go test ./cmd/gatewayd -run Hostile -v -timeout 40m; }
cluster() { (cd scripts/cluster && go test -v -timeout 20m ./...); }
service() { LAB_SECONDS=900 scripts/lab/test.sh TestService; }
fuzz() {
	targets=$(grep -r --include='*_test.go' -h '^func Fuzz' . | wc -l)
	scripts/fuzz.sh $((minutes * 60 / targets))
}
reload() { GATEWAYD_TEST_RELOADS=1000 go test ./cmd/gatewayd -run '^TestReloadRandom$' -v -timeout 40m; }

for step in $steps; do
	case $step in
	broker | week | buses | reload | hostile | cluster | service | fuzz) run "$step" "$step" ;;
	*) echo "torture.sh: there is no step $step: see torture.sh --help" >&2; exit 64 ;;
	esac
done
echo
echo '| step | result | took |'
echo '| --- | --- | --- |'
cat "$work/table"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
