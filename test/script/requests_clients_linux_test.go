package script_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"strings"
	"testing"
)

// TestRequestsClients: programs that people use reach an opened host as they are,
// each with the requests that it takes, and fail where one is missing.
func TestRequestsClients(t *testing.T) {
	for name, tc := range map[string]struct {
		needs   []string
		rule    string // that suffices
		allow   []string
		argv    func(b *bench, host string) []string
		want    string
		without string // a rule that does not
	}{
		"urllib": {[]string{"/usr/bin/python3"}, "GET:/hello", nil, func(_ *bench, host string) []string {
			return []string{"/usr/bin/python3", "-c", "import urllib.request as u; print(u.urlopen('https://" + host + "/hello').read().decode())"}
		}, "hello over HTTP/1.1", "GET:/other"},
		"node": {[]string{"node"}, "GET:/hello", nil, func(_ *bench, host string) []string {
			return []string{"node", "-e", "fetch('https://" + host + "/hello').then(async r => { console.log(await r.text()); process.exit(r.ok ? 0 : 1) }, e => { console.log(e); process.exit(1) })"}
		}, "hello over HTTP/1.1", "POST"},
		"wget": {[]string{"wget"}, "GET:/hello", nil, func(_ *bench, host string) []string {
			return []string{"wget", "-qO-", "https://" + host + "/hello"}
		}, "hello over HTTP/1.1", "GET:/hell"},
		"openssl": {[]string{"openssl"}, "GET", nil, func(_ *bench, host string) []string {
			return []string{"openssl", "s_client", "-connect", host, "-brief", "-verify_return_error"}
		}, "Verification: OK", ""},
		"java": {[]string{"javac"}, "GET:/hello", nil, func(b *bench, host string) []string {
			b.write("Hello.java", `import java.net.URI; import java.net.http.*;
public class Hello { public static void main(String[] a) throws Exception {
	var r = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("https://`+host+`/hello")).build(), HttpResponse.BodyHandlers.ofString());
	System.out.println(r.body()); System.exit(r.statusCode() == 200 ? 0 : 1); } }`)
			return []string{"java", "-Xshare:off", "Hello.java"}
		}, "hello over HTTP/2.0", "POST"},
		"git": {[]string{"git"}, "GET,POST:/repo.git/info/refs,/repo.git/git-upload-pack", []string{"process.spawn"}, func(_ *bench, host string) []string {
			return []string{"git", "-c", "init.defaultBranch=main", "clone", "-q", "https://" + host + "/repo.git", "/tmp/clone"}
		}, "", "GET:/repo.git/**"},
		"pip": {[]string{"/usr/bin/pip3"}, "GET:/simple/hello/,/hello-1.0-py3-none-any.whl", []string{"process.spawn"}, func(_ *bench, host string) []string {
			return []string{"/usr/bin/python3", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--retries", "0", "-d", "/tmp/d", "-i", "https://" + host + "/simple", "hello"}
		}, "", "GET:/simple/**"},
		"npm": {[]string{"npm"}, "GET", []string{"process.spawn"}, func(_ *bench, host string) []string {
			return []string{"npm", "view", "--registry", "https://" + host + "/npm/", "--fetch-retries=0", "@scope/hello", "version"}
		}, "1.2.3", "GET:/npm/other"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range tc.needs {
				if _, err := exec.LookPath(p); err != nil {
					t.Skipf("requires: %s", p)
				}
			}
			b := newBench(t)
			f := newFar(t, b)
			f.serve(packages(t, f))
			argv := tc.argv(b, f.secure)
			run := func(rule string) ran {
				args := []string{"run", "--allow", "fs.read:" + b.dir, "--allow", "net.connect:" + f.secure + "/http:" + rule}
				for _, a := range tc.allow {
					args = append(args, "--allow", a)
				}
				return b.run(append(append(args, "--"), argv...)...)
			}
			if r := run(tc.rule); r.status != 0 || !strings.Contains(r.out+r.err, tc.want) {
				t.Errorf("status %d: %q %q; the server saw %q", r.status, r.out, r.err, f.took())
			}
			if tc.without == "" {
				return
			}
			if r := run(tc.without); r.status == 0 || !strings.Contains(r.err, "ambit: denied net.connect:"+f.secure+"/http:") {
				t.Errorf("without: status %d: %q %q; the server saw %q", r.status, r.out, r.err, f.took())
			}
		})
	}
}

// packages serves a repository and the indexes of Python's and Node's packages.
func packages(t *testing.T, f *far) http.Handler {
	t.Helper()
	m := http.NewServeMux()
	m.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello over %s\n", r.Proto) })
	if git, err := exec.LookPath("git"); err == nil {
		dir := t.TempDir()
		script := `set -e; git -c init.defaultBranch=main init -q work; cd work; echo x > a; git add a
			git -c user.name=a -c user.email=a@b commit -qm one; cd ..; git clone -q --bare work repo.git`
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		m.Handle("/repo.git/", &cgi.Handler{Path: git, Args: []string{"http-backend"}, Dir: dir,
			Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + dir}})
	}
	m.HandleFunc("/simple/hello/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<a href="/hello-1.0-py3-none-any.whl">hello-1.0-py3-none-any.whl</a>`)
	})
	m.HandleFunc("/hello-1.0-py3-none-any.whl", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wheel(t)) })
	m.HandleFunc("/npm/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":"@scope/hello","dist-tags":{"latest":"1.2.3"},"versions":{"1.2.3":{"name":"@scope/hello","version":"1.2.3","dist":{"tarball":"https://%s/npm/t.tgz"}}}}`, f.secure)
	})
	return m
}

// wheel is a package of Python with nothing in it.
func wheel(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"hello.py": "", "hello-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
		"hello-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "hello-1.0.dist-info/RECORD": "",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Error(err)
			return nil
		}
		_, _ = io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}
