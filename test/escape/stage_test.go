package escape_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// A stage is an internet of a test's own, around everything that the test starts:
// a network namespace in which every address of IPv4 and IPv6 leads to its
// services, and a name server that says what the test wants. The host's network
// has no part in it, and no address is one of the host but those that it names.
type stage struct {
	// Names are the answers to lookups: the first lookup gets the first, the last
	// stays. "*" is for every other name.
	Names map[string][]string
	Own   []string // addresses that the host itself has
	// Services are what listens. Who reached one is a line of the file Reached.
	Services []service
	Reached  string
	Token    string
}

// A service answers with the token, in the way of its kind: "plain", "tls", "http"
// (which redirects to To where that is not empty), "udp".
type service struct{ Name, Kind, At, To string }

// staged puts all that a field starts on a stage.
func (f *field) staged(s stage) {
	s.Reached, s.Token = filepath.Join(f.Outside, "reached"), f.token
	f.stage = &s
}

// comers are the services that were reached, in order, and "dns-NAME" for lookups
// that the host made.
func (f *field) comers() []string {
	text, _ := os.ReadFile(f.stage.Reached) // nobody came, nobody wrote
	return strings.Fields(string(text))
}

// reached says which services were reached, but for those that may be.
func (f *field) reached(may ...string) string {
	for _, name := range f.comers() {
		if !strings.HasPrefix(name, "dns-") && !slices.Contains(may, name) {
			return name + " was reached"
		}
	}
	return ""
}

// wrap has a command run on the stage.
func (s *stage) wrap(cmd *exec.Cmd, attacker string) {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	cmd.Args = append([]string{attacker, "stage", string(text), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = attacker
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN, unix.CAP_NET_BIND_SERVICE}
	}
}

// onStage sets the stage up, runs the command on it and passes its status on.
func onStage(words []string) int {
	runtime.LockOSThread() // what is given up below is given up by a thread
	var s stage
	err := json.Unmarshal([]byte(words[0]), &s)
	if err == nil {
		err = s.build()
	}
	if err == nil {
		err = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "no stage:", err)
		return 99
	}
	cmd := exec.Command(words[1], words[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exitStatus(err)
}

func (s stage) build() error {
	if err := everywhere(s.Own); err != nil {
		return fmt.Errorf("lay out the network: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for path, text := range map[string]string{"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n", "/etc/hosts": "127.0.0.1 localhost\n"} {
		file := s.Reached + "-" + filepath.Base(path)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("put %s in its place: %w", path, err)
		}
	}
	c, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	go s.answer(c)
	for _, v := range s.Services {
		if err := s.serve(v); err != nil {
			return fmt.Errorf("serve %s: %w", v.Name, err)
		}
	}
	return nil
}

// answer is the name server.
func (s stage) answer(c net.PacketConn) {
	var mu sync.Mutex
	asked := map[string]int{}
	buf := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
		answers, ok := s.Names[name]
		if !ok {
			answers = s.Names["*"]
		}
		s.note("dns-" + name)
		reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
		if answers == nil {
			reply.RCode = dnsmessage.RCodeNameError
		}
		if q.Type == dnsmessage.TypeA && len(answers) > 0 {
			mu.Lock()
			all := answers[min(asked[name], len(answers)-1)]
			asked[name]++
			mu.Unlock()
			for text := range strings.FieldsSeq(all) {
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
					Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(text).To4())}})
			}
		}
		if out, err := reply.Pack(); err == nil {
			_, _ = c.WriteTo(out, from) // who has gone away needs none
		}
	}
}

// note writes down who was reached.
func (s stage) note(name string) {
	f, err := os.OpenFile(s.Reached, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	_, _ = f.WriteString(name + "\n")
}

// everywhere has every address lead here, and gives this host its own.
func everywhere(own []string) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const lo = 1
	ne := binary.NativeEndian
	link := make([]byte, unix.SizeofIfInfomsg)
	ne.PutUint32(link[4:], lo)
	ne.PutUint32(link[8:], unix.IFF_UP)
	ne.PutUint32(link[12:], unix.IFF_UP)
	if err := request(fd, unix.RTM_NEWLINK, 0, link); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	for _, text := range own {
		a := net.ParseIP(text).To4()
		b := []byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE}
		b = ne.AppendUint32(b, lo)
		b = attribute(attribute(b, unix.IFA_LOCAL, a), unix.IFA_ADDRESS, a)
		if err := request(fd, unix.RTM_NEWADDR, unix.NLM_F_CREATE, b); err != nil {
			return fmt.Errorf("have %s: %w", text, err)
		}
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		b := make([]byte, unix.SizeofRtMsg)
		b[0], b[4], b[5], b[6], b[7] = family, unix.RT_TABLE_LOCAL, unix.RTPROT_STATIC, unix.RT_SCOPE_HOST, unix.RTN_LOCAL
		if family == unix.AF_INET6 {
			b[6] = unix.RT_SCOPE_UNIVERSE
		}
		b = attribute(b, unix.RTA_OIF, ne.AppendUint32(nil, lo))
		if err := request(fd, unix.RTM_NEWROUTE, unix.NLM_F_CREATE, b); err != nil && family == unix.AF_INET {
			return fmt.Errorf("take every address: %w", err)
		}
	}
	return nil
}

func attribute(to []byte, kind uint16, value []byte) []byte {
	to = binary.NativeEndian.AppendUint16(to, uint16(4+len(value)))
	to = binary.NativeEndian.AppendUint16(to, kind)
	return append(to, value...)
}

func request(fd int, kind, flags uint16, body []byte) error {
	ne := binary.NativeEndian
	b := ne.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = ne.AppendUint16(b, kind)
	b = ne.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0) // number, address
	if err := unix.Sendto(fd, append(b, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < unix.NLMSG_HDRLEN+4 {
		return err
	}
	if errno := unix.Errno(-int32(ne.Uint32(answer[unix.NLMSG_HDRLEN:]))); errno != 0 {
		return errno
	}
	return nil
}

// needStage skips a test where a stage cannot be had.
func needStage(t *testing.T) {
	t.Helper()
	if attempting != nil {
		return
	}
	cmd := exec.Command("/bin/true")
	s := stage{Reached: filepath.Join(t.TempDir(), "reached")}
	s.wrap(cmd, attacker(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("requires: namespaces of its own for a network and mounts (%v %s)", err, out)
	}
}
