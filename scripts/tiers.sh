#!/bin/bash
# Makes every attack of test/escape against the strong tiers: gVisor, and a machine
# that is emulated. Called by `make test-tiers`; as root it does so as the ordinary
# user `ambit-test` too. `scripts/tiers.sh TIER [ARGUMENT...]` attacks one tier, with
# further arguments of a test program.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh

tiers=(gvisor microvm-emulated)
[ $# = 0 ] || { tiers=("$1") && shift; }
need_go "$root"
make --no-print-directory -s build
if is_root; then scripts/guest.sh prepare; fi

work=$(mktemp -d /tmp/at.XXXX)
chmod 755 "$work"
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work"/src/test/escape "$work"/bin
# Without the race detector: the test program is what runs inside.
CGO_ENABLED=0 go test -c -o "$work/escape.test" ./test/escape
cp -a test/escape/. "$work/src/test/escape"
cp bin/ambit* "$work/bin"
cp THREATMODEL.md README.md "$work/src"
[ ! -e .tools/kernels/stock ] || { cp -a .tools/kernels/stock "$work/kernel" && chmod -R a+rX "$work/kernel"; }

# attack TIER COMMAND... attacks a tier, by a command that becomes somebody.
attack() {
	local tier=$1
	shift
	(cd "$work/src/test/escape" && env AMBIT_TEST_TIER="$tier" AMBIT_BIN="$work/bin/ambit" AMBIT_TEST_KERNEL="$work/kernel" "$@")
}
failed=0
for tier in "${tiers[@]}"; do
	say "Attacking $tier as $(id -un)"
	mkdir -p "$work/t"
	attack "$tier" env TMPDIR="$work/t" "$work/escape.test" -test.timeout=60m "$@" || failed=1
	is_root || continue
	say "Attacking $tier as ambit-test"
	id -u ambit-test >/dev/null 2>&1 ||
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ambit-test
	install -d -o ambit-test -g ambit-test "$work/user"
	attack "$tier" setpriv --reuid=ambit-test --regid=ambit-test --clear-groups --inh-caps=-all \
		env HOME="$work/user" TMPDIR="$work/user" USER=ambit-test "$work/escape.test" -test.timeout=60m "$@" </dev/null || failed=1
done
exit "$failed"
