package escape_test

import (
	"strings"
	"testing"
)

// G1: a person says yes, at the first touch or before, to what policy forbids.
func TestG01PolicyQuestions(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	if !trapOpens() {
		t.Skip("requires: /dev/fuse that this user can open")
	}
	const ask = `"$AMBIT" run --ask queue --home ephemeral `
	read := func(answers, files string) string {
		return `answer ` + answers + ` & ` + ask + `-- cat ` + files + `; : >"$DIR/over"; wait`
	}
	const (
		away = `mv "$POLICY/keys.cedar" /etc/ambit/k; `
		back = `mv /etc/ambit/k "$POLICY/keys.cedar"; `
	)
	for name, p := range map[string]passing{
		"by a yes":                 {policy: keysPolicy, script: read(``, `"$KEYS/id"`)},
		"by a yes to the folder":   {policy: keysPolicy, script: read(`--scope dir --for always`, `"$WORK/file" "$KEYS/id"`)},
		"by a yes by notification": {policy: keysPolicy, script: strings.Replace(read(``, `"$KEYS/id"`), "--ask queue", "--ask queue --ask-by notification", 1)},
		"by a yes to a folder that was given before the policy came": {policy: keysPolicy, script: away + strings.Replace(read(`--scope dir --for always`, `"$WORK/file"`), "wait", "wait; ", 1) + back +
			`rm "$DIR/over"; "$AMBIT" run -- cat "$KEYS/id"`},
		"by a yes for always that was given before the policy came": {policy: keysPolicy, script: away + `answer --for always & ` + ask + `-- cat "$KEYS/id" >/dev/null; : >"$DIR/over"; wait; ` + back + `"$AMBIT" run -- cat "$KEYS/id"`},
		"by a yes to a question that was put before the policy came": {policy: keysPolicy, script: away + ask + `-- cat "$KEYS/id" & run=$!
			until "$AMBIT" approvals | grep -q 'd-'; do sleep 0.1; done; ` + back + `answer & wait $run; : >"$DIR/over"; wait`},
		"by a yes to a connection":                    {policy: byName, script: `answer & ` + ask + `-- curl -gsS -m 50 http://forbidden.test:8080/; : >"$DIR/over"; wait`},
		"by a yes to a name that leads to an address": {policy: byRange, script: `answer & ` + ask + `-- curl -gsS -m 50 http://other.test:8080/; : >"$DIR/over"; wait`},
	} {
		p.asks = true
		t.Run(name, p.forbidden)
	}
}

// G1: a program that is started later in a session does more than the session, or is
// one that policy forbids.
func TestG01PolicyExec(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	const byProgram = `forbid (principal, action == Ambit::Action::"process.spawn", resource == Ambit::Program::"/usr/bin/tail");`
	const begin = `"$AMBIT" run --allow "fs.read:$WORK" --allow 'net.connect:*:8080' -- sleep 300 >/dev/null 2>&1 & s=$(session); `
	const end = `; "$AMBIT" stop "$s" >/dev/null 2>&1; wait`
	for name, p := range map[string]passing{
		"to read":                {policy: keysPolicy, script: begin + `"$AMBIT" exec "$s" -- cat "$KEYS/id"` + end},
		"to read by cp":          {policy: keysPolicy, script: begin + `"$AMBIT" cp "$s:$KEYS/id" "$DIR/copy" && cat "$DIR/copy"` + end},
		"to connect":             {policy: byName, script: begin + `"$AMBIT" exec "$s" -- curl -gsS -m 30 http://forbidden.test:8080/` + end},
		"the program":            {policy: byProgram, script: begin + `"$AMBIT" exec "$s" -- tail "$KEYS/id"` + end},
		"the program by a path":  {policy: byProgram, script: begin + `"$AMBIT" exec "$s" -- /usr/bin/../bin/tail "$KEYS/id"` + end},
		"the program by another": {policy: byProgram, script: begin + `"$AMBIT" exec "$s" -- sh -c 'tail "$1"' sh "$KEYS/id"` + end},
		"the program later":      {policy: byProgram, script: `mv "$POLICY/keys.cedar" /etc/ambit/k; ` + begin + `mv /etc/ambit/k "$POLICY/keys.cedar"; sleep 1; "$AMBIT" exec "$s" -- tail "$KEYS/id"` + end},
	} {
		t.Run(name, p.forbidden)
	}
}

// G1: what a policy forbids is done while the policies are replaced, cannot be used, or
// have nobody to evaluate them.
func TestG01PolicyBroken(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	// The programs lie in a folder of the script's, to be taken away.
	visit := func(name string) string {
		return `cp -r "$(dirname "$AMBIT")" "$DIR/bin"
"$DIR/bin/ambit" run --allow 'net.connect:*:8080' -v "$DIR/home:/home/out:rw" -- sh -c ': >/home/out/ready; until [ -e /home/out/go ]; do sleep 0.05; done; curl -gsS -m 30 http://` + name + `:8080/' & run=$!
arrived "$DIR/home/ready"
DAMAGE
sleep 1; : >"$DIR/home/go"; wait $run`
	}
	for name, damage := range map[string]string{
		"malformed":              `echo 'forbid (' >>"$POLICY/keys.cedar"`,
		"beside a malformed one": `echo 'forbid (' >"$POLICY/a.cedar"`,
		"writable by others":     `chmod 666 "$POLICY/keys.cedar"`,
		"somebody else's":        `chown 65534 "$POLICY/keys.cedar"`,
		"a link":                 `mv "$POLICY/keys.cedar" /etc/ambit/k; ln -s ../k "$POLICY/keys.cedar"`,
		"behind a link":          `mv "$POLICY" /etc/ambit/real; ln -s real "$POLICY"`,
		"a folder":               `mv "$POLICY/keys.cedar" /etc/ambit/k; mkdir "$POLICY/keys.cedar"`,
		"too large":              `head -c 2000000 /dev/zero | tr '\0' ' ' >>"$POLICY/keys.cedar"`,
		"its evaluator gone":     `rm "$DIR/bin/ambit-policy"; pkill -9 -P $run -x ambit-policy`,
		"its evaluator silent":   `printf '#!/bin/sh\nexec sleep 300\n' >"$DIR/bin/p"; chmod 755 "$DIR/bin/p"; mv "$DIR/bin/p" "$DIR/bin/ambit-policy"; pkill -9 -P $run -x ambit-policy`,
	} {
		t.Run(name, passing{policy: byName, script: visit("forbidden.test"), damage: damage}.broken)
		t.Run(name+" of what was allowed", passing{policy: byName, script: visit("other.test"), damage: damage}.broken)
	}
	for name, p := range map[string]passing{
		"replaced by itself":             {policy: byName, script: visit("forbidden.test"), damage: `cp "$POLICY/keys.cedar" "$POLICY/.k"; mv "$POLICY/.k" "$POLICY/keys.cedar"`},
		"its evaluator killed":           {policy: byName, script: visit("forbidden.test"), damage: `pkill -9 -P $run -x ambit-policy`},
		"its evaluator killed elsewhere": {policy: byName, script: visit("other.test"), damage: `pkill -9 -P $run -x ambit-policy`, may: true},
	} {
		t.Run(name, p.forbidden)
	}
}

// G1: a secret goes where policy forbids that it goes.
func TestG01PolicySecrets(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	const (
		byHost   = `forbid (principal, action in Ambit::Action::"secret", resource in Ambit::Domain::"forbidden.test");`
		bySecret = `forbid (principal, action == Ambit::Action::"secret.use", resource == Ambit::Secret::"token");`
		keep     = `printf '` + secretValue + `\n' | "$AMBIT" secret set token --for forbidden.test >/dev/null; `
		away     = `mv "$POLICY/keys.cedar" /etc/ambit/k; `
		back     = `mv /etc/ambit/k "$POLICY/keys.cedar"; `
		may      = `--allow net.connect:forbidden.test:443 --allow secret.use:token@forbidden.test:443 `
		send     = `curl -gsS -m 30 -H "Authorization: Bearer $TOKEN" https://forbidden.test/`
		later    = `-v "$DIR/home:/home/out:rw" -- sh -c ': >/home/out/ready; until [ -e /home/out/go ]; do sleep 0.05; done; ` + send + `' & run=$!; arrived "$DIR/home/ready"; ` + back + `sleep 1; : >"$DIR/home/go"; wait $run`
	)
	for name, p := range map[string]passing{
		"to a host":              {policy: byHost, script: keep + `"$AMBIT" run ` + may + `-- sh -c '` + send + `'`},
		"by its name":            {policy: bySecret, script: keep + `"$AMBIT" run ` + may + `-- sh -c '` + send + `'`},
		"in a request to a host": {policy: byName, script: keep + `"$AMBIT" run ` + may + `-- sh -c '` + send + `'`},
		"to an address":          {policy: byRange, script: keep + `"$AMBIT" run ` + may + `-- sh -c '` + send + `'`},
		"by a grant that is remembered": {policy: byHost, script: keep + away + `"$AMBIT" grants add net.connect:forbidden.test:443 secret.use:token@forbidden.test:443; ` + back +
			`"$AMBIT" run -- sh -c '` + send + `'`},
		"in a session that has it":         {policy: byHost, script: keep + away + `"$AMBIT" run ` + may + later},
		"in a session that has it by name": {policy: bySecret, script: keep + away + `"$AMBIT" run ` + may + later},
	} {
		t.Run(name, p.forbidden)
	}
}

// G1: what an update keeps of a wider grant is judged as any other grant.
func TestG01PolicyNarrowed(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	const script = `mkdir "$DIR/pack"; mv "$POLICY/keys.cedar" /etc/ambit/k
say() { printf '{"id": "org.example.less", "version": "%s", "kind": "cli-tool", "entry": ["true"], "capabilities": ["%s"]}' "$1" "$2" >"$DIR/pack/ambit.json"; }
say 1 "fs.write:$WORK"
"$AMBIT" pack install --yes "$DIR/pack" >/dev/null
mv /etc/ambit/k "$POLICY/keys.cedar"
say 2 "fs.read:$KEYS/id"
"$AMBIT" pack update org.example.less
if "$AMBIT" grants ls | grep -q "fs.read:$KEYS/id"; then cat "$KEYS/id"; fi
"$AMBIT" pack ls | grep ' 2 ' && ! "$AMBIT" grants ls | grep fs.write || cat "$KEYS/id"`
	passing{policy: keysPolicy, script: script}.forbidden(t)
}
