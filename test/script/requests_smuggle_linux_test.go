package script_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// smuggler sends each of a list of texts by a connection of its own, and waits for
// what comes back, or until nothing does.
const smuggler = `
import json, socket, ssl, sys, threading
def send(t):
    host, port = t["At"].split(":")
    s = socket.create_connection((host, int(port)), 5)
    s.settimeout(2)
    try:
        if t["TLS"]:
            c = ssl.create_default_context()
            if t["Bare"]: c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
            c.set_alpn_protocols(["h2"] if t["Two"] else ["http/1.1"])
            s = c.wrap_socket(s, server_hostname=host)
        s.sendall(t["Text"].encode("latin-1"))
        while s.recv(65536): pass
    except OSError: pass
    s.close()
all = [threading.Thread(target=send, args=(t,)) for t in json.loads(sys.argv[1])]
for t in all: t.start()
for t in all: t.join()
`

// A contraband is a text in which a reader of one kind sees one permitted request,
// and the server another one behind it.
type contraband struct {
	name   string
	server string // that reads it so
	two    bool   // by HTTP/2, for a server that speaks HTTP/1.1
	text   string // HOST, SECRET and LEN stand for the destination, that other request and its length
}

// smuggled are the ways of which somebody wrote; beside each, who reads it otherwise.
var smuggled = []contraband{
	{"CL.TE", "node", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: LEN+5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSECRET"},
	{"TE.CL", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nXLEN\r\nSECRET\r\n0\r\n\r\n"},
	{"a misspelt coding", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nSECRET"},
	{"a coding behind a control character", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nSECRET"},
	{"a space before the colon", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length : 0\r\nContent-Length: LEN\r\n\r\nSECRET"},
	{"two lengths", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: LEN\r\n\r\nSECRET"},
	{"two lengths in one", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0, LEN\r\n\r\nSECRET"},
	{"a signed length", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0+LEN\r\n\r\nSECRET"},
	{"a folded header", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nSECRET"},
	{"a bare LF in a chunk's extension", "hasty", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n00\r\nXLEN\r\nSECRET\r\n0\r\n\r\n"},
	{"a bare CR in a header", "hasty", false, "GET /ok/a HTTP/1.1\r\nHost: HOST\r\nX: a\r\rSECRET"},
	{"a line that LF ends", "nginx", false, "GET /ok/a HTTP/1.1\r\nHost: HOST\r\nX: a\n\nSECRET"},
	{"behind a request", "nginx", false, "GET /ok/a HTTP/1.1\r\nHost: HOST\r\n\r\nSECRET"},
	{"behind a chunked body with extensions", "nginx", false, "POST /ok/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nxx\r\n0;c\r\n\r\nSECRET"},
	{"CR LF in a header of HTTP/2", "hasty", true, ":method GET|:scheme https|:authority HOST|:path /ok/a|x-a b\r\n\r\nSECRET"},
	{"CR LF in a path of HTTP/2", "hasty", true, ":method GET|:scheme https|:authority HOST|:path /ok/a HTTP/1.1\r\nHost: HOST\r\n\r\nSECRET"},
	{"CR LF in a method of HTTP/2", "hasty", true, ":method GET /ok/a HTTP/1.1\r\nHost: HOST\r\n\r\nSECRET|:scheme https|:authority HOST|:path /ok/a"},
	{"CR LF in a name of HTTP/2", "hasty", true, ":method GET|:scheme https|:authority HOST|:path /ok/a|x: a\r\n\r\nSECRET b"},
	{"a query of HTTP/2 with spaces", "hasty", true, ":method GET|:scheme https|:authority HOST|:path /ok/a?b HTTP/1.1\r\nHost: HOST\r\n\r\nSECRET"},
}

// written is the text for a destination.
func (c contraband) written(host string) string {
	secret := "GET /secret-" + strings.ReplaceAll(c.name, " ", "-") + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
	n := len(secret)
	text := strings.NewReplacer("XLEN", fmt.Sprintf("%x", n), "LEN+5", strconv.Itoa(n+5), "LEN", strconv.Itoa(n), "HOST", host).Replace(c.text)
	text = strings.ReplaceAll(text, "SECRET", secret)
	if !c.two {
		return text
	}
	return inFrames(text)
}

// inFrames writes headers as HTTP/2 carries them, with nothing looked at.
func inFrames(text string) string {
	var block strings.Builder
	e := hpack.NewEncoder(&block)
	for field := range strings.SplitSeq(text, "|") {
		name, value, _ := strings.Cut(field[1:], " ")
		_ = e.WriteField(hpack.HeaderField{Name: field[:1] + name, Value: value}) // into memory
	}
	var b strings.Builder
	f := http2.NewFramer(&b, nil)
	b.WriteString(http2.ClientPreface)
	_ = f.WriteSettings() // into memory, as what follows
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndStream: true, EndHeaders: true})
	var out strings.Builder
	for _, c := range []byte(b.String()) {
		out.WriteRune(rune(c)) // as the program decodes it
	}
	return out.String()
}

// TestRequestsSmuggled: what a program sends as one permitted request is one to the
// server too, or none. The control passes the same bytes through: then the server
// sees the other request; those by HTTP/2 go by way of one who writes anew without
// looking.
func TestRequestsSmuggled(t *testing.T) {
	needPython(t)
	node, nodeErr := exec.LookPath("node")
	nginx, nginxErr := exec.LookPath("nginx")
	if nodeErr != nil || nginxErr != nil {
		t.Skip("requires: node and nginx")
	}
	b := newBench(t)
	f := newFar(t, b)
	dir := filepath.Dir(f.ca)
	seen := filepath.Join(dir, "seen")
	hasty := startHasty(t, seen, f, false)
	secure := startHasty(t, seen, f, true)
	at := map[string]string{"hasty": hasty, "node": startNode(t, node, dir, seen), "nginx": startPlainNginx(t, nginx, dir, seen)}
	below := startDowngrade(t, f, secure)

	send := func(rule string, control bool) (all []string) {
		type parcel struct {
			At, Text       string
			TLS, Two, Bare bool
		}
		var parcels []parcel
		args := []string{"run"}
		allow := func(at string) { args = append(args, "--allow", "net.connect:"+at+rule) }
		for _, c := range smuggled {
			p := parcel{At: at[c.server], TLS: c.two, Two: c.two, Bare: control}
			if c.two {
				if p.At = secure; control {
					p.At = below
				}
			}
			p.Text = c.written(p.At)
			parcels = append(parcels, p)
		}
		for name, to := range at {
			allow(to)
			parcels = append(parcels, parcel{At: to, Text: "GET /ok/" + name + " HTTP/1.1\r\nHost: " + to + "\r\nConnection: close\r\n\r\n"})
		}
		allow(secure)
		allow(below)
		text, err := json.Marshal(parcels)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(seen, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if r := b.run(append(args, "--", "/usr/bin/python3", "-c", smuggler, string(text))...); r.status != 0 {
			t.Fatalf("%d, %q %q", r.status, r.out, r.err)
		}
		lines, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(lines))
	}

	passed, opened := send("", true), send("/http:GET,POST:/ok/**", false)
	for name := range at {
		if !slices.Contains(opened, "/ok/"+name) {
			t.Errorf("%s was not reached: %q", name, opened)
		}
	}
	for _, c := range smuggled {
		secret := "/secret-" + strings.ReplaceAll(c.name, " ", "-")
		if !slices.Contains(passed, secret) {
			t.Errorf("control: %s: the server did not see it", c.name)
		}
		if slices.Contains(opened, secret) {
			t.Errorf("%s: the server saw what was not permitted", c.name)
		}
	}
	for _, path := range opened {
		if !strings.HasPrefix(path, "/ok/") {
			t.Errorf("the server saw %q", path)
		}
	}
}

// startNode serves with Node's parser, told to be lenient. Every server here adds
// the path of each request to the file seen.
func startNode(t *testing.T, node, dir, seen string) string {
	t.Helper()
	script := filepath.Join(dir, "lenient.js")
	text := `const http = require("http"), fs = require("fs");
http.createServer({insecureHTTPParser: true}, (q, a) => { fs.appendFileSync(process.argv[3], q.url + "\n"); q.resume(); a.end("fine"); }).listen(+process.argv[2], "127.0.0.1");`
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return serve(t, func(port string) *exec.Cmd { return exec.CommandContext(t.Context(), node, script, port, seen) })
}

func startPlainNginx(t *testing.T, nginx, dir, seen string) string {
	t.Helper()
	return serve(t, func(port string) *exec.Cmd {
		conf := filepath.Join(dir, "smuggle.conf")
		text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log; events {}
http { log_format path $request_uri; access_log %[3]s path; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen 127.0.0.1:%[2]s; location / { return 200 fine; } } }`, dir, port, seen)
		if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return exec.CommandContext(t.Context(), nginx, "-e", dir+"/error.log", "-c", conf)
	})
}

// startHasty serves as the worst of servers read.
func startHasty(t *testing.T, seen string, f *far, secure bool) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "host.ambit.internal:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if secure {
		cert, err := tls.LoadX509KeyPair(f.ca+".leaf", f.ca+".key")
		if err != nil {
			t.Fatal(err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go hasty(c, seen)
		}
	}()
	return at
}

// hasty reads requests as no server should: lines end with CR or LF, names may have
// spaces behind them, lines go on where the next begins with a space, the first
// length counts and is whatever digits begin it, and a coding is chunked if it says
// so anywhere.
func hasty(c net.Conn, seen string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(c)
	for {
		first, err := hastyLine(r)
		words := strings.Fields(first)
		if err != nil || len(words) < 2 {
			return
		}
		length, chunked, name := -1, false, ""
		for {
			line, err := hastyLine(r)
			if err != nil {
				return
			}
			if line == "" {
				break
			}
			value := line
			if !strings.HasPrefix(line, " ") {
				name, value, _ = strings.Cut(line, ":")
				name = strings.ToLower(strings.TrimSpace(name))
			}
			digits := strings.TrimSpace(value)
			digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
			if n, err := strconv.Atoi(digits); name == "content-length" && err == nil && length < 0 {
				length = n
			}
			chunked = chunked || name == "transfer-encoding" && strings.Contains(value, "chunked")
		}
		if out, err := os.OpenFile(seen, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = io.WriteString(out, words[1]+"\n")
			_ = out.Close()
		}
		switch {
		case length >= 0:
			_, err = io.CopyN(io.Discard, r, int64(length))
		case chunked:
			err = hastyChunks(r)
		}
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
	}
}

func hastyChunks(r *bufio.Reader) error {
	for {
		line, err := hastyLine(r)
		if err != nil {
			return err
		}
		digits := line[:len(line)-len(strings.TrimLeft(line, "0123456789abcdef"))]
		n, err := strconv.ParseInt(digits, 16, 32)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, n); err != nil {
			return err
		}
		if _, err := hastyLine(r); err != nil || n == 0 {
			return err
		}
	}
}

func hastyLine(r *bufio.Reader) (string, error) {
	var line strings.Builder
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return "", err
		case c == '\r':
			if next, err := r.Peek(1); err == nil && next[0] == '\n' {
				_, _ = r.Discard(1) // it is there
			}
			return line.String(), nil
		case c == '\n':
			return line.String(), nil
		}
		line.WriteByte(c)
	}
}

// startDowngrade speaks HTTP/2 and writes each request by HTTP/1.1 as it came, to
// a server that it does not verify.
func startDowngrade(t *testing.T, f *far, to string) string {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(f.ca+".leaf", f.ca+".key")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, behind, _ := strings.Cut(to, ":")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go downgrade(c, "127.0.0.1:"+behind)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "host.ambit.internal:" + port
}

func downgrade(c net.Conn, to string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	r := http2.NewFramer(c, c)
	for {
		frame, err := r.ReadFrame()
		if err != nil {
			return
		}
		h, ok := frame.(*http2.HeadersFrame)
		if !ok {
			continue
		}
		fields, err := hpack.NewDecoder(4096, nil).DecodeFull(h.HeaderBlockFragment())
		if err != nil {
			return
		}
		pseudo, rest := map[string]string{}, ""
		for _, h := range fields {
			if strings.HasPrefix(h.Name, ":") {
				pseudo[h.Name] = h.Value
			} else {
				rest += h.Name + ": " + h.Value + "\r\n"
			}
		}
		server, err := tls.Dial("tcp", to, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer server.Close()
		_ = server.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(server, pseudo[":method"]+" "+pseudo[":path"]+" HTTP/1.1\r\nHost: "+pseudo[":authority"]+"\r\n"+rest+"\r\n")
		_, _ = io.Copy(io.Discard, server) // until it has seen everything
		return
	}
}
