package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

func openList(t testing.TB, path string) *store.List {
	t.Helper()
	l, err := openListAt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func read(t testing.TB, path string) capability.Capability {
	t.Helper()
	c, err := capability.ForPath(capability.FSRead, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func question(t testing.TB, id string) store.Approval {
	t.Helper()
	c := read(t, "/home/u/\xff\n*")
	return store.Approval{ID: id, Session: "s-1", Principal: "uid:1", Pack: "p", Digest: "sha256:0", Program: "cat\xff", PID: 7,
		Argv: []string{"cat", "", "a b\n\xfe"}, Capability: c, Reason: "to \"read\"", Sensitive: "keys",
		Offers: []store.Offer{{Capability: c, Scope: "file", Words: "this <file>"}, {Capability: read(t, "/home/u"), Scope: "dir", Broad: true}},
		Asked:  noon, Expires: noon.Add(time.Hour)}
}

func allowed(t testing.TB, by string) store.Answer {
	return store.Answer{Outcome: grant.Allow, Capability: read(t, "/home/u"), Span: grant.Until, Until: noon.Add(time.Minute), By: by}
}

func TestApprovals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l := openList(t, path)
	var want []store.Approval
	for i := range 3 {
		q := question(t, fmt.Sprintf("d-%d", i))
		q.Asked = q.Asked.Add(time.Duration(i))
		if i == 2 {
			q.Argv, q.Offers = nil, []store.Offer{}
		}
		if err := l.AddApproval(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		q.Keeper = os.Getpid()
		want = append(want, q)
	}
	if got, err := openList(t, path).Approvals(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	ans := allowed(t, "ambit approve")
	if err := l.AnswerApproval(t.Context(), "d-0", ans, noon); err != nil {
		t.Fatal(err)
	}
	got, err := openList(t, path).Approval(t.Context(), "d-0")
	if err != nil || got.Answer == nil || *got.Answer != ans {
		t.Errorf("got %+v, %v", got, err)
	}
	// The answer that was first stands.
	stands, err := l.CloseApproval(t.Context(), "d-0", &store.Answer{By: "terminal", Capability: want[0].Capability}, "", noon)
	if err != nil || stands == nil || *stands != ans {
		t.Errorf("got %+v, %v", stands, err)
	}
	mine := store.Answer{By: "terminal", Capability: want[1].Capability, Span: grant.Always}
	if stands, err = l.CloseApproval(t.Context(), "d-1", &mine, "", noon); err != nil || *stands != mine {
		t.Errorf("got %+v, %v", stands, err)
	}
	if stands, err = l.CloseApproval(t.Context(), "d-2", nil, "nobody answered", noon); err != nil || stands != nil {
		t.Errorf("got %+v, %v", stands, err)
	}
	if got, err := l.Approval(t.Context(), "d-2"); err != nil || got.Text != "nobody answered" || !got.Closed.Equal(noon) || got.Answer != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := l.Approvals(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %d that wait, %v", len(got), err)
	}
	if _, err := l.CloseApproval(t.Context(), "d-1", nil, "", noon); !errors.Is(err, store.ErrEnded) {
		t.Errorf("closed again: got %v", err)
	}
}

func TestAnswerRefused(t *testing.T) {
	l := openList(t, filepath.Join(t.TempDir(), "sessions.db"))
	for _, tc := range []struct {
		name   string
		id     string
		before func()
		change func(*store.Answer)
		at     time.Time
		want   error
	}{
		{"unknown", "d-none", nil, nil, noon, store.ErrNotFound},
		{"answered", "d-1", func() { must(t, l.AnswerApproval(t.Context(), "d-1", allowed(t, "x"), noon)) }, nil, noon, store.ErrAnswered},
		{"closed", "d-2", func() {
			if _, err := l.CloseApproval(t.Context(), "d-2", nil, "", noon); err != nil {
				t.Fatal(err)
			}
		}, nil, noon, store.ErrEnded},
		{"expired", "d-3", nil, nil, noon.Add(time.Hour), store.ErrExpired},
		{"not offered", "d-4", nil, func(a *store.Answer) { a.Capability = read(t, "/etc") }, noon, nil},
		{"denies what was not asked", "d-5", nil, func(a *store.Answer) { a.Outcome, a.Capability = grant.Deny, read(t, "/etc") }, noon, nil},
		{"by nobody", "d-6", nil, func(a *store.Answer) { a.By = "" }, noon, nil},
		{"unknown span", "d-7", nil, func(a *store.Answer) { a.Span = 9 }, noon, nil},
	} {
		if tc.id != "d-none" {
			must(t, l.AddApproval(t.Context(), question(t, tc.id)))
		}
		if tc.before != nil {
			tc.before()
		}
		a := allowed(t, "ambit approve")
		if tc.change != nil {
			tc.change(&a)
		}
		if err := l.AnswerApproval(t.Context(), tc.id, a, tc.at); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	q := question(t, "d-9")
	q.Expires = q.Asked
	if err := l.AddApproval(t.Context(), q); err == nil {
		t.Error("a question that never waits was added")
	}
	if err := l.AddApproval(t.Context(), question(t, "d-1")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second d-1: got %v", err)
	}
}

// A question of a process that is gone is withdrawn: whoever answers it is told.
func TestApprovalWithdrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l := openList(t, path)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_PROCESS=ask "+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := l.Approvals(t.Context())
	if err != nil || len(got) != 1 || !got[0].Withdrawn {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := l.AnswerApproval(t.Context(), got[0].ID, allowed(t, "ambit approve"), noon); !errors.Is(err, store.ErrWithdrawn) {
		t.Errorf("got %v", err)
	}
	// Much later it is out of the way.
	late := question(t, "d-late")
	late.Asked, late.Expires = noon.Add(3*time.Hour), noon.Add(4*time.Hour)
	must(t, l.AddApproval(t.Context(), late))
	if got, err := l.Approvals(t.Context()); err != nil || len(got) != 1 || got[0].ID != "d-late" || got[0].Withdrawn {
		t.Errorf("got %+v, %v", got, err)
	}
}

// ask is a process that puts a question and is gone.
func ask(path string) error {
	l, err := openListAt(path)
	if err != nil {
		return err
	}
	c, err := capability.Parse("fs.read:/home/u")
	if err != nil {
		return err
	}
	return l.AddApproval(context.Background(), store.Approval{ID: "d-gone", Capability: c, Asked: noon, Expires: noon.Add(time.Hour),
		Offers: []store.Offer{{Capability: c}}})
}

// A file of the version before has its sessions still, and takes questions.
func TestMigrateList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l := openList(t, path)
	noteOne(t, path, store.Session{ID: "s-old", PID: os.Getpid(), Started: noon})
	must(t, l.TakeIn(t.Context()))
	must(t, l.Close())
	raw(t, path, "DROP TABLE approvals", "PRAGMA user_version=1")
	l = openList(t, path)
	if all, err := l.Sessions(t.Context()); err != nil || len(all) != 1 || all[0].ID != "s-old" {
		t.Errorf("got %+v, %v", all, err)
	}
	must(t, l.AddApproval(t.Context(), question(t, "d-1")))
	raw(t, path, "PRAGMA user_version=3")
	if _, err := openListAt(path); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("a newer version: got %v", err)
	}
	if err := l.AddApproval(t.Context(), question(t, "d-2")); err == nil {
		t.Error("wrote into a newer version")
	}
}

// A row that cannot be understood is an error, and not answered.
func TestRefuseApproval(t *testing.T) {
	for column, value := range map[string]string{
		"capability": "'fs.read:/'", "scope": "'fs.read:/'", "outcome": "'maybe'", "span": "'often'", "argv": "x'61'",
		"offers": `'[{"capability":"fs.read:/home/u","scope":"dir","words":"","wide":true}]'`,
	} {
		path := filepath.Join(t.TempDir(), "sessions.db")
		l := openList(t, path)
		must(t, l.AddApproval(t.Context(), question(t, "d-1")), l.AnswerApproval(t.Context(), "d-1", allowed(t, "x"), noon))
		raw(t, path, "PRAGMA ignore_check_constraints=1; UPDATE approvals SET "+column+" = "+value)
		if got, err := l.Approvals(t.Context()); err == nil || !strings.Contains(err.Error(), "d-1") {
			t.Errorf("%s %s: got %+v, %v", column, value, got, err)
		}
		if _, err := l.CloseApproval(t.Context(), "d-1", nil, "", noon); err == nil {
			t.Errorf("%s %s: closed", column, value)
		}
	}
}

// TestHammerAnswer has processes answer the same questions: each question has
// one answer, and one process is told that it is its.
func TestHammerAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l := openList(t, path)
	for i := range 10 {
		must(t, l.AddApproval(t.Context(), question(t, fmt.Sprintf("d-%d", i))))
	}
	var wg sync.WaitGroup
	said := make([]string, 6)
	for i := range said {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("STORE_TEST_PROCESS=answer %s p%d", path, i))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v: %s", i, err, out)
			}
			said[i] = string(out)
		})
	}
	wg.Wait()
	for i := range 10 {
		id := fmt.Sprintf("d-%d", i)
		q, err := l.Approval(t.Context(), id)
		if err != nil || q.Answer == nil {
			t.Fatalf("%s: got %+v, %v", id, q, err)
		}
		if n := strings.Count(strings.Join(said, ""), id+"\n"); n != 1 || !strings.Contains(said[q.Answer.By[1]-'0'], id+"\n") {
			t.Errorf("%s: %d were told that they answered, %s did", id, n, q.Answer.By)
		}
	}
}

// answerAll is one of the processes of TestHammerAnswer.
func answerAll(path, name string) error {
	l, err := openListAt(path)
	if err != nil {
		return err
	}
	for i := range 10 {
		id := fmt.Sprintf("d-%d", i)
		q, err := l.Approval(context.Background(), id)
		if err != nil {
			return err
		}
		err = l.AnswerApproval(context.Background(), id, store.Answer{Capability: q.Capability, By: name}, noon)
		if err != nil && !errors.Is(err, store.ErrAnswered) {
			return err
		}
		if err == nil {
			fmt.Println(id)
		}
	}
	return l.Close()
}
