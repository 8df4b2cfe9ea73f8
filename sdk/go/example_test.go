package ambit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/server/servertest"
	ambit "ambit.dev/ambit/sdk/go"
)

// home is a folder of the person's, as the examples find it.
var home string

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
	h, err := servertest.Start(binary, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer h.Close()
	home = h.Home
	if err := os.Setenv("AMBIT_STATE_DIR", h.State); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
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
