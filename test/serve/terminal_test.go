package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/server/servertest"
)

// A typist types into one terminal, and sees what is written there.
type typist struct {
	t         *testing.T
	terminals ambitv1connect.TerminalServiceClient
	sessions  ambitv1connect.SessionServiceClient
	id        string
	writer    string
	at        int64
	seen      int64 // offset of the output
}

func (c client) typist(t *testing.T, id string) *typist {
	t.Helper()
	return &typist{t: t, terminals: c.terminals, sessions: c.sessions, id: id, writer: "a test"}
}

func (w *typist) write(text string) error {
	for text != "" {
		m, err := w.terminals.WriteInput(w.t.Context(), connect.NewRequest(&pb.WriteInputRequest{Id: w.id, Writer: w.writer, Offset: w.at, Data: []byte(text)}))
		if err != nil {
			return err
		}
		n := m.Msg.GetNext() - w.at
		w.at, text = m.Msg.GetNext(), text[n:]
	}
	return nil
}

func (w *typist) types(text string) {
	w.t.Helper()
	if err := w.write(text); err != nil {
		w.t.Fatalf("type %q: %v", text, err)
	}
}

// until is what is written up to a word, or to the end.
func (w *typist) until(word string) (all string, end *pb.SessionEnd) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	s, err := w.sessions.StreamOutput(ctx, connect.NewRequest(&pb.StreamOutputRequest{Id: w.id, Offset: w.seen}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	for s.Receive() {
		all += string(s.Msg().GetData())
		w.seen = s.Msg().GetNext()
		if s.Msg().GetEnd() != nil {
			return all, s.Msg().GetEnd()
		}
		if word != "" && strings.Contains(all, word) {
			return all, nil
		}
	}
	w.t.Fatalf("the output has no %q and ends with %v: %q", word, s.Err(), all)
	return "", nil
}

var eighty = &pb.Terminal{Rows: 24, Columns: 80}

// A program that was given a terminal has one, with a size that can be changed, and
// reads what is typed; its line discipline is the kernel's. Its end is told.
func TestTerminal(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "stty size; echo $TERM; read line; echo got=$line; stty size; read more; exit 5"}, Terminal: eighty})
	if !s.GetTerminal() {
		t.Errorf("it is told to have none: %v", s)
	}
	w := c.typist(t, s.GetId())
	if got, _ := w.until("xterm-256color"); !strings.Contains(got, "24 80\r\n") {
		t.Errorf("it begins with %q", got)
	}
	if _, err := c.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.GetId(), Rows: 40, Columns: 132})); err != nil {
		t.Fatal(err)
	}
	w.types("wordx\x7f\r")
	if got, _ := w.until("40 132"); !strings.Contains(got, "got=word\r\n") {
		t.Errorf("it goes on with %q", got)
	}
	w.types("\x04") // the end of input
	if got, end := w.until(""); end.GetExit() != 5 {
		t.Errorf("it ends with %v: %q", end, got)
	}
	err := w.write("late")
	wantCode(t, "input after the end", err, connect.CodeFailedPrecondition)
	_, err = c.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.GetId(), Rows: 40, Columns: 132}))
	wantCode(t, "a size after the end", err, connect.CodeFailedPrecondition)
}

// heard is what a reader has of a long output.
type heard struct {
	lost, kept int
	tail       string
	end        *pb.SessionEnd
}

func (c client) hear(t *testing.T, id string) (h heard) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := c.sessions.StreamOutput(ctx, connect.NewRequest(&pb.StreamOutputRequest{Id: id}))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for out.Receive() {
		m := out.Msg()
		h.lost, h.kept, h.end = h.lost+int(m.GetLost()), h.kept+len(m.GetData()), m.GetEnd()
		h.tail += string(m.GetData())
		h.tail = h.tail[max(0, len(h.tail)-100):]
	}
	if out.Err() != nil {
		t.Fatal(out.Err())
	}
	return h
}

// A terminal that much was written to is not silent afterwards: the newest is kept, and who
// comes late is told what is not.
func TestTerminalLong(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	const much = 17 << 20
	script := fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; echo; read line; echo got=$line", much)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", script}, Terminal: eighty})
	c.typist(t, s.GetId()).types("word\r")
	for _, when := range []string{"meanwhile", "afterwards"} {
		h := c.hear(t, s.GetId())
		if !strings.HasSuffix(h.tail, "got=word\r\n") || h.end.GetExit() != 0 || h.end.GetDropped() != 0 || h.lost+h.kept < much {
			t.Errorf("%s: %d are lost, %d kept, it ends with %q and %v", when, h.lost, h.kept, h.tail, h.end)
		}
		if when == "afterwards" && (h.lost < much-keep.MaxOutput || h.kept < keep.MaxOutput*3/4 || h.kept > keep.MaxOutput) {
			t.Errorf("%d are lost, %d kept", h.lost, h.kept)
		}
	}
}

// Control-C reaches the program that is in front, as at any terminal.
func TestTerminalInterrupt(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1; done"}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	w.types("\x03")
	if got, end := w.until(""); end.GetExit() != 9 || !strings.Contains(got, "interrupted") {
		t.Errorf("it ends with %v: %q", end, got)
	}
}

// A call that is sent again types nothing twice, also after the host was killed; one
// that says that something came before which did not is refused.
func TestTerminalAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "stty -echo; echo ready; cat"}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	send := func(writer string, offset int64, data string) (int64, error) {
		m, err := c.terminals.WriteInput(t.Context(), connect.NewRequest(&pb.WriteInputRequest{Id: s.GetId(), Writer: writer, Offset: offset, Data: []byte(data)}))
		if err != nil {
			return 0, err
		}
		return m.Msg.GetNext(), nil
	}
	for range 3 {
		if next, err := send("one", 0, "first\n"); next != 6 || err != nil {
			t.Errorf("got %d, %v", next, err)
		}
	}
	if err := errors.Join(h.End(syscall.SIGKILL), h.Again()); err != nil {
		t.Fatal(err)
	}
	c = newClient(t, h)
	w = c.typist(t, s.GetId())
	for range 2 {
		if next, err := send("one", 0, "first\nsecond\n"); next != 13 || err != nil {
			t.Errorf("got %d, %v", next, err)
		}
	}
	if next, err := send("other", 0, "third\n"); next != 6 || err != nil {
		t.Errorf("another writer: got %d, %v", next, err)
	}
	_, err := send("one", 14, "later\n")
	wantCode(t, "input behind a gap", err, connect.CodeOutOfRange)
	if _, err := send("other", 6, "\x04"); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.until(""); got != "ready\r\nfirst\r\nsecond\r\nthird\r\n" {
		t.Errorf("it read %q", got)
	}
}

// What a program does not read waits, up to a bound: then nothing is taken, and
// nothing is lost. What is too long at once is refused, and so is what has no writer.
func TestTerminalFull(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "stty raw -echo; echo ready; sleep 3600"}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	write := func(at int64, data []byte) (*connect.Response[pb.WriteInputResponse], error) {
		return c.terminals.WriteInput(t.Context(), connect.NewRequest(&pb.WriteInputRequest{Id: s.GetId(), Writer: "w", Offset: at, Data: data}))
	}
	piece, at := bytes.Repeat([]byte("x"), 32<<10), int64(0)
	for { // 2 MB, were it taken
		m, err := write(at, piece)
		if err != nil {
			t.Fatal(err)
		}
		if m.Msg.GetNext() == at {
			break
		}
		if at = m.Msg.GetNext(); at > 2<<20 {
			t.Fatal("2 MB are held for a program that reads nothing")
		}
	}
	_, err := write(0, make([]byte, 2<<20))
	if code := connect.CodeOf(err); code != connect.CodeResourceExhausted && code != connect.CodeInvalidArgument {
		t.Errorf("2 MB at once: %v", err)
	}
	_, err = write(at, make([]byte, 32<<10+1))
	wantCode(t, "too much at once", err, connect.CodeInvalidArgument)
	_, err = c.terminals.WriteInput(t.Context(), connect.NewRequest(&pb.WriteInputRequest{Id: s.GetId(), Data: []byte("x")}))
	wantCode(t, "input of nobody", err, connect.CodeInvalidArgument)
	for _, size := range [][2]uint32{{0, 80}, {24, 0}, {1001, 80}, {24, 1 << 16}} {
		_, err = c.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.GetId(), Rows: size[0], Columns: size[1]}))
		wantCode(t, "a size that is none", err, connect.CodeInvalidArgument)
	}
	if _, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()})); err != nil {
		t.Error(err)
	}
}

// Nobody types where there is no terminal, and by no id that is none.
func TestTerminalNone(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sleep", "3600"}})
	wantCode(t, "input without a terminal", c.typist(t, s.GetId()).write("x"), connect.CodeFailedPrecondition)
	for _, id := range []string{"", "s-aaaaaaaaaa", "../" + s.GetId(), s.GetId() + "/../" + s.GetId(), s.GetId() + "\x00"} {
		wantCode(t, "input for "+id, c.typist(t, id).write("x"), connect.CodeNotFound)
	}
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Terminal: eighty, Stdin: []byte("x")}))
	wantCode(t, "a terminal and what is read instead", err, connect.CodeInvalidArgument)
	_, err = c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Terminal: &pb.Terminal{Rows: 24}}))
	wantCode(t, "a terminal without a size", err, connect.CodeInvalidArgument)
	if _, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()})); err != nil {
		t.Error(err)
	}
}

// Who may not start programs may not type into them either, nor see what they write.
// Who begins to is in the log, once, and each by the own name.
func TestTerminalRoles(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "stty -echo; echo ready; cat"}, Terminal: eighty})
	c.typist(t, s.GetId()).until("ready")
	as := func(hc *http.Client) *typist {
		return &typist{t: t, terminals: ambitv1connect.NewTerminalServiceClient(hc, "https://"+address), sessions: ambitv1connect.NewSessionServiceClient(hc, "https://"+address), id: s.GetId(), writer: "one"}
	}
	for _, role := range []string{"viewer", "approver"} {
		w := as(holder(t, h, token(t, h, "some-"+role, role)))
		wantCode(t, "input of a "+role, w.write("x"), connect.CodePermissionDenied)
		_, err := w.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.GetId(), Rows: 1, Columns: 1}))
		wantCode(t, "a size of a "+role, err, connect.CodePermissionDenied)
	}
	one, other := as(holder(t, h, token(t, h, "one", "operator"))), as(holder(t, h, token(t, h, "other", "operator")))
	one.types("a\n")
	one.types("b\n")
	other.types("c\n") // by the same writer's name, and from the beginning
	other.types("\x04")
	if got, _ := one.until(""); got != "ready\r\na\r\nb\r\nc\r\n" {
		t.Errorf("it read %q", got)
	}
	out, err := h.Command("audit", "ls", "--kind", "api.call").Output()
	for _, who := range []string{"one", "other"} {
		if n := strings.Count(string(out), "by token "+who+", operator: TerminalService/WriteInput"); n != 1 || err != nil {
			t.Errorf("the log has %d records of %s: %v\n%s", n, who, err, out)
		}
	}
}

// Another principal's terminal is not there.
func TestTerminalSomebodyElses(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "echo ready; cat"}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	becomes(t, h, s.GetId(), "other-", "")
	wantCode(t, "input for somebody else's", w.write("x"), connect.CodeNotFound)
	_, err := c.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: s.GetId(), Rows: 1, Columns: 1}))
	wantCode(t, "a size for somebody else's", err, connect.CodeNotFound)
	becomes(t, h, s.GetId(), "", "other-")
	w.types("mine\n\x04")
	if got, _ := w.until(""); strings.Contains(got, "x") || !strings.Contains(got, "mine") {
		t.Errorf("it read %q", got)
	}
}

// becomes makes what was started somebody else's: another word before the principal.
func becomes(t *testing.T, h *servertest.Host, id, now, was string) {
	t.Helper()
	folder := map[byte]string{'s': "sessions", 'x': "execs"}[id[0]]
	name := filepath.Join(h.State, "host", folder, id, "job.json")
	text, err := os.ReadFile(name)
	if err == nil {
		const field = `"principal":"`
		text = bytes.Replace(text, []byte(field+was), []byte(field+now), 1)
		err = os.WriteFile(name, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
