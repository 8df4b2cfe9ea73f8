#!/bin/bash
# Shows Ambit at work on a program that does its job and then more than its
# job, and checks what it shows. Called by `make demo`. It writes to report/
# and bin/ (and .tools/, if Go is missing); all else is thrown away at the end.
# At a terminal it ends with the console's address, and with Enter.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/lib.sh

need git:git python3:python3 make:make
need_go "$root"
git -c safe.directory='*' rev-parse --verify -q HEAD >/dev/null || die "The demo reads the git history of this folder, and it has none. Clone the repository instead of copying its files."
say "Building bin/ambit"
make --no-print-directory -s build

play=$(mktemp -d /tmp/ambit-demo.XXXX)
collector='' host=''
finish() {
	for pid in $collector $host; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$play"
}
trap finish EXIT
trap 'exit 130' INT TERM

bold='' plain=''
[ ! -t 1 ] || bold=$'\e[1m' plain=$'\e[0m'
heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# A home with a secret in it, so that nobody's real one is at stake.
export HOME=$play/home AMBIT_STATE_DIR=$play/state
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR SSH_AUTH_SOCK
secret=$HOME/.ssh/id_ed25519
mkdir -p "$HOME/.ssh"
printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\nplanted by make demo: not a key\n-----END OPENSSH PRIVATE KEY-----\n' >"$secret"
chmod 600 "$secret"

# Somebody who listens on this computer and writes down every visit.
python3 - "$play" <<'END' &
import http.server, os, sys
play = sys.argv[1]
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with open(play + "/visits", "a") as f:
            f.write("visit\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
with open(play + "/port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(play + "/port.new", play + "/port")
server.serve_forever()
END
collector=$!
for _ in {1..100}; do [ ! -e "$play/port" ] || break; sleep 0.1; done
nearby=http://127.0.0.1:$(cat "$play/port")/
faraway=https://example.com/history-report/ping
visits() { if [ -e "$play/visits" ]; then wc -l <"$play/visits"; else echo 0; fi; }

# The history of a linked work tree lies outside its folder: read a clone.
repository=$root
if [ "$(git -c safe.directory='*' rev-parse --path-format=absolute --git-common-dir)" != "$root/.git" ]; then
	repository=$play/repository
	git -c safe.directory='*' clone -q --no-hardlinks "$root" "$repository"
fi
pack=examples/packs/history-report
rm -f report/report.html
mkdir -p report

heading "1. Without Ambit"
say "The program makes its report. On the way it reads an SSH key and calls home:"
python3 "$pack/report.py" "$repository" "$play/unconfined" --identity "$secret" --collector "$nearby" | tee "$play/before"
grep -q "^  read  $secret: [0-9]* bytes" "$play/before" || die "DEMO BROKEN: without Ambit the program should have read the planted secret."
[ "$(visits)" = 1 ] || die "DEMO BROKEN: without Ambit the program should have reached the network."

heading "2. With Ambit"
say "The same program. It may read this repository, write into report/ and run git:"
command=(bin/ambit run --pack "$pack" --watch-files=on
	-v "$repository:/repository:ro" -v "$root/report:/report:rw" --allow process.spawn:/usr/bin/git
	-- /repository /report --title Ambit --identity "$secret" --collector "$faraway" --collector "$nearby")
say "\$ ${command[*]}" | fold -s -w 100
ran=0
"${command[@]}" 2>&1 | tee "$play/after" || ran=$?
[ "$ran" = 0 ] || die "DEMO FAILED: ambit run ended with $ran."
grep -q "^  read  $secret: " "$play/after" || die "DEMO FAILED: the program did not try to read the secret."
! grep -q "^  read  .*: [0-9]* bytes" "$play/after" || die "DEMO FAILED: the program has read the planted secret."
grep -qF "denied fs.read:$secret " "$play/after" || die "DEMO FAILED: the denial of the secret was not shown."
[ "$(grep -c '^  send  ' "$play/after")" = 2 ] || die "DEMO FAILED: the program did not try the network twice."
! grep -qE '^  send  [^ ]+: [0-9]{3}( |$)' "$play/after" || die "DEMO FAILED: the program has reached the network."
[ "$(visits)" = 1 ] || die "DEMO FAILED: the collector on this computer was reached from inside."
[ -s report/report.html ] && grep -q '<svg' report/report.html || die "DEMO FAILED: there is no report."

heading "3. What was recorded"
bin/ambit audit ls || die "DEMO FAILED: the audit log cannot be listed."
bin/ambit audit verify || die "DEMO FAILED: the audit log does not verify."

heading "What happened"
cat <<END
The program did its job: the report is in report/report.html. Open it in a browser.
It could not read the planted SSH key: inside, that file does not exist.
It could not reach the network, neither example.com nor this computer: inside, there is none.
Every decision was recorded before it was acted on, and the record verifies.
END

[ -t 0 ] && [ -t 1 ] && [ -t 2 ] || exit 0
heading "The same in a browser"
say "The session, its denials and the log are on a page of this computer. The certificate is one that has just been made for it,"
say "so the browser warns of it. Enter ends the page, and so do five minutes."
bin/ambit serve --stand-by 0 --listen 0 &
host=$!
read -r -t 300 || true
