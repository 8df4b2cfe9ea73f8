// Package console_test uses the console as people do: a real `ambit serve --listen`,
// programs in sandboxes that ask, and a browser. What the browser does stands in
// *.mjs; each test here is one of those scripts with a host of its own.
package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/provider/providertest"
	"ambit.dev/ambit/internal/server/servertest"
)

// binary is the ambit that is tested.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var done func()
	var err error
	if binary, done, err = servertest.Binary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	defer removeFetched()
	return m.Run()
}

// A pack is uploaded and installed with nothing that it asks for. It runs and asks, and
// a person at the keyboard allows it once: it goes on. What was granted is revoked in the list of grants, and the next touch asks again. The log
// has all of it, and verifies.
func TestQuestion(t *testing.T) { run(t, "question.mjs") }

// Nothing is installed without a yes, and nothing broad without the pack's id, typed. An
// update shows what is more and what is less; a pack is removed with its grants.
func TestInstall(t *testing.T) { run(t, "install.mjs") }

// What a session changed and is kept apart is looked at file by file, and what is chosen
// is applied, unless somebody changed it meanwhile; the rest is dropped.
func TestReview(t *testing.T) { run(t, "review.mjs") }

// Files of a session that runs are browsed, shown as text, downloaded, uploaded and
// removed, whatever they are named and have in them.
func TestFiles(t *testing.T) { run(t, "files.mjs") }

// A session is paused and goes on, by the buttons of its view.
func TestPause(t *testing.T) { run(t, "pause.mjs") }

// What outlives sessions is looked at, restored and removed, version by version, and by
// those alone who may. Whatever keys and values are, they stay text.
func TestStorage(t *testing.T) {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("requires: /dev/fuse that this user can open (%v)", err)
	}
	_ = device.Close() // it was opened to see whether it can be
	run(t, "storage.mjs")
}

// What is written to the log comes into the page by itself, once, also what was written
// while that was paused or there was no connection; the page has no more than it may.
func TestLive(t *testing.T) { run(t, "live.mjs") }

// A session is started: what it would be allowed is shown before, as text, and that is
// started or nothing. Who may not start one is offered nothing.
func TestStart(t *testing.T) { run(t, "start.mjs") }

// The log is filtered by every kind of record that there is, and by no other.
func TestKinds(t *testing.T) {
	source, err := os.ReadFile("../../console/src/log/log.tsx")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)const kinds = \[(.*?)\]`).FindSubmatch(source)
	if list == nil {
		t.Fatal("log.tsx has no list of kinds")
	}
	var offered, there []string
	for _, kind := range regexp.MustCompile(`'([^']+)'`).FindAllSubmatch(list[1], -1) {
		offered = append(offered, string(kind[1]))
	}
	for _, kind := range audit.Kinds() {
		there = append(there, string(kind))
	}
	slices.Sort(offered)
	slices.Sort(there)
	if !slices.Equal(offered, there) {
		t.Errorf("the console's log is filtered by\n%q\nthere are\n%q", offered, there)
	}
}

// What a sandboxed program can name stays text in every view: markup, escapes of a
// terminal, and what turns text around. A mistake would not run either: the page's
// policy makes no markup of text, which is tried, beside a page without that policy.
func TestHostile(t *testing.T) { run(t, "hostile.mjs") }

// A terminal in the page is typed to, follows its size, and can be left by the
// keyboard. A hostile program draws in it, and does nothing else: it has no title, no
// link, no clipboard, and no answer that a shell would read.
func TestTerminal(t *testing.T) { run(t, "terminal.mjs") }

// Several pages are at one terminal: a program that asks it something is answered by one
// of them, also when that is closed or loses its connection. The keys of all are typed.
func TestAnswers(t *testing.T) { run(t, "answers.mjs") }

// A question that is put while the browser has no connection is there when it has one
// again, what is over meanwhile is gone, and an answer goes to the question that was
// looked at.
func TestConnection(t *testing.T) { run(t, "connection.mjs") }

// Where hundreds of questions wait, no more rows are made than somebody looks at, and an
// answer draws few of them again. The keyboard reaches all. CONSOLE_MEASURE names a file for
// what a browser takes instead, with CONSOLE_MANY questions.
func TestMany(t *testing.T) { run(t, "many.mjs") }

// Every view is one that axe finds nothing wrong with, light and dark, and is not
// wider than a phone.
func TestViews(t *testing.T) { run(t, "views.mjs") }

// People sign in by a provider: the browser goes there and comes back, and has one
// cookie of the host that no other page can have it send.
func TestProvider(t *testing.T) {
	const named = "ambit.example.org"
	p := providertest.Start("https://"+named+provider.CallbackPath, time.Now)
	t.Cleanup(p.Server.Close)
	p.Is(func(c providertest.Claims) { c.Set("preferred_username", "ada") })
	dir := t.TempDir()
	if _, _, err := p.Files(dir); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "serve.json")
	text := fmt.Sprintf(`{"login": {"name": "Example", "issuer": %q, "client": %q, "redirect": %q, "secret_file": "client.secret", "ca": "ca.pem",
		"rules": [{"claim": "sub", "is": "u-1", "role": "viewer"}]}}`, p.Server.URL, providertest.Client, p.Redirect)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runOn(t, "provider.mjs", named, "--config", config)
}

// patience is how long a script may take on a busy machine.
const patience = 4 * time.Minute

// address finds in what a host says where it listens.
var address = regexp.MustCompile(`msg=listening address=(\S+)`)

// run runs a script with a browser, and a host that it may use.
func run(t *testing.T, script string) { runOn(t, script, "localhost") }

// runOn is run with a host that has these arguments too, and that the browser finds by
// a name.
func runOn(t *testing.T, script, name string, args ...string) {
	t.Parallel()
	node, chromium := found(t, "node"), found(t, "chromium", "chromium-browser", "google-chrome")
	modules := fetch(t)
	h, err := servertest.Start(binary, t.TempDir(), append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	var at []string
	for end := time.Now().Add(patience); at == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		at = address.FindStringSubmatch(h.Said())
	}
	if at == nil {
		t.Fatalf("the host does not say where it listens: %s", h.Said())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join(".", script))
	cmd.Env = append(h.Environ(), "CONSOLE_URL=https://"+at[1], "CONSOLE_NAMED=https://"+name, "CONSOLE_RESOLVE=MAP "+name+":443 "+at[1], "CONSOLE_TOKEN="+tokenOf(t, h), "CONSOLE_CHROMIUM="+chromium,
		"CONSOLE_MODULES="+modules, "CONSOLE_AMBIT="+h.Ambit, "CONSOLE_HOME="+h.Home, "CONSOLE_PICTURES="+os.Getenv("CONSOLE_PICTURES"),
		"CONSOLE_MANY="+os.Getenv("CONSOLE_MANY"), "CONSOLE_MEASURE="+os.Getenv("CONSOLE_MEASURE"))
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\nthe host: %s", script, err, out, h.Said())
	}
}

func tokenOf(t *testing.T, h *servertest.Host) string {
	t.Helper()
	out, err := h.Command("token", "add", "browser", "--role", "admin", "--json").Output()
	var made struct {
		Token string `json:"token"`
	}
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil || made.Token == "" {
		t.Fatalf("make a token: %v: %s", err, out)
	}
	return made.Token
}

func found(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("requires: %s", strings.Join(names, " or "))
	return ""
}

var fetched struct {
	once sync.Once
	dir  string
	own  bool   // nobody else keeps it
	why  string // it could not be had
}

// fetch installs what package-lock.json names, once for all tests, and returns the
// folder that node_modules lies in. AMBIT_TEST_NPM names a folder to keep it in, for
// the tests of another user, who may not reach the registry.
func fetch(t *testing.T) string {
	t.Helper()
	npm := found(t, "npm")
	fetched.once.Do(func() {
		if err := install(npm); err != nil {
			fetched.why = strings.TrimSpace(err.Error())
		}
	})
	if fetched.why != "" {
		t.Skipf("requires: playwright-core and axe-core from a registry of npm (%s)", fetched.why)
	}
	return fetched.dir
}

func install(npm string) (err error) {
	if kept := os.Getenv("AMBIT_TEST_NPM"); kept != "" {
		fetched.dir = filepath.Join(kept, "console")
		if _, err := os.Stat(filepath.Join(fetched.dir, "whole")); err == nil {
			return nil
		}
		err = os.MkdirAll(fetched.dir, 0o755)
	} else {
		fetched.own = true
		fetched.dir, err = os.MkdirTemp("", "ambit-console-")
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		var content []byte
		if err == nil {
			content, err = os.ReadFile(name)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(fetched.dir, name), content, 0o644)
		}
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--prefer-offline", "--fetch-retries=0", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = fetched.dir
	cmd.Env = append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	return os.WriteFile(filepath.Join(fetched.dir, "whole"), nil, 0o644)
}

// removeFetched removes what nobody else keeps.
func removeFetched() {
	if fetched.own {
		_ = os.RemoveAll(fetched.dir) // it is for temporary files
	}
}
