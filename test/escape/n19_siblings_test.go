package escape_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// published is a server that says in a file who has come.
const published = `
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 8000)); s.listen(); print("listening", flush=True)
while True:
    c, _ = s.accept()
    open(sys.argv[1], "a").write("somebody came\n")
    c.sendall(open(sys.argv[2]).read().encode()); c.close()
`

// N19: what one sandbox has of the network is of no use to another one.
func TestN19Siblings(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("requires: /usr/bin/python3")
	}
	a := attack{
		ID: "N19", Title: "reach a server of another sandbox that is published on the host, or its network",
		Reference: "proxies of sandboxes that listen on the host's loopback for all of them (srt, fence)",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			other := newField(t)
			other.put(t, other.read("token"), f.token)
			port := freePort(t)
			f.Values["port"], f.Values["came"] = port, other.work("came")
			cmd := other.box(t, "/usr/bin/python3", "-c", published, other.work("came"), other.read("token"))
			cmd.Args = append([]string{cmd.Args[0], "run", "--allow", "net.listen:8000/" + port}, cmd.Args[2:]...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { end(cmd) })
			if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "listening" {
				t.Fatalf("the other sandbox says %q", lines.Text())
			}
		},
		Flags: func(*field) []string { return []string{"--allow", "net.connect:example.test:8080"} },
		Harm: func(f *field) string {
			text, _ := os.ReadFile(f.Values["came"]) // nobody came, nobody wrote
			return strings.TrimSpace(string(text))
		},
		Tries: []try{
			{Name: "where it is published", Do: func(f *field) error { return f.dial("tcp4", "127.0.0.1:"+f.Values["port"]) }, Want: refused()},
			{Name: "by the name of the host", NoControl: "the name is known inside only", Do: func(f *field) error { return f.dial("tcp4", "host.ambit.internal:"+f.Values["port"]) }, Want: refused()},
		},
	}
	for _, at := range []string{"198.19.255.100:8000", "198.19.255.2:8000", "198.19.255.3:8000", "198.19.255.101:8000", "198.18.0.1:8000"} {
		a.Tries = append(a.Tries, try{Name: at, NoControl: "these are addresses of sandboxes", Do: func(f *field) error { return f.dial("tcp4", at) }, Want: refused()})
	}
	a.run(t)
}

// end ends a command that a test has started.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt) // it may have ended
	_ = cmd.Wait()
}
