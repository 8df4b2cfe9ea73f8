package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// What a host is to hold.
const (
	hostSessions      = 200
	hostMemoryTarget  = 400.0 // MB of its own process
	hostReadsTarget   = 1000  // a second
	hostCreateTarget  = 1.0 / 3
	hostQuestions     = 500
	hostRestartTarget = 2 * time.Second
	hostFilterTarget  = time.Second
	hostReadFor       = 2 * time.Second
)

// hostReads are the calls whose rate is measured, with what they ask.
var hostReads = []struct{ Name, Route, Body string }{
	{"GetVersion", "HostService/GetVersion", `{}`},
	{"GetSession", "SessionService/GetSession", `{"id":"SESSION"}`},
	{"ListSessions, 50 of 200", "SessionService/ListSessions", `{"pageSize":50}`},
	{"ListQuestions", "QuestionService/ListQuestions", `{}`},
	{"ListGrants", "GrantService/ListGrants", `{}`},
	{"ListRecords, 50", "AuditService/ListRecords", `{"pageSize":50}`},
}

// hostNumbers is what was found of a host.
type hostNumbers struct {
	ByAPI, ByCommand samples // from the request, or the command, to a program's first instruction
	Began            time.Duration
	Memory           int64              // PSS of its process with all sessions
	Beside           int64              // of the processes that it has started and that are no sandboxes: store and launchers that stand by
	Sessions         int64              // of everything else: keepers, launchers, sandboxes
	Reads            map[string]float64 // a second, of eight clients
	Restart          time.Duration      // after kill -9, until every session is told as running
	Lost             int                // sessions that did not come back
	Asked            time.Duration      // until all questions waited
	List, Watch      samples            // all questions, in one page, and until a stream has caught up
	Answer           samples            // from an answer until a stream says that the question is over
	Filters          map[string]time.Duration
	Problem          string
}

// host measures `ambit serve`.
func (m *measurer) host() error {
	n := &m.Host200
	s, err := m.serve(m.in("served"))
	if err != nil {
		return err
	}
	defer func() {
		if err := errors.Join(s.stopAll(), s.end(syscall.SIGTERM)); err != nil {
			say("  the host was not ended as it should be: %v", err)
		}
	}()
	for _, step := range []struct {
		name string
		do   func(*served, *hostNumbers) error
	}{{"starting a session", m.hostCreate}, {fmt.Sprintf("%d sessions", hostSessions), m.hostMany}, {"reads", m.hostRate}, {"kill -9", m.hostRestart},
		{fmt.Sprintf("%d questions", hostQuestions), m.hostAsk}, {"filters", m.hostFilter}} {
		say("  %s", step.name)
		began := time.Now()
		if err := step.do(s, n); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		say("    %.1f s", time.Since(began).Seconds())
	}
	return nil
}

// hostCreate is the time to a program's first instruction, by the API and by the command
// line, in turns.
func (m *measurer) hostCreate(s *served, n *hostNumbers) error {
	program, at, err := m.firstInstruction()
	if err != nil {
		return err
	}
	one := func(i int, start func(argv []string) error) (time.Duration, error) {
		file := filepath.Join(m.out, "first"+strconv.Itoa(i))
		_ = os.Remove(file) // of an earlier round
		began := time.Now()
		if err := start(append(slices.Clone(program), file)); err != nil {
			return 0, err
		}
		for end := began.Add(hostPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if first, err := at(text); err == nil {
				return first.Sub(began), nil
			}
		}
		return 0, errors.New("the program did not begin")
	}
	allow := []string{"fs.write:" + m.out}
	return m.starts(2, func(i int) error {
		if i == 0 {
			took, err := one(i, func(argv []string) error {
				_, err := s.create(createRequest{Argv: argv, Dir: m.out, Allow: allow})
				return err
			})
			n.ByAPI = append(n.ByAPI, took)
			return err
		}
		took, err := one(i, func(argv []string) error {
			cmd := exec.Command(m.ambit, append([]string{"run", "--ask", "none", "--allow", allow[0], "--"}, argv...)...)
			cmd.Dir, cmd.Env = m.out, s.environment()
			return cmd.Run()
		})
		n.ByCommand = append(n.ByCommand, took)
		return err
	})
}

// hostMany starts sessions that stay, and looks how much everything has.
func (m *measurer) hostMany(s *served, n *hostNumbers) error {
	began := time.Now()
	if err := atOnce(8, hostSessions, func(int) error {
		_, err := s.create(createRequest{Argv: []string{"sleep", "3600"}})
		return err
	}); err != nil {
		return err
	}
	n.Began = time.Since(began)
	if ids, err := s.running(); err != nil || len(ids) < hostSessions {
		return fmt.Errorf("%d of %d sessions run: %w", len(ids), hostSessions, err)
	}
	top := s.cmd.Process.Pid
	for _, pid := range family(top) {
		pss, err := pssOf(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		switch name := filepath.Base(strings.Join(arguments(pid)[:min(1, len(arguments(pid)))], "")); {
		case pid == top:
			n.Memory = pss
		case name == "ambit-store":
			n.Beside += pss
		default:
			n.Sessions += pss
		}
	}
	return nil
}

// hostRate is how many reads a second eight clients get, one route after the other.
func (m *measurer) hostRate(s *served, n *hostNumbers) error {
	ids, err := s.running()
	if err != nil || len(ids) == 0 {
		return fmt.Errorf("no session: %w", err)
	}
	n.Reads = map[string]float64{}
	for _, read := range hostReads {
		body := rawJSON(strings.ReplaceAll(read.Body, "SESSION", ids[0]))
		var done atomic.Int64
		began := time.Now()
		if err := atOnce(8, 8, func(int) error {
			for time.Since(began) < hostReadFor {
				if err := s.call(read.Route, body, nil); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		}); err != nil {
			return err
		}
		n.Reads[read.Name] = float64(done.Load()) / time.Since(began).Seconds()
	}
	return nil
}

// rawJSON is JSON already.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// hostRestart kills the host, and starts it until it tells of every session.
func (m *measurer) hostRestart(s *served, n *hostNumbers) error {
	before, err := s.running()
	if err != nil {
		return err
	}
	if err := s.end(syscall.SIGKILL); err != nil {
		return err
	}
	began := time.Now()
	if err := s.begin(); err != nil {
		return err
	}
	after, err := s.running()
	n.Restart, n.Lost = time.Since(began), len(before)-len(after)
	return err
}

// hostAsk has sessions ask, and looks at how their questions are read and answered.
func (m *measurer) hostAsk(s *served, n *hostNumbers) error {
	if err := s.stopAll(); err != nil {
		return err
	}
	const each = 16 // as many calls of one session wait at once
	began := time.Now()
	for i := range (hostQuestions + each - 1) / each {
		argv := []string{"sh", "-c", `for f in "$@"; do cat "$f" >/dev/null 2>&1 & done; wait`, "sh"}
		for j := range each {
			path, err := s.file(fmt.Sprintf("q%d-%d", i, j))
			if err != nil {
				return err
			}
			argv = append(argv, path)
		}
		if _, err := s.create(createRequest{Argv: argv, Ask: "ASK_QUEUE"}); err != nil {
			return err
		}
	}
	var questions []string
	for end := time.Now().Add(hostPatience); len(questions) < hostQuestions; time.Sleep(20 * time.Millisecond) {
		var err error
		if questions, err = s.waiting(nil); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d questions wait", len(questions), hostQuestions)
		}
	}
	n.Asked = time.Since(began)
	for range 20 {
		if _, err := s.waiting(&n.List); err != nil {
			return err
		}
	}
	for i := range 10 {
		if err := s.answered(n, questions[i]); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the questions that wait, all in one page.
func (s *served) waiting(took *samples) (ids []string, err error) {
	var out struct {
		Questions []struct {
			ID string `json:"id"`
		} `json:"questions"`
	}
	began := time.Now()
	err = s.call("QuestionService/ListQuestions", pageRequest{1000}, &out)
	if took != nil {
		*took = append(*took, time.Since(began))
	}
	for _, q := range out.Questions {
		ids = append(ids, q.ID)
	}
	return ids, err
}

// answered watches until all questions were told, answers one, and waits until the
// stream says that it is over.
func (s *served) answered(n *hostNumbers, id string) error {
	began := time.Now()
	var said time.Time
	failed := make(chan error, 1)
	err := s.stream("QuestionService/WatchQuestions", func(message []byte) bool {
		switch text := string(message); {
		case strings.Contains(text, `"caughtUp"`):
			n.Watch = append(n.Watch, time.Since(began))
			said = time.Now()
			go func() {
				failed <- s.call("QuestionService/AnswerQuestion", rawJSON(`{"id":"`+id+`","verdict":"VERDICT_DENY"}`), nil)
			}()
		case strings.Contains(text, `"over"`) && strings.Contains(text, id):
			n.Answer = append(n.Answer, time.Since(said))
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	return <-failed
}

// hostFilter takes what the audit package's own benchmark finds among a million records.
func (m *measurer) hostFilter(_ *served, n *hostNumbers) error {
	cmd := exec.Command("go", "test", "-run=^$", "-bench=^BenchmarkPage$", "-benchtime=5x", "-timeout=5m", "./internal/audit")
	cmd.Dir, cmd.Env = m.root, append(os.Environ(), "CGO_ENABLED=0", "TMPDIR="+m.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.Problem = strings.TrimSpace(string(out))
		say("  %s", n.Problem)
		return nil
	}
	n.Filters = map[string]time.Duration{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if rest, ok := strings.CutPrefix(line, "BenchmarkPage/"); ok && len(f) > 2 {
			name, _, _ := strings.Cut(rest, "-")
			each, err := strconv.ParseFloat(f[2], 64)
			if err != nil {
				return err
			}
			n.Filters[name] = time.Duration(each)
		}
	}
	return nil
}
