package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/remote"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// The test starts itself again as the other process.
const variable = "AMBIT_TEST_REMOTE"

func TestMain(m *testing.M) {
	switch os.Getenv(variable) {
	case "":
		os.Exit(m.Run())
	case "serve":
		if err := remote.Serve(context.Background(), os.Stdin, os.Stdout, func(setup string) (approval.Front, error) {
			if setup == "bad" {
				return nil, errors.New("this set-up\x1b[2J is bad")
			}
			return front(setup), nil
		}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "dies":
		fmt.Print(`{"answer":{"outcome":"allow","span":"always"}}`)
		os.Exit(1)
	case "babbles":
		fmt.Print(strings.Repeat(" ", 100_000) + `{"answer":{"outcome":"allow","span":"always"}}`)
	case "silent":
	case "odd":
		fmt.Print(`{"answer":{"outcome":"perhaps","span":"always"}}`)
	}
}

// front answers as it was set up.
type front string

func (f front) Name() string { return "front " + string(f) }

func (f front) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	switch f {
	case "waits":
		<-ctx.Done()
		_ = os.WriteFile(os.Getenv("MARK"), nil, 0o600)
		return approval.Answer{}, ctx.Err()
	case "fails":
		return approval.Answer{}, errors.New("it fails")
	}
	if len(q.Argv) != 2 || q.Argv[1] != `\x1b` || q.PID != 7 || q.Expires.IsZero() {
		return approval.Answer{}, fmt.Errorf("got %+v", q)
	}
	return approval.Answer{Outcome: grant.Allow, Capability: q.Offers[0].Capability, Span: grant.Until, Until: q.Expires, By: string(f) + ": ana"}, nil
}

func question(t *testing.T) approval.Question {
	t.Helper()
	c, err := capability.ForPath(capability.FSRead, "/home/ana/a\xff\x1b*.txt")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	return approval.Question{ID: "d-1", PID: 7, Argv: []string{"cat", "\x1b"}, Capability: c, Asked: now, Expires: now.Add(time.Minute),
		Offers: []approval.Offer{{Capability: c, Scope: approval.ScopeFile, Words: "this file"}}}
}

func start(t *testing.T, kind, setup string) (*remote.Front, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return remote.New(t.Context(), remote.Config{Path: self, Setup: setup,
		Env: []string{variable + "=" + kind, "MARK=" + t.TempDir() + "/mark"}})
}

func TestAsk(t *testing.T) {
	f, err := start(t, "serve", "good")
	if err != nil {
		t.Fatal(err)
	}
	q := question(t)
	a, err := f.Ask(t.Context(), q)
	want := approval.Answer{Outcome: grant.Allow, Capability: q.Capability, Span: grant.Until, Until: q.Expires, By: "good: ana"}
	if err != nil || a != want || f.Name() != "front good" {
		t.Errorf("%s: got %+v, %v, want %+v", f.Name(), a, err, want)
	}
}

func TestRefused(t *testing.T) {
	if _, err := start(t, "serve", "bad"); err == nil || err.Error() != `this set-up\x1b[2J is bad` {
		t.Errorf("got %v", err)
	}
	for _, kind := range []string{"dies", "babbles", "silent", "odd"} {
		if f, err := start(t, kind, ""); err == nil {
			t.Errorf("%s: %s", kind, f.Name())
		}
	}
	f, err := start(t, "serve", "fails")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := f.Ask(t.Context(), question(t)); err == nil || a != (approval.Answer{}) {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := remote.New(t.Context(), remote.Config{Path: "/nonexistent"}); err == nil {
		t.Error("a front by a program that is not there")
	}
}

// TestNobodyWaits: the question is over before it is answered.
func TestNobodyWaits(t *testing.T) {
	f, err := start(t, "serve", "waits")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	begun := time.Now()
	if a, err := f.Ask(ctx, question(t)); !errors.Is(err, context.DeadlineExceeded) || a != (approval.Answer{}) || time.Since(begun) > 30*time.Second {
		t.Errorf("got %+v, %v after %s", a, err, time.Since(begun))
	}
}

// TestAskerGone: who asked is gone, and with it the other end of the input.
func TestAskerGone(t *testing.T) {
	in, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ended := make(chan error, 1)
	var out strings.Builder
	go func() {
		ended <- remote.Serve(context.Background(), in, &out, func(string) (approval.Front, error) { return front("waits"), nil })
	}()
	fmt.Fprint(other, `{"setup":"","question":{"id":"d-1"}}`+"\n")
	select {
	case err := <-ended:
		t.Fatalf("ended: %v %s", err, out.String())
	case <-time.After(200 * time.Millisecond):
	}
	other.Close()
	select {
	case err := <-ended:
		if err != nil || strings.Contains(out.String(), "answer") {
			t.Errorf("got %v %s", err, out.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}
