package escape_test

import "testing"

// front is a server of many names at one address, as content networks are.
func front(_ *testing.T, f *field) {
	f.staged(stage{Names: map[string][]string{"allowed.test": {"93.184.215.14"}, "other.test": {"93.184.215.14"}}, Services: []service{
		{Name: "tls", Kind: "tls", At: "93.184.215.14:443"}, {Name: "hidden", Kind: "hidden", At: "93.184.215.14:444"}, {Name: "http", Kind: "http", At: "93.184.215.14:80"}, {Name: "plain", At: "93.184.215.14:8443"}}})
}

func TestN16Fronting(t *testing.T) {
	needStage(t)
	attack{
		ID: "N16, N17", Title: "ask an allowed server for another name",
		Reference: "domain fronting; SNI other than the name of the proxy's CONNECT",
		Tiers:     process,
		Setup:     front,
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:allowed.test", "--allow", "net.connect:allowed.test:8443", "--allow", "net.connect:allowed.test:444"}
		},
		Harm: func(f *field) string { return f.reached() },
		Tries: []try{
			{Name: "SNI", Slow: "the connection itself is allowed", Do: func(f *field) error { return f.dialTLS("allowed.test:443", "other.test") }, Want: refused()},
			{Name: "SNI of a name below", Slow: "the connection itself is allowed", Do: func(f *field) error { return f.dialTLS("allowed.test:443", "a.allowed.test") }, Want: refused()},
			{Name: "in an encrypted hello (ECH)", Slow: "the connection itself is allowed", Do: func(f *field) error { return f.dialHidden("allowed.test:444", "other.test") }, Want: refused()},
			{Name: "by its address", Do: func(f *field) error { return f.dialTLS("93.184.215.14:443", "other.test") }, Want: refused()},
			{Name: "by its address, with the allowed name", Do: func(f *field) error { return f.dialTLS("93.184.215.14:443", "allowed.test") }, Want: refused()},
			{Name: "by the other name", Do: func(f *field) error { return f.dialTLS("other.test:443", "allowed.test") }, Want: refused()},
		},
	}.run(t)
}

// A connection that is opened is one to the name that stands in the open: nobody
// can take what is encrypted beside it.
func TestN16FrontingOpened(t *testing.T) {
	needStage(t)
	attack{
		ID: "N16, N17", Title: "ask an opened server for another name",
		Reference: "encrypted hellos (ECH) as a way around filters of names",
		Tiers:     process,
		Setup:     front,
		Flags:     func(*field) []string { return []string{"--allow", "net.connect:allowed.test:444/http"} },
		Harm:      func(f *field) string { return f.reached() },
		Tries: []try{
			{Name: "in an encrypted hello (ECH)", Slow: "the connection itself is allowed", Do: func(f *field) error { return f.dialHidden("allowed.test:444", "other.test") }, Want: refused()},
		},
	}.run(t)
}

// What is allowed on purpose, as the threat model says: a connection without
// rules for requests is to a server, and what is said in it is between the two.
func TestN17StatedRules(t *testing.T) {
	needStage(t)
	attack{
		ID: "N16, N17, N18", Title: "what cannot be seen, or is not looked at",
		Tiers: process,
		Setup: front,
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:allowed.test", "--allow", "net.connect:allowed.test:8443"}
		},
		Tries: []try{
			{Name: "the allowed name", Do: func(f *field) error { return f.dialTLS("allowed.test:443", "allowed.test") }, Want: allowed("it is granted")},
			{Name: "no SNI", Do: func(f *field) error { return f.dialTLS("allowed.test:443", "") }, Want: allowed("clients without it exist; the record says so")},
			{Name: "no TLS", Do: func(f *field) error { return f.dial("tcp4", "allowed.test:8443") }, Want: allowed("a grant without rules is for whatever is spoken")},
			{Name: "Host", Sh: "curl -sSf -m 60 -H 'Host: other.test' http://allowed.test/ | grep token", Want: allowed("without rules for requests none is read")},
		},
	}.run(t)
}
