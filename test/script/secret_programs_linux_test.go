package script_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// webServer is nginx with TLS and HTTP/2 for secretHost: /echo repeats what it was
// sent, and a Git repository is there for whoever knows the password.
type webServer struct{ port, log string }

func startNginx(t *testing.T, password string) (w webServer, roots string) {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/nginx")
	if err != nil {
		t.Skip("requires: nginx")
	}
	dir, err := os.MkdirTemp("", "ambit-nginx-") //nolint:usetesting // its path is short, and of its user alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // nginx may be writing
	_, roots = certificate(t, dir)
	w = webServer{port: strconv.Itoa(freePort(t)), log: filepath.Join(dir, "access.log")}
	repository(t, dir)
	files := map[string]string{"users": "me:{PLAIN}" + password + "\n", "nginx.conf": fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log %[1]s/error.log; worker_processes 1;
events { worker_connections 64; }
http {
	log_format all '"$request" "$http_authorization" $status';
	access_log %[1]s/access.log all;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]s ssl http2; server_name host.ambit.internal;
		ssl_certificate %[1]s/roots.pem; ssl_certificate_key %[1]s/key.pem;
		gzip on; gzip_min_length 1; gzip_types *;
		location /echo { add_header X-Echo "$http_authorization"; default_type text/plain; return 200 "begin $http_authorization $http_accept_encoding end\n"; }
		location /repo.git { auth_basic private; auth_basic_user_file %[1]s/users; root %[1]s; }
	}
}
`, dir, w.port)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // nginx as root has workers of another user
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was stopped
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp4", "127.0.0.1:"+w.port)
		if err == nil {
			_ = c.Close()
			return w, roots
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not answer: %v, %s", err, said.String())
		}
	}
}

// repository makes one with a commit that can be served as files.
func repository(t *testing.T, dir string) {
	t.Helper()
	script := `set -e; git init -q -b main work; cd work; echo hello > file; git add file
git -c user.name=a -c user.email=a@example.com commit -qm first; cd ..; git clone -q --bare work repo.git; git -C repo.git update-server-info; rm -rf work`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestSecretNginx: a real server gets the value, and what it repeats arrives
// without it, though it would rather send gzip.
func TestSecretNginx(t *testing.T) {
	b := newBench(t)
	w, roots := startNginx(t, secretValue)
	b.env = append(b.env, "SSL_CERT_FILE="+roots)
	s := &secretBench{bench: b, api: &api{port: w.port}}
	s.set("token", "--for", s.host())
	for _, version := range []string{"--http1.1", "--http2"} {
		r := s.shell("/echo", bearer+version+` --compressed -i "$1"`)
		r.out = strings.ToLower(r.out)
		r.want(t, 0, "begin bearer "+strings.Repeat("*", len(secretValue))+" identity end", "-echo: bearer ***")
		s.nothingOf(r)
	}
	if text, err := os.ReadFile(w.log); err != nil || strings.Count(string(text), "odd") != 2 {
		t.Errorf("nginx got %s, %v", text, err)
	}
}

// TestSecretGit: git clones by a password that it does not have; with the
// placeholder alone, where nothing puts the value in, it cannot.
func TestSecretGit(t *testing.T) {
	b := newBench(t)
	const password = "correct-horse-battery"
	w, roots := startNginx(t, password)
	b.env = append(b.env, "SSL_CERT_FILE="+roots)
	s := &secretBench{bench: b, api: &api{port: w.port}}
	cmd := s.command("secret", "set", "token", "--for", s.host(), "--basic", "me")
	cmd.Stdin = strings.NewReader(password)
	s.finish(cmd).want(t, 0)
	const clone = `GIT_TERMINAL_PROMPT=0 git clone -q "https://me:$TOKEN@${1#https://}" /tmp/repo 2>&1 && cat /tmp/repo/file; ! grep -r correct-horse /tmp`
	r := s.shell("/repo.git", clone)
	if r.want(t, 0, "hello"); strings.Contains(r.out+r.err, "correct-horse") {
		t.Errorf("it prints %s%s", r.out, r.err)
	}
	r = s.bare("a-placeholder-of-no-secret", clone, s.url("/repo.git"))
	if strings.Contains(r.out, "hello") {
		t.Errorf("without the secret: %s%s", r.out, r.err)
	}
}
