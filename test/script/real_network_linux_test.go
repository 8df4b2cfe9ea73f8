package script_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A client is a real program, as it is, and what it says when it has reached its
// server.
type client struct {
	name  string
	needs []string
	// serve begins its server on the host, and returns the port.
	serve func(t *testing.T, b *bench) int
	argv  []string // PORT stands for the port
	allow []string // beside the port and the working folder
	want  string
}

// TestRealClients: unmodified clients reach what they were granted, by name,
// without a proxy or a variable, and nothing without a grant.
func TestRealClients(t *testing.T) {
	for _, c := range []client{
		{name: "curl", needs: []string{"curl"}, serve: files, argv: []string{"curl", "-sSf", "http://HOST:PORT/hello", "http://HOST:PORT/hello"}, want: "hello\nhello\n"},
		{name: "wget", needs: []string{"wget"}, serve: files, argv: []string{"wget", "-qO-", "http://HOST:PORT/hello"}, want: "hello\n"},
		{name: "python", needs: []string{"/usr/bin/python3"}, serve: files,
			argv: []string{"/usr/bin/python3", "-c", "import urllib.request as u; print(u.urlopen('http://HOST:PORT/hello').read().decode(), end='')"}, want: "hello\n"},
		{name: "node", needs: []string{"node"}, serve: files,
			argv: []string{"node", "-e", "fetch('http://HOST:PORT/hello').then(r => r.text()).then(t => process.stdout.write(t))"}, want: "hello\n"},
		{name: "silent client", needs: []string{"/usr/bin/python3"}, serve: lateServer,
			argv: []string{"/usr/bin/python3", "-c", "import socket; print(socket.create_connection(('HOST', PORT)).recv(9).decode())"}, want: "at last\n"},
		{name: "java", needs: []string{"java", "javac"}, serve: javaClient, argv: []string{"java", "-Xshare:auto", "Get.java", "http://HOST:PORT/hello"}, want: "hello\n"},
		{name: "gRPC", needs: []string{"node"}, serve: grpcServer, argv: []string{"node", "-e", grpcClient, "HOST", "PORT"}, want: "hello x 0\n"},
		{name: "git", needs: []string{"git"}, serve: gitServer, argv: []string{"git", "clone", "-q", "http://HOST:PORT/repo.git", "clone"}, want: ""},
		{name: "npm", needs: []string{"npm", "node"}, serve: npmRegistry, allow: []string{"process.spawn"},
			argv: []string{"npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0", "--registry=http://HOST:PORT/", "leftish"}, want: "added 1 package"},
		{name: "pip", needs: []string{"/usr/bin/python3"}, serve: pipIndex,
			argv: []string{"/usr/bin/python3", "-m", "pip", "install", "-q", "--no-cache-dir", "--disable-pip-version-check", "--retries", "0", "--target", "out", "--trusted-host", "HOST",
				"--index-url", "http://HOST:PORT/simple/", "greet"}, want: ""},
		{name: "psql", needs: []string{"psql", "postgres"}, serve: postgres,
			argv: []string{"psql", "host=HOST port=PORT user=u dbname=postgres sslmode=disable", "-Atc", "select 6 * 7"}, want: "42\n"},
		{name: "ssh", needs: []string{"ssh-keyscan", "/usr/sbin/sshd"}, serve: sshd, argv: []string{"ssh-keyscan", "-T", "10", "-p", "PORT", "HOST"}, want: "ssh-ed25519 "},
		{name: "ssh as root", needs: []string{"ssh", "/usr/sbin/sshd"}, serve: rootSSHD,
			argv: []string{"ssh", "-p", "PORT", "-i", "id", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@HOST", "echo it works"},
			want: "it works\n"},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

func (c client) run(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, p := range c.needs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("requires: %s", p)
		}
	}
	port := strconv.Itoa(c.serve(t, b))
	argv := func(host string) (words []string) {
		for _, w := range c.argv {
			words = append(words, strings.NewReplacer("HOST", host, "PORT", port).Replace(w))
		}
		return words
	}
	const host = "host.ambit.internal"
	run := func(grant string) ran {
		args := []string{"run", "--allow", "fs.write:" + b.dir, "--allow", grant}
		for _, more := range c.allow {
			args = append(args, "--allow", more)
		}
		return b.run(append(append(args, "--"), argv(host)...)...)
	}
	begin := time.Now()
	if r := run("net.connect:" + host + ":1"); r.status == 0 && c.want != "" && strings.Contains(r.out, c.want) || strings.Contains(r.out, "hello\n") {
		t.Errorf("without a grant: %q %q", r.out, r.err)
	}
	refused := time.Since(begin)
	r := run("net.connect:" + host + ":" + port)
	if r.status != 0 || !strings.Contains(r.out, c.want) {
		t.Fatalf("status %d: %q %q", r.status, r.out, r.err)
	}
	if refused > 30*time.Second {
		t.Errorf("without a grant it took %v", refused)
	}
	if c.name == "git" {
		if text, err := os.ReadFile(filepath.Join(b.dir, "clone", "hello")); err != nil || string(text) != "hello\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	if c.name == "pip" {
		if _, err := os.Stat(filepath.Join(b.dir, "out", "greet.py")); err != nil {
			t.Error(err)
		}
	}
}

// lateServer speaks first, and that after a while.
func lateServer(t *testing.T, _ *bench) int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(11*time.Second, func() {
				_, _ = io.WriteString(c, "at last")
				_ = c.Close()
			})
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// serveHTTP begins a server on the host's loopback.
func serveHTTP(t *testing.T, h http.Handler, protocols *http.Protocols) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: protocols}
	go s.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func files(t *testing.T, _ *bench) int {
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") }), nil)
}

func javaClient(t *testing.T, b *bench) int {
	b.write("Get.java", `
import java.net.*; import java.net.http.*;
public class Get {
	public static void main(String[] a) throws Exception {
		var r = HttpRequest.newBuilder(URI.create(a[0])).build();
		System.out.print(HttpClient.newHttpClient().send(r, HttpResponse.BodyHandlers.ofString()).body());
	}
}`)
	return files(t, b)
}

// grpcClient makes one call in the way of gRPC: HTTP/2, a message with its length
// before it, the status in the trailers.
const grpcClient = `
const h = require('http2').connect('http://' + process.argv[1] + ':' + process.argv[2]);
h.on('error', e => { console.error(e.message); process.exit(1) });
const s = h.request({':method': 'POST', ':path': '/t.S/Say', 'content-type': 'application/grpc', te: 'trailers'});
let got = Buffer.alloc(0), status;
s.on('trailers', t => status = t['grpc-status']);
s.on('data', d => got = Buffer.concat([got, d]));
s.on('end', () => { console.log(got.subarray(7).toString(), status); h.close() });
s.end(Buffer.from([0, 0, 0, 0, 3, 10, 1, 120]));
`

func grpcServer(t *testing.T, _ *bench) int {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := io.ReadAll(r.Body)
		if err != nil || len(in) < 7 {
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		text := "hello " + string(in[7:])
		_, _ = w.Write(append([]byte{0, 0, 0, 0, byte(len(text) + 2), 10, byte(len(text))}, text...))
		w.Header().Set("Grpc-Status", "0")
	}), &p)
}

func gitServer(t *testing.T, b *bench) int {
	root := t.TempDir()
	for _, args := range [][]string{{"init", "-q", "-b", "main", root + "/work"}, {"-C", root + "/work", "add", "."}, {"-C", root + "/work", "commit", "-qm", "first"},
		{"clone", "-q", "--bare", root + "/work", root + "/repo.git"}} {
		if args[0] == "-C" && args[2] == "add" {
			if err := os.WriteFile(root+"/work/hello", []byte("hello\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("git", args...)
		cmd.Env = append(b.env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a.test")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	return serveHTTP(t, &cgi.Handler{Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}, nil)
}

func npmRegistry(t *testing.T, b *bench) int {
	b.write("package.json", `{"name": "app", "version": "1.0.0"}`)
	var pack bytes.Buffer
	z := gzip.NewWriter(&pack)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"package/package.json": `{"name": "leftish", "version": "1.0.0"}`, "package/index.js": "module.exports = 1\n"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(pack.Bytes())
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/leftish" {
			_, _ = w.Write(pack.Bytes())
			return
		}
		fmt.Fprintf(w, `{"name": "leftish", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "leftish", "version": "1.0.0",
			"dist": {"tarball": "http://%s/leftish-1.0.0.tgz", "integrity": "sha512-%s"}}}}`, r.Host, base64.StdEncoding.EncodeToString(sum[:]))
	}), nil)
}

func pipIndex(t *testing.T, _ *bench) int {
	var wheel bytes.Buffer
	z := zip.NewWriter(&wheel)
	for name, text := range map[string]string{"greet.py": "print('hello')\n", "greet-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n",
		"greet-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "greet-1.0.dist-info/RECORD": ""} {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/usr/bin/python3", "-m", "pip", "--version").CombinedOutput(); err != nil {
		t.Skipf("requires: pip (%s)", out)
	}
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".whl") {
			_, _ = w.Write(wheel.Bytes())
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<html><body><a href="/greet-1.0-py3-none-any.whl">greet-1.0-py3-none-any.whl</a></body></html>`)
	}), nil)
}

// listening runs a server until the test ends, and waits until it listens.
func listening(t *testing.T, port int, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		t.Logf("%s: %v", cmd.Path, <-ended)
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp4", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v: %s", cmd.Path, err, out.String())
		default:
		}
	}
	t.Fatalf("%s does not listen", cmd.Path)
}

func postgres(t *testing.T, b *bench) int {
	program, err := exec.LookPath("postgres")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		t.Fatal(err)
	}
	owner := asServer(t, b, "postgres")
	data := filepath.Join(b.home, "data")
	initdb := exec.Command(filepath.Join(filepath.Dir(program), "initdb"), "-D", data, "-A", "trust", "-U", "u", "--no-sync")
	initdb.SysProcAttr, initdb.Dir, initdb.Env = owner, b.home, b.env
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	port := freePort(t)
	cmd := exec.Command(program, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "", "-F")
	cmd.SysProcAttr, cmd.Dir, cmd.Env = owner, b.home, b.env
	listening(t, port, cmd)
	return port
}

// asServer gives the home to a user of the host that root runs a server as; others
// run it themselves.
func asServer(t *testing.T, b *bench, name string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	out, err := exec.Command("id", "-u", name).Output()
	if err != nil {
		t.Skipf("requires: the user %s", name)
	}
	uid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(b.home, uid, uid); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(b.home); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

// sshd begins a server with a key of its own, as whoever runs the test.
func sshd(t *testing.T, b *bench) int {
	t.Helper()
	for _, name := range []string{filepath.Join(b.home, "host"), filepath.Join(b.dir, "id")} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	port := freePort(t)
	config := filepath.Join(b.home, "sshd_config")
	text := fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n",
		port, filepath.Join(b.home, "host"), filepath.Join(b.dir, "id.pub"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", config)
	if os.Getuid() == 0 { // of whom it wants a folder that is there while its service runs
		cmd = exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c",
			`mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd -D -e -f "$0"`, config)
	}
	listening(t, port, cmd)
	return port
}

func rootSSHD(t *testing.T, b *bench) int {
	if os.Getuid() != 0 {
		t.Skip("requires: root, which sshd lets in others as")
	}
	return sshd(t, b)
}
