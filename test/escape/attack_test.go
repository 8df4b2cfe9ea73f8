package escape_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An attack is one line of the list.
type attack struct {
	ID        string
	Title     string
	Reference string   // who did it: an advisory, an exploit, a tool, a test
	Tiers     []string // that must stop it
	// Setup makes what is attacked, once for each run of a try.
	Setup func(t *testing.T, f *field)
	// Flags are further flags of ambit run.
	Flags func(f *field) []string
	// Harm looks at the host afterwards and says what was done to it. It is
	// asked after a control too, and must find harm there.
	Harm  func(f *field) string
	Tries []try
}

// A try is one way to do it.
type try struct {
	Name string
	// Do returns nil if it got what it wanted. It runs in a process of its own.
	Do func(f *field) error
	// Sh is a shell script instead, which exits with 0 if it got what it wanted.
	Sh   string
	Want want
	// Root says that the control needs root.
	Root bool
	// NoControl says why the attempt cannot succeed outside either.
	NoControl string
	// Slow says why a refusal may take more time than any refusal should.
	Slow string
	// Harmless says that Do's success is enough for a control: this way does
	// not do what Harm looks for.
	Harmless bool
	// Unasked tries are not made in a view that asks: another layer answers there.
	Unasked bool
}

// process are the tiers of attacks that the process tier must stop.
var process = []string{"process"}

// A want is how a try must end inside.
type want struct {
	errnos []unix.Errno
	signal unix.Signal
	launch string // not "": the launch is refused, in these words
	why    string // not "": it succeeds, and this is why that is right
	dies   bool   // it may be killed, too
	either bool   // it may succeed: only the host counts
}

// refused: with one of these errors, or with any if there are none.
func refused(errnos ...unix.Errno) want { return want{errnos: errnos} }

// notLaunched: the sandbox is not even made.
func notLaunched(words string) want { return want{launch: words} }

// allowed on purpose.
func allowed(why string) want { return want{why: why} }

// outcome is what an attempting process says, as one line of JSON.
type outcome struct {
	Done   bool          `json:"done"`
	Errno  string        `json:"errno,omitempty"`
	Detail string        `json:"detail,omitempty"`
	Took   time.Duration `json:"took"`

	exit  int         // of a command that said nothing else
	ended unix.Signal // the process was killed
	said  string      // all that it printed
}

// refusalTime is how long a refusal may take: what a busy machine needs, and less
// than any program or kernel waits for an answer that does not come. In an emulated
// machine, which test/guest says it is, everything takes longer.
func refusalTime() time.Duration {
	if os.Getenv("AMBIT_GUEST") != "" {
		return 5 * time.Second
	}
	return 2 * time.Second
}

// run runs every try, or in an attempting process the one that is asked for.
func (a attack) run(t *testing.T) {
	t.Helper()
	if attempting != nil {
		a.attempt()
	}
	t.Parallel()
	for _, y := range a.Tries {
		t.Run(y.Name, func(t *testing.T) {
			if y.NoControl == "" {
				t.Run("control", func(t *testing.T) { a.control(t, y) })
			}
			a.inside(t, y, tierUnderTest())
			if a.asksToo(y) {
				t.Run("asking", func(t *testing.T) { a.asking(t, y) })
			}
			if gvisorToo(t) {
				t.Run("gvisor", func(t *testing.T) { a.inside(t, y, tierGVisor) })
			}
		})
	}
}

// attempt performs one try and ends the process.
func (a attack) attempt() {
	runtime.LockOSThread()
	f := &field{}
	if err := json.Unmarshal([]byte(attempting[2]), f); err != nil {
		panic(err)
	}
	i := slices.IndexFunc(a.Tries, func(y try) bool { return y.Name == attempting[1] })
	begin := time.Now()
	err := a.Tries[i].Do(f)
	o := outcome{Done: err == nil, Took: time.Since(begin), Detail: f.note.String()}
	if err != nil {
		o.Detail += err.Error()
		if e, ok := errors.AsType[unix.Errno](err); ok {
			o.Errno = unix.ErrnoName(e)
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	fmt.Printf("\n%s\n", text)
	os.Exit(0)
}

func (a attack) field(t *testing.T) *field { return a.prepare(t, newField(t)) }

// prepare sets a field up for the attack.
func (a attack) prepare(t *testing.T, f *field) *field {
	t.Helper()
	if a.Setup != nil {
		a.Setup(t, f)
	}
	if f.start != nil {
		f.start(t)
	}
	return f
}

// control runs y without a sandbox: a test that cannot fail proves nothing.
func (a attack) control(t *testing.T, y try) {
	if y.Root && os.Getuid() != 0 {
		t.Skip("requires: root")
	}
	f := a.field(t)
	o := f.outside(t, y)
	if !o.Done {
		t.Fatalf("outside it does not succeed either: %s %s\n%s", o.Errno, o.Detail, o.said)
	}
	harmed := func() bool { return a.Harm(f) != "" }
	if a.Harm != nil && !y.Harmless && !f.within(longest, harmed) {
		t.Fatal("outside it succeeds and does no harm that could be seen")
	}
}

func (a attack) inside(t *testing.T, y try, tier string) {
	f := a.field(t)
	f.tier = tier
	if a.Flags != nil {
		f.flags = append(f.flags, a.Flags(f)...)
	}
	y = differs(t, tier).wanted(f, y)
	o := f.inside(t, y)
	for again := 0; again < 2 && y.Want.why == "" && o.Took > f.patient(refusalTime()) && y.Slow == ""; again++ {
		o.Took = min(o.Took, f.inside(t, y).Took) // the machine may be busy
	}
	a.judge(t, f, y, o)
}

// judge looks at effects, then at the error, then at the time.
func (a attack) judge(t *testing.T, f *field, y try, o outcome) {
	t.Helper()
	if a.Harm != nil {
		if harm := a.Harm(f); harm != "" {
			t.Errorf("%s: the host was harmed: %s\n%+v", a.ID, harm, o)
		}
	}
	if harm := f.harm(); harm != "" {
		t.Errorf("%s: the host was harmed: %s\n%+v", a.ID, harm, o)
	}
	if strings.Contains(o.said, f.token) && y.Want.why == "" {
		t.Errorf("%s: the canary was read: %q", a.ID, o.said)
	}
	switch w := y.Want; {
	case w.why != "":
		if !o.Done {
			t.Errorf("%s: %s %s, but it should work: %s\n%s", a.ID, o.Errno, o.Detail, w.why, o.said)
		}
		return
	case w.launch != "":
		if o.exit != 125 || !strings.Contains(o.said, w.launch) {
			t.Errorf("%s: got exit %d %q, want 125 and %q", a.ID, o.exit, o.said, w.launch)
		}
		return
	case w.either:
		return
	case o.Done:
		t.Errorf("%s: it succeeded inside: %s", a.ID, o.Detail)
	case w.signal != 0:
		if o.ended != w.signal {
			t.Errorf("%s: got %v %s %s, want death by %v", a.ID, o.ended, o.Errno, o.Detail, w.signal)
		}
		return
	case o.ended != 0 && !w.dies:
		t.Errorf("%s: killed by %v", a.ID, o.ended)
	case len(w.errnos) > 0 && !slices.ContainsFunc(w.errnos, func(e unix.Errno) bool { return unix.ErrnoName(e) == o.Errno }):
		t.Errorf("%s: refused with %s (%s), want one of %v\n%s", a.ID, o.Errno, o.Detail, w.errnos, o.said)
	}
	if o.Took > f.patient(refusalTime()) && y.Slow == "" {
		t.Errorf("%s: the refusal took %v", a.ID, o.Took)
	}
}

// reached turns errors that show that the kernel had begun to do it into
// success: for attempts that would harm the host if they were complete.
func reached(err error, errnos ...unix.Errno) error {
	for _, e := range errnos {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}
