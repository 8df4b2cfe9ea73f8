package escape_test

import "testing"

func TestN15Redirect(t *testing.T) {
	needStage(t)
	attack{
		ID: "N15", Title: "an allowed server sends the client on to one that is denied",
		Reference: "SSRF by redirect; proxies that decide about the first request only",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"allowed.test": {"93.184.215.14"}, "denied.test": {"93.184.215.15"}}, Services: []service{
				{Name: "allowed", Kind: "http", At: "93.184.215.14:8080", To: "http://denied.test:8080/"},
				{Name: "by-address", Kind: "http", At: "93.184.215.14:8081", To: "http://93.184.215.15:8080/"},
				{Name: "same-host", Kind: "http", At: "93.184.215.14:8082", To: "http://allowed.test:9090/"},
				{Name: "denied", Kind: "http", At: "93.184.215.15:8080"},
				{Name: "other-port", Kind: "http", At: "93.184.215.14:9090"},
			}})
		},
		Flags: func(*field) []string { return []string{"--allow", "net.connect:allowed.test:8080-8082"} },
		Harm:  func(f *field) string { return f.reached("allowed", "by-address", "same-host") },
		Tries: []try{
			{Name: "to another name", Sh: "curl -sSfL -m 60 http://allowed.test:8080/ | grep token", Want: refused()},
			{Name: "to an address", Sh: "curl -sSfL -m 60 http://allowed.test:8081/ | grep token", Want: refused()},
			{Name: "to another port", Sh: "curl -sSfL -m 60 http://allowed.test:8082/ | grep token", Want: refused()},
		},
	}.run(t)
}
