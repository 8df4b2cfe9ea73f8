package ambit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/server/servertest"
	ambit "ambit.dev/ambit/sdk/go"
)

// host is what the examples speak to, and home a folder of the person's there.
var (
	host *servertest.Host
	home string
)

// TestMain runs the examples against a host of their own.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	binary, done, err := servertest.Binary()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	dir, err := os.MkdirTemp("", "ambit-sdk-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	h, err := servertest.Start(binary, dir, "--listen", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer h.Close()
	host, home = h, h.Home
	if err := environment(h, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// environment names the host by its socket and by its port.
func environment(h *servertest.Host, dir string) error {
	address, fingerprint := "", ""
	for end := time.Now().Add(time.Minute); address == ""; time.Sleep(10 * time.Millisecond) {
		if address, fingerprint = h.Port(); time.Now().After(end) {
			return fmt.Errorf("the host does not say where it listens: %s", h.Said())
		}
	}
	token, err := h.Command("token", "add", "sdk", "--role", "admin").Output()
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, token, 0o600); err != nil {
		return err
	}
	return errors.Join(os.Setenv("AMBIT_STATE_DIR", h.State), os.Setenv("AMBIT_HOST", "https://"+address), os.Setenv("AMBIT_TOKEN_FILE", file),
		os.Setenv("AMBIT_FINGERPRINT", fingerprint))
}

// Run a program that sees nothing of the person's, and take what it writes.
func Example_run() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	session, err := client.Start(ctx, ambit.Command{
		Argv:  []string{"sh", "-c", "wc -w; exit 3"},
		Stdin: []byte("four words of text"),
	})
	if err != nil {
		fmt.Println(err, ambit.Denials(err))
		return
	}
	exit, err := session.Wait(ctx, os.Stdout, os.Stderr)
	fmt.Println("exit", exit, err)
	// Output:
	// 4
	// exit 3 <nil>
}

// Do the same on a host elsewhere, which is known by its certificate.
func ExampleDialPort() {
	ctx := context.Background()
	client, err := ambit.DialPort(ctx, ambit.Port{
		URL:         os.Getenv("AMBIT_HOST"), // https://build.example.org:8443
		TokenFile:   os.Getenv("AMBIT_TOKEN_FILE"),
		Fingerprint: os.Getenv("AMBIT_FINGERPRINT"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	session, err := client.Start(ctx, ambit.Command{Argv: []string{"echo", "from elsewhere"}})
	if err != nil {
		fmt.Println(err, ambit.Denials(err))
		return
	}
	exit, err := session.Wait(ctx, os.Stdout, os.Stderr)
	fmt.Println("exit", exit, err)
	// Output:
	// from elsewhere
	// exit 0 <nil>
}

// Answer what a running program asks for: its call waits meanwhile, and goes on.
func Example_answer() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	file := filepath.Join(home, "report.txt")
	if err := os.WriteFile(file, []byte("all is well\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	session, err := client.Start(ctx, ambit.Command{Argv: []string{"cat", file}, Dir: "/", Ask: true, AskBy: "notification"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for question, err := range client.Waiting(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if question.GetSession() != session.ID {
			continue
		}
		fmt.Println("it asks for the report:", question.GetCapability() == "fs.read:"+file)
		fmt.Println("allowed:", question.Allow(ctx, ambit.Answer{}))
		break
	}
	exit, err := session.Wait(ctx, os.Stdout, os.Stderr)
	fmt.Println("exit", exit, err)
	// Output:
	// it asks for the report: true
	// allowed: <nil>
	// all is well
	// exit 0 <nil>
}

// List what stands, and take it back.
func Example_revoke() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	file := filepath.Join(home, "notes.txt")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Grant(ctx, "", "fs.read:"+file); err != nil {
		fmt.Println(err)
		return
	}
	var ids []string
	for grant, err := range client.Standing(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("the notes:", grant.GetCapability() == "fs.read:"+file, grant.GetVerdict())
		ids = append(ids, grant.GetId())
	}
	lost, err := client.Revoke(ctx, ids...)
	fmt.Println(len(ids), "revoked,", len(lost), "sessions lost something:", err)
	// Output:
	// the notes: true VERDICT_ALLOW
	// 1 revoked, 0 sessions lost something: <nil>
}

// Type into a program that was given a terminal.
func Example_terminal() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	session, err := client.Start(ctx, ambit.Command{
		Argv:     []string{"sh", "-c", "stty -echo; read name; stty size; echo hello, $name"},
		Terminal: &ambit.Size{Rows: 24, Columns: 80},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := session.Resize(ctx, ambit.Size{Rows: 50, Columns: 132}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := fmt.Fprintln(session.Keyboard(ctx), "you"); err != nil {
		fmt.Println(err)
		return
	}
	var screen strings.Builder
	exit, err := session.Wait(ctx, &screen, nil)
	lines := strings.Split(strings.TrimSpace(screen.String()), "\r\n")
	fmt.Println(lines[len(lines)-2:], exit, err)
	// Output:
	// [50 132 hello, you] 0 <nil>
}

// Install a pack with exactly what it is shown to ask for, and remove it.
func Example_install() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	folder := filepath.Join(home, "words")
	if err := os.Mkdir(folder, 0o700); err != nil {
		fmt.Println(err)
		return
	}
	manifest := `{"id": "org.example.words", "version": "1.0", "kind": "cli-tool", "entry": ["wc"],
	  "capabilities": [{"capability": "fs.read:/etc/hostname", "reason": "to count its letters"}]}`
	if err := os.WriteFile(filepath.Join(folder, "ambit.json"), []byte(manifest), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	pack, err := client.Prepare(ctx, folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	var allow []string
	for _, want := range pack.GetWants() {
		fmt.Printf("%s: to %s, %q\n", want.GetRisk(), want.GetMeaning(), want.GetReason())
		allow = append(allow, want.GetCapability())
	}
	done, err := pack.Install(ctx, ambit.Consent{Allow: allow})
	fmt.Println(done.GetPack().GetId(), "may", done.GetGranted(), err)
	_, err = pack.Install(ctx, ambit.Consent{Allow: allow})
	fmt.Println("once more:", err != nil)
	fmt.Println("removed:", client.Remove(ctx, "org.example.words"))
	// Output:
	// Files: to read /etc/hostname, "to count its letters"
	// org.example.words may [fs.read:/etc/hostname] <nil>
	// once more: true
	// removed: <nil>
}

// Start another program in a session that runs.
func Example_exec() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	session, err := client.Start(ctx, ambit.Command{Argv: []string{"sleep", "3600"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := session.Exec(ctx, ambit.Command{Argv: []string{"sh", "-c", "wc -w; exit 3"}, Stdin: []byte("four words of text")})
	if err != nil {
		fmt.Println(err, ambit.Denials(err))
		return
	}
	exit, err := program.Wait(ctx, os.Stdout, os.Stderr)
	fmt.Println("exit", exit, err)
	for e, err := range session.Execs(ctx, true) {
		fmt.Println("there was", e.GetArgv()[0], e.GetExit(), err)
	}
	fmt.Println("stopped:", session.Stop(ctx))
	// Output:
	// 4
	// exit 3 <nil>
	// there was sh 3 <nil>
	// stopped: <nil>
}

// Put a file into a session that runs, and take one out.
func Example_files() {
	ctx := context.Background()
	client, err := ambit.Dial(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	session, err := client.Start(ctx, ambit.Command{Argv: []string{"sleep", "3600"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("written:", session.WriteFile(ctx, "/tmp/words", strings.NewReader("four words of text\n")))
	for file, err := range session.Files(ctx, "/tmp") {
		fmt.Println(file.GetName(), file.GetSize(), err)
	}
	fmt.Println("read:", session.ReadFile(ctx, "/tmp/words", os.Stdout))
	fmt.Println("secret:", session.ReadFile(ctx, "/etc/shadow", os.Stdout) != nil)
	fmt.Println("stopped:", session.Stop(ctx))
	// Output:
	// written: <nil>
	// words 19 <nil>
	// four words of text
	// read: <nil>
	// secret: true
	// stopped: <nil>
}
