package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// N11: an allowed name, or any, leads to an address that was denied.
func TestN11NamesToDeniedAddresses(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N11", Title: "a name that leads to a denied address",
		Reference: "denied addresses of servers, reached by a name of somebody else",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"name.test": {"93.184.215.14"}, "range.test": {"93.184.216.7"}, "both.test": {"93.184.215.14 93.184.217.1"},
				"some.test": {"93.184.218.1"}, "pass.test": {"93.184.218.1"}},
				Services: []service{{Name: "denied", At: "93.184.215.14:8080"}, {Name: "range", At: "93.184.216.7:8080"}, {Name: "other", At: "93.184.217.1:8080"},
					{Name: "opened", Kind: "http", At: "93.184.215.14:80"}, {Name: "some", Kind: "http", At: "93.184.218.1:80"}}})
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:*:8080", "--allow", "net.connect:name.test/http", "--deny", "net.connect:93.184.215.14", "--deny", "net.connect:93.184.216.0/24",
				"--allow", "net.connect:some.test/http", "--allow", "net.connect:pass.test:80", "--deny", "net.connect:93.184.218.1/http:GET:/no"}
		},
		Harm: func(f *field) string { return f.reached("other") },
		Tries: []try{
			{Name: "an address", Do: func(f *field) error { return f.dial("tcp4", "name.test:8080") }, Want: refused(unix.ECONNREFUSED)},
			{Name: "a range", Do: func(f *field) error { return f.dial("tcp4", "range.test:8080") }, Want: refused(unix.ECONNREFUSED)},
			{Name: "a request", Slow: "the connection itself is allowed", Sh: "curl -sSf -m 60 http://name.test/ | grep token", Want: refused()},
			{Name: "one of some requests", Slow: "the connection itself is allowed", Sh: "curl -sSf -m 60 http://some.test/no | grep token", Want: refused()},
			{Name: "one of some requests that nobody sees", Sh: "curl -sSf -m 60 http://pass.test/no | grep token", Want: refused()},
			{Name: "one of two", NoControl: "it does no harm", Do: func(f *field) error { return f.dial("tcp4", "both.test:8080") }, Want: allowed("one address of it is not denied")},
		},
	}
	a.run(t)
}
