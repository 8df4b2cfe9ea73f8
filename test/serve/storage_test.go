package serve_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/storage"
)

// self is whose a host is.
func self() string { return fmt.Sprintf("uid:%d", os.Getuid()) }

// shelve has an owner store values beneath a host's state, a version for each text.
func shelve(t *testing.T, state string, o storage.Owner, key string, texts ...string) {
	t.Helper()
	s, err := storage.Open(state+"/storage", o, storage.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		d, err := s.Draft(key, false)
		if err == nil {
			_, err = d.WriteAt([]byte(text), 0)
		}
		if err == nil {
			_, _, err = d.Commit(storage.By{Session: fmt.Sprint("s-", i), Now: time.Unix(1000, 0)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Values are listed page by page, shown with their versions, read in parts, removed and
// restored.
func TestStorage(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	large := strings.Repeat("0123456789abcdef", 1<<16+1)
	shelve(t, h.State, storage.Owner{Principal: self()}, "a", "one", "two")
	shelve(t, h.State, storage.Owner{Principal: self(), Pack: "org.example.p"}, "b/c", large)
	shelve(t, h.State, storage.Owner{Principal: self() + "@acme", Pack: "org.example.p"}, "theirs", "x")
	hc := h.Client()
	t.Cleanup(hc.CloseIdleConnections)
	c := ambitv1connect.NewStorageServiceClient(hc, base)
	var keys []string
	for token := ""; ; {
		m, err := c.ListValues(t.Context(), connect.NewRequest(&pb.ListValuesRequest{PageSize: 1, PageToken: token}))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.Msg.GetValues() {
			keys = append(keys, fmt.Sprintf("%s:%s:%d:%d", v.GetPack(), v.GetKey(), v.GetCurrent().GetNumber(), v.GetVersions()))
		}
		if token = m.Msg.GetNextPageToken(); token == "" {
			break
		}
	}
	if got := strings.Join(keys, " "); got != ":a:2:2 org.example.p:b/c:1:1" {
		t.Errorf("listed: %s", got)
	}
	content := func(pack, key string, version int64) (all string, err error) {
		for {
			m, err := c.GetContent(t.Context(), connect.NewRequest(&pb.GetContentRequest{Pack: pack, Key: key, Version: version, Offset: int64(len(all))}))
			if err != nil {
				return all, err
			}
			all, version = all+string(m.Msg.GetData()), m.Msg.GetVersion()
			if int64(len(all)) >= m.Msg.GetSize() || len(m.Msg.GetData()) == 0 {
				return all, nil
			}
		}
	}
	if got, err := content("org.example.p", "b/c", 0); err != nil || got != large {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := content("", "a", 1); err != nil || got != "one" {
		t.Errorf("version 1: %q, %v", got, err)
	}
	if _, err := c.RemoveValue(t.Context(), connect.NewRequest(&pb.RemoveValueRequest{Key: "a"})); err != nil {
		t.Error(err)
	}
	if got, err := content("", "a", 0); err == nil {
		t.Errorf("removed: %q", got)
	}
	m, err := c.RestoreValue(t.Context(), connect.NewRequest(&pb.RestoreValueRequest{Key: "a", Version: 1}))
	if err != nil || m.Msg.GetVersion().GetNumber() != 4 {
		t.Errorf("restored: %v, %v", m, err)
	}
	v, err := c.GetValue(t.Context(), connect.NewRequest(&pb.GetValueRequest{Key: "a"}))
	if err != nil || len(v.Msg.GetVersions()) != 4 || !v.Msg.GetVersions()[2].GetRemoved() {
		t.Errorf("versions: %v, %v", v, err)
	}
	for _, key := range []string{"", "../a", "--all", "theirs", "a\x00b", strings.Repeat("x", 5000)} {
		if _, err := c.GetValue(t.Context(), connect.NewRequest(&pb.GetValueRequest{Key: key})); err == nil {
			t.Errorf("%.20q is shown", key)
		}
		if _, err := c.RemoveValue(t.Context(), connect.NewRequest(&pb.RemoveValueRequest{Key: key, Pack: "org.example.p"})); err == nil {
			t.Errorf("%.20q is removed", key)
		}
	}
}

// What is forgotten has no versions any more, and what a removed pack has left is given to
// the pack that has its id, where there is one.
func TestStorageForgetAdopt(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	hc := h.Client()
	t.Cleanup(hc.CloseIdleConnections)
	c := ambitv1connect.NewStorageServiceClient(hc, base)
	shelve(t, h.State, storage.Owner{Principal: self()}, "a", "one", "two")
	if _, err := c.ForgetValue(t.Context(), connect.NewRequest(&pb.ForgetValueRequest{Key: "a"})); err != nil {
		t.Error(err)
	}
	if v, err := c.GetValue(t.Context(), connect.NewRequest(&pb.GetValueRequest{Key: "a"})); err == nil {
		t.Errorf("what was forgotten has versions: %v", v)
	}
	for _, key := range []string{"", "../a", "--all", "a"} {
		if _, err := c.ForgetValue(t.Context(), connect.NewRequest(&pb.ForgetValueRequest{Key: key})); err == nil {
			t.Errorf("%q is forgotten", key)
		}
	}

	const id = "org.example.left"
	dir := filepath.Join(h.Home, "pack")
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(`{"id": "`+id+`", "kind": "cli-tool", "entry": ["true"]}`), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	ambit := func(args ...string) {
		t.Helper()
		if out, err := h.Command(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	adopt := func(id string) error {
		_, err := c.AdoptValues(t.Context(), connect.NewRequest(&pb.AdoptValuesRequest{Pack: id}))
		return err
	}
	ambit("pack", "install", "--yes", dir)
	shelve(t, h.State, storage.Owner{Principal: self(), Pack: id}, "b", "kept")
	ambit("pack", "rm", id)
	wantCode(t, "no such pack", adopt(id), connect.CodeFailedPrecondition)
	wantCode(t, "none", adopt(""), connect.CodeInvalidArgument)
	wantCode(t, "a flag", adopt("--help"), connect.CodeFailedPrecondition)
	ambit("pack", "install", "--yes", dir)
	read := func() (string, error) {
		m, err := c.GetContent(t.Context(), connect.NewRequest(&pb.GetContentRequest{Pack: id, Key: "b"}))
		if err != nil {
			return "", err
		}
		return string(m.Msg.GetData()), nil
	}
	if got, err := read(); err == nil {
		t.Errorf("a new pack finds what a removed one had: %q", got)
	}
	if err := adopt(id); err != nil {
		t.Error(err)
	}
	if got, err := read(); err != nil || got != "kept" {
		t.Errorf("it has %q, %v", got, err)
	}
}

// What one organisation has stored another one neither sees nor changes, by the same
// requests that show it to its own.
func TestStorageOfOthers(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	acme, beta := joins(t, h, address, "a", "acme"), joins(t, h, address, "b", "beta")
	shelve(t, h.State, storage.Owner{Principal: self() + "@acme"}, "k", mark)
	for _, call := range []string{"ListValues", "GetValue", "GetContent", "RemoveValue", "RestoreValue", "ForgetValue"} {
		const body = `{"key":"k","version":"1"}`
		const path = "/ambit.v1.StorageService/"
		code, text := beta.call(t, path+call, body, false, patience, nil)
		if strings.Contains(text, `"k"`) || strings.Contains(text, "YWNtZXNlY3JldA") || call != "ListValues" && code == http.StatusOK {
			t.Errorf("%s for another organisation: %d %s", call, code, text)
		}
		if code, text := acme.call(t, path+call, body, false, patience, nil); code != http.StatusOK && call != "RestoreValue" {
			t.Errorf("%s for its own: %d %s", call, code, text)
		}
	}
}
