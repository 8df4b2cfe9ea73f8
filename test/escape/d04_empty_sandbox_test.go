package escape_test

import (
	"os/exec"
	"strings"
	"testing"
)

// What is hidden is absent, not forbidden: tools that look for their settings
// go on. Numbers 4, 8 and 10 of the defects of others.
func TestD04EmptySandbox(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"git":            "cd /tmp && git init -q r && cd r && git config user.email a@b && git config user.name a && echo x > x && git add x && git commit -qm x && git log --oneline",
		"git in a grant": "git init -q r && cd r && git status",
		"pip":            "python3 -m pip --version 2>/dev/null || python3 -c 'import pip' 2>/dev/null || python3 -c ''",
		"npm":            "command -v npm >/dev/null || exit 0; npm --version",
		"mktemp":         "test -d \"$TMPDIR\" && f=$(mktemp) && d=$(mktemp -d) && test -f $f && test -d $d",
		"python":         "python3 -c 'import tempfile, ssl, sqlite3, json; tempfile.TemporaryDirectory(); sqlite3.connect(\"/tmp/x\").execute(\"create table t(x)\")'",
		"perl":           "perl -e 'print 1'",
		"sort":           "seq 100000 | sort -R | sort -n | tail -1",
		"id":             "id && id -un && getent passwd root",
		"home":           "test -d \"$HOME\" && cd && : > f",
		"locale":         "locale >/dev/null && date",
	} {
		t.Run(name, func(t *testing.T) {
			if name == "npm" {
				if _, err := exec.LookPath("npm"); err != nil {
					return
				}
			}
			f := newField(t)
			out, err := f.box(t, "/bin/sh", "-ec", script).CombinedOutput()
			if err != nil {
				t.Errorf("D4: %v %s", err, out)
			}
			if strings.Contains(string(out), "ermission denied") {
				t.Errorf("D4: something was forbidden: %s", out)
			}
		})
	}
	t.Run("canaries", func(t *testing.T) {
		f := newField(t)
		f.env = []string{"API_KEY=" + f.token}
		out, err := f.box(t, "/bin/sh", "-c", "env; cat "+f.Home+"/.ssh/id; ls -la "+f.Home+" ~; find / -xdev -name id 2>/dev/null").CombinedOutput()
		if err != nil && exitStatus(err) > 120 || strings.Contains(string(out), f.token) || strings.Contains(string(out), ".ssh/id\n") {
			t.Errorf("D10: %v %s", err, out)
		}
	})
}
