package egress_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// These tests put programs as they are on both sides: the far side on the host's
// loopback, its client in a sandbox that knows nothing of proxies.

// need skips a test on a host that has not some program.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("requires %s", p)
		}
	}
}

// daemon runs a program until the test ends, and waits until it listens.
func daemon(t *testing.T, port uint16, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		gone := make(chan struct{})
		go func() { _ = cmd.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(30 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-gone
		}
	})
	for range 3000 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not listen: %s", cmd.Path, out.String())
}

// reach makes a world that may connect to ports of the host by the name
// server.test.
func reach(t *testing.T, ports ...uint16) *world {
	t.Helper()
	var grants []string
	for _, p := range ports {
		grants = append(grants, fmt.Sprintf("net.connect:server.test:%d", p), fmt.Sprintf("net.connect:127.0.0.1:%d", p))
	}
	w := start(t, linktest.Options{}, grants, nil)
	w.hosts.set("server.test", "127.0.0.1")
	return w
}

// served writes a certificate for server.test and its key.
func served(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		Subject:      pkix.Name{CommonName: "server.test"},
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"server.test"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// shared is a folder that other users can read.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "egress") //nolint:usetesting // another user has to get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNginx fetches over HTTP/1.1, TLS and HTTP/2, small and large, with clients
// that people use.
func TestNginx(t *testing.T) {
	need(t, "nginx", "curl")
	dir := shared(t)
	cert, key := served(t, dir)
	plain, secure := freePort(t), freePort(t)
	write(t, filepath.Join(dir, "index.html"), "it works\n")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	write(t, filepath.Join(dir, "big"), string(big))
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  client_max_body_size 64m;
  server { listen 127.0.0.1:%[2]d; root %[1]s; location /put { return 200 "taken\n"; } }
  server { listen 127.0.0.1:%[3]d ssl http2; root %[1]s; ssl_certificate %[4]s; ssl_certificate_key %[5]s; }
}`, dir, plain, secure, cert, key))
	daemon(t, plain, exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")))
	w := reach(t, plain, secure)
	http, https := fmt.Sprintf("http://server.test:%d", plain), fmt.Sprintf("https://server.test:%d", secure)
	for _, tc := range []struct {
		name string
		argv []string
		want string
	}{
		{"curl", []string{"curl", "-fsS", http + "/"}, "it works\n"},
		{"curl, twice on one connection", []string{"curl", "-fsS", http + "/", http + "/"}, "it works\nit works\n"},
		{"curl, TLS", []string{"curl", "-fsS", "--http1.1", "--cacert", cert, https + "/"}, "it works\n"},
		{"curl, HTTP/2", []string{"curl", "-fsS", "--http2", "--cacert", cert, "-w", "%{http_version}", "-o", "/dev/null", https + "/"}, "2"},
		{"curl, large", []string{"curl", "-fsS", "--cacert", cert, "-w", "%{size_download}", "-o", "/dev/null", https + "/big"}, strconv.Itoa(len(big))},
		{"curl, upload", []string{"curl", "-fsS", "-T", filepath.Join(dir, "big"), http + "/put"}, "taken\n"},
		{"python", []string{"/usr/bin/python3", "-c", "import urllib.request as u; print(u.urlopen('" + http + "/').read().decode(), end='')"}, "it works\n"},
		{"node", []string{"node", "-e", "fetch('" + http + "/').then(r => r.text()).then(t => process.stdout.write(t))"}, "it works\n"},
		{"wget", []string{"wget", "-qO-", http + "/"}, "it works\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			need(t, tc.argv[0])
			if got, err := w.Exec(tc.argv...); err != nil || got != tc.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	if got, err := w.Exec("curl", "-sS", "--connect-timeout", "3", "-o", "/dev/null", fmt.Sprintf("http://server.test:%d/", freePort(t))); err == nil || !strings.Contains(got, "refused") && !strings.Contains(got, "connect to server") {
		t.Errorf("another port: %q, %v", got, err)
	}
	if got, err := w.Exec("curl", "-sS", "http://other.test/"); err == nil || !strings.Contains(got, "resolve host") {
		t.Errorf("another name: %q, %v", got, err)
	}
}

// TestGit clones, and pushes, from a Git server over HTTP and over its own
// protocol.
func TestGit(t *testing.T) {
	need(t, "git")
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a.test")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	work, bare := filepath.Join(dir, "work"), filepath.Join(dir, "repo.git")
	run("init", "-q", "-b", "main", work)
	write(t, filepath.Join(work, "file"), strings.Repeat("a line of it\n", 100_000))
	run("-C", work, "add", ".")
	run("-C", work, "commit", "-qm", "first")
	run("clone", "-q", "--bare", work, bare)
	run("-C", bare, "config", "http.receivepack", "true")
	write(t, filepath.Join(bare, "git-daemon-export-ok"), "")

	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=a", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	defer server.Close()
	web := uint16(server.Listener.Addr().(*net.TCPAddr).Port)
	own := freePort(t)
	cmd := exec.Command("git", "-c", "safe.directory=*", "daemon", "--listen=127.0.0.1", fmt.Sprintf("--port=%d", own), "--base-path="+dir, "--reuseaddr")
	daemon(t, own, cmd)
	w := reach(t, web, own)
	for name, url := range map[string]string{"http": fmt.Sprintf("http://server.test:%d/repo.git", web), "git": fmt.Sprintf("git://server.test:%d/repo.git", own)} {
		to := filepath.Join(dir, name)
		if out, err := w.Exec("git", "clone", "-q", url, to); err != nil {
			t.Errorf("clone over %s: %v\n%s", name, err, out)
			continue
		}
		if b, err := os.ReadFile(filepath.Join(to, "file")); err != nil || len(b) != 1_300_000 {
			t.Errorf("clone over %s: %d bytes, %v", name, len(b), err)
		}
	}
	if t.Failed() {
		return
	}
	clone := filepath.Join(dir, "http")
	write(t, filepath.Join(clone, "more"), "from inside\n")
	w.Must("git", "-C", clone, "add", ".")
	w.Must("git", "-C", clone, "-c", "user.name=a", "-c", "user.email=a@a.test", "commit", "-qm", "second")
	w.Must("git", "-C", clone, "push", "-q", "origin", "main")
	if out, err := exec.Command("git", "-c", "safe.directory=*", "-C", bare, "log", "--format=%s", "main").Output(); err != nil || string(out) != "second\nfirst\n" {
		t.Errorf("after the push: %q, %v", out, err)
	}
}

func TestRedis(t *testing.T) {
	need(t, "redis-server", "redis-cli")
	port := freePort(t)
	daemon(t, port, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(int(port)), "--save", "", "--dir", t.TempDir()))
	w := reach(t, port)
	cli := []string{"redis-cli", "-h", "server.test", "-p", strconv.Itoa(int(port))}
	if got := w.Must(append(cli, "set", "key", "value")...); got != "OK\n" {
		t.Errorf("%q", got)
	}
	if got := w.Must(append(cli, "get", "key")...); !strings.Contains(got, "value") {
		t.Errorf("%q", got)
	}
	if _, err := exec.LookPath("redis-benchmark"); err == nil {
		out := w.Must("redis-benchmark", "-h", "server.test", "-p", strconv.Itoa(int(port)), "-n", "2000", "-c", "20", "-q", "-t", "get,set")
		t.Log(strings.TrimSpace(out[strings.LastIndexByte(strings.TrimSpace(out), '\r')+1:]))
	}
}

// TestPostgres queries a PostgreSQL, which turns to TLS in the middle of a
// connection.
func TestPostgres(t *testing.T) {
	need(t, "psql")
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // Debian keeps it out of PATH
	if err != nil || len(all) == 0 {
		t.Skip("requires a PostgreSQL server")
	}
	programs := all[len(all)-1]
	dir := shared(t)
	cert, key := served(t, dir)
	owner := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // which PostgreSQL refuses to run as
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("requires the user postgres")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		owner.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		for _, p := range []string{dir, cert, key} {
			if err := os.Chown(p, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(filepath.Dir(programs), "initdb"), "-D", data, "-A", "trust", "-U", "u", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = owner, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	server := exec.Command(programs, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(int(port)), "-k", dir, "-F",
		"-c", "ssl=on", "-c", "ssl_cert_file="+cert, "-c", "ssl_key_file="+key)
	server.SysProcAttr, server.Dir = owner, dir
	daemon(t, port, server)
	w := reach(t, port)
	for _, mode := range []string{"disable", "require"} {
		conn := fmt.Sprintf("host=server.test port=%d user=u dbname=postgres sslmode=%s", port, mode)
		got, err := w.Exec("psql", conn, "-Atc", "select sum(length(repeat('x', 100000))) from generate_series(1, 50)")
		if err != nil || got != "5000000\n" {
			t.Errorf("%s: %q, %v", mode, got, err)
		}
	}
}

// TestEventStream is an answer that comes in pieces, as event streams do: each
// is passed on when it comes.
func TestEventStream(t *testing.T) {
	need(t, "curl")
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}))
	defer server.Close()
	w := reach(t, uint16(server.Listener.Addr().(*net.TCPAddr).Port))
	done := make(chan string, 1)
	go func() {
		out, err := w.Exec("curl", "-fsSN", "http://server.test:"+server.URL[strings.LastIndexByte(server.URL, ':')+1:]+"/")
		if err != nil {
			out += err.Error()
		}
		done <- out
	}()
	for i := range 3 { // each is answered for only after the last one has arrived
		until(t, fmt.Sprintf("part %d arrives", i), func() bool {
			var in uint64
			for _, f := range w.plane.Flows() {
				in += f.In
			}
			return in > uint64(20+i*10)
		})
		next <- struct{}{}
	}
	if got := <-done; got != "data: 0\n\ndata: 1\n\ndata: 2\n\n" {
		t.Errorf("%q", got)
	}
}
