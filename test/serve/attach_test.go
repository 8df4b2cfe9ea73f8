package serve_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// onTerminal starts a command on a terminal of ours.
func onTerminal(t *testing.T, cmd *exec.Cmd) (master *os.File) {
	t.Helper()
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open("/dev/ptmx", flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "terminal") // it blocks: reading ends with it
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, flags)
	if errno != 0 {
		t.Fatal(errno)
	}
	slave := os.NewFile(n, "terminal")
	defer slave.Close()
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 99}); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return master
}

// sees reads until a word comes, or the end.
func sees(t *testing.T, from io.Reader, word string) (all string) {
	t.Helper()
	over := time.AfterFunc(patience, func() { panic("no " + word) })
	defer over.Stop()
	for buf := make([]byte, 4096); ; {
		n, err := from.Read(buf)
		if all += string(buf[:n]); err != nil || word != "" && strings.Contains(all, word) {
			return all
		}
	}
}

// From a terminal a session's is typed to: it has our size, Ctrl-C reaches it, and
// Ctrl-] leaves it as it is. Whoever comes next finds it where it was, and is told how
// it ends.
func TestAttachTerminal(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	const loop = `trap 'echo interrupted; stty size' INT; echo ready; while read line; do echo got=$line; done; exit 4`
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"bash", "-c", loop}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	first := h.Command("attach", s.GetId())
	master := onTerminal(t, first)
	sees(t, master, "Ctrl-] leaves it")
	for range 600 { // the size is told beside the keys
		if _, err := master.WriteString("\x03\r"); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sees(t, master, "got="), "33 99") {
			break
		}
	}
	if _, err := master.WriteString("first\r"); err != nil {
		t.Fatal(err)
	}
	sees(t, master, "got=first")
	if _, err := master.WriteString("\x1dnever typed\r"); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("who leaves is told %v", err)
	}
	second := h.Command("attach", "--input", s.GetId())
	second.Stdin = strings.NewReader("second\n\x04")
	out, err := second.Output()
	if second.ProcessState.ExitCode() != 4 {
		t.Errorf("who stays to the end is told %v: %s", err, out)
	}
	if all, _ := c.typist(t, s.GetId()).until(""); !strings.Contains(all, "interrupted\r\n") || !strings.Contains(all, "33 99\r\n") || !strings.Contains(all, "got=second") || strings.Contains(all, "never") {
		t.Errorf("it wrote %q", all)
	}
	calls, err := c.audit.ListRecords(t.Context(), connect.NewRequest(&pb.ListRecordsRequest{Filter: &pb.RecordFilter{Session: s.GetId(), Kind: "api.call"}}))
	if err != nil || len(calls.Msg.GetRecords()) != 2 {
		t.Errorf("two have typed, the log has %v: %v", calls, err)
	}
	for i, r := range calls.Msg.GetRecords() { // the newest first
		if by := fmt.Sprintf(`"by":"ambit attach, process %d"`, []int{second.Process.Pid, first.Process.Pid}[i]); !strings.Contains(r.GetBody(), by) {
			t.Errorf("it says %s, want %s", r.GetBody(), by)
		}
	}
	if out, err := h.Command("attach", s.GetId()).CombinedOutput(); err == nil || !strings.Contains(string(out), "has ended") {
		t.Errorf("after the end: %v %s", err, out)
	}
}
