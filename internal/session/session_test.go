package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

// A stage is a tier and a recorder that write down in order what was asked of
// them. What it does is named "decide", "start", "release", "kill", "wait",
// "ended", or "record " with the kind of record.
type stage struct {
	fail    map[string]error         // what goes wrong
	hold    map[string]chan struct{} // what waits until its channel is closed
	denials []enforce.Denial         // what the program tries
	lasts   bool                     // the program ends only when it is killed
	result  enforce.Result

	mu      sync.Mutex
	did     []string
	records []audit.Record
	soon    []string // kinds of records that were not waited for
}

func (st *stage) do(what string) error {
	if c := st.hold[what]; c != nil {
		<-c
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.did = append(st.did, what)
	return st.fail[what]
}

// log is what was done up to now.
func (st *stage) log() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.did)
}

func (st *stage) times(what string) (n int) {
	for _, w := range st.log() {
		if w == what {
			n++
		}
	}
	return n
}

// kinds are those of the durable records.
func (st *stage) kinds() (kinds []string) {
	for _, r := range st.records {
		kinds = append(kinds, string(r.Kind))
	}
	return kinds
}

func (st *stage) Append(_ context.Context, records ...audit.Record) ([]audit.Record, error) {
	for _, r := range records {
		if err := st.do("record " + string(r.Kind)); err != nil {
			return nil, err
		}
		st.mu.Lock()
		st.records = append(st.records, r)
		st.mu.Unlock()
	}
	return records, nil
}

func (st *stage) AppendSoon(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	st.mu.Lock()
	for _, r := range records {
		st.soon = append(st.soon, string(r.Kind))
	}
	st.mu.Unlock()
	return st.Append(ctx, records...)
}

func (st *stage) Name() string { return "stage" }

func (st *stage) Start(context.Context, enforce.Plan, enforce.Stdio) (enforce.Session, error) {
	if err := st.do("start"); err != nil {
		return nil, err
	}
	in := &inside{stage: st, released: make(chan struct{}), killed: make(chan struct{}), ended: make(chan struct{}),
		denials: make(chan enforce.Denial)}
	go in.run()
	return in, nil
}

// inside is a sandbox of the stage.
type inside struct {
	*stage
	released, killed, ended chan struct{}
	kill                    sync.Once
	denials                 chan enforce.Denial
}

func (in *inside) run() {
	defer close(in.ended)
	defer close(in.denials)
	select {
	case <-in.released:
	case <-in.killed:
		return
	}
	for _, d := range in.stage.denials {
		in.denials <- d
	}
	if in.lasts {
		<-in.killed
	}
}

func (in *inside) Report() enforce.Report { return report }

func (in *inside) Release() error {
	err := in.do("release")
	if err == nil {
		close(in.released)
	}
	return err
}

func (in *inside) Wait() (enforce.Result, error) {
	<-in.ended
	return in.result, in.do("wait")
}

func (in *inside) Kill() error {
	in.kill.Do(func() { close(in.killed) })
	return in.do("kill")
}

func (in *inside) Signal(os.Signal) error                { return nil }
func (in *inside) PID() int                              { return 7 }
func (*inside) Pause() (func(), error)                   { return func() {}, nil }
func (*inside) Hide(...string) ([][]enforce.Open, error) { return nil, nil }

func (in *inside) Denials() <-chan enforce.Denial { return in.denials }

var report = enforce.Report{Tier: "stage", Layers: []enforce.Layer{
	{Name: "view", Promised: true, Holds: true, Detail: "3 entries"}, {Name: "limits", Promised: true, Holds: true, Weaker: true},
}}

func (st *stage) spec() session.Spec {
	return session.Spec{
		ID: "s_1", Principal: "uid:7", Pack: "org.example.p", Digest: "sha256:00", Effective: []string{"fs.read:/a"},
		Decide: func(ctx context.Context, launch audit.Record) error {
			if err := st.do("decide"); err != nil {
				return err
			}
			_, err := st.Append(ctx, launch)
			return err
		},
		Plan: enforce.Plan{Tier: "stage", Program: enforce.Program{Path: "/bin/x", Argv: []string{"x", "\xff"}, Dir: "/d"}},
	}
}

func (st *stage) runner() session.Runner {
	return session.Runner{Tier: st, Log: st, Now: time.Now, Ended: func(session.Result) { _ = st.do("ended") }}
}

func (st *stage) run(t *testing.T) (session.Result, error) {
	t.Helper()
	return st.runner().Run(t.Context(), st.spec())
}

// body is that of the only record of a kind.
func body[B any](t *testing.T, st *stage) (b B) {
	t.Helper()
	found := 0
	for _, r := range st.records {
		got, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := any(got).(*B); ok {
			b, found = *p, found+1
		}
	}
	if found != 1 {
		t.Fatalf("%d records %T in %v, want 1", found, b, st.kinds())
	}
	return b
}

// TestOrder: decisions, launch, release, report, end; one after the other.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &stage{}
		r := st.runner()
		var started []enforce.Report
		r.Started = func(in enforce.Session, rep enforce.Report) {
			if in.PID() != 7 {
				t.Errorf("PID %d", in.PID())
			}
			started = append(started, rep)
			_ = st.do("started")
		}
		res, err := r.Run(t.Context(), st.spec())
		if err != nil {
			t.Fatal(err)
		}
		did := st.log()
		before := func(a, b string) {
			if i, j := slices.Index(did, a), slices.Index(did, b); i < 0 || j < 0 || i > j {
				t.Errorf("%q is not before %q: %q", a, b, did)
			}
		}
		for _, pair := range [][2]string{
			{"decide", "record session.start"}, {"record session.start", "release"}, {"start", "release"}, {"release", "started"},
			{"started", "record report"}, {"record report", "record session.end"}, {"wait", "record session.end"}, {"wait", "ended"},
		} {
			before(pair[0], pair[1])
		}
		if want := []string{"session.start", "report", "session.end"}; !slices.Equal(st.kinds(), want) {
			t.Errorf("records %q, want %q", st.kinds(), want)
		}
		if want := []string{"report", "session.end"}; !slices.Equal(st.soon, want) {
			t.Errorf("%q were not waited for, want %q", st.soon, want)
		}
		for _, once := range []string{"ended", "release", "wait", "started"} {
			if n := st.times(once); n != 1 {
				t.Errorf("%q happened %d times", once, n)
			}
		}
		if st.times("kill") != 0 {
			t.Error("a program that ended by itself was killed")
		}
		if len(started) != 1 || len(started[0].Layers) != 2 || len(res.Report.Layers) != 2 {
			t.Errorf("reports %+v, %+v", started, res.Report)
		}
		for _, rec := range st.records {
			if rec.Session != "s_1" || rec.Principal != "uid:7" || rec.Pack != "org.example.p" {
				t.Errorf("%s is of %q, %q, %q", rec.Kind, rec.Session, rec.Principal, rec.Pack)
			}
		}
		launch := body[audit.LaunchBody](t, st)
		if launch.Program != "/bin/x" || launch.Dir != "/d" || launch.Digest != "sha256:00" || launch.Tier != "stage" ||
			!slices.Equal(launch.Argv, []audit.Text{"x", "\xff"}) || !slices.Equal(launch.Capabilities, []audit.Text{"fs.read:/a"}) {
			t.Errorf("launch %+v", launch)
		}
		want := []audit.LayerBody{{Name: "view", Promised: true, Holds: true, Detail: "3 entries"}, {Name: "limits", Promised: true, Holds: true, Weaker: true}}
		if rep := body[audit.ReportBody](t, st); rep.Tier != "stage" || !slices.Equal(rep.Layers, want) {
			t.Errorf("report %+v", rep)
		}
	})
}

// TestNothingBeforeDurable: while the decisions, or the record of the launch,
// are not durable yet, the sandbox is built and the program waits.
func TestNothingBeforeDurable(t *testing.T) {
	for _, what := range []string{"decide", "record session.start"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				st := &stage{hold: map[string]chan struct{}{what: gate}}
				done := make(chan error, 1)
				go func() {
					_, err := st.run(t)
					done <- err
				}()
				synctest.Wait()
				time.Sleep(time.Hour)
				if st.times("start") != 1 || st.times("release") != 0 {
					t.Errorf("before it was durable: %q", st.log())
				}
				close(gate)
				if err := <-done; err != nil || st.times("release") != 1 {
					t.Errorf("%v, %q", err, st.log())
				}
			})
		})
	}
}

// TestEndIsRecordedAfterTheEnd: while something runs inside, nothing says that
// the session has ended, and Run waits until Ended has returned.
func TestEndIsRecordedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		telling := make(chan struct{})
		st := &stage{lasts: true, hold: map[string]chan struct{}{"ended": telling}}
		r := st.runner()
		inside := make(chan enforce.Session, 1)
		r.Started = func(in enforce.Session, _ enforce.Report) { inside <- in }
		done := make(chan session.Result, 1)
		go func() {
			res, err := r.Run(t.Context(), st.spec())
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		time.Sleep(time.Minute)
		if st.times("record session.end") != 0 || st.times("record report") != 1 {
			t.Errorf("while it runs: %q", st.log())
		}
		_ = (<-inside).Kill()
		synctest.Wait()
		if st.times("record session.end") != 1 {
			t.Errorf("after the end: %q", st.log())
		}
		select {
		case <-done:
			t.Error("Run returned before Ended")
		default:
		}
		close(telling)
		if res := <-done; res.Duration != time.Minute {
			t.Errorf("duration %v", res.Duration)
		}
		if end := body[audit.EndBody](t, st); end.Duration != time.Minute {
			t.Errorf("end %+v", end)
		}
	})
}

// TestFailures: what is recorded, what is killed and what is answered when one
// step fails. Whatever failed before it, a program that was not released did
// not run.
func TestFailures(t *testing.T) {
	boom := func(what ...string) map[string]error {
		m := map[string]error{}
		for _, w := range what {
			m[w] = errors.New("boom " + w)
		}
		return m
	}
	for _, tc := range []struct {
		name     string
		fail     map[string]error
		lasts    bool
		records  []string // durable ones
		released bool     // the program ran
		killed   bool
		want     []string // in the answer
		status   string   // of the end, "" if none is recorded
	}{
		{name: "decisions", fail: boom("decide"), killed: true, want: []string{"not launched", "boom decide"}},
		{name: "record of the launch", fail: boom("record session.start"), killed: true,
			want: []string{"not launched", "boom record session.start"}},
		{name: "start", fail: boom("start"), records: []string{"session.start", "session.end"}, want: []string{"boom start"}, status: "refused"},
		{name: "start and decisions", fail: boom("start", "decide"), want: []string{"boom decide"}},
		{name: "start and the record of it", fail: boom("start", "record session.end"), records: []string{"session.start"},
			want: []string{"boom start", "boom record session.end"}},
		{name: "release", fail: boom("release"), killed: true, records: []string{"session.start", "session.end"}, want: []string{"boom release"}, status: "refused"},
		{name: "record of the report", fail: boom("record report"), lasts: true, killed: true, released: true,
			records: []string{"session.start", "session.end"}, want: []string{"boom record report"}, status: "exited"},
		{name: "wait", fail: boom("wait"), released: true, records: []string{"session.start", "report", "session.end"}, want: []string{"boom wait"}, status: "exited"},
		{name: "record of the end", fail: boom("record session.end"), released: true, records: []string{"session.start", "report"},
			want: []string{"boom record session.end"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := &stage{fail: tc.fail, lasts: tc.lasts}
				started := 0
				r := st.runner()
				r.Started = func(enforce.Session, enforce.Report) { started++ }
				_, err := r.Run(t.Context(), st.spec())
				if err == nil {
					t.Fatalf("no error after %q", st.log())
				}
				for _, w := range tc.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("answer %q does not tell of %q", err, w)
					}
				}
				for _, cause := range tc.fail {
					if tc.name != "start and decisions" && !errors.Is(err, cause) {
						t.Errorf("%v is not in the chain", cause)
					}
				}
				if !slices.Equal(st.kinds(), tc.records) {
					t.Errorf("records %q, want %q", st.kinds(), tc.records)
				}
				if killed := st.times("kill") > 0; killed != tc.killed {
					t.Errorf("killed %v, want %v", killed, tc.killed)
				}
				// Kill alone leaves what it built; Wait cleans up.
				if tc.killed && st.times("wait") != 1 {
					t.Errorf("not waited for: %q", st.log())
				}
				ran := 0
				if tc.released {
					ran = 1
				}
				if started != ran || st.times("ended") != ran {
					t.Errorf("told %d times of a start and %d times of an end, want %d", started, st.times("ended"), ran)
				}
				if !tc.released && tc.name != "release" && st.times("release") != 0 {
					t.Errorf("released: %q", st.log())
				}
				if tc.status == "" {
					return
				}
				end := body[audit.EndBody](t, st)
				if end.Status != tc.status {
					t.Errorf("end %+v, want %q", end, tc.status)
				}
				if tc.status == "refused" && (end.Exit != 125 || !strings.Contains(string(end.Error), tc.want[0])) {
					t.Errorf("end %+v does not say why", end)
				}
			})
		})
	}
}

// TestEnds: how an end is told.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		result enforce.Result
		want   audit.EndBody
	}{
		{enforce.Result{}, audit.EndBody{Status: "exited"}},
		{enforce.Result{Exit: 3}, audit.EndBody{Status: "exited", Exit: 3}},
		{enforce.Result{Exit: 143, Signal: int(syscall.SIGTERM)}, audit.EndBody{Status: "killed", Exit: 143, Signal: "SIGTERM"}},
		{enforce.Result{Exit: 137, Signal: int(syscall.SIGKILL), Limit: "memory"}, audit.EndBody{Status: "limit memory", Exit: 137, Signal: "SIGKILL"}},
		{enforce.Result{Exit: 127, CannotExec: syscall.ENOEXEC}, audit.EndBody{Status: "refused", Exit: 127, Error: "exec format error"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := &stage{result: tc.result}
			res, err := st.run(t)
			if err != nil || res.Result != tc.result {
				t.Fatalf("%+v, %v", res, err)
			}
			if got := body[audit.EndBody](t, st); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestDenials: each object is recorded and told once, all are counted.
func TestDenials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := enforce.Denial{Kind: "fs.read", Target: "/a\n", PID: 9, Program: "x\xff", Call: "open"}
		st := &stage{denials: []enforce.Denial{
			read, read, {Kind: "fs.write", Target: "/a\n", Call: "open"}, read, {Kind: "process.spawn", Call: "fork"}, {Kind: "process.spawn", Call: "execve"},
		}}
		var ids []string
		r := st.runner()
		r.Denied = func(id string, d enforce.Denial) {
			ids = append(ids, id)
			if n := len(ids); n != st.times("record denial") {
				t.Errorf("denial %d is told before it is recorded", n)
			}
		}
		res, err := r.Run(t.Context(), st.spec())
		if err != nil {
			t.Fatal(err)
		}
		if res.Denials != 6 {
			t.Errorf("%d denials, want 6", res.Denials)
		}
		var recorded, objects []string
		for _, rec := range st.records {
			if rec.Kind == audit.Denial {
				b, err := rec.Decode()
				if err != nil {
					t.Fatal(err)
				}
				recorded, objects = append(recorded, rec.ID), append(objects, string(b.(*audit.DenialBody).Capability))
				if rec.Session != "s_1" || rec.Pack != "org.example.p" {
					t.Errorf("of %q, %q", rec.Session, rec.Pack)
				}
			}
		}
		if !slices.Equal(recorded, ids) {
			t.Errorf("told %q, recorded %q", ids, recorded)
		}
		if want := []string{"fs.read:/a\n", "fs.write:/a\n", "process.spawn"}; !slices.Equal(objects, want) {
			t.Errorf("recorded %q, want %q", objects, want)
		}
		i := slices.IndexFunc(st.records, func(r audit.Record) bool { return r.Kind == audit.Denial })
		b, _ := st.records[i].Decode()
		want := audit.DenialBody{Layer: "stage", Program: "x\xff", PID: 9, Action: "open", Capability: "fs.read:/a\n", Object: "/a\n", Count: 1, Text: "not granted"}
		if *b.(*audit.DenialBody) != want {
			t.Errorf("got %+v, want %+v", b, want)
		}
	})
}

// TestDenialsAreBounded: a program that tries things in a loop does not fill
// the disk, and still ends.
func TestDenialsAreBounded(t *testing.T) {
	const bound, tried = 1000, 2500
	synctest.Test(t, func(t *testing.T) {
		st := &stage{}
		for i := range tried {
			st.denials = append(st.denials, enforce.Denial{Kind: "fs.read", Target: fmt.Sprint("/", i)})
		}
		told := 0
		r := st.runner()
		r.Denied = func(string, enforce.Denial) { told++ }
		res, err := r.Run(t.Context(), st.spec())
		if err != nil {
			t.Fatal(err)
		}
		if n := st.times("record denial"); n != bound || told != bound || res.Denials != tried {
			t.Errorf("%d recorded, %d told, %d counted; want %d, %d, %d", n, told, res.Denials, bound, bound, tried)
		}
	})
}

// TestDenialThatCannotBeRecorded ends the sandbox and is not told of, for it
// has no record that could be looked up.
func TestDenialThatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left")
		st := &stage{lasts: true, denials: []enforce.Denial{{Kind: "fs.read", Target: "/a"}}, fail: map[string]error{"record denial": full}}
		r := st.runner()
		r.Denied = func(id string, d enforce.Denial) { t.Errorf("told of %s, %+v", id, d) }
		res, err := r.Run(t.Context(), st.spec())
		if !errors.Is(err, full) {
			t.Errorf("the answer %v does not say why it was ended", err)
		}
		if st.times("kill") != 1 || res.Denials != 1 {
			t.Errorf("%q", st.log())
		}
	})
}

// TestJSON: the result for programs.
func TestJSON(t *testing.T) {
	res := session.Result{Result: enforce.Result{Exit: 137, Signal: 9, Limit: "wall", CannotExec: errors.New("x")}, Report: report, Denials: 2,
		Counts: []session.Count{{Capability: "fs.read", Asked: 3}}, Duration: 1500 * time.Millisecond}
	text, err := res.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"exit": 137., "signal": 9., "limit": "wall", "denials": 2., "duration": "1.5s"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	counts, ok := got["counts"].([]any)
	if !ok || len(counts) != 1 || counts[0].(map[string]any)["asked"] != 3. {
		t.Errorf("counts are %v", got["counts"])
	}
	if _, ok := got["report"].(map[string]any); !ok || len(got) != 7 {
		t.Errorf("got %s", text)
	}
}
