package escape_test

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inner are names of somebody else that lead to where nothing of his is.
var inner = []struct{ name, address, class string }{
	{"loopback.test", "127.0.0.1", "loopback"},
	{"loopback-net.test", "127.8.8.8", "loopback"},
	{"linklocal.test", "169.254.7.7", "link-local"},
	{"metadata.test", "169.254.169.254", "metadata"},
	{"alibaba.test", "100.100.100.200", "metadata"},
	{"private.test", "10.1.2.3", "private"},
	{"home.test", "192.168.1.1", "private"},
	{"shared.test", "100.64.0.9", "shared"},
	{"zero.test", "0.0.0.0", "unspecified"},
	{"own.test", "93.184.215.99", "host"},
}

// stageInner has a service on each of the addresses, and a name for each.
func stageInner(_ *testing.T, f *field) {
	s := stage{Names: map[string][]string{}, Own: []string{"93.184.215.99"}, Services: []service{{Name: "inner", At: ":8080"}}}
	for _, n := range inner {
		s.Names[n.name] = []string{n.address}
	}
	f.staged(s)
}

func TestN11NamesToInnerAddresses(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N11", Title: "an allowed name that leads to the host, to its networks, to a cloud's metadata",
		Reference: "SSRF by DNS; theft of credentials from metadata services (Capital One, 2019)",
		Tiers:     process,
		Setup:     stageInner,
		Flags: func(*field) (flags []string) {
			for _, n := range inner {
				flags = append(flags, "--allow", "net.connect:"+n.name+":8080")
			}
			return flags
		},
		Harm: func(f *field) string {
			harm := f.reached()
			if f.Inside && harm == "" && !namedClass(f) {
				return "nothing says of which class the address is"
			}
			return harm
		},
	}
	for _, n := range inner {
		a.Tries = append(a.Tries, try{Name: n.name, Do: func(f *field) error { return f.dial("tcp4", n.name+":8080") }, Want: refused(unix.ECONNREFUSED)})
	}
	a.run(t)
}

// namedClass reports whether the log says of which class the address was.
func namedClass(f *field) bool {
	cmd := exec.Command(scratch+"/ambit", "audit", "ls", "--json", "-n", "0")
	cmd.Env = f.environ()
	out, err := cmd.Output()
	for _, n := range inner {
		if err == nil && strings.Contains(string(out), "which is of the class "+n.class) {
			return true
		}
	}
	return false
}

// The same by a grant for every public host, and by addresses as they are.
func TestN11AnyHost(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N11", Title: "any host is any public host",
		Reference: "wildcards of proxies that cover the metadata service",
		Tiers:     process,
		Setup:     stageInner,
		Flags:     func(*field) []string { return []string{"--allow", "net.connect:*:8080"} },
		Harm:      func(f *field) string { return f.reached() },
	}
	for _, n := range inner {
		a.Tries = append(a.Tries, try{Name: n.name, Do: func(f *field) error { return f.dial("tcp4", n.name+":8080") }, Want: refused(unix.ECONNREFUSED)})
	}
	for _, address := range []string{"169.254.169.254", "10.1.2.3", "93.184.215.99", "100.64.0.9"} {
		a.Tries = append(a.Tries, try{Name: address, Do: func(f *field) error { return f.dial("tcp4", address+":8080") }, Want: refused(unix.ECONNREFUSED)})
	}
	a.run(t)
}

// What those tests do not refuse for a wrong reason: a public address is reached.
func TestN11PublicIsReached(t *testing.T) {
	needStage(t)
	attack{
		ID: "N11", Title: "a granted name that leads to a public address",
		Tiers: process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"public.test": {"93.184.215.14"}, "both.test": {"10.1.2.3 93.184.215.14"}},
				Services: []service{{Name: "public", At: "93.184.215.14:8080"}, {Name: "inner", At: "10.1.2.3:8080"}}})
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:public.test:8080", "--allow", "net.connect:both.test:8080"}
		},
		Tries: []try{
			{Name: "public", Do: func(f *field) error { return f.dial("tcp4", "public.test:8080") }, Want: allowed("it was granted")},
			{Name: "one of two", Do: func(f *field) error { return f.dial("tcp4", "both.test:8080") }, Want: allowed("one address of it is public")},
		},
	}.run(t)
}
