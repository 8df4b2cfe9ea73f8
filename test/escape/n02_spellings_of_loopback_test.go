package escape_test

import (
	"net"
	"testing"
)

func TestN02SpellingsOfLoopback(t *testing.T) {
	curl := func(host string) string {
		return "curl -sg --http0.9 --noproxy '*' --max-time 60 http://" + host + ":$PORT/"
	}
	a := attack{
		ID: "N2", Title: "every spelling of the host's loopback address",
		Reference: "SSRF filters; CVE-2021-29921 (octal), 0.0.0.0-day",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			l := f.listen(t, "tcp", ":0")
			_, f.Values["port"], _ = net.SplitHostPort(l.Addr().String())
		},
		Harm: reachedServer,
	}
	for _, host := range []string{"127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "0.0.0.0", "0", "localhost", "127.255.255.254", "[::ffff:127.0.0.1]", "[::1]", "[::]"} {
		y := try{Name: host, Sh: curl(host), Want: refused()}
		if host[0] == '[' {
			y.NoControl = "the host may have no IPv6"
		}
		a.Tries = append(a.Tries, y)
	}
	a.run(t)
}
