package escape_test

import "testing"

// A rule permits GET of /ok and beneath; the server gives everything else away.
func TestN17Requests(t *testing.T) {
	needStage(t)
	const curl = "curl -sSf -m 60 --path-as-is "
	tries := []try{
		{Name: "GET of /ok/", NoControl: "it does no harm", Sh: curl + "http://allowed.test/ok/a | grep -q fine", Want: allowed("the rule says so")},
		{Name: "another request on the same connection", Sh: curl + "http://allowed.test/ok/a http://allowed.test/secret | grep token"},
		{Name: "non-HTTP", Sh: "bash -c 'exec 3<>/dev/tcp/allowed.test/8080; timeout ${PATIENCE:-3} cat <&3' | grep token"},
	}
	for name, args := range map[string]string{
		"another method": "-X DELETE http://allowed.test/ok/a", "a body": "-d x http://allowed.test/ok/a", "a method of its own": "-X PURGE http://allowed.test/ok/a",
		"the root": "http://allowed.test/", "beside": "http://allowed.test/okay", "another case": "http://allowed.test/OK/a",
		"dots": "http://allowed.test/ok/../secret", "encoded dots": "http://allowed.test/ok/%2e%2e/secret", "half-encoded dots": "http://allowed.test/ok/.%2E/secret",
		"doubled slashes": "http://allowed.test//ok/../../secret", "an encoded slash": "http://allowed.test/ok%2f..%2f..%2fsecret", "a parameter": "'http://allowed.test/ok/..;/secret'",
		"another Host": "-H 'Host: other.test' http://allowed.test/ok/a", "another Host in the target": "--request-target http://other.test/ok/a http://allowed.test/ok/a",
		"HTTP/1.0 with another Host": "-0 -H 'Host: other.test' http://allowed.test/ok/a",
		"HTTP/2":                     "--http2-prior-knowledge http://allowed.test/secret",
		"a WebSocket":                "-H 'Connection: Upgrade' -H 'Upgrade: websocket' http://allowed.test/ok/a",
	} {
		tries = append(tries, try{Name: name, Sh: curl + args + " | grep token"})
	}
	for i := range tries {
		tries[i].Slow = "the connection itself is allowed"
		if tries[i].Want.why == "" {
			tries[i].Want = refused()
		}
	}
	attack{
		ID: "N17", Title: "make requests beside the rules of an opened connection",
		Reference: "path traversal past proxies (CVE-2021-41773, CVE-2020-5902), Host confusion, request smuggling",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"allowed.test": {"93.184.215.14"}, "other.test": {"93.184.215.14"}}, Services: []service{
				{Name: "guarded", Kind: "guarded", At: "93.184.215.14:80"}, {Name: "plain", At: "93.184.215.14:8080"}}})
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:allowed.test/http:GET:/ok/**", "--allow", "net.connect:allowed.test:8080/http:GET:/ok/**"}
		},
		Harm:  func(f *field) string { return f.reached() },
		Tries: tries,
	}.run(t)
}
