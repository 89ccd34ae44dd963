#!/bin/sh
# Tests everything that this machine can, and says what it could not and why. About twenty minutes, some more the first time.
# test.sh [--quick] [-v]   --quick: no cluster, no fuzzing, no lab    -v: the output of the steps that pass, too
# Debian packages that are missing are installed where it is root and apt is there. The lab's kernel is what scripts/lab/kernel.sh finds.
# Exits with 1 if a step failed; all others are done nevertheless. The last line: N passed, N failed, N skipped.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit
export PATH="$PATH:/usr/sbin:/sbin:/usr/local/go/bin"

# Pinned, so that a new version's opinion does not fail an old commit. All are built by the Go that is here.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.3.0
gosec=github.com/securego/gosec/v2/cmd/gosec@v2.22.10
fuzz_runs=20000 # of each target

quick='' verbose=''
for argument; do
	case $argument in
	--quick) quick=1 ;;
	-v) verbose=1 ;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
		[ "$argument" = -h ] || [ "$argument" = --help ] || exit 64
		exit
		;;
	esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
: >"$work/skipped"
: >"$work/failed"
: >"$work/doubtful"
passed=0 failed=0 skipped=0

# A step is a function below. It ends by return 0, by an error, or by skip.
skip() { # REASON
	echo "$1" >"$work/reason"
	exit 77
}
step() { # NAME FUNCTION
	name=$1 started=$(date +%s) code=0
	rm -f "$work/brief"
	("$2") >"$work/log" 2>&1 || code=$?
	took=$(($(date +%s) - started))
	case $code in
	0)
		passed=$((passed + 1))
		printf 'pass  %-34s %4d s\n' "$name" $took
		;;
	77)
		skipped=$((skipped + 1))
		printf 'skip  %-34s %4d s  %s\n' "$name" $took "$(cat "$work/reason")"
		echo "$name: $(cat "$work/reason")" >>"$work/skipped"
		;;
	*)
		failed=$((failed + 1))
		printf 'FAIL  %-34s %4d s  exit code %d\n' "$name" $took $code
		echo "$name" >>"$work/failed"
		[ -s "$work/brief" ] || tail -n 8 "$work/log" >"$work/brief"
		{ printf '  %s:\n' "$name"; sed 's/^/    /' "$work/brief"; } >>"$work/why"
		;;
	esac
	if [ -n "$verbose" ] || { [ $code != 0 ] && [ $code != 77 ]; }; then sed 's/^/    /' "$work/log"; fi
}

# --- the steps

# Which command comes with which package.
packages='mosquitto:mosquitto mosquitto_pub:mosquitto-clients gpiodetect:gpiod i2cdetect:i2c-tools busybox:busybox-static
ip:iproute2 shellcheck:shellcheck systemd-analyze:systemd gcc:gcc,libc6-dev git:git'
missing() {
	for pair in $packages; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}" | tr , '\n'
	done
	/usr/bin/python3 -c 'import jinja2' 2>/dev/null || echo python3-jinja2 # the templates of Home Assistant
}
install_packages() {
	wanted=$(missing | xargs)
	[ -n "$wanted" ] || return 0
	[ "$(id -u)" = 0 ] || skip "missing, and only root can install them: $wanted"
	command -v apt-get >/dev/null || skip "missing, and there is no apt-get to install them: $wanted"
	# Debian starts a broker together with its package. The tests start their own, and nothing else on this machine asked for one.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt-get update -qq || true # perhaps the lists that are there will do
	# shellcheck disable=SC2086 # one word each
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted || skip "apt-get cannot install $wanted"
	case " $wanted " in *' mosquitto '*)
		if command -v systemctl >/dev/null; then systemctl disable --now mosquitto || true; fi
		;;
	esac
	wanted=$(missing | xargs)
	[ -z "$wanted" ] || skip "still missing: $wanted"
}

format() {
	files=$(gofmt -l .)
	[ -z "$files" ] || { printf 'gofmt -w these:\n%s\n' "$files"; return 1; }
}

vet() { go vet ./...; }

scripts() {
	command -v shellcheck >/dev/null || skip "shellcheck is not installed"
	find . -path ./dist -prune -o \( -name '*.sh' -o -path ./.ci/run \) -type f -print | sort | xargs shellcheck
}

# tool MODULE@VERSION: builds it into $work, or skips where its source cannot be had.
tool() {
	GOBIN=$work GOFLAGS='' CGO_ENABLED=0 go install "$1" || skip "$1 cannot be had here: $(tail -n 1 "$work/log")"
}

static() {
	tool $staticcheck
	"$work/staticcheck" ./...
}

# What it finds is mended, or answered at its line by #nosec RULE -- reason. Rules that are answered for all lines at once:
security() {
	tool $gosec
	answered=G103                  # unsafe: the kernel's ioctls want pointers
	answered=$answered,G104        # errors not looked at: of closing, deadlines and logs; staticcheck and reading see to the others
	answered=$answered,G115        # numbers cut short: of registers, lines and counts whose width is known; each was looked at
	answered=$answered,G304        # files named by a variable: the configuration's, the state file, the kernel's
	answered=$answered,G404        # weak dice: they spread times, and play in the demo; nothing secret is made here
	answered=$answered,G602        # out of range: arrays and slices whose length is in the line before; each driver meets hostile buses
	set --
	for folder in scripts internal/i2csim internal/hatest internal/mqtttest internal/openhabtest; do # simulations and tests: nothing of it runs in the service
		set -- "$@" "-exclude-dir=$folder"
	done
	GOFLAGS='' "$work/gosec" -quiet -exclude=$answered "$@" ./...
}

vulnerabilities() {
	tool $govulncheck
	code=0
	"$work/govulncheck" ./... >"$work/vulnerabilities" 2>&1 || code=$?
	cat "$work/vulnerabilities"
	if [ $code != 0 ] && grep -q 'fetching vulnerabilities' "$work/vulnerabilities"; then
		skip "its database, vuln.go.dev, cannot be reached from here"
	fi
	return $code
}

modules() {
	code=0
	go mod tidy -diff >"$work/tidy" 2>"$work/tidy.err" || code=$?
	cat "$work/tidy" "$work/tidy.err"
	if [ $code != 0 ] && [ ! -s "$work/tidy" ]; then
		skip "go mod tidy cannot reach the modules: $(tail -n 1 "$work/tidy.err")"
	fi
	[ $code = 0 ] && go mod verify
}

# faults LOG FIRST LAST: of a log of go test -v what is of the tests that failed, that many lines of each; of a package that failed without
# one, or where a panic, a race or a mistake in the code was told, that. FIRST 0: also the lines of packages that passed.
faults() {
	awk -v first="$2" -v last="$3" '
		function own(list, n, most, least,   i) {
			for (i = 1; i <= n; i++)
				if (i <= most || i > n - least) print list[i]
				else if (i == most + 1) print "    ..."
		}
		function over() { delete said; delete lines; delete plain; delete other; failed = plains = others = 0; test = ""; race = stack = 0 }
		/^==================$/ { race = !race; next }
		race || stack { other[++others] = $0; if (!/^(FAIL|ok  )\t/) next; others-- }
		/^(panic: |fatal error: )/ { stack = 1; other[++others] = $0; next }
		/^=== (RUN|NAME|CONT|PAUSE) / { test = $3; next }
		/^ *--- FAIL: / { failures[++failed] = $3; test = ""; next }
		/^ *--- (PASS|SKIP): / || /^(PASS|FAIL)$/ || /\[no test files\]$/ { test = ""; next }
		/^FAIL\t/ {
			for (f = 1; f <= failed; f++) {
				print "--- FAIL: " failures[f]
				n = lines[failures[f]]
				for (k = 1; k <= n; k++) list[k] = said[failures[f], k]
				own(list, n, first ? first : 20, last)
			}
			own(other, others, first ? 2 * first : 100, last)
			print
			over()
			next
		}
		/^ok  \t/ { if (!first) { own(plain, plains, plains, 0); print }; over(); next }
		{ line = substr($0, 1, 300); plain[++plains] = line }
		test != "" { said[test, ++lines[test]] = line; next }
		{ other[++others] = line }
	' "$1"
}

# With -v, to see what was skipped; what passed or was skipped is left out of the log again, and of a package that failed all but the
# tests that did.
unit() {
	race=-race
	command -v "$(go env CC)" >/dev/null || race=''
	code=0
	CGO_ENABLED=${race:+1} go test $race -v ./... >"$work/unit" 2>&1 || code=$?
	# First pass: each skipped test's reason, the last line that it logged. Second pass: the rest.
	awk -v skipped="$work/skipped_tests" '
		FNR == NR && /^=== (RUN|NAME|CONT) / { test = $3 }
		FNR == NR && /^ +[^ ]+\.go:[0-9]+: / { last[test] = $0; line[test] = FNR }
		FNR == NR && /^ *--- SKIP: / {
			quiet[line[$3]] = 1
			sub(/^ +[^ ]+:[0-9]+: /, "", last[$3])
			print last[$3] >skipped
		}
		FNR != NR && !quiet[FNR] { print }
	' "$work/unit" "$work/unit" >"$work/unit.log"
	faults "$work/unit.log" 0 150
	if [ $code != 0 ] && once_more; then code=0; fi
	if [ $code != 0 ]; then # for the end
		faults "$work/unit.log" 3 6 >"$work/faults"
		{ grep '^--- FAIL: ' "$work/faults" | head -n 15; cat "$work/faults"; } >"$work/brief"
	fi
	[ -n "$race" ] || echo "the race detector: it needs a C compiler" >>"$work/skipped_tests"
	return $code
}

# once_more runs what has failed again, by itself: a test that passes then may have met a busy machine, and is told as doubtful at the end.
# Data races, and what did not come to its end, are no such thing.
once_more() {
	if grep -qE '\[(build|setup) failed\]|^(panic|fatal error): |WARNING: DATA RACE' "$work/unit"; then return 1; fi
	awk '/^--- FAIL: / { tests = tests "|" $3 }
		/^(ok|FAIL)\t/ { if ($1 == "FAIL") print $2, substr(tests, 2); tests = "" }' "$work/unit" >"$work/again"
	[ -s "$work/again" ] || return 1
	while read -r package tests; do
		[ -n "$tests" ] || return 1
		CGO_ENABLED=${race:+1} go test ${race:+-race} -count=1 -run "^($tests)\$" "$package" </dev/null >>"$work/log" 2>&1 || return 1
		echo "$package $tests: failed once, and then passed: is the machine busy?" >>"$work/doubtful"
	done <"$work/again"
}

# A module of its own, so that gatewayd does not carry the broker that it tests with. Fewer gateways than by itself: the machine may be busy.
cluster() {
	cd scripts/cluster || return
	go mod download || skip "the modules of a NATS server cannot be had here: $(tail -n 1 "$work/log")"
	files=$(gofmt -l .)
	[ -z "$files" ] || { printf 'gofmt -w these:\n%s\n' "$files"; return 1; }
	go vet ./... || return
	[ ! -x "$work/staticcheck" ] || "$work/staticcheck" ./... || return
	CGO_ENABLED=0 go test -timeout 280s -v ./... -args -gateways 30
}

fuzz() {
	grep -r --include='*_test.go' '^func Fuzz' . | sed 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/' | sort >"$work/fuzz"
	[ -s "$work/fuzz" ] || { echo "there is no fuzz target"; return 1; }
	code=0
	# From nothing each time: what earlier runs have found, tried once more, would be most of the work. Making a new find as small as
	# can be would be the rest.
	while read -r folder target; do
		go test -run '^$' -fuzz "^$target\$" -fuzztime ${fuzz_runs}x -fuzzminimizetime 1x "$folder" \
			-args -test.fuzzcachedir="$work/fuzzed" </dev/null >"$work/fuzzing" 2>&1 || code=1
		cat "$work/fuzzing"
		grep -q "execs: $fuzz_runs " "$work/fuzzing" || { echo "$target: not run $fuzz_runs times"; code=1; }
	done <"$work/fuzz"
	return $code
}

builds() { scripts/build.sh --check; }

service() {
	command -v systemd-analyze >/dev/null || skip "systemd is not installed"
	mkdir -p "$work/unit.d"
	unit=$work/unit.d/gatewayd.service
	sed 's,/usr/local/bin/gatewayd,/bin/true,' systemd/gatewayd.service >"$unit"
	systemd-analyze verify --man=no "$unit" >"$work/verify" 2>&1 || { cat "$work/verify"; return 1; }
	if grep gatewayd "$work/verify"; then return 1; fi # warnings
	systemd-analyze security --offline=true --help >/dev/null 2>&1 || skip "systemd-analyze is older than 250: it cannot judge a file"
	systemd-analyze security --offline=true --threshold=15 "$unit" # exposure 1.5 of 10
}

installer() {
	case $(uname -m) in
	x86_64) arch=amd64 ;;
	aarch64) arch=arm64 ;;
	armv6l) arch=armv6 ;;
	armv7l | armv8l) arch=armv7 ;;
	*) skip "gatewayd is not built for $(uname -m)" ;;
	esac
	scripts/build.sh -o "$work/dist" $arch && scripts/install_test.sh "$work/dist/gatewayd-linux-$arch"
}

# A kernel of our own, as an ordinary process: see scripts/lab/README.md.
lab() { # SCRIPT
	kernel=$(scripts/lab/kernel.sh 2>"$work/kernel") || skip "$(tail -n 1 "$work/kernel")"
	LAB_KERNEL=$kernel "$@"
}
simulator() { lab scripts/lab/abi/run.sh; }
laboratory() {
	lab scripts/lab/test.sh || return
	sed -n 's/^doubtful  */the lab: /p' "$work/log" >>"$work/doubtful"
}

# --- in this order: what is quick first

command -v go >/dev/null || { echo "test.sh: there is no Go here: https://go.dev/dl" >&2; exit 1; }
step "Debian packages" install_packages
step "gofmt" format
step "shellcheck" scripts
step "go vet" vet
step "staticcheck" static
step "gosec" security
step "govulncheck" vulnerabilities
step "go mod tidy, verify" modules
step "systemd unit" service
step "builds, sizes, other systems" builds
step "install.sh" installer
step "go test -race" unit
if [ -z "$quick" ]; then
	step "a cluster of NATS servers" cluster
	step "fuzzing" fuzz
	step "lab: the I2C simulator" simulator
	[ ! -e scripts/lab/test.sh ] || step "lab: gatewayd" laboratory
else
	echo "the cluster, fuzzing and the lab: --quick" >>"$work/skipped"
fi

if [ -s "$work/skipped" ] || [ -s "$work/skipped_tests" ]; then
	echo
	echo "Skipped:"
	sed 's/^/  /' "$work/skipped"
	[ ! -s "$work/skipped_tests" ] || sort "$work/skipped_tests" | uniq -c | awk '{ n = $1; $1 = ""; print "  go test, " n "x:" $0 }'
fi
if [ -s "$work/doubtful" ]; then
	echo
	echo "Doubtful:"
	sed 's/^/  /' "$work/doubtful"
fi
if [ -s "$work/failed" ]; then
	echo
	echo "Failed: $(paste -s -d , "$work/failed" | sed 's/,/, /g')"
	head -n 40 "$work/why" # last of all, as of a long log only the end may be kept
fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
