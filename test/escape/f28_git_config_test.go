package escape_test

import (
	"os/exec"
	"strings"
	"testing"
)

func TestF28GitConfig(t *testing.T) {
	config := func(key, value string) string { return "cd repo && git config " + key + " " + value }
	attack{
		ID: "F28", Title: "have git run a program through its configuration",
		Reference: "CVE-2022-24765 and others: core.hooksPath, core.fsmonitor, filter.*.clean",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			if out, err := exec.Command("git", "init", "-q", f.work("repo")).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		},
		Flags: func(f *field) []string {
			return []string{"--deny", "fs.write:" + f.work("repo/.git/config"), "--deny", "fs.write:" + f.work("repo/.git/hooks")}
		},
		Harm: func(f *field) string {
			out, _ := exec.Command("git", "-C", f.work("repo"), "config", "--local", "--list").Output()
			if strings.Contains(string(out), "evil") {
				return string(out)
			}
			return ""
		},
		Tries: []try{
			{Name: "core.hooksPath", Sh: config("core.hooksPath", "/evil"), Want: refused()},
			{Name: "include.path", Sh: config("include.path", "/evil"), Want: refused()},
			{Name: "filter.x.clean", Sh: config("filter.x.clean", "evil"), Want: refused()},
			{Name: "by hand", Sh: "printf '[core]\\nhooksPath = /evil\\n' >> repo/.git/config", Want: refused()},
			{Name: "another repository in its place", Sh: "mv repo/.git repo/g && cp -r repo/g repo/.git && git -C repo config core.hooksPath /evil", Want: refused()},
		},
	}.run(t)
}
