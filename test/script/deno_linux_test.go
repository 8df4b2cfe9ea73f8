package script_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var denoProgram = &npmPackage{name: "@deno/linux-" + map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH] + "-glibc@2.9.6"}

// TestDeno: a Deno program's own questions come to the person, and what was
// answered is what it may do.
func TestDeno(t *testing.T) {
	b := newAskingBench(t)
	denoProgram.place(t, b, strings.Split(denoProgram.name, "-glibc")[0]+"-glibc/deno", "deno")
	b.write("proj/a.txt", "one\n")
	b.write("secret.txt", "two\n")
	b.write("proj/x.ts", `
const attempt = async (what: string, f: () => unknown) => {
	try { console.log(what, await f()) } catch (e) { console.log(what, e.name, e.message) }
}
await attempt("a", async () => (await Deno.readTextFile("a.txt")).trim())
await attempt("secret", () => Deno.readTextFile("../secret.txt"))
await attempt("absent", () => Deno.readTextFile("../absent.txt"))
await attempt("write", () => Deno.writeTextFile("out.txt", "three\n"))
await attempt("echo", async () => new TextDecoder().decode((await new Deno.Command("/bin/echo", {args: ["four"]}).output()).stdout).trim())
await attempt("home", () => Deno.env.get("HOME"))
await attempt("hosts", async () => (await Deno.readTextFile("/etc/hosts")).includes("localhost"))
await attempt("own", async () => { await Deno.writeTextFile("/tmp/x", "five"); return Deno.readTextFile("/tmp/x") })
await attempt("listen", () => Deno.listen({port: 8000}).addr.port)
`)
	a := b.answering(t, func(q waiting) []string {
		if q.Question.Sensitive != "" || strings.HasSuffix(q.Question.Capability, "secret.txt") || strings.HasPrefix(q.Question.Capability, "net.") {
			return []string{"deny"}
		}
		return []string{"approve"}
	})
	cmd := b.command("run", "--ask", "queue", "--env", "DENO_DIR=/tmp/deno", "--env", "DENO_NO_UPDATE_CHECK=1", "--", "../deno", "run", "--no-config", "x.ts")
	cmd.Dir = filepath.Join(b.dir, "proj")
	r := b.finish(cmd)
	a.stop()
	r.want(t, 0, "a one\n", "secret NotCapable ambit: denied fs.read:"+b.dir+"/secret.txt (refused: ambit deny) [d-", "absent NotFound",
		"write undefined\n", "echo four\n", "home "+b.home+"\n", "hosts true\n", "own five\n", "listen 8000\n")
	put := a.put()
	for _, want := range []string{"fs.read:~/proj", "fs.read:~/secret.txt", "fs.write:~/proj"} {
		if !slices.Contains(put, want) {
			t.Errorf("asked %q, want %q among it", put, want)
		}
	}
	if slices.ContainsFunc(put, func(c string) bool {
		return strings.Contains(c, "/tmp") || strings.Contains(c, "/etc") || strings.HasPrefix(c, "process.")
	}) {
		t.Errorf("asked %q, which the sandbox has anyway", put)
	}
	if left, err := os.ReadDir(filepath.Join(filepath.Dir(b.home), "state", "doors")); err != nil || len(left) > 0 {
		t.Errorf("the host still has %v (%v)", left, err)
	}
	_, id, _ := strings.Cut(r.out, "(refused: ambit deny) [")
	id, _, _ = strings.Cut(id, "]")
	b.run("why", id).want(t, 0, "Deno checks read by deno")
}

// denoLines is a program that speaks as Deno 2.9.6 does; its lines were taken from
// that. It prints each answer.
const denoLines = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["DENO_PERMISSION_BROKER_PATH"])
f = s.makefile("rwb")
for i, line in enumerate(sys.argv[1:], 1):
    permission, _, value = line.partition(" ")
    value = json.dumps(value) if value else "null"
    f.write(b'{"v":1,"pid":686,"id":%d,"datetime":"2026-11-22T08:07:54.261993340+00:00","permission":"%s","value":%s}\n' % (i, permission.encode(), value.encode()))
    f.flush()
    a = json.loads(f.readline())
    assert a["id"] == i
    print(line, a["result"], a.get("reason", ""))
`

// TestDenoDoor: what is asked at the door is decided as what is touched is, and
// opens nothing by itself.
func TestDenoDoor(t *testing.T) {
	for name, by := range map[string]string{"by trap": "trap", "by notification": "notification"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newHiddenBench(t)
			if by == "trap" {
				b = newAskingBench(t)
			}
			b.write("proj/a.txt", "one\n")
			b.write("proj/b.txt", "two\n")
			b.write(".ssh/id_rsa", "key\n")
			b.write("client.py", denoLines)
			a := b.answering(t, func(q waiting) []string {
				if q.Question.Sensitive != "" {
					return []string{"deny"}
				}
				return []string{"approve"}
			})
			r := b.run("run", "--ask", "queue", "--ask-by", by, "--deno", "on", "--", "/usr/bin/python3", "client.py",
				"read proj/a.txt", "read ./proj/../proj/a.txt", "write proj/a.txt", "read .ssh/id_rsa", "read .ssh/id_rsa", "read absent", "read /etc/shadow",
				"read /usr/bin/env", "read /tmp", "read "+b.home, "read", "run /bin/true", "run", "run no-such-command",
				"env HOME", "sys hostname", "sys selfDestruct", "net 127.0.0.1:80", "net 0.0.0.0:8000", "net vsock:2:80", "ffi", "strange x")
			a.stop()
			r.want(t, 0, "read proj/a.txt allow \n", "read ./proj/../proj/a.txt allow \n", "write proj/a.txt allow \n",
				"read .ssh/id_rsa deny ambit: denied fs.read:"+b.home+"/.ssh/id_rsa (refused: ambit deny) [d-", "(it was denied before in this session)",
				"read absent allow", "read /etc/shadow allow", "read /usr/bin/env allow", "read /tmp allow", "read "+b.home+" allow",
				"read allow", "run /bin/true allow", "run allow", "run no-such-command allow", "env HOME allow", "sys hostname allow", "sys selfDestruct deny",
				"net 127.0.0.1:80 allow", "net 0.0.0.0:8000 allow", "net vsock:2:80 deny", "ffi deny", "strange x deny")
			want := []string{"fs.read:~/.ssh/id_rsa", "fs.read:~/client.py", "fs.read:~/proj/a.txt", "fs.write:~/proj/a.txt"}
			if put := a.put(); !slices.Equal(put, want) {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(put, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestDenoDoorOpensNothing: a program that asks nobody is where it was, and one
// that does not speak the protocol is cut off.
func TestDenoDoorOpensNothing(t *testing.T) {
	b := newHiddenBench(t)
	b.write("a.txt", "one\n")
	script := `import os, socket
print("variable", os.environ["DENO_PERMISSION_BROKER_PATH"])
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["DENO_PERMISSION_BROKER_PATH"])
s.sendall(b"{}\n")
print("cut off", s.recv(1) == b"")
try: open("a.txt")
except OSError as e: print("errno", e.errno)
try: os.unlink(os.environ["DENO_PERMISSION_BROKER_PATH"])
except OSError as e: print("unlink", e.errno > 0)
`
	flags := []string{"run", "--ask", "queue", "--ask-by", "notification", "--ask-timeout", "0"}
	b.run(append(flags, "--deno", "on", "--", "/usr/bin/python3", "-c", script)...).
		want(t, 0, "variable /dev/ambit/deno", "cut off True", "errno 13", "unlink True")
	// No door where nobody asked for one, or where the person has another.
	show := []string{"--", "/bin/sh", "-c", "ls /dev; echo =$DENO_PERMISSION_BROKER_PATH"}
	if r := b.run(append(flags, show...)...); strings.Contains(r.out, "ambit") || !strings.HasSuffix(r.out, "=\n") {
		t.Errorf("got %q %q", r.out, r.err)
	}
	if r := b.run(append(append(slices.Clone(flags), "--deno", "on", "--env", "DENO_PERMISSION_BROKER_PATH=/x"), show...)...); strings.Contains(r.out, "ambit") || !strings.HasSuffix(r.out, "=/x\n") {
		t.Errorf("got %q %q", r.out, r.err)
	}
	b.run("run", "--deno", "maybe", "--", "true").want(t, 125, `--deno "maybe": want auto, on or off`)
}
