package script_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// search makes two requests, of which one stays open, and then looks for the value
// in everything that a program inside can read, its memory and that of the other
// included. It has the value in a form that is not the value: each byte is one
// more, and so are those that it compares.
const search = `import os, re, subprocess, sys, urllib.request
want = bytes(int(x) for x in sys.argv[2].split(","))
more = bytes((i + 1) % 256 for i in range(256))
def look(what, text):
    if want in text.translate(more): print("found in", what)
def memory(pid):
    name = open("/proc/%s/comm" % pid).read().strip()
    mem = open("/proc/%s/mem" % pid, "rb", 0)
    for line in open("/proc/%s/maps" % pid):
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if not m: continue
        a, b = int(m[1], 16), int(m[2], 16)
        try:
            mem.seek(a)
            look("the memory of " + name, mem.read(b - a))
        except (OSError, ValueError, OverflowError): pass
    print("searched", name)
def files():
    n = 0
    for dir, dirs, names in os.walk("/"):
        if dir in ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/sys", "/dev", "/proc/sys", "/proc/irq", "/proc/bus"): dirs[:] = []; continue
        if re.fullmatch(r"/proc/[^/]+", dir): dirs[:] = [d for d in dirs if d in ("net", "attr", "fdinfo")]
        for name in names:
            if name in ("mem", "clear_refs", "pagemap", "kmsg", "kcore", "kpagecount", "kpageflags", "kpagecgroup"): continue
            path = os.path.join(dir, name)
            try:
                with open(path, "rb") as f: look(re.sub(r"[0-9]+", "N", path), f.read(1 << 22))
                n += 1
            except OSError: pass
    print("searched", "many files" if n > 50 else "%d files" % n)
bearer = "Bearer " + os.environ["TOKEN"]
r = urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/echo", headers={"Authorization": bearer}))
body = r.read()
print("answered", r.status)
curl = subprocess.Popen(["curl", "-sSN", "-H", "Authorization: " + bearer, sys.argv[1] + "/hold"], stdout=subprocess.PIPE)
curl.stdout.readline()
memory("self"); memory(curl.pid); files()
for kv in os.environb.items(): look("the environment", kv[1])
curl.kill()
`

// TestSecretStaysOut: after requests with the value, nothing inside has it. The
// control is a run that is given it: there the same search finds it.
func TestSecretStaysOut(t *testing.T) {
	s := newSecretBench(t)
	var more []string
	for _, c := range []byte(secretValue) {
		more = append(more, strconv.Itoa(int(c)+1))
	}
	argv := s.allowed("python3", "-c", search, s.url(""), strings.Join(more, ","))
	r := s.run(argv...)
	r.want(t, 0, "answered 200", "searched python3", "searched curl", "searched many files")
	if strings.Contains(r.out, "found") {
		t.Errorf("the value is inside:\n%s%s", r.out, r.err)
	}
	s.arrived(r, 2)

	r = s.run(append([]string{"run", "--env", "LEAK=" + secretValue}, argv[1:]...)...)
	r.want(t, 0, "found in the memory of python3", "found in the memory of curl", "found in /proc/N/environ", "found in the environment")
}

// TestSecretOutside: while a request with the value is open, it lies about nowhere
// outside either: in no command line, environment or file of the state. Other
// processes of the person cannot read the memory of the processes of the network and
// of the vault.
func TestSecretOutside(t *testing.T) {
	s := newSecretBench(t)
	cmd := s.command(s.allowed("sh", "-c", bearer+`-N "$1"`, "sh", s.url("/hold"))...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	s.arrived(ran{}, 1)
	apart := map[string]bool{"ambit-egress\n": false, "ambit-vault\n": false}
	for _, pid := range append(childrenOf(t, cmd.Process.Pid), cmd.Process.Pid) {
		dir := fmt.Sprintf("/proc/%d/", pid)
		name, err := os.ReadFile(dir + "comm")
		if err != nil {
			continue // it has ended
		}
		for _, file := range []string{"cmdline", "environ"} {
			if text, err := os.ReadFile(dir + file); err == nil && bytes.Contains(text, []byte(secretValue)) {
				t.Errorf("%s of %s has the value", file, name)
			}
		}
		if _, ok := apart[string(name)]; ok {
			apart[string(name)] = true
			if mem, err := os.Open(dir + "mem"); err == nil {
				_ = mem.Close()
				if os.Getuid() != 0 { // root may look at everything
					t.Errorf("the memory of %s can be opened", name)
				}
			}
		}
	}
	for name, there := range apart {
		if !there {
			t.Errorf("there is no %s", name)
		}
	}
	state := filepath.Join(filepath.Dir(s.home), "state")
	err = filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secretValue)) {
			t.Errorf("%s has the value", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// childrenOf are the processes that any thread of a process has started.
func childrenOf(t *testing.T, pid int) (all []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, child)
		}
	}
	return all
}
