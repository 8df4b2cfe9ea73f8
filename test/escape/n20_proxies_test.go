package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The plane is no proxy, and the host's own proxies are not told of.
func TestN20Proxies(t *testing.T) {
	needStage(t)
	a := attack{
		ID: "N20", Title: "use a proxy: the host's, or one of the sandbox's own network",
		Reference: "SOCKS5 UDP ASSOCIATE and BIND; variables of the environment that lead to the organisation's proxy",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.env = []string{"HTTP_PROXY=http://u:secret@proxy.test:3128", "https_proxy=http://u:secret@proxy.test:3128", "ALL_PROXY=socks5://proxy.test:1080"}
			f.staged(stage{Names: map[string][]string{"proxy.test": {"10.1.2.3"}}, Services: []service{{Name: "proxy", At: ":1080"}, {Name: "proxy", At: ":3128"}, {Name: "proxy", At: ":8080"}}})
		},
		Flags: func(*field) []string { return []string{"--allow", "net.connect:example.test:8080"} },
		Harm:  func(f *field) string { return f.reached() },
		Tries: []try{{Name: "variables", Harmless: true, Sh: `test -n "$HTTP_PROXY$https_proxy$ALL_PROXY"`, Want: refused()}},
	}
	for _, at := range []string{"198.19.255.2:1080", "198.19.255.2:3128", "198.19.255.3:8080", "198.18.0.1:1080", "proxy.test:3128", "10.1.2.3:3128"} {
		a.Tries = append(a.Tries, try{Name: at, Do: func(f *field) error { return f.dial("tcp4", at) }, Want: refused()})
	}
	a.Tries = append(a.Tries, try{Name: "the link of IPv6", NoControl: "the host may have no IPv6", Do: func(f *field) error { return f.dial("tcp6", "[2001:2::2]:1080") }, Want: refused(unix.ECONNREFUSED)})
	a.run(t)
}
