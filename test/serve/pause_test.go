package serve_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
)

// A session is paused and goes on by the API, and says which it is. Who may not stop it
// may not pause it.
func TestPauseAPI(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	v := view(t, h, "(while sleep 0.01; do printf . >> /tmp/steps; done) & true")
	steps := func() int64 {
		m, err := v.files.GetFile(t.Context(), connect.NewRequest(&pb.GetFileRequest{Session: v.id, Path: "/tmp/steps"}))
		if err != nil {
			return 0
		}
		return m.Msg.GetFile().GetSize()
	}
	paused := func() bool {
		m, err := v.sessions.GetSession(t.Context(), connect.NewRequest(&pb.GetSessionRequest{Id: v.id}))
		if err != nil {
			t.Fatal(err)
		}
		return m.Msg.GetSession().GetPaused() && m.Msg.GetSession().GetState() == pb.SessionState_SESSION_STATE_RUNNING
	}
	until(t, "it does nothing", func() bool { return steps() > 0 })
	pauses := ambitv1connect.NewPauseServiceClient(h.Client(), base)
	lesser := ambitv1connect.NewPauseServiceClient(holder(t, h, token(t, h, "some", "approver")), "https://"+address)
	_, err := lesser.PauseSession(t.Context(), connect.NewRequest(&pb.PauseSessionRequest{Id: v.id}))
	wantCode(t, "to pause as approver", err, connect.CodePermissionDenied)
	m, err := pauses.PauseSession(t.Context(), connect.NewRequest(&pb.PauseSessionRequest{Id: v.id}))
	if err != nil || m.Msg.GetWay() == "" || !paused() {
		t.Fatalf("it is paused %v, %v", m, err)
	}
	wantCode(t, "to look while it is paused", v.stat("/tmp/steps"), connect.CodeFailedPrecondition)
	_, err = pauses.PauseSession(t.Context(), connect.NewRequest(&pb.PauseSessionRequest{Id: v.id}))
	wantCode(t, "to pause it again", err, connect.CodeFailedPrecondition)
	time.Sleep(time.Second) // no proof that it stands, only the time in which it could go on
	if _, err := pauses.ResumeSession(t.Context(), connect.NewRequest(&pb.ResumeSessionRequest{Id: v.id})); err != nil || paused() {
		t.Fatalf("it does not go on: %v", err)
	}
	was := steps()
	until(t, "it does not go on", func() bool { return steps() > was })
	_, err = pauses.ResumeSession(t.Context(), connect.NewRequest(&pb.ResumeSessionRequest{Id: v.id}))
	wantCode(t, "to resume what runs", err, connect.CodeFailedPrecondition)
	_, err = pauses.PauseSession(t.Context(), connect.NewRequest(&pb.PauseSessionRequest{Id: "s-aaaaaaaaaa"}))
	wantCode(t, "to pause what is not there", err, connect.CodeNotFound)
}
