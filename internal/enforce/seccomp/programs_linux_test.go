package seccomp_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// programs must run as usual: what they do at most has a fallback in them.
var programs = []struct{ needs, script string }{
	{"sh", "mkdir -p a/b && echo x >a/b/f && chmod 755 a/b/f && ls -laR a && cp -a a c && mv c d && rm -r d && (sleep 0.01 & wait)"},
	{"tar", "mkdir t && echo x >t/f && tar czf t.tgz t && rm -r t && tar xpf t.tgz && cat t/f"},
	{"git", "git init -q . && git -c user.name=u -c user.email=e@x.test commit -q --allow-empty -m m && git log --oneline && git status"},
	{"python3", `python3 -c 'import multiprocessing, socket, sqlite3, subprocess, tempfile
with multiprocessing.Pool(2) as p: assert p.map(abs, [-1, -2]) == [1, 2]
a, b = socket.socketpair(); a.send(b"x"); s = socket.create_server(("127.0.0.1", 0)); socket.create_connection(s.getsockname())
sqlite3.connect("db").execute("create table t (x)"); subprocess.run(["true"], check=True); tempfile.TemporaryFile()'`},
	{"gcc", "echo 'int main(void){return 0;}' >m.c && gcc -o m m.c && ./m"},
	{"node", `node -e 'require("child_process").execSync("true"); require("dns").lookup("localhost", () => {})'`},
	// Its telemetry is written in the background, also after its end.
	{"go", "mkdir -p .config/go/telemetry && echo off >.config/go/telemetry/mode && go env GOROOT && go version"},
}

// TestProgramsRun runs ordinary programs with everything on that holds nothing
// and limits no execution.
func TestProgramsRun(t *testing.T) {
	for _, p := range programs {
		t.Run(p.needs, func(t *testing.T) {
			if _, err := exec.LookPath(p.needs); err != nil {
				t.Skip("requires: ", err)
			}
			for _, filtered := range []bool{false, true} {
				cmd := child(t, order{Child: "program", Filtered: filtered, Options: seccomp.Options{KeepDeathSignal: true}})
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, scriptVariable+"="+p.script)
				if out, err := cmd.Output(); err != nil {
					t.Errorf("filtered %v: %v\n%s%s", filtered, err, out, cmd.Stderr)
				}
			}
		})
	}
}

func becomeProgram(o seccomp.Options, filtered bool) {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, orderVariable+"=") {
			env = append(env, v)
		}
	}
	if filtered {
		if _, err := install(o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Fprintln(os.Stderr, syscall.Exec("/bin/sh", []string{"sh", "-ec", os.Getenv(scriptVariable)}, env))
	os.Exit(1)
}
