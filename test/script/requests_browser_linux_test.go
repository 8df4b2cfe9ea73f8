package script_test

import (
	"os"
	"strings"
	"testing"
)

// TestRequestsBrowser: a browser, which has a list of certificates of its own and
// tells nobody in the open for which name it connects, works toward a host that is
// opened and toward one that is not. Without what lays that down for it neither is
// reached.
func TestRequestsBrowser(t *testing.T) {
	const chromium = "/usr/lib/chromium/chromium" // Debian's; /usr/bin has a script that reads more of /etc
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("requires: chromium")
	}
	if _, err := os.Stat("/etc/chromium"); err != nil {
		t.Skip("requires: /etc/chromium")
	}
	b := newBench(t)
	f := newFar(t, b)
	for _, tc := range []struct {
		name, rule string
		more       []string // of the browser
	}{
		{"opened", "/http:GET", nil},
		{"passed through", "", []string{"--ignore-certificate-errors"}}, // the server's CA is of this test
	} {
		visit := func(flags ...string) ran {
			args := append([]string{"run", "--allow", "net.connect:" + f.secure + tc.rule}, flags...)
			args = append(args, "--", chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom")
			return b.run(append(append(args, tc.more...), "https://"+f.secure+"/page")...)
		}
		if r := visit(); !strings.Contains(r.out, "GET /page") {
			t.Errorf("%s: %d, %q %q", tc.name, r.status, r.out, r.err)
		}
		f.took()
		// The control: the host's folder, in which nothing is laid down, in its place.
		if r := visit("--allow", "fs.read:/etc/chromium"); strings.Contains(r.out, "GET /page") || f.took() != nil {
			t.Errorf("%s, with nothing laid down: %d, %q %q", tc.name, r.status, r.out, r.err)
		}
	}
}
