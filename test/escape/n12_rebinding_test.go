package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestN12Rebinding(t *testing.T) {
	needStage(t)
	attack{
		ID: "N12", Title: "a name that leads elsewhere from the second lookup on",
		Reference: "DNS rebinding; check and use of an address in two lookups (SSRF filters)",
		Tiers:     process,
		Setup: func(_ *testing.T, f *field) {
			f.staged(stage{Names: map[string][]string{"rebind.test": {"93.184.215.14", "127.0.0.1"}, "both.test": {"93.184.215.14 127.0.0.1", "127.0.0.1 93.184.215.14"}},
				Services: []service{{Name: "public", At: "93.184.215.14:8080"}, {Name: "loopback", At: "127.0.0.1:8080"}}})
		},
		Flags: func(*field) []string {
			return []string{"--allow", "net.connect:rebind.test:8080", "--allow", "net.connect:both.test:8080"}
		},
		Harm: func(f *field) string { return f.reached("public") },
		Tries: []try{
			{Name: "the second connection", Slow: "the first one is allowed", Want: refused(unix.ECONNREFUSED), Do: func(f *field) error {
				for range 3 {
					if err := f.dialSilently("rebind.test:8080"); err != nil {
						return err
					}
				}
				return nil
			}},
			{Name: "one of two addresses", NoControl: "which one is tried is for the resolver to say", Slow: "it is allowed", Do: func(f *field) error {
				for range 4 {
					if err := f.dialSilently("both.test:8080"); err != nil {
						return err
					}
				}
				return errAllowed // what counts is where it came to
			}, Want: refused()},
		},
	}.run(t)
}
