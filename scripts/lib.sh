# Functions that the scripts share. To be sourced.

go_version=1.26.8 # the toolchain that is fetched where the host has none that fits
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
die() {
	printf '%s\n' "$*" >&2
	exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }

# need PACKAGE:COMMAND... makes sure that each command (or file, by its whole
# path) is there: as root it installs the Debian packages that are missing,
# otherwise it names them and stops.
need() {
	local pair missing=()
	for pair in "$@"; do
		[[ ${pair#*:} == /* && -e ${pair#*:} ]] || command -v "${pair#*:}" >/dev/null || missing+=("${pair%%:*}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	is_root && command -v apt-get >/dev/null ||
		die "Missing: ${missing[*]}. Install them (on Debian: sudo apt-get install ${missing[*]}) and try again."
	say "Installing ${missing[*]}"
	install_packages "${missing[@]}"
}

install_packages() {
	local log
	log=$(mktemp)
	if ! { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "Could not install: $*"
	fi
	rm -f "$log"
}

# need_go makes sure that a new enough go command stands first in PATH. An
# older one (Debian's) serves to fetch the right one, which the go command
# checks against the public checksum database, into .tools.
need_go() {
	local root=$1 own=$1/.tools/go
	[ ! -x "$own/bin/go" ] || PATH=$own/bin:$PATH
	if go_fits; then return 0; fi
	need golang-go:go ca-certificates:update-ca-certificates
	if go_fits; then return 0; fi
	say "Fetching Go $go_version"
	local module
	module="golang.org/toolchain@v0.0.1-go$go_version.$(go env GOOS)-$(go env GOARCH)"
	local empty dir
	empty=$(mktemp -d)
	dir=$(cd "$empty" && GOFLAGS=-mod=mod go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	rm -rf "$empty"
	[ -n "$dir" ] || die "Could not fetch Go $go_version. Install Go 1.26 or newer and try again."
	mkdir -p "$root/.tools"
	rm -rf "$own"
	cp -r "$dir" "$own"
	chmod -R u+w "$own"
	chmod +x "$own"/bin/* "$own"/pkg/tool/*/*
	PATH=$own/bin:$PATH
	go_fits || die "Go $go_version was fetched and does not run."
}

# go_fits says whether the go command is 1.26 or newer, or can become so.
go_fits() {
	local version
	version=$(cd "$root" && go env GOVERSION 2>/dev/null) || return 1
	[ "$(printf '%s\n' go1.26 "$version" | sort -V | head -n1)" = go1.26 ]
}
