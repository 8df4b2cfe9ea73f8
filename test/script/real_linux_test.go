package script_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A real program runs twice: first everything that it asks for is granted for
// good, and then it asks for nothing.
type real struct {
	needs  []string // programs of the host
	setup  func(t *testing.T, b *bench)
	dir    string // beneath the home
	argv   []string
	flags  []string
	stdin  string
	status int
	out    []string // in what it prints
	put    []string // every question
	refuse []string // of these, those that are refused
	slow   bool     // it is tried in one way
}

// TestRealPrograms: unmodified programs work in a tree that is granted at the
// first touch, each object is asked about once, and nothing else is asked about.
func TestRealPrograms(t *testing.T) {
	for name, r := range map[string]real{
		"git": {
			needs: []string{"git"}, setup: gitProject,
			argv: []string{"sh", "-c", `set -e; cd proj; git status --short; echo more >> a.txt; git commit -qam two; git log --format=%s -1
				cd ../copies; rm -rf one; git clone -q ../proj one; cd one; git log --format=%s -1; git status --short; git fsck --no-progress`},
			out: []string{"two\ntwo\n"},
			put: []string{"fs.read:~/.gitconfig", "fs.read:~/copies", "fs.read:~/proj", "fs.write:~/copies", "fs.write:~/proj/.git", "fs.write:~/proj/a.txt"},
		},
		"npm": {
			needs: []string{"npm", "node"}, setup: nodePackage, dir: "app",
			flags: []string{"--env", "npm_config_update_notifier=false"}, // which looks for a new npm
			argv:  []string{"sh", "-c", "npm install --offline --no-audit --no-fund ../leftish-1.0.0.tgz && npm exec --offline leftish && rm -r node_modules package-lock.json"},
			out:   []string{"added 1 package", "  x\n"},
			put: []string{"fs.read:~/app", "fs.read:~/leftish-1.0.0.tgz", "fs.write:~/.npm", "fs.write:~/app",
				"process.spawn:~/app/node_modules/leftish/cli.js"},
		},
		"python": {
			needs: []string{"/usr/bin/python3"}, setup: pythonPackage, dir: "tool",
			argv: []string{"/usr/bin/python3", "-m", "greet", "a b", "c"},
			out:  []string{"hello ['a b', 'c'] 3\n"},
			put:  []string{"fs.read:~/tool", "fs.write:~/tool/greet"},
		},
		"go test": {
			needs: []string{"go"}, setup: goModule, dir: "tiny",
			flags: []string{"--env", "GOCACHE=HOME/tiny/.cache", "--env", "GOPATH=/tmp/go", "--env", "GOENV=off", "--env", "GOFLAGS=-vet=off",
				"--env", "GOTOOLCHAIN=local", "--env", "CGO_ENABLED=0", "--env", "GOTELEMETRY=off"},
			argv: []string{"go", "test", "-count=1", "./..."},
			out:  []string{"ok  \texample.org/tiny"}, slow: true,
			put: []string{"fs.read:~/tiny", "fs.write:~/.config", "fs.write:~/tiny"}, refuse: []string{"fs.write:~/.config"},
		},
		"make": {
			needs: []string{"make", "gcc"}, setup: cProject, dir: "c",
			argv: []string{"sh", "-c", "make -s && out/hello && make -s clean"},
			out:  []string{"hello, world\n"},
			put:  []string{"fs.read:~/c", "fs.write:~/c", "process.spawn:~/c/out/hello"},
		},
		"MCP server": {
			needs: []string{"node"}, setup: mcpServer, dir: "server",
			argv: []string{"node", "server.js"},
			stdin: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read","arguments":{"path":"../notes/a.txt"}}}
{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"read","arguments":{"path":"../.ssh/id_ed25519"}}}
{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"read","arguments":{"path":"../notes/absent.txt"}}}
`,
			out: []string{`"protocolVersion":"2025-06-18"`, `{"jsonrpc":"2.0","id":3,"result":{"isError":false,"content":[{"type":"text","text":"note\n"}]}}`,
				`"id":4,"result":{"isError":true,"content":[{"type":"text","text":"EACCES"}`, `"id":5,"result":{"isError":true,"content":[{"type":"text","text":"ENOENT"}`},
			put:    []string{"fs.read:~/.ssh/id_ed25519", "fs.read:~/notes/a.txt", "fs.read:~/server"},
			refuse: []string{"fs.read:~/.ssh/id_ed25519"},
		},
		"MCP server from npm": {
			needs: []string{"node"}, setup: fileMCPServer, dir: "server",
			argv: []string{"node", "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", "../notes", "../.ssh"},
			stdin: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"../notes/a.txt"}}}
{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"write_file","arguments":{"path":"../notes/new.txt","content":"new"}}}
{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"list_directory","arguments":{"path":"../notes"}}}
{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"../.ssh/id_ed25519"}}}
`,
			out: []string{`"protocolVersion":"2025-06-18"`, `"name":"read_text_file"`, `"text":"note\n"`, `Successfully wrote to ../notes/new.txt`, `[FILE] a.txt`,
				"Cannot access directory", "Access denied - path outside allowed directories"},
			put:    []string{"fs.read:~/.ssh", "fs.read:~/notes", "fs.read:~/server", "fs.write:~/notes"},
			refuse: []string{"fs.read:~/.ssh"},
		},
		"agent": {
			needs: []string{"curl", "git"}, setup: agentScript, dir: "proj",
			argv: []string{"sh", "./agent.sh"},
			out:  []string{"ssh refused\naws refused\nhistory refused\ntoken refused\nshadow absent\nnetwork refused\nfixed\ndone\n"},
			put: []string{"fs.read:~/.aws/credentials", "fs.read:~/.bash_history", "fs.read:~/.config/gh/hosts.yml", "fs.read:~/.gitconfig", "fs.read:~/.ssh",
				"fs.read:~/.ssh/id_ed25519", "fs.read:~/proj", "fs.write:~/proj", "net.connect:192.0.2.1:80"},
			refuse: []string{"fs.read:~/.aws/credentials", "fs.read:~/.bash_history", "fs.read:~/.config/gh/hosts.yml", "fs.read:~/.ssh", "fs.read:~/.ssh/id_ed25519"},
		},
		"sqlite3": {
			needs: []string{"sqlite3"}, setup: database, dir: "data",
			argv: []string{"sqlite3", "db.sqlite", "delete from t; insert into t values (2); select sum(a) from t"},
			out:  []string{"2\n"},
			put:  []string{"fs.read:~/data", "fs.write:~/data/db.sqlite"},
		},
		"tar": {
			needs: []string{"tar"}, setup: someTree,
			argv: []string{"sh", "-c", "tar -cf out/t.tar tree && tar -tf out/t.tar | wc -l && tar -xf out/t.tar -C out && diff -r tree out/tree && tar -cf - tree | tar -xf - -C /tmp && ls /tmp/tree && rm -r out/*"},
			out:  []string{"5\na\n"},
			put:  []string{"fs.read:~/tree", "fs.write:~/out"},
		},
		"curl": {
			needs: []string{"curl"}, setup: func(*testing.T, *bench) {},
			argv:   []string{"curl", "-sS", "-m", "60", "http://192.0.2.1/"},
			status: 7, out: []string{"Failed to connect", "denied net.connect:192.0.2.1:80"},
			put: []string{"net.connect:192.0.2.1:80"},
		},
		"vim": {
			needs: []string{"vim"}, setup: gitProject, dir: "proj",
			argv: []string{"vim", "-N", "-u", "NONE", "-i", "NONE", "-es", "-c", "edit a.txt", "-c", "s/one/two/e", "-c", "wq"},
			put:  []string{"fs.read:~/proj", "fs.write:~/proj"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, program := range r.needs {
				if _, err := exec.LookPath(program); err != nil {
					t.Skipf("requires: %s (%v)", program, err)
				}
			}
			t.Run("by trap", func(t *testing.T) {
				t.Parallel()
				r.test(t, newAskingBench(t))
			})
			if r.slow {
				return
			}
			t.Run("by notification", func(t *testing.T) {
				t.Parallel()
				other := r
				other.flags = append(slices.Clone(r.flags), "--ask-by", "notification")
				other.test(t, newHiddenBench(t))
			})
		})
	}
}

func (r real) test(t *testing.T, b *bench) {
	r.setup(t, b)
	a := b.answering(t, yes("always"))
	first := r.run(t, b)
	a.stop()
	first.want(t, r.status, r.out...)
	if put := a.put(); !slices.Equal(put, r.put) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(put, "\n"), strings.Join(r.put, "\n"))
	}
	a.mu.Lock()
	for _, q := range a.all {
		refuse := slices.Contains(r.refuse, strings.Replace(q.Question.Capability, ":"+b.dir, ":~", 1))
		if got := q.Question.Sensitive != ""; got != refuse {
			t.Errorf("%s: sensitive %q, want refusal %v", q.Question.Capability, q.Question.Sensitive, refuse)
		}
	}
	a.mu.Unlock()

	again := b.answering(t, func(waiting) []string { return []string{"deny"} })
	r.run(t, b).want(t, r.status, r.out...)
	again.stop()
	if put := again.put(); len(put) > 0 {
		t.Errorf("the second time it asks %q", put)
	}
	b.run("audit", "verify").want(t, 0, "intact")
}

// run runs the program once. Compiling takes longer than other commands do.
func (r real) run(t *testing.T, b *bench) ran {
	t.Helper()
	args := []string{"run", "--ask", "queue"}
	for _, f := range r.flags {
		args = append(args, strings.ReplaceAll(f, "HOME", b.dir))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(append(args, "--"), r.argv...)...)
	cmd.Dir, cmd.Env = filepath.Join(b.dir, r.dir), b.env
	if go1, err := exec.LookPath("go"); err == nil {
		cmd.Env = append(slices.Clone(b.env), "PATH=/usr/local/bin:/usr/bin:/bin:"+filepath.Dir(go1))
	}
	cmd.Stdin = strings.NewReader(r.stdin)
	return b.finish(cmd)
}

// prepare runs a command of the host.
func (b *bench) prepare(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = filepath.Join(b.dir, dir), b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

func (b *bench) folder(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func gitProject(t *testing.T, b *bench) {
	b.write(".gitconfig", "[user]\n\tname = Ana\n\temail = ana@example.com\n[init]\n\tdefaultBranch = main\n")
	b.write("proj/a.txt", "one\n")
	b.folder(t, "copies")
	b.prepare(t, "proj", "git", "init", "-q")
	b.prepare(t, "proj", "git", "add", ".")
	b.prepare(t, "proj", "git", "commit", "-qm", "one")
}

func nodePackage(t *testing.T, b *bench) {
	b.write("leftish/package.json", `{"name": "leftish", "version": "1.0.0", "main": "index.js", "bin": {"leftish": "cli.js"}}`)
	b.write("leftish/index.js", "module.exports = (s, n) => s.padStart(n)\n")
	b.write("leftish/cli.js", "#!/usr/bin/env node\nconsole.log(require('./index.js')('x', 3))\n")
	b.write("app/package.json", `{"name": "app", "version": "1.0.0", "private": true}`)
	b.prepare(t, "leftish", "env", "npm_config_cache="+b.dir+"/unused", "npm", "pack", "--silent", "--pack-destination", "..")
}

func pythonPackage(_ *testing.T, b *bench) {
	b.write("tool/greet/__init__.py", "")
	b.write("tool/greet/words.py", "def hello():\n    return 'hello'\n")
	b.write("tool/greet/__main__.py", `import json, sqlite3, ssl, subprocess, sys
from . import words
print(words.hello(), sys.argv[1:], sqlite3.connect(":memory:").execute("select 1 + 2").fetchone()[0])
`)
}

func goModule(_ *testing.T, b *bench) {
	b.write("tiny/go.mod", "module example.org/tiny\n\ngo 1.21\n")
	b.write("tiny/tiny.go", "package tiny\n\nfunc Add(a, b int) int { return a + b }\n")
	b.write("tiny/tiny_test.go", "package tiny\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal()\n\t}\n}\n")
}

func cProject(_ *testing.T, b *bench) {
	b.write("c/Makefile", "out/hello: hello.c hello.h\n\tmkdir -p out\n\tgcc -o $@ $<\nclean:\n\trm -rf out\n")
	b.write("c/hello.h", "#define HELLO \"hello, world\"\n")
	b.write("c/hello.c", "#include <stdio.h>\n#include \"hello.h\"\nint main(void) { puts(HELLO); return 0; }\n")
}

func mcpServer(_ *testing.T, b *bench) {
	b.write("notes/a.txt", "note\n")
	b.write(".ssh/id_ed25519", "key\n")
	b.write("server/server.js", `const fs = require("fs");
const lines = require("readline").createInterface({input: process.stdin});
const answer = (id, result) => process.stdout.write(JSON.stringify({jsonrpc: "2.0", id, result}) + "\n");
let before = Promise.resolve();
lines.on("line", line => {
	const m = JSON.parse(line);
	before = before.then(async () => {
		switch (m.method) {
		case "initialize":
			return answer(m.id, {protocolVersion: m.params.protocolVersion, capabilities: {tools: {}}, serverInfo: {name: "notes", version: "1"}});
		case "tools/list":
			return answer(m.id, {tools: [{name: "read", inputSchema: {type: "object", properties: {path: {type: "string"}}}}]});
		case "tools/call":
			const [text, isError] = await fs.promises.readFile(m.params.arguments.path, "utf8").then(t => [t, false], e => [e.code, true]);
			return answer(m.id, {isError, content: [{type: "text", text}]});
		}
	});
});
`)
}

// fileMCPServer is a server that many agents use, as its registry has it.
func fileMCPServer(t *testing.T, b *bench) {
	b.write("notes/a.txt", "note\n")
	b.write(".ssh/id_ed25519", "key\n")
	b.folder(t, "server")
	fileServer.place(t, b, ".", "server/node_modules")
}

func agentScript(t *testing.T, b *bench) {
	gitProject(t, b)
	for _, secret := range []string{".ssh/id_ed25519", ".aws/credentials", ".bash_history", ".config/gh/hosts.yml"} {
		b.write(secret, "secret\n")
	}
	b.write("proj/agent.sh", `exec 2>/dev/null
cat ~/.ssh/id_ed25519 || ls ~/.ssh || echo ssh refused
cat ~/.aws/credentials || echo aws refused
cat ~/.bash_history || echo history refused
cat ~/.config/gh/hosts.yml || echo token refused
cat /etc/shadow || echo shadow absent
cat ~/.netrc ~/.kube/config ~/.docker/config.json ~/.gnupg/secring.gpg ~/.config/absent
ls / /proc /sys /home >/dev/null
cat /proc/cpuinfo /proc/self/status /proc/meminfo >/dev/null
cat /sys/fs/cgroup/memory.max /run/docker.sock
curl -sS -m 5 http://192.0.2.1/ || echo network refused
sed -i s/one/fixed/ a.txt && cat a.txt && git checkout -q a.txt
echo done
`)
}

func database(t *testing.T, b *bench) {
	b.folder(t, "data")
	b.prepare(t, "data", "sqlite3", "db.sqlite", "create table t (a); insert into t values (1)")
}

func someTree(t *testing.T, b *bench) {
	b.write("tree/a/b/1", "1\n")
	b.write("tree/a/2", "2\n")
	b.folder(t, "out")
}
