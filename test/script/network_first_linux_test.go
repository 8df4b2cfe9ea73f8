package script_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNetworkBeginsLate: a run that asks, and has no grant of the network, has a
// process for it with its first packet, which is not lost. What was granted
// meanwhile counts.
func TestNetworkBeginsLate(t *testing.T) {
	b := newHiddenBench(t)
	port, _ := server(t)
	dir := filepath.Dir(b.write("work/file", ""))
	flag := filepath.Join(dir, "go")
	b.run("grants", "add", "fs.write:"+dir).want(t, 0)
	a := b.ask([]string{"--ask-by", "notification"}, "/usr/bin/python3", "-c", `
import os, socket, sys, time
open(os.path.dirname(sys.argv[1]) + "/began", "w").close()
while not os.path.exists(sys.argv[1]): time.sleep(0.02)
for i in range(2):
    try:
        with socket.create_connection(("host.ambit.internal", int(sys.argv[2])), 30): print("connected", flush=True)
    except OSError as e: print(e, flush=True)
`, flag, port)
	// It has begun when the program has said so to the host.
	until(t, "that the program begins", func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	if got := egressOf(t, a.Process.Pid); len(got) != 0 {
		t.Errorf("egress processes %v before anything is sent", got)
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	q := b.question(a)
	if q.Question.Capability != "net.connect:host.ambit.internal:"+port {
		t.Errorf("got %+v", q)
	}
	if got := egressOf(t, a.Process.Pid); len(got) != 1 {
		t.Errorf("egress processes %v, want one", got)
	}
	b.run("approve", q.Question.ID).want(t, 0)
	if err := a.Wait(); err != nil || a.out.String() != "connected\nconnected\n" {
		t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
	}
}

// until waits for something to become so.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
