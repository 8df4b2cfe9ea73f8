package escape_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keysPolicy forbids to read what lies in one folder of the field's granted one.
const keysPolicy = `@id("no-keys") forbid (principal, action in Ambit::Action::"fs", resource in Ambit::Glob::"KEYS");`

// managed runs a script as root, on a machine whose administrator keeps policies:
// with an /etc of its own, where $POLICY is the folder of policies, which holds
// the given one. $AMBIT runs, $KEYS is what is forbidden, and $WORK is granted.
func (f *field) managed(t *testing.T, program, policy, script string) (out string, status int) {
	t.Helper()
	over := filepath.Join(f.Dir, "etc-"+random())
	for _, d := range []string{over, over + "/up", over + "/work"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const around = `set -e
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$OVER/up,workdir=$OVER/work" /etc
mkdir -p -m 755 "$POLICY"
printf '%s\n' "$TEXT" >"$POLICY/keys.cedar"
set +e
`
	cmd := exec.Command("/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", around+script)
	f.fit(cmd)
	keys := filepath.Join(f.Work, "keys")
	cmd.Env = append(cmd.Env, "OVER="+over, "POLICY=/etc/ambit/policy", "AMBIT="+program, "KEYS="+keys, "WORK="+f.Work, "DIR="+f.Dir,
		"TEXT="+strings.ReplaceAll(policy, "KEYS", keys))
	text, err := cmd.CombinedOutput()
	return string(text), exitStatus(err)
}

// needsPolicies skips a test for whom no policy is kept.
func needsPolicies(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to whom managed policies belong")
	}
}

// policyField is a field with something to forbid.
func policyField(t *testing.T) *field {
	t.Helper()
	f := newField(t)
	f.put(t, filepath.Join(f.Work, "keys", "id"), f.token+"\n")
	return f
}

// G1: whoever runs ambit, and what runs in it, gets around the policies that an
// administrator keeps.
func TestG01ManagedPolicy(t *testing.T) {
	needsPolicies(t)
	t.Parallel()
	const read = `"$AMBIT" run --allow "fs.read:$WORK" -- cat "$KEYS/id"`
	for name, script := range map[string]string{
		"by a grant of the folder above":  read,
		"by a grant of the file":          `"$AMBIT" run --allow "fs.read:$KEYS/id" -- cat "$KEYS/id"`,
		"by a grant of writing":           `"$AMBIT" run --allow "fs.write:$KEYS" -- cat "$KEYS/id"`,
		"by a volume":                     `"$AMBIT" run -v "$KEYS:/keys:ro" -- cat /keys/id`,
		"by a volume above":               `"$AMBIT" run -v "$WORK:/w:ro" -- cat /w/keys/id`,
		"by another name":                 `ln -s "$KEYS" "$DIR/other"; "$AMBIT" run --allow "fs.read:$DIR/other" -- cat "$DIR/other/id"`,
		"by a grant that is remembered":   `"$AMBIT" grants add "fs.read:$KEYS"; "$AMBIT" run -- cat "$KEYS/id"`,
		"by variables":                    `export AMBIT_POLICY=/dev/null AMBIT_POLICY_DIR=/tmp XDG_CONFIG_DIRS=/tmp XDG_CONFIG_HOME=/tmp GODEBUG=x=1; ` + read,
		"by another state":                `export AMBIT_STATE_DIR=$DIR/otherstate; ` + read,
		"by what runs in a sandbox":       `"$AMBIT" run --allow fs.write:/etc/ambit/policy -- rm /etc/ambit/policy/keys.cedar; "$AMBIT" run --allow fs.write:/etc/ambit -- mv /etc/ambit/policy /etc/ambit/p; ` + read,
		"by a permit":                     `echo 'permit (principal, action, resource);' >"$POLICY/all.cedar"; ` + read,
		"by a folder that is a link":      `mv "$POLICY" /etc/ambit/real; ln -s real "$POLICY"; ` + read,
		"by a file that is a link":        `mv "$POLICY/keys.cedar" /etc/ambit/k; ln -s ../k "$POLICY/keys.cedar"; ` + read,
		"by a file that others may write": `chmod 666 "$POLICY/keys.cedar"; ` + read,
		"by a folder of somebody else":    `chown 65534 "$POLICY"; ` + read,
		"by a file that is broken":        `echo 'forbid (' >>"$POLICY/keys.cedar"; ` + read,
		"by a word that is not there":     `echo 'forbid (principal, action, resource) when { context.nosuch == 1 };' >"$POLICY/b.cedar"; ` + read,
		"by a second mount namespace":     `setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none /etc/ambit/policy'; ` + read,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := policyField(t)
			out, status := f.managed(t, ambit(t), keysPolicy, script)
			if strings.Contains(out, f.token) || status == 0 {
				t.Errorf("status %d: %s", status, out)
			}
			f.nothingLeft(t)
		})
	}
	t.Run("control", func(t *testing.T) { // another policy stands in nobody's way
		t.Parallel()
		f := policyField(t)
		if out, status := f.managed(t, ambit(t), strings.ReplaceAll(keysPolicy, "KEYS", "/of/another"), read); status != 0 || !strings.Contains(out, f.token) {
			t.Errorf("status %d: %s", status, out)
		}
	})
}

// G1: without the program that evaluates policies, or with one that ends, says
// nonsense or nothing, nothing is launched; without policies it is not needed.
func TestG01WithoutJudge(t *testing.T) {
	needsPolicies(t)
	t.Parallel()
	for name, judge := range map[string]string{
		"absent":         "",
		"it ends":        "#!/bin/sh\nexit 0\n",
		"it talks":       "#!/bin/sh\necho nonsense >&3\n",
		"it allows":      "#!/bin/sh\necho '{}' >&3; exec sleep 300\n",
		"not executable": "-",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := policyField(t)
			program := f.without(t, "ambit-policy", judge)
			out, status := f.managed(t, program, keysPolicy, `"$AMBIT" run --allow "fs.read:$WORK" -- cat "$KEYS/id"`)
			if strings.Contains(out, f.token) || status != 125 {
				t.Errorf("status %d: %s", status, out)
			}
			// The control: where nothing is to be evaluated it runs.
			out, status = f.managed(t, program, keysPolicy, `rm "$POLICY/keys.cedar"; "$AMBIT" run --allow "fs.read:$WORK" -- cat "$KEYS/id"`)
			if !strings.Contains(out, f.token) || status != 0 {
				t.Errorf("without policies: status %d: %s", status, out)
			}
		})
	}
}

// G1: a policy that comes while a program runs takes away what it forbids, and the record
// of that names it.
func TestG01PolicyComes(t *testing.T) {
	needsPolicies(t)
	t.Parallel()
	f := policyField(t)
	begin := time.Now()
	out, status := f.managed(t, ambit(t), keysPolicy, `mv "$POLICY/keys.cedar" /etc/ambit/keys.cedar
"$AMBIT" run --allow "fs.read:$WORK" -v "$DIR/home:/home/out:rw" -- sh -c 'while cat "$0"; do echo >/home/out/ready; sleep 0.1; done >/dev/null 2>&1' "$KEYS/id" &
until [ -e "$DIR/home/ready" ]; do sleep 0.05; done
mv /etc/ambit/keys.cedar "$POLICY/keys.cedar"
wait $! || exit
"$AMBIT" audit ls --kind grant.effect`)
	if status != 0 || time.Since(begin) > longest || !strings.Contains(out, "by keys.cedar:1 (no-keys)") {
		t.Errorf("status %d after %v: %s", status, time.Since(begin), out)
	}
}
