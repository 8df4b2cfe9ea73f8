package script_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve runs a server on a port of the host's loopback until the test ends, and
// waits until it listens.
func serve(t *testing.T, start func(port string) *exec.Cmd) (at string) {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	cmd := start(port)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp4", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			return "host.ambit.internal:" + port
		}
	}
	t.Fatalf("%q does not listen: %s", cmd.Args, out.String())
	return ""
}

// TestRequestsNginx: a real server with TLS and HTTP/2, large and partial bodies,
// bodies that go up.
func TestRequestsNginx(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("requires: nginx")
	}
	b := newBench(t)
	f := newFar(t, b)
	dir := filepath.Dir(f.ca)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	_, behind, _ := strings.Cut(f.plain, ":")
	at := serve(t, func(port string) *exec.Cmd {
		conf := filepath.Join(dir, "nginx.conf")
		text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; client_max_body_size 64m;
server { listen 127.0.0.1:%[2]s ssl http2; ssl_certificate %[3]s.leaf; ssl_certificate_key %[3]s.key; root %[1]s;
location /up { proxy_pass http://127.0.0.1:%[4]s; } } }`, dir, port, f.ca, behind)
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.CommandContext(context.Background(), nginx, "-e", dir+"/error.log", "-c", conf)
	})
	curl := func(args ...string) ran {
		return b.run(append([]string{"run", "--allow", "fs.read:" + dir + "/big", "--allow", "net.connect:" + at + "/http:GET:/big",
			"--allow", "net.connect:" + at + "/http:PUT:/up", "--", "curl", "-sS"}, args...)...)
	}
	for _, way := range []string{"--http1.1", "--http2"} {
		if r := curl(way, "https://"+at+"/big"); r.out != string(big) {
			t.Errorf("%s: %d bytes, %q", way, len(r.out), r.err)
		}
		if r := curl(way, "-r", "16-47", "-w", " %{http_code}", "https://"+at+"/big"); r.out != "0123456789abcdef0123456789abcdef 206" {
			t.Errorf("%s: %q %q", way, r.out, r.err)
		}
		if r := curl(way, "-T", filepath.Join(dir, "big"), "https://"+at+"/up"); r.out != fmt.Sprintf("HTTP/1.0 PUT /up %q", big) {
			t.Errorf("%s: %d bytes came back, %q", way, len(r.out), r.err)
		}
		if r := curl(way, "https://"+at+"/nginx.conf"); !strings.Contains(r.out, "not-granted") {
			t.Errorf("%s: %q %q", way, r.out, r.err)
		}
	}
}

var grpcPackage = &npmPackage{name: "@grpc/grpc-js@1.14.7"}

// calls is a server of gRPC, or with an address a client of it: one call of each
// kind, one that fails, and one that no rule permits.
const calls = `const g = require('@grpc/grpc-js'), fs = require('fs');
const text = { requestSerialize: Buffer.from, requestDeserialize: String, responseSerialize: Buffer.from, responseDeserialize: String };
const call = (name, up, down) => ({ path: '/test.Echo/' + name, requestStream: up, responseStream: down, ...text });
const service = { One: call('One', false, false), Down: call('Down', false, true), Both: call('Both', true, true), Fail: call('Fail', false, false), Other: call('Other', false, false) };
const [, , what, file] = process.argv;
if (what.startsWith('serve:')) {
	const s = new g.Server();
	s.addService(service, {
		One: (c, done) => done(null, 'one ' + c.request),
		Down: c => { for (let i = 0; i < 3; i++) c.write('d' + i); c.end(); },
		Both: c => { c.on('data', m => c.write('b' + m)); c.on('end', () => c.end()); },
		Fail: (c, done) => { const m = new g.Metadata(); m.set('x-late', 'v'); done({ code: 5, details: 'no such thing', metadata: m }); },
		Other: (c, done) => done(null, 'other'),
	});
	const pair = { cert_chain: fs.readFileSync(file + '.leaf'), private_key: fs.readFileSync(file + '.key') };
	s.bindAsync('127.0.0.1:' + what.slice(6), g.ServerCredentials.createSsl(null, [pair]), e => { if (e) throw e; });
} else {
	const Client = g.makeGenericClientConstructor(service, 'Echo'), c = new Client(what, g.credentials.createSsl());
	const say = (...a) => console.log(...a);
	c.One('x', (e, r) => { say(e ? e.message : r);
	c.Fail('x', e => { say(e.code, e.details, e.metadata.get('x-late')[0]);
	const down = c.Down('x'); down.on('data', m => say(m)); down.on('error', e => say(e.message)); down.on('end', () => {
	const both = c.Both(); let n = 0; both.on('data', m => { say(m); if (++n < 3) both.write('' + n); else both.end(); }); both.on('end', () => {
	c.Other('x', e => { say(e.code); c.close(); }); }); both.write('0'); }); }); });
}`

// TestRequestsGRPC: calls of gRPC by a client of its own kind, with streams both
// ways and what comes after them.
func TestRequestsGRPC(t *testing.T) {
	grpcPackage.fetch(t)
	b := newBench(t)
	f := newFar(t, b)
	grpcPackage.place(t, b, ".", "node_modules")
	program := b.write("calls.js", calls)
	at := serve(t, func(port string) *exec.Cmd {
		return exec.CommandContext(context.Background(), "node", program, "serve:"+port, f.ca)
	})
	rule := "net.connect:" + at + "/http:POST:/test.Echo/One,/test.Echo/Down,/test.Echo/Both,/test.Echo/Fail"
	r := b.run("run", "--allow", "fs.read:"+b.dir, "--allow", rule, "--", "node", program, at)
	if want := "one x\n5 no such thing v\nd0\nd1\nd2\nb0\nb1\nb2\n7\n"; r.out != want { // 7: not permitted
		t.Errorf("got %q %q, want %q", r.out, r.err, want)
	}
}
