package serve_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// By the API a session has zones by the same rules and bounds as at the command line,
// and a pack those that its manifest declares, when they are granted.
func TestServeZones(t *testing.T) {
	t.Parallel()
	requireFUSE(t)
	h := newHost(t)
	c := newClient(t, h)
	in, out, store := filepath.Join(h.Home, "in"), filepath.Join(h.Home, "out"), filepath.Join(h.Home, "store")
	for _, dir := range []string{in, out, store} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const script = `echo x > /in/f; echo one >> /store/log; echo two > /store/log; head -c 100000 /dev/zero > /out/big; echo written $?`
	r := &pb.CreateSessionRequest{Argv: []string{"sh", "-c", script}, Volumes: []string{in + ":/in:ro", out + ":/out:rw", store + ":/store:append"},
		Limits: map[string]string{"disk.out": "10000", "files.store": "1"}}
	said, bad, end := c.output(t, c.create(t, r).GetId())
	if said != "written 1\n" || !strings.Contains(bad, "Disk quota exceeded") || !strings.Contains(bad, "limit disk.out of 10000 bytes reached") || end.GetExit() != 0 {
		t.Errorf("it came to %q, %v\n%s", said, end, bad)
	}
	for file, want := range map[string]int{in + "/f": -1, out + "/big": 10000, store + "/log": len("one\n")} {
		text, err := os.ReadFile(file)
		if err != nil && want >= 0 || err == nil && len(text) != want {
			t.Errorf("%s has %d bytes, want %d: %v", file, len(text), want, err)
		}
	}
	// What the command line refuses is refused here.
	for want, change := range map[string]func(*pb.CreateSessionRequest){
		"no volume (-v) is called so":      func(r *pb.CreateSessionRequest) { r.Limits["disk.other"] = "1M" },
		"the same files can be written at": func(r *pb.CreateSessionRequest) { r.Allow = []string{"fs.write:" + out} },
		"is read-only":                     func(r *pb.CreateSessionRequest) { r.Limits["disk.in"] = "1M" },
		"a standing no":                    func(r *pb.CreateSessionRequest) { r.Deny = []string{"fs.write:" + out} },
	} {
		again := &pb.CreateSessionRequest{Argv: []string{"touch", "/out/begun"}, Volumes: r.GetVolumes(), Limits: map[string]string{"disk.out": "20000"}}
		change(again)
		m, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(again))
		if err == nil {
			_, bad, end := c.output(t, m.Msg.GetSession().GetId())
			t.Errorf("%s: it began, and came to %v\n%s", want, end, bad)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := os.Stat(out + "/begun"); err == nil {
		t.Error("what was refused has begun")
	}
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Volumes: []string{"in:/in:rw"}}))
	wantCode(t, "a folder by a relative path", err, connect.CodeInvalidArgument)
	c.zonedPack(t, filepath.Join(h.Home, "pack"))
}

// zonedPack runs a pack with a zone: before it is granted, and afterwards.
func (c client) zonedPack(t *testing.T, dir string) {
	t.Helper()
	manifest := `{"id": "org.example.zoned", "kind": "cli-tool", "entry": ["sh", "-c", "echo x > /zones/out/f && echo written; exit 0"], "zones": {"out": {"mode": "rw", "files": "1"}}}`
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(manifest), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := c.prepare(t, dir)
	if len(p.GetWants()) != 1 || !strings.Contains(p.GetWants()[0].GetMeaning(), "its zone out: a folder that is kept for it") {
		t.Errorf("it is asked about as %v", p.GetWants())
	}
	for _, choose := range []pb.Choosing{pb.Choosing_CHOOSING_LATER, pb.Choosing_CHOOSING_ALLOW} {
		p := c.prepare(t, dir)
		if _, err := c.install(t, &pb.InstallPackRequest{Id: p.GetId(), Digest: p.GetPack().GetDigest(),
			Choices: []*pb.Choice{{Capability: p.GetWants()[0].GetCapability(), Choosing: choose}}}); err != nil {
			t.Fatal(err)
		}
		want := map[pb.Choosing]string{pb.Choosing_CHOOSING_ALLOW: "written\n"}[choose]
		if said, bad, end := c.output(t, c.create(t, &pb.CreateSessionRequest{Pack: "org.example.zoned"}).GetId()); said != want || end.GetExit() != 0 {
			t.Errorf("%v: it came to %q, %v\n%s", choose, said, end, bad)
		}
	}
}
