package serve_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive/archivetest"
	"ambit.dev/ambit/internal/server/servertest"
)

// words is the id of the pack of these tests.
const words = "org.example.words"

// putPack writes a pack that asks for some capabilities, as JSON, into the home of a
// host.
func putPack(t *testing.T, h *servertest.Host, name, version string, wants ...string) (folder string) {
	t.Helper()
	folder = filepath.Join(h.Home, name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"id": %q, "version": %q, "kind": "cli-tool", "entry": ["true"], "capabilities": [%s]}`, words, version, strings.Join(wants, ","))
	if err := os.WriteFile(filepath.Join(folder, "ambit.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func from(source string) *connect.Request[pb.PreparePackRequest] {
	return connect.NewRequest(&pb.PreparePackRequest{From: &pb.PreparePackRequest_Source{Source: source}})
}

// prepare has a pack prepared, and wants that to work.
func (c client) prepare(t *testing.T, source string) *pb.Prepared {
	t.Helper()
	m, err := c.packs.PreparePack(t.Context(), from(source))
	if err != nil {
		t.Fatalf("prepare %s: %v", source, err)
	}
	return m.Msg.GetPrepared()
}

// yes allows some of what was prepared.
func yes(p *pb.Prepared, allow ...string) *pb.InstallPackRequest {
	r := &pb.InstallPackRequest{Id: p.GetId(), Digest: p.GetPack().GetDigest()}
	for _, c := range allow {
		r.Choices = append(r.Choices, &pb.Choice{Capability: c, Choosing: pb.Choosing_CHOOSING_ALLOW})
	}
	return r
}

func (c client) install(t *testing.T, r *pb.InstallPackRequest) (*pb.Installed, error) {
	t.Helper()
	m, err := c.packs.InstallPack(t.Context(), connect.NewRequest(r))
	if err != nil {
		return nil, err
	}
	return m.Msg.GetInstalled(), nil
}

// granted are the capabilities that the pack may use, and with "not " those that are
// denied.
func (c client) granted(t *testing.T) (all []string) {
	t.Helper()
	m, err := c.grants.ListGrants(t.Context(), connect.NewRequest(&pb.ListGrantsRequest{Pack: words}))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range m.Msg.GetGrants() {
		if g.GetVerdict() == pb.Verdict_VERDICT_DENY {
			all = append(all, "not "+g.GetCapability())
		} else {
			all = append(all, g.GetCapability())
		}
	}
	slices.Sort(all)
	return all
}

func (c client) wantGranted(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := c.granted(t); !slices.Equal(got, want) {
		t.Errorf("%s: granted %q, want %q", when, got, want)
	}
}

// installed is the version that is installed, "" if none is.
func (c client) installed(t *testing.T) string {
	t.Helper()
	m, err := c.packs.ListPacks(t.Context(), connect.NewRequest(&pb.ListPacksRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Msg.GetPacks() {
		if p.GetId() == words {
			return p.GetVersion()
		}
	}
	return ""
}

// What a pack asks for is told in groups; what is chosen of it is granted and denied,
// and the rest is left. An update that asks for no more is installed at once, one that
// asks for more waits, and what is not asked for any more is taken back.
func TestConsent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	const hostname, passwd, group = `"fs.read:/etc/hostname"`, `"fs.read:/etc/passwd"`, `{"capability": "fs.read:/etc/group", "reason": "why not", "optional": true}`
	folder := putPack(t, h, "words", "1", hostname, passwd, group, `"net.connect:*"`)
	p := c.prepare(t, folder)
	var told []string
	for _, w := range p.GetWants() {
		told = append(told, fmt.Sprintf("%s %s %q %v %v %v", w.GetRisk(), w.GetCapability(), w.GetReason(), w.GetOptional(), w.GetBroad(), w.GetState()))
	}
	want := []string{`What is broad net.connect:* "" false true WANT_STATE_ASKED`, `Files fs.read:/etc/hostname "" false false WANT_STATE_ASKED`,
		`Files fs.read:/etc/passwd "" false false WANT_STATE_ASKED`, `Files fs.read:/etc/group "why not" true false WANT_STATE_ASKED`}
	if !slices.Equal(told, want) || p.GetSignerState() != pb.SignerState_SIGNER_STATE_UNSIGNED || p.GetBefore() != nil || c.installed(t) != "" {
		t.Errorf("it is told as %q, %v", told, p)
	}
	r := yes(p, "fs.read:/etc/hostname", "net.connect:*")
	r.TypedId = words
	r.Choices = append(r.Choices, &pb.Choice{Capability: "fs.read:/etc/passwd", Choosing: pb.Choosing_CHOOSING_DENY}, &pb.Choice{Capability: "fs.read:/etc/group", Choosing: pb.Choosing_CHOOSING_LATER})
	done, err := c.install(t, r)
	if err != nil || !slices.Equal(done.GetLeft(), []string{"fs.read:/etc/group"}) || c.installed(t) != "1" {
		t.Fatalf("installed %v, %v", done, err)
	}
	c.wantGranted(t, "installed", "fs.read:/etc/hostname", "net.connect:*", "not fs.read:/etc/passwd")

	update := func() *pb.UpdatePackResponse {
		t.Helper()
		m, err := c.packs.UpdatePack(t.Context(), connect.NewRequest(&pb.UpdatePackRequest{Id: words}))
		if err != nil {
			t.Fatal(err)
		}
		return m.Msg
	}
	if m := update(); m.GetUnchanged() == nil {
		t.Errorf("an update without a change: %v", m)
	}
	putPack(t, h, "words", "2", hostname, passwd)
	if m := update(); m.GetInstalled() == nil || !slices.Equal(m.GetInstalled().GetRevoked(), []string{"net.connect:*"}) || c.installed(t) != "2" {
		t.Errorf("an update that asks for less: %v", m)
	}
	c.wantGranted(t, "updated to less", "fs.read:/etc/hostname", "not fs.read:/etc/passwd")
	putPack(t, h, "words", "3", passwd, `"fs.read:/etc/group"`)
	m := update().GetPrepared()
	if m == nil || c.installed(t) != "2" || m.GetBefore().GetVersion() != "2" || len(m.GetDropped()) != 1 ||
		m.GetWants()[0].GetState() != pb.WantState_WANT_STATE_DENIED || m.GetWants()[1].GetState() != pb.WantState_WANT_STATE_ASKED {
		t.Fatalf("an update that asks for more: %v", m)
	}
	if _, err := c.install(t, yes(m, "fs.read:/etc/group")); err != nil || c.installed(t) != "3" {
		t.Errorf("the update is installed: %v", err)
	}
	c.wantGranted(t, "updated to more", "fs.read:/etc/group", "not fs.read:/etc/passwd")

	removed, err := c.packs.RemovePack(t.Context(), connect.NewRequest(&pb.RemovePackRequest{Id: words}))
	if err != nil || removed.Msg.GetRevoked() != 2 || c.installed(t) != "" {
		t.Errorf("removed: %v, %v", removed, err)
	}
	_, err = c.packs.RemovePack(t.Context(), connect.NewRequest(&pb.RemovePackRequest{Id: words}))
	wantCode(t, "removed twice", err, connect.CodeNotFound)
	if out, err := h.Command("audit", "verify").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// An older version is refused with why, when a pack is installed and when it is updated,
// and taken where the request says so.
func TestConsentOlder(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	folder := putPack(t, h, "words", "2")
	if _, err := c.install(t, yes(c.prepare(t, folder))); err != nil || c.installed(t) != "2" {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		wantCode(t, what, err, connect.CodeFailedPrecondition)
		failed, _ := errors.AsType[*connect.Error](err)
		for _, d := range failed.Details() {
			if m, err := d.Value(); err == nil {
				if older, ok := m.(*pb.OlderVersion); ok && older.GetId() == words && older.GetVersion() == "1" && older.GetTaken() == "2" {
					return
				}
			}
		}
		t.Errorf("%s: it does not say why: %v", what, err)
	}
	putPack(t, h, "words", "1")
	update := &pb.UpdatePackRequest{Id: words}
	_, err := c.packs.UpdatePack(t.Context(), connect.NewRequest(update))
	refused("an update", err)
	_, err = c.packs.PreparePack(t.Context(), from(folder))
	refused("an installation", err)
	if c.installed(t) != "2" {
		t.Errorf("version %s is installed", c.installed(t))
	}
	r := from(folder)
	r.Msg.AllowOlder = true
	m, err := c.packs.PreparePack(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.install(t, yes(m.Msg.GetPrepared())); err != nil || c.installed(t) != "1" {
		t.Errorf("version %s is installed: %v", c.installed(t), err)
	}
	if p := c.prepare(t, putPack(t, h, "words", "1", `"fs.read:/etc/hostname"`)); !p.GetSameVersion() {
		t.Error("it is not said that the version was another one")
	}
	putPack(t, h, "words", "0")
	update.AllowOlder = true
	if m, err := c.packs.UpdatePack(t.Context(), connect.NewRequest(update)); err != nil || m.Msg.GetInstalled() == nil || c.installed(t) != "0" {
		t.Errorf("an older version is not taken: %v, %v", m, err)
	}
}

// What was shown is installed, once, or nothing is.
func TestConsentExactly(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	folder := putPack(t, h, "words", "1", `"fs.read:/etc/hostname"`, `"net.connect:*"`)
	refused := func(what string, r *pb.InstallPackRequest) {
		t.Helper()
		done, err := c.install(t, r)
		wantCode(t, what, err, connect.CodeFailedPrecondition)
		if done != nil || c.installed(t) != "" || len(c.granted(t)) > 0 {
			t.Fatalf("%s: installed %v, granted %q", what, done, c.granted(t))
		}
	}
	p := c.prepare(t, folder)
	other := c.prepare(t, putOther(t, h))
	exchanged := yes(p, "fs.read:/etc/hostname")
	exchanged.Digest = other.GetPack().GetDigest()
	refused("another pack's digest", exchanged)
	refused("what it does not ask for", yes(p, "fs.read:/etc/passwd"))
	refused("what is wider than it asks for", yes(p, "fs.read:/etc"))
	refused("a capability twice", yes(p, "fs.read:/etc/hostname", "fs.read:/etc/hostname"))
	refused("something broad, and no id typed", yes(p, "net.connect:*"))
	typed := yes(p, "net.connect:*")
	typed.TypedId = "org.example.word"
	refused("something broad, and another id typed", typed)
	for _, id := range []string{"i-aaaaaaaaaaaaaaaaaaaaaaaaaa", "../x", "-x", "--yes"} {
		guessed := yes(p)
		guessed.Id = id
		refused("an id that is none", guessed)
	}

	// Where the archive lies something else may lie by now.
	putPack(t, h, "words", "2", `"fs.read:/etc/passwd"`)
	if done, err := c.install(t, yes(p, "fs.read:/etc/hostname")); err != nil || done.GetPack().GetVersion() != "1" {
		t.Fatalf("what was shown is not installed: %v, %v", done, err)
	}
	if _, err := c.install(t, yes(p, "fs.read:/etc/hostname")); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("the id is good twice: %v", err)
	}
	c.wantGranted(t, "installed", "fs.read:/etc/hostname")
	if text, err := os.ReadFile(filepath.Join(packFolder(t, c), "ambit.json")); err != nil || strings.Contains(string(text), "passwd") {
		t.Errorf("installed is %s, %v", text, err)
	}
}

// putOther writes a pack with another id.
func putOther(t *testing.T, h *servertest.Host) (folder string) {
	t.Helper()
	folder = filepath.Join(h.Home, "other")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "ambit.json"), []byte(`{"id": "org.example.other", "kind": "cli-tool", "entry": ["true"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func packFolder(t *testing.T, c client) string {
	t.Helper()
	m, err := c.packs.GetPack(t.Context(), connect.NewRequest(&pb.GetPackRequest{Id: words}))
	if err != nil {
		t.Fatal(err)
	}
	return m.Msg.GetPack().GetFolder()
}

// What became another question since it was shown is not answered by that: where the
// unpacked pack was changed, where something else was granted or installed.
func TestConsentStale(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	first := putPack(t, h, "first", "1", `"fs.read:/etc/hostname"`, `"fs.read:/etc/passwd"`)
	second := putPack(t, h, "second", "2", `"fs.read:/etc/hostname"`)
	stale := func(what string, p *pb.Prepared, allow string) {
		t.Helper()
		if done, err := c.install(t, yes(p, allow)); connect.CodeOf(err) != connect.CodeFailedPrecondition {
			t.Errorf("%s: installed %v, %v", what, done, err)
		}
	}
	p := c.prepare(t, first)
	drafts, err := filepath.Glob(h.State + ".packs/.new-*/ambit.json")
	if err != nil || len(drafts) != 1 {
		t.Fatal(drafts, err)
	}
	text, err := os.ReadFile(drafts[0])
	if err == nil {
		err = os.WriteFile(drafts[0], []byte(strings.Replace(string(text), "hostname", "shadow", 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	stale("changed where it was unpacked", p, "fs.read:/etc/passwd")
	if c.installed(t) != "" {
		t.Fatal("it is installed")
	}

	p = c.prepare(t, first)
	if out, err := h.Command("pack", "install", "--lazy", second).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stale("another version was installed since", p, "fs.read:/etc/hostname")
	older := from(first)
	older.Msg.AllowOlder = true
	m, err := c.packs.PreparePack(t.Context(), older)
	if err != nil {
		t.Fatal(err)
	}
	p = m.Msg.GetPrepared()
	if out, err := h.Command("grants", "add", "--pack", words, "fs.read:/etc/hostname").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stale("something was granted since", p, "fs.read:/etc/passwd")
	if c.installed(t) != "2" {
		t.Errorf("version %s is installed", c.installed(t))
	}
	c.wantGranted(t, "in the end", "fs.read:/etc/hostname")
}

// Who has a smaller role installs nothing, and one admin does not go on with what
// another had prepared or uploaded.
func TestConsentWho(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	as := func(name, role string) ambitv1connect.PackServiceClient {
		return ambitv1connect.NewPackServiceClient(holder(t, h, token(t, h, name, role)), "https://"+address)
	}
	folder := putPack(t, h, "words", "1", `"fs.read:/etc/hostname"`)
	ana, ben := as("ana", "admin"), as("ben", "admin")
	m, err := ana.PreparePack(t.Context(), from(folder))
	if err != nil {
		t.Fatal(err)
	}
	r := yes(m.Msg.GetPrepared(), "fs.read:/etc/hostname")
	for _, role := range []string{"viewer", "approver", "operator"} {
		c := as(role, role)
		_, err1 := c.PreparePack(t.Context(), from(folder))
		_, err2 := c.InstallPack(t.Context(), connect.NewRequest(r))
		_, err3 := c.UpdatePack(t.Context(), connect.NewRequest(&pb.UpdatePackRequest{Id: words}))
		_, err4 := c.RemovePack(t.Context(), connect.NewRequest(&pb.RemovePackRequest{Id: words}))
		_, err5 := c.UploadPack(t.Context(), connect.NewRequest(&pb.UploadPackRequest{Data: []byte("x")}))
		for i, err := range []error{err1, err2, err3, err4, err5} {
			wantCode(t, fmt.Sprint(role, " ", i), err, connect.CodePermissionDenied)
		}
	}
	_, err = ben.InstallPack(t.Context(), connect.NewRequest(r))
	wantCode(t, "another admin's id", err, connect.CodeFailedPrecondition)
	local := newClient(t, h)
	_, err = local.install(t, r)
	wantCode(t, "another admin's id, on the socket", err, connect.CodeFailedPrecondition)

	up, err := ana.UploadPack(t.Context(), connect.NewRequest(&pb.UploadPackRequest{Data: []byte("x")}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ben.UploadPack(t.Context(), connect.NewRequest(&pb.UploadPackRequest{Upload: up.Msg.GetUpload(), Offset: 1, Data: []byte("x")}))
	wantCode(t, "another admin's upload, added to", err, connect.CodeNotFound)
	_, err = ben.PreparePack(t.Context(), connect.NewRequest(&pb.PreparePackRequest{From: &pb.PreparePackRequest_Upload{Upload: up.Msg.GetUpload()}}))
	wantCode(t, "another admin's upload", err, connect.CodeNotFound)
	if local.installed(t) != "" {
		t.Fatal("it is installed")
	}

	if _, err := ana.InstallPack(t.Context(), connect.NewRequest(r)); err != nil || local.installed(t) != "1" {
		t.Errorf("who had it prepared cannot install it: %v", err)
	}
	out, err := h.Command("audit", "ls").Output()
	if err != nil || !strings.Contains(string(out), "token ana") || !strings.Contains(string(out), "InstallPack") {
		t.Errorf("the log does not say who: %v %s", err, out)
	}
}

// upload sends an archive in parts.
func (c client) upload(t *testing.T, archive []byte, part int) string {
	t.Helper()
	r := &pb.UploadPackRequest{}
	for chunk := range slices.Chunk(archive, part) {
		r.Data = chunk
		m, err := c.packs.UploadPack(t.Context(), connect.NewRequest(r))
		if err != nil {
			t.Fatal(err)
		}
		r.Upload, r.Offset = m.Msg.GetUpload(), m.Msg.GetSize()
	}
	return r.GetUpload()
}

func (c client) prepareUpload(t *testing.T, id string) (*pb.Prepared, error) {
	t.Helper()
	m, err := c.packs.PreparePack(t.Context(), connect.NewRequest(&pb.PreparePackRequest{From: &pb.PreparePackRequest_Upload{Upload: id}}))
	if err != nil {
		return nil, err
	}
	return m.Msg.GetPrepared(), nil
}

// Nothing that an archive may bring comes out of its folder, and nothing is left of
// what was refused; an honest one is installed.
func TestUploadHostile(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	outside := filepath.Join(h.Dir, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	bomb, err := archivetest.Bomb(pack.MaxFiles + 1)
	if err != nil {
		t.Fatal(err)
	}
	archives := map[string][]byte{"no archive": []byte("#!/bin/sh\n"), "a bomb": bomb}
	for name, entries := range archivetest.Hostile(outside) {
		if archives[name], err = archivetest.Make(entries...); err != nil {
			t.Fatal(err)
		}
	}
	left := func(dir string) []os.DirEntry {
		all, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return all
	}
	for name, text := range archives {
		p, err := c.prepareUpload(t, c.upload(t, text, 1<<20))
		wantCode(t, name, err, connect.CodeFailedPrecondition)
		if p != nil || len(left(outside)) > 0 || len(left(h.State+".packs")) > 0 || len(left(filepath.Join(h.State, "host", "uploads"))) > 0 {
			t.Fatalf("%s: %v; it left %v, %v, %v", name, p, left(outside), left(h.State+".packs"), left(filepath.Join(h.State, "host", "uploads")))
		}
	}
	honest, err := archivetest.Make()
	if err != nil {
		t.Fatal(err)
	}
	id := c.upload(t, honest, 100)
	p, err := c.prepareUpload(t, id)
	if err != nil || p.GetPack().GetSource() != "uploaded" {
		t.Fatalf("an honest archive: %v, %v", p, err)
	}
	_, err = c.prepareUpload(t, id)
	wantCode(t, "an upload, used twice", err, connect.CodeNotFound)
	if _, err := c.install(t, yes(p)); err != nil || c.installed(t) != "1.0" {
		t.Errorf("an honest archive is not installed: %v", err)
	}
}

// An upload goes on where it ended, is bounded, and leads nowhere but to its file.
func TestUploadBounds(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	send := func(r *pb.UploadPackRequest) (*pb.UploadPackResponse, error) {
		m, err := c.packs.UploadPack(t.Context(), connect.NewRequest(r))
		if err != nil {
			return nil, err
		}
		return m.Msg, nil
	}
	part := make([]byte, 1<<20)
	m, err := send(&pb.UploadPackRequest{Data: part})
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, 1, 1<<20 - 1, 1<<20 + 1, -1} {
		_, err := send(&pb.UploadPackRequest{Upload: m.GetUpload(), Offset: offset, Data: part})
		wantCode(t, fmt.Sprint("offset ", offset), err, connect.CodeFailedPrecondition)
	}
	for _, id := range []string{"../../packs.json", "u-", "u-../x", "u-AAAA", "u-aaaa", "x", "u-" + strings.Repeat("a", 400), "u-a\x00"} {
		_, err := send(&pb.UploadPackRequest{Upload: id, Data: part})
		wantCode(t, id, err, connect.CodeNotFound)
		_, err = c.prepareUpload(t, id)
		wantCode(t, id, err, connect.CodeNotFound)
	}
	_, err = send(&pb.UploadPackRequest{Upload: m.GetUpload(), Offset: 1 << 20, Data: make([]byte, 1<<20+1)})
	wantCode(t, "a part that is too long", err, connect.CodeInvalidArgument)
	for size := m.GetSize(); size < 64<<20; size += 1 << 20 {
		if _, err := send(&pb.UploadPackRequest{Upload: m.GetUpload(), Offset: size, Data: part}); err != nil {
			t.Fatal(size, err)
		}
	}
	_, err = send(&pb.UploadPackRequest{Upload: m.GetUpload(), Offset: 64 << 20, Data: part[:1]})
	wantCode(t, "more than 64 MiB", err, connect.CodeResourceExhausted)
	for range 3 {
		if _, err := send(&pb.UploadPackRequest{Data: part[:1]}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = send(&pb.UploadPackRequest{Data: part[:1]})
	wantCode(t, "more than four at once", err, connect.CodeResourceExhausted)
	for _, source := range []string{"", "words", "./words", "~/words", "../words", "--update"} {
		_, err := c.packs.PreparePack(t.Context(), from(source))
		wantCode(t, source, err, connect.CodeInvalidArgument)
	}
}
