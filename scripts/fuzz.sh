#!/bin/sh
# Runs every fuzz target for a while, one after the other, and shows how many inputs each has tried. What earlier runs have found is in Go's
# cache, and tried first. An input that fails is written into testdata/fuzz of its package: mend the program, and commit both.
# fuzz.sh [SECONDS [TARGET...]]   of each target, 300 unless said; a nicer neighbour: nice -n 15 scripts/fuzz.sh 3600
# Exits with 1 if a target has failed.
set -u
case ${1:-} in -h | --help)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
	exit
	;;
esac
cd "$(dirname "$0")/.." || exit
seconds=${1:-300}
[ $# = 0 ] || shift
code=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
grep -r --include='*_test.go' '^func Fuzz' . | sed 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/' | sort >"$work/targets"
while read -r folder target; do
	case " $* " in *" $target "* | '  ') ;; *) continue ;; esac
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "${seconds}s" -fuzzminimizetime 1s -parallel 1 -timeout 0 "$folder" </dev/null >"$work/log" 2>&1; then
		printf 'pass  %-40s %s\n' "$folder $target" "$(grep 'execs:' "$work/log" | tail -n 1 | sed 's/.*\(execs: [0-9]*\).*\((total: [0-9]*)\).*/\1 \2/')"
	else
		printf 'FAIL  %-40s\n' "$folder $target"
		sed 's/^/    /' "$work/log"
		code=1
	fi
done <"$work/targets"
exit $code
