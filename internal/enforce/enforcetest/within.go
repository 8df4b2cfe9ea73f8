package enforcetest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// Who is in a directory that is taken away, or has it open, reaches nothing of it
// that it has not open itself.

// withinScript uses each way that does not begin at the root, before and after
// the directory was taken away.
const withinScript = `mkdir -p "$HIDDEN/sub"; cd "$HIDDEN/sub"; exec 5<"$HIDDEN"
	all() {
		cat ../file ../../hidden/file /proc/self/fd/5/file "$HIDDEN/file" 2>/dev/null || echo no read
		(echo x > new) 2>/dev/null || echo no new
		mkdir made 2>/dev/null && rmdir made || echo no directory
		chmod 600 ../file 2>/dev/null || echo no mode
		touch -d @0 ../file /proc/self/fd/5/file 2>/dev/null || echo no time
		mv ../file ../other 2>/dev/null && mv ../other ../file || echo no name
		ls .. 2>/dev/null | grep -q file || echo no list
	}
	all; echo > "$WORK/one"; while [ ! -e "$WORK/two" ]; do sleep 0.02; done; all`

const withinWant = "hidden\nhidden\nhidden\nhidden\n" + "no read\nno new\nno directory\nno mode\nno time\nno name\nno list\n"

func takeAwayWithin(t testing.TB, s suite, p place, in enforce.Input) {
	t.Helper()
	r := s.start(t, in, nil)
	p.await(t, "one")
	open, err := r.Hide(p.hidden)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"working directory", "descriptor 5"} {
		if !slices.ContainsFunc(open[0], func(o enforce.Open) bool { return o.What == what && o.Program == "sh" }) {
			t.Errorf("open are %+v, want the %s of sh", open, what)
		}
	}
	if err := os.Chmod(filepath.Join(p.hidden, "file"), 0o644); err != nil {
		t.Error(err)
	}
	p.say(t, "two")
	mustPrint(t, r.wait(t), withinWant)
	if st, err := os.Stat(filepath.Join(p.hidden, "file")); err != nil || st.Mode() != 0o644 {
		t.Errorf("the host's file was changed: %v %v", st.Mode(), err)
	}
}

func (s suite) within(t *testing.T) {
	p := newHidden(t)
	in := p.input(t, "/bin/sh", "-c", withinScript)
	grant(t, &in, capability.FSWrite, p.hidden)
	takeAwayWithin(t, s, p, in)
}

func (s asking) within(t *testing.T) {
	p := newHidden(t)
	refusing := false
	a := newAnswers(func(_ context.Context, touch enforce.Touch) enforce.Answer {
		if refusing {
			return enforce.Answer{}
		}
		refusing = true // the first one gives all of it
		return enforce.Answer{Allow: true, Show: []enforce.Entry{entry(t, p.hidden, true)}}
	})
	takeAwayWithin(t, suite{tier: s.make(a), facts: s.facts}, p, s.input(t, p, withinScript))
}
