package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A passing is an attempt to do what managed policy forbids, which shows the field's
// token. What shows it under a policy about something else is the control.
type passing struct {
	policy string // KEYS is the folder with the token
	script string // beside what managed gives it, with $TIER and helpers
	damage string // in the place of DAMAGE in the script
	tier   string // "": that under test
	asks   bool   // its first touches are questions
	may    bool   // it passes: the policy is not about it
}

// ofAnother is a policy that forbids nothing that an attempt needs.
const ofAnother = `@id("elsewhere") forbid (principal, action in Ambit::Action::"fs", resource in Ambit::Path::"/of/another");`

// helpers are functions for scripts: answer says yes to every question, session waits
// for one and prints its id, and arrived waits for a file.
const helpers = `answer() { until [ -e "$DIR/over" ]; do for q in $("$AMBIT" approvals 2>/dev/null | grep -o '\bd-[a-z0-9]*'); do "$AMBIT" approve --broad "$@" "$q" >/dev/null 2>&1; done; sleep 0.1; done; }
session() { until "$AMBIT" ps | grep -o '\bs-[a-z0-9]*'; do sleep 0.1; done; }
arrived() { until [ -e "$1" ]; do sleep 0.05; done; }
for name in resolv.conf hosts; do [ ! -e "$DIR/outside/reached-$name" ] || mount --bind "$DIR/outside/reached-$name" "/etc/$name"; done
`

// forbidden holds that an attempt passes where the policy is about something else, and
// does not where it stands.
func (p passing) forbidden(t *testing.T) {
	t.Helper()
	t.Parallel()
	for name, policy := range map[string]string{"control": ofAnother, "attempt": p.policy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, out := p.try(t, policy)
			want := p.may || name == "control"
			if got := strings.Contains(out, f.token); got != want {
				t.Errorf("it passes: %v, want %v: %s", got, want, out)
			}
			f.nothingLeft(t)
		})
	}
}

// broken holds that an attempt passes as things are, and not where they are damaged.
func (p passing) broken(t *testing.T) {
	t.Helper()
	t.Parallel()
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		whole := p
		whole.damage = ""
		if _, out := whole.try(t, ofAnother); !strings.Contains(out, "token-") {
			t.Errorf("it does not pass: %s", out)
		}
	})
	t.Run("attempt", func(t *testing.T) {
		t.Parallel()
		f, out := p.try(t, p.policy)
		if strings.Contains(out, f.token) {
			t.Errorf("it passes: %s", out)
		}
		f.nothingLeft(t)
	})
}

// try makes the attempt on a stage where every address has what shows the token.
func (p passing) try(t *testing.T, policy string) (f *field, out string) {
	t.Helper()
	dir := t.TempDir()
	if p.asks {
		dir = hiddenDir(t)
	}
	f = newFieldIn(t, dir)
	if p.tier != "" && p.tier != f.tier {
		f.entered(t, p.tier)
	}
	f.put(t, filepath.Join(f.Work, "keys", "id"), f.token+"\n")
	names := map[string][]string{}
	for _, name := range []string{"forbidden.test", "a.forbidden.test", "other.test", "allowed.test"} {
		names[name] = []string{at}
	}
	f.staged(stage{Names: names, Services: []service{
		{Name: "web", Kind: "http", At: ":8080"}, {Name: "guarded", Kind: "guarded", At: ":80"}, {Name: "udp", Kind: "udp", At: at + ":9000"},
		{Name: "vouched", Kind: "vouched", At: ":443"}}})
	f.env = append(f.env, "SSL_CERT_FILE="+f.stage.Reached+"-root.pem", "TIER="+strings.Join(f.tierFlags(), " "))
	done := f.aMachine()
	defer done()
	out, _ = f.managed(t, ambit(t), policy, helpers+strings.ReplaceAll(p.script, "DAMAGE", p.damage))
	return f, out
}

// at is where all names of the stage lead to.
const at = "93.184.215.14"

// Policies about the network: an address by itself and by its range, a name with all
// beneath it, paths and methods of requests.
const (
	byAddress = `forbid (principal, action in Ambit::Action::"net", resource == Ambit::Host::"93.184.215.14");`
	byRange   = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has ip && resource.ip.isInRange(ip("93.184.215.0/24")) };`
	byLoop    = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has ip && resource.ip.isLoopback() };`
	byName    = `forbid (principal, action in Ambit::Action::"net", resource in Ambit::Domain::"forbidden.test");`
	byTarget  = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has target && resource.target like "/secret*" };`
	byBoth    = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has ip && resource.ip.isInRange(ip("93.184.215.0/24")) && resource has target && resource.target like "/secret*" };`
	byExact   = `forbid (principal, action == Ambit::Action::"net.connect", resource == Ambit::Host::"93.184.215.14") when { resource has target && resource.target like "/secret*" };`
	byMethod  = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has method && resource.method == "DELETE" };`
)

// G1: a connection that policy forbids is made by another spelling of where it leads:
// of the address, of the name, or by a name that somebody has lead there.
func TestG01PolicyConnections(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	visit := func(url string) string {
		return `"$AMBIT" run $TIER --allow 'net.connect:*:8080' --allow net.connect:host.ambit.internal:8080 -- curl -gsS -m 30 http://` + url + `:8080/`
	}
	for name, p := range map[string]passing{
		"the address":                          {policy: byAddress, script: visit(at)},
		"the address of a range":               {policy: byRange, script: visit(at)},
		"the address mapped":                   {policy: byAddress, script: visit("[::ffff:" + at + "]")},
		"the address mapped of a range":        {policy: byRange, script: visit("[::ffff:" + at + "]")},
		"the address of a NAT64":               {policy: byAddress, script: visit("[64:ff9b::5db8:d70e]")},
		"the address of a NAT64 range":         {policy: byRange, script: visit("[64:ff9b::5db8:d70e]")},
		"the address as a number":              {policy: byAddress, script: visit("1572394766")},
		"a name that leads to it":              {policy: byAddress, script: visit("other.test")},
		"a name that leads to its range":       {policy: byRange, script: visit("other.test")},
		"the name of the host":                 {policy: byLoop, script: visit("host.ambit.internal")},
		"the name":                             {policy: byName, script: visit("forbidden.test")},
		"the name in capitals":                 {policy: byName, script: visit("FORBIDDEN.Test")},
		"the name with a dot":                  {policy: byName, script: visit("forbidden.test.")},
		"a name beneath":                       {policy: byName, script: visit("a.forbidden.test")},
		"another name":                         {policy: byName, script: visit("other.test"), may: true},
		"a name where domains are listed":      {policy: `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) unless { resource in Ambit::Domain::"test" || resource.host == "*" || resource.host == "host.ambit.internal" };`, script: visit("other.test"), may: true},
		"datagrams to a name that leads to it": {policy: byRange, script: `"$AMBIT" run $TIER --allow 'net.connect:*:9000/udp' -- bash -c 'exec 3<>/dev/udp/other.test/9000 && echo x >&3 && timeout 5 head -c 22 <&3'`},
		"by a grant that is remembered":        {policy: byName, script: `mv "$POLICY/keys.cedar" /etc/ambit/k; "$AMBIT" grants add net.connect:forbidden.test:8080; mv /etc/ambit/k "$POLICY/keys.cedar"; "$AMBIT" run $TIER -- curl -sS -m 30 http://forbidden.test:8080/`},
	} {
		t.Run(name, p.forbidden)
	}
}

// G1: a request that policy forbids is made by another spelling of its path or method,
// by another version of the protocol, over a connection into which nobody looks.
func TestG01PolicyRequests(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	curl := func(grant, args string) string {
		return `"$AMBIT" run $TIER --allow net.connect:allowed.test` + grant + ` -- curl -gsS -m 30 --path-as-is ` + args
	}
	for name, path := range map[string]string{
		"as it is": "/secret", "with a query": "/secret?x", "encoded": "/%73ecret", "doubled slashes": "//secret", "dots": "/ok/../secret",
		"encoded dots": "/ok/%2e%2e/secret", "a dot": "/./secret", "an encoded slash": "/ok/..%2fsecret", "twice encoded": "/%252e%252e/secret",
		"a parameter": "/ok/..;/secret", "a backslash": "/a/..%5csecret",
	} {
		t.Run("path "+name, passing{policy: byTarget, script: curl("/http", "http://allowed.test"+path)}.forbidden)
		t.Run("path "+name+" HTTP2", passing{policy: byTarget, script: curl("/http", "--http2-prior-knowledge http://allowed.test"+path)}.forbidden)
	}
	for name, p := range map[string]passing{
		"the whole target":            {policy: byTarget, script: curl("/http", "--request-target http://allowed.test/secret http://allowed.test/")},
		"on the same connection":      {policy: byTarget, script: curl("/http", "http://allowed.test/ok/a http://allowed.test/secret")},
		"by a grant of a connection":  {policy: byTarget, script: curl(":80", "http://allowed.test/secret")},
		"by a grant of that request":  {policy: byTarget, script: curl("/http:GET:/secret", "http://allowed.test/secret")},
		"by HTTP/1.0":                 {policy: byTarget, script: curl("/http", "-0 http://allowed.test/secret")},
		"another path":                {policy: byTarget, script: curl("/http", "http://allowed.test/public"), may: true},
		"method":                      {policy: byMethod, script: curl("/http", "-X DELETE http://allowed.test/ok/a")},
		"method HTTP/2":               {policy: byMethod, script: curl("/http", "--http2-prior-knowledge -X DELETE http://allowed.test/ok/a")},
		"method of an odd path":       {policy: byMethod, script: curl("/http", "-X DELETE http://allowed.test//ok/a")},
		"method over a connection":    {policy: byMethod, script: curl(":80", "-X DELETE http://allowed.test/ok/a")},
		"at an address":               {policy: byBoth, script: curl("/http", "http://allowed.test/secret")},
		"at an address by HTTP/2":     {policy: byBoth, script: curl("/http", "--http2-prior-knowledge http://allowed.test/secret")},
		"at an address second":        {policy: byBoth, script: curl("/http", "http://allowed.test/ok/a http://allowed.test/secret")},
		"at an address encoded":       {policy: byBoth, script: curl("/http", "http://allowed.test/ok/%2e%2e/secret")},
		"at an address upgraded":      {policy: byExact, script: strings.Replace(curl("/http", "-H 'Connection: Upgrade' -H 'Upgrade: websocket' http://allowed.test/secret"), "--allow", "--allow net.stream:allowed.test/http --allow", 1)},
		"at an address by a grant":    {policy: byBoth, script: curl("/http:GET:/secret", "http://allowed.test/secret")},
		"at an address unseen":        {policy: byBoth, script: curl(":80", "http://allowed.test/secret")},
		"at an address by its name":   {policy: byExact, script: curl("/http", "http://allowed.test/secret")},
		"at an address another path":  {policy: byBoth, script: curl("/http", "http://allowed.test/public"), may: true},
		"at another address":          {policy: strings.Replace(byBoth, "93.184.215.0", "93.184.216.0", 1), script: curl("/http", "http://allowed.test/secret"), may: true},
		"another method of odd paths": {policy: byMethod, script: curl("/http", "-X PUT http://allowed.test//ok/a"), may: true},
	} {
		t.Run(name, p.forbidden)
	}
}

// G1: what runs under a kernel of its own gets around a policy about files, or about
// connections.
func TestG01PolicyTiers(t *testing.T) {
	needsPolicies(t)
	needStage(t)
	t.Parallel()
	tiers := []string{tierGVisor}
	if tierUnderTest() == tierMachine {
		tiers = append(tiers, tierMachine)
	}
	for _, tier := range tiers {
		t.Run(tier, func(t *testing.T) {
			if os.Getenv("AMBIT_GUEST") != "" {
				t.Skip("requires: a strong tier")
			}
			t.Parallel()
			for name, p := range map[string]passing{
				"a file":     {policy: keysPolicy, script: `"$AMBIT" run $TIER --allow "fs.read:$WORK" -- cat "$KEYS/id"`},
				"a name":     {policy: byName, script: `"$AMBIT" run $TIER --allow 'net.connect:*:8080' -- python3 -c 'import urllib.request as u; print(u.urlopen("http://forbidden.test:8080/", timeout=60).read())'`},
				"an address": {policy: byRange, script: `"$AMBIT" run $TIER --allow 'net.connect:*:8080' -- python3 -c 'import urllib.request as u; print(u.urlopen("http://other.test:8080/", timeout=60).read())'`},
			} {
				p.tier = tier
				t.Run(name, p.forbidden)
			}
		})
	}
}
