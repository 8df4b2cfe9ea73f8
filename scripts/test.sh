#!/bin/bash
# Runs every test: as root and again as an ordinary user, or, by an ordinary
# user, as that user. Called by `make test`.
#
# Tests run with the race detector, which needs cgo and so a C compiler; the
# product itself is built without, and so are the tests of what only works
# without: the system calls that confine every thread of a process. The test
# programs are compiled once: the go command runs them as root and a copy is
# kept, and the copies run again as the user `ambit-test`, who needs no compiler
# and sees nothing of root's.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh

user=ambit-test
need git:git python3:python3 gcc:gcc libc6-dev:/usr/include/stdio.h make:make curl:curl tar:tar mypy:mypy nodejs:node npm:npm chromium:chromium \
	util-linux:setpriv util-linux:flock procps:pgrep \
	nginx-light:nginx redis-server:redis-server postgresql:psql wget:wget
need_go "$root"

work=$(mktemp -d /tmp/at.XXXX) # short: names of sockets beneath it have at most 107 bytes
# Homes lie elsewhere: every sandbox has a /tmp of its own, where nothing of the
# host is hidden that could be asked about.
homes=$(mktemp -d /srv/at.XXXX 2>/dev/null || mktemp -d "$HOME/.at.XXXX")
chmod 755 "$work" "$homes"
finish() {
	chmod -R u+w "$work" "$homes" 2>/dev/null || true
	rm -rf "$work" "$homes"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The tests get a home and a folder for temporary files of their own; what the
# go command keeps stays where it is.
GOMODCACHE=$(go env GOMODCACHE) GOCACHE=$(go env GOCACHE) GOPATH=$(go env GOPATH)
export GOMODCACHE GOCACHE GOPATH GOTOOLCHAIN=local
unset AMBIT_STATE_DIR XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR

say "Building"
mkdir "$work/bin" "$work/tests" "$work/t" "$homes/own"
(cd test/report && CGO_ENABLED=0 go build -o "$work/bin/report" .)
make --no-print-directory -s build
export AMBIT_BIN=$root/bin/ambit # the binary as it ships, for tests that want it
# For the tests of machines, which boot this kernel.
if is_root; then scripts/guest.sh prepare; else scripts/guest.sh kernel; fi
cp -a .tools/kernels/stock "$work/kernel"
chmod -R a+rX "$work/kernel"
export AMBIT_TEST_KERNEL=$work/kernel
mkdir "$work/npm"
export AMBIT_TEST_NPM=$work/npm # packages of npm that tests run as they are

# The go command runs `keep PROGRAM ARGUMENT...` in place of each test program,
# in the folder of its package.
cat >"$work/keep" <<END
#!/bin/bash
copy=$work/tests/\$\$.\$(basename "\$1")
cp "\$1" "\$copy"
printf '%s\t%s\n' "\$PWD" "\$copy" >>"$work/list"
export HOME=$homes/own TMPDIR=$work/t
exec "\$@"
END
chmod +x "$work/keep"

# A program with the race detector sleeps a second before it ends, and tests start
# programs by the hundred.
export GORACE=atexit_sleep_ms=0

# run adds the events of the tests in the given packages to those of the mode.
# A failure does not stop it: the report at the end counts and shows them all.
run() { CGO_ENABLED=1 go_test -race "$@"; }
run_plain() { CGO_ENABLED=0 go_test "$@"; }
go_test() {
	env --default-signal=HUP,INT,QUIT,PIPE go test -json -count=1 -timeout=20m -exec "$work/keep" "$@" \
		>>"$work/$mode.json" 2>"$work/stderr" </dev/null || cat "$work/stderr" >&2
}
mode=user
! is_root || mode=root
say "Testing as $(id -un)"
cover=()
core=$(go list ./internal/core/... 2>/dev/null || true)
if [ -n "$core" ]; then
	cover=(-cover "$work/core.cover")
	run -covermode=atomic -coverprofile="$work/core.cover" $core
fi
# The second kernel has no tests of its own here, and vetting it with the race
# detector would compile all of gVisor once more.
run $(go list ./... | grep -v -e /internal/core/ -e '/cmd/ambit-egress$' -e '/cmd/ambit-pack$' -e '/cmd/ambit-runsc$' -e '/cmd/ambit-store$' -e '/internal/companion/start$')
run_plain ./cmd/ambit-egress ./cmd/ambit-pack ./cmd/ambit-store ./internal/companion/start
for folder in test/report test/bench; do
	[ ! -f "$folder/go.mod" ] || (cd "$folder" && run ./...)
done
# The tier once more, on the kernel that a stock Debian 12 boots. It is the same
# for every user of this host, so root does it for all.
if is_root; then
	say "Testing in a guest"
	(cd test/guest && CGO_ENABLED=1 go test -json -race -count=1 -timeout=20m . >>"$work/$mode.json" 2>"$work/stderr" </dev/null) || cat "$work/stderr" >&2
fi

# as_user runs a command as the ordinary user, with nothing of root's around it.
as_user() {
	setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$homes/user" TMPDIR="$work/user/t" USER="$user" LOGNAME="$user" SHELL=/bin/bash \
		LANG=C.UTF-8 GOCACHE="$work/user/cache" GOPATH="$work/user/go" GOMODCACHE="$modules" GOPROXY=off GOFLAGS=-mod=readonly \
		GOTOOLCHAIN=local GORACE="$GORACE" AMBIT_BIN="$work/src/bin/ambit" AMBIT_TEST_NPM="$AMBIT_TEST_NPM" AMBIT_TEST_KERNEL="${AMBIT_TEST_KERNEL:-}" "$@" </dev/null 9>&-
}

# program runs one kept test program as the ordinary user. In the background of a
# shell, and by the go command, it would start with interrupts ignored; what a
# shell was started with ignored it cannot trap, and tests of signals would wait
# for ever.
program() {
	local folder=$1 program=$2 package
	shift 2
	package=$(cd "$folder" && go list .)
	cd "$work/src${folder#"$root"}"
	as_user go tool test2json -t -p "$package" \
		env --default-signal=HUP,INT,QUIT,PIPE "$program" -test.v=test2json -test.paniconexit0 -test.timeout=20m "$@" 2>&1 || true
}

# again runs the few tests of a mode that failed once more, one at a time with
# nothing beside them, where test/again.txt allows it. The report says so.
again() {
	local mode=$1 package test folder kept
	"$work/bin/report" -again test/again.txt "$work/$mode.json" >"$work/$mode.failed"
	[ -s "$work/$mode.failed" ] || return 0
	while read -r package test; do
		say "Once more, as $mode: $package $test" >&2
		folder=$(go list -f '{{.Dir}}' "$package")
		kept=$(sed -n "s|^$folder\t||p" "$work/list" | head -n 1)
		if [ "$mode" = user ] && is_root; then
			(program "$folder" "$kept" -test.run "^$test\$")
		else
			(cd "$folder" && HOME=$homes/own TMPDIR=$work/t go tool test2json -t -p "$package" \
				env --default-signal=HUP,INT,QUIT,PIPE "$kept" -test.v=test2json -test.paniconexit0 -test.timeout=20m -test.run "^$test\$" </dev/null 2>&1) || true
		fi
	done <"$work/$mode.failed" >"$work/$mode.again.json"
}

if is_root; then
	say "Testing as $user"
	exec 9>/run/lock/ambit-test.lock
	flock 9 # one at a time: what is left running as this user is looked for below
	id -u "$user" >/dev/null 2>&1 ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
	install -d -o "$user" -g "$user" -m 755 "$homes/user" "$work"/user{,/t,/cache,/go}
	# A copy of the sources, because the checkout may lie where only root can go.
	mkdir "$work/src"
	git -c safe.directory='*' ls-files -coz --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$work/src"
	install -D -m 755 -t "$work/src/bin" bin/ambit*
	# The same for the modules that the go command needs to list packages.
	modules=$GOMODCACHE
	if ! as_user test -r "$GOMODCACHE/cache/download"; then
		modules=$work/modules
		mkdir "$modules"
		(
			cd "$GOMODCACHE"
			{ go -C "$root" list -m -f '{{if not .Main}}{{.Dir}}{{end}}' all && echo "$GOMODCACHE/cache/download"; } |
				sed -n "s|^$GOMODCACHE/||p" >"$work/wanted"
			xargs -r cp -al --parents -t "$modules" <"$work/wanted" 2>/dev/null || xargs -r cp -a --parents -t "$modules" <"$work/wanted"
		)
	fi
	as_user go version >/dev/null || die "The user $user cannot run $(command -v go)."
	while IFS=$'\t' read -r folder program; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
		program "$folder" "$program" >"$program.json" &
	done <"$work/list"
	wait
	cat "$work"/tests/*.json >"$work/user.json"
fi

results=() left=
for run in "$work"/{root,user}.json; do
	[ -e "$run" ] || continue
	mode=$(basename "$run" .json)
	again "$mode"
	results+=("$mode=$run$([ ! -e "$work/$mode.again.json" ] || echo ",$work/$mode.again.json")")
done
if is_root; then
	# Nothing that a test started may outlive it. What has ended waits for process 1
	# to take note, which may take it a while.
	sleep 0.5
	left=$(ps -o pid=,stat=,args= -u "$user" | awk '$2 !~ /^Z/') || true
	[ -z "$left" ] || pkill -KILL -u "$user" || true
fi
"$work/bin/report" -skips test/skips.txt "${cover[@]}" "${results[@]}"
[ -z "$left" ] || die "Still running after the tests of $user:" "$left"
