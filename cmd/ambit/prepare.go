package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// prepared is a launch that was decided and compiled, with what it keeps open.
type prepared struct {
	app      *app
	flags    *runFlags
	base     capability.Base
	manifest manifest.Manifest
	packDir  string // "" for an ad hoc run
	subject  decision.Subject
	policy   decision.Policy
	given    []grant.Grant // by flags, for this session
	stored   []grant.Grant
	volumes  []volume
	argv     []string
	// spelled are the capabilities whose path leads through links, as they were
	// written, by what they were settled to.
	spelled map[capability.Capability]capability.Capability

	questions []questions
	named     map[capability.Capability]bool // what a person put by name now

	log   *opening[*audit.Log]
	store *opening[*store.Store]
	spec  session.Spec
}

// An opening is a part that is opened once, by whoever asks first or by a
// goroutine that begins with it: on the way of a run there is other work to do
// before the part is needed.
type opening[T io.Closer] struct {
	part  func() (T, error)
	begun atomic.Bool
}

func open[T io.Closer](f func() (T, error)) *opening[T] {
	return &opening[T]{part: sync.OnceValues(f)}
}

// get opens the part, or waits for it.
func (o *opening[T]) get() (T, error) {
	o.begun.Store(true)
	return o.part()
}

// begin opens the part meanwhile.
func (o *opening[T]) begin() {
	o.begun.Store(true)
	go o.part() //nolint:errcheck // whoever needs it asks again
}

// close closes the part if it was opened; its writes were durable when they
// returned.
func (o *opening[T]) close() {
	if !o.begun.Load() {
		return
	}
	if part, err := o.part(); err == nil {
		_ = part.Close()
	}
}

// close closes log and store.
func (s *prepared) close() {
	s.log.close()
	s.store.close()
}

// Append writes to the log once it is open; it makes prepared a recorder.
func (s *prepared) Append(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	l, err := s.log.get()
	if err != nil {
		return nil, err
	}
	return l.Append(ctx, records...)
}

// begin begins with what takes longest.
func (a *app) begin(f *runFlags, argv []string) *prepared {
	s := &prepared{app: a, flags: f, argv: argv, log: open(a.openLog), store: open(a.openStore),
		spelled: map[capability.Capability]capability.Capability{}}
	s.store.begin()
	return s
}

// prepare reads everything, works out what the gate will answer, and compiles
// the plan.
func (s *prepared) prepare(ctx context.Context) (err error) {
	if s.base, err = base(); err != nil {
		return err
	}
	if err := s.readManifest(); err != nil {
		return err
	}
	s.subject.Principal, s.subject.Session, s.subject.Pack = principal(), audit.NewID("s"), s.manifest.ID
	if err := s.readFlags(); err != nil {
		return err
	}
	if s.policy, err = readPolicy(s.base); err != nil {
		return err
	}
	if err := s.protectState(); err != nil {
		return err
	}
	w := who()
	base, err := view.Base(w)
	if err != nil {
		return fmt.Errorf("read the base view: %w", err)
	}
	if err := s.readGrants(ctx); err != nil {
		return err
	}
	s.log.begin() // not before: two processors have enough to do
	program, err := s.findProgram()
	if err != nil {
		return err
	}
	effective, err := s.decide(program)
	if err != nil {
		return errors.Join(err, s.recordDenied(ctx))
	}
	return s.compile(effective, program, base, w)
}

// recordRefusal records a launch that was refused before anything was built.
func (s *prepared) recordRefusal(ctx context.Context, cause error) error {
	if s.flags.plan || s.subject.Session == "" {
		return nil
	}
	body := audit.EndBody{Status: "refused", Exit: exitFailed, Error: audit.Text(strings.Join(s.argv, " ") + ": " + cause.Error())}
	if exit, ok := errors.AsType[*exitError](cause); ok {
		body.Exit = exit.status
	}
	rec, err := audit.New(body)
	if err != nil {
		return err
	}
	rec.Session, rec.Principal, rec.Pack = s.subject.Session, s.subject.Principal, s.subject.Pack
	if _, err := s.Append(ctx, rec); err != nil {
		return fmt.Errorf("record the refusal: %w", err)
	}
	return nil
}

// protectState forbids what holds the grants, the log and its key, and changes
// of the managed policy: no grant reaches them, and inside a wider one they are hidden.
func (s *prepared) protectState() error {
	dir, err := s.app.state()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	c, err := capability.ForPath(capability.FSRead, dir)
	if err != nil {
		return fmt.Errorf("protect the state directory: %w", err)
	}
	policy, err := capability.ForPath(capability.FSWrite, filepath.Dir(policyFile))
	if err != nil {
		return fmt.Errorf("protect the policy: %w", err)
	}
	s.policy.Forbid = append(s.policy.Forbid, c, policy)
	return nil
}

// recordDenied makes the answers of a denied launch durable.
func (s *prepared) recordDenied(ctx context.Context) error {
	if s.flags.plan {
		return nil
	}
	return s.record(ctx)
}

// readManifest reads the pack's manifest, or makes the one of an ad hoc run.
func (s *prepared) readManifest() error {
	if s.flags.pack == "" {
		if len(s.argv) == 0 {
			return errors.New("nothing to run: give a command after --, or a --pack")
		}
		s.manifest = manifest.AdHoc(s.argv)
		return nil
	}
	m, dir, err := readPack(s.flags.pack)
	if err != nil {
		return err
	}
	s.packDir = dir
	if err := fits(m.Kind, s.flags.tier); err != nil {
		return fmt.Errorf("pack %q: %w", s.flags.pack, err)
	}
	b := capability.Base{Home: s.base.Home, Dir: dir}
	if s.manifest, err = resolveManifest(m, b); err != nil {
		return err
	}
	s.spelled, s.subject.Digest = spellings(m, b), m.Digest()
	s.argv = append(slices.Clone(m.Entry), s.argv...)
	if len(s.argv) == 0 {
		return fmt.Errorf("pack %q has no entry to run", s.flags.pack)
	}
	return nil
}

// readPack reads the manifest of the pack in a folder, which stays as it is
// written: unresolved.
func readPack(dir string) (manifest.Manifest, string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return manifest.Manifest{}, "", fmt.Errorf("find the pack: %w", err)
	}
	for _, name := range []string{manifest.File, manifest.ForeignFile} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return manifest.Manifest{}, "", fmt.Errorf("read the manifest: %w", err)
		}
		m, err := manifest.Parse(path, text)
		return m, dir, err
	}
	return manifest.Manifest{}, "", fmt.Errorf("%q is not a pack: it has neither %s nor %s", dir, manifest.File, manifest.ForeignFile)
}

// readFlags parses the capabilities that were given for this session.
func (s *prepared) readFlags() error {
	for _, set := range []struct {
		flag    string
		texts   []string
		outcome grant.Outcome
	}{{"--allow", s.flags.allow, grant.Allow}, {"--deny", s.flags.deny, grant.Deny}} {
		for _, text := range set.texts {
			c, err := s.parse(text)
			if err != nil {
				return fmt.Errorf("%s %s: %w", set.flag, capability.Printable(text), err)
			}
			s.give(c, set.outcome)
		}
	}
	for _, text := range s.flags.env {
		if name, _, _ := strings.Cut(text, "="); name == "" {
			return fmt.Errorf("--env %s: want NAME or NAME=VALUE", shellWord(text))
		}
	}
	return s.readVolumes()
}

// parse reads a capability of the command line. A path that leads through
// symbolic links means what they lead to now; whoever changes a link afterwards
// changes nothing.
func (s *prepared) parse(text string) (capability.Capability, error) {
	c, err := capability.Parse(text)
	if err != nil {
		return c, err
	}
	named, err := c.Resolve(s.base)
	if err != nil {
		return c, err
	}
	if c, err = settle(named, s.base); err == nil && c != named {
		s.spelled[c] = named
		s.leads(named, c)
	}
	return c, err
}

// give adds a grant for this session alone.
func (s *prepared) give(c capability.Capability, o grant.Outcome) {
	s.given = append(s.given, grant.Grant{
		ID: audit.NewID("g"), Principal: s.subject.Principal, Pack: s.subject.Pack, Digest: s.subject.Digest,
		Capability: c, Outcome: o, Lifespan: grant.Lifespan{Span: grant.Session, Session: s.subject.Session},
		Origin: "command line", Created: s.app.now(),
	})
}

func (s *prepared) readGrants(ctx context.Context) error {
	db, err := s.store.get()
	if err != nil {
		return err
	}
	s.stored, err = db.Grants(ctx, s.subject.Principal, s.subject.Pack)
	return err
}

// decide works out what the gate will answer about everything that was
// declared or allowed, and returns the effective set. What a person allowed by
// name and the gate denies denies the launch.
func (s *prepared) decide(p program) ([]capability.Capability, error) {
	s.ask(p)
	for i := range s.questions {
		q := &s.questions[i]
		for _, r := range q.requests {
			in := decision.Input{Manifest: q.manifest, Grants: s.grants(), Policy: s.policy, Now: s.app.now()}
			q.answers = append(q.answers, decision.Decide(r, in))
		}
	}
	return s.sort()
}

// record puts the same questions to the gate, which makes the answers durable.
// It runs while the sandbox is built; the launch rests on its answers.
func (s *prepared) record(ctx context.Context) error {
	used := map[string]bool{}
	for _, q := range s.questions {
		for i, d := range s.gate(q.manifest).CheckAll(ctx, q.requests) {
			if d.Outcome != q.answers[i].Outcome {
				return fmt.Errorf("%s: %s", q.requests[i].Capability.Display(), reason(d))
			}
			for _, r := range d.Reasons {
				used[r.Grant] = true
			}
		}
	}
	return s.useUp(ctx, used)
}

// useUp ends the stored grants for once on which this launch rests. Of two
// launches at once one finds its grant gone, and does not happen.
func (s *prepared) useUp(ctx context.Context, used map[string]bool) error {
	for _, g := range s.stored {
		if g.Lifespan.Span != grant.Once || g.Outcome != grant.Allow || !used[g.ID] {
			continue
		}
		rec, err := audit.New(audit.GrantBody{Grant: g.ID, Capability: audit.Text(g.Capability.String()), Revoked: true, Reason: "used"})
		if err != nil {
			return err
		}
		rec.Session, rec.Principal, rec.Pack = s.subject.Session, s.subject.Principal, s.subject.Pack
		if _, err := s.Append(ctx, rec); err != nil {
			return fmt.Errorf("record the use of grant %s: %w", g.ID, err)
		}
		db, err := s.store.get()
		if err != nil {
			return err
		}
		if _, err := db.RevokeGrant(ctx, g.ID, s.app.now()); err != nil {
			return fmt.Errorf("use grant %s: %w", g.ID, err)
		}
	}
	return nil
}

// questions are requests that are decided under one manifest.
type questions struct {
	manifest manifest.Manifest
	requests []decision.Request
	answers  []decision.Decision
}

// ask collects the questions. The sources of a pack's volumes are asked about
// apart: its manifest cannot know them, but what is forbidden or denied stays so.
func (s *prepared) ask(p program) {
	s.named = map[capability.Capability]bool{}
	s.questions = []questions{{manifest: s.manifest, requests: s.requests(p)}}
	if s.packDir == "" || len(s.volumes) == 0 {
		return
	}
	sources := questions{manifest: manifest.Manifest{Open: true}}
	for _, v := range s.volumes {
		s.named[v.source] = true
		sources.requests = append(sources.requests, decision.Request{ID: audit.NewID("d"), Subject: s.subject,
			Capability: v.source, Why: "shown at " + v.target.Scope()})
	}
	s.questions = append(s.questions, sources)
}

// grants are those of the store and those of the flags.
func (s *prepared) grants() []grant.Grant { return slices.Concat(s.stored, s.given) }

// requests are the questions of a launch: the program of an ad hoc run, what
// the flags allow, what the manifest declares, what was granted before.
func (s *prepared) requests(p program) (requests []decision.Request) {
	why := map[capability.Capability]string{}
	if s.packDir == "" {
		if c, err := capability.ForPath(capability.ProcessSpawn, p.real); err == nil {
			s.give(c, grant.Allow)
			why[c] = "the command that was given"
		}
	}
	sources := map[capability.Capability]bool{} // of a pack's volumes; asked about apart
	if s.packDir != "" {
		for _, v := range s.volumes {
			sources[v.source] = true
		}
	}
	for _, g := range s.given {
		if g.Outcome == grant.Allow && !sources[g.Capability] {
			s.named[g.Capability] = true
		}
	}
	ask := slices.Collect(maps.Keys(s.named))
	for _, w := range s.manifest.Wants {
		ask = append(ask, w.Capability)
		why[w.Capability] = w.Reason
	}
	for _, g := range s.stored {
		if g.Outcome == grant.Allow && g.Applies(s.app.now(), s.subject.Session) {
			ask = append(ask, g.Capability)
		}
	}
	slices.SortFunc(ask, func(a, b capability.Capability) int { return strings.Compare(a.String(), b.String()) })
	for _, c := range slices.Compact(ask) {
		requests = append(requests, decision.Request{ID: audit.NewID("d"), Subject: s.subject, Capability: c, Why: why[c]})
	}
	return requests
}

// sort splits the answers into the effective set and denials.
func (s *prepared) sort() (effective []capability.Capability, err error) {
	denied := false
	for _, q := range s.questions {
		for i, d := range q.answers {
			r := q.requests[i]
			switch {
			case d.Outcome == decision.Allow:
				effective = append(effective, r.Capability)
			case s.named[r.Capability] || failed(d):
				denied = true
				s.refusal(r, d)
			default:
				s.ungranted(s.manifest, r, d)
			}
		}
	}
	if denied {
		return nil, &exitError{status: exitDenied}
	}
	return effective, nil
}

// watchFiles reports whether opens are seen. A pack is a stranger's, and what it
// tries is worth more than the microseconds.
func (s *prepared) watchFiles() bool {
	return s.flags.watch == "on" || s.flags.watch == "auto" && s.packDir != ""
}

// withoutVolumes leaves out what volumes show: they are in the plan as volumes.
func (s *prepared) withoutVolumes(effective []capability.Capability) []capability.Capability {
	return slices.DeleteFunc(slices.Clone(effective), func(c capability.Capability) bool {
		return slices.ContainsFunc(s.volumes, func(v volume) bool { return v.source == c || v.target == c })
	})
}

// masks are the denials that may lie inside what is allowed. One that lies
// elsewhere does no harm: there is nothing to hide.
func (s *prepared) masks(effective []capability.Capability) (masked []capability.Capability) {
	denials := slices.Clone(s.policy.Forbid)
	for _, g := range s.grants() {
		if g.Outcome == grant.Deny && g.Applies(s.app.now(), s.subject.Session) {
			denials = append(denials, g.Capability)
		}
	}
	for _, d := range denials {
		pattern, path := d.Pattern()
		glob := false
		if path {
			_, literal := pattern.Literal()
			glob = !literal
		}
		inside := func(e capability.Capability) bool {
			return slices.ContainsFunc(e.Parts(), func(p capability.Capability) bool { return p.Covers(d) })
		}
		if glob || d.Kind() == capability.ProcessSpawn || slices.ContainsFunc(effective, inside) {
			masked = append(masked, d)
		}
	}
	return masked
}

// compile finds the objects and makes the plan.
func (s *prepared) compile(effective []capability.Capability, p program, base enforce.Base, w view.Who) error {
	in := enforce.Input{
		Session: s.subject.Session, Effective: s.withoutVolumes(effective), Masked: s.masks(effective),
		Objects: map[string][]enforce.Object{}, AdHoc: s.packDir == "", WatchOpens: s.watchFiles(),
		HomePath: s.base.Home, Base: base, Terminal: s.app.terminal(),
	}
	if err := s.objects(&in); err != nil {
		return err
	}
	if err := s.home(&in); err != nil {
		return err
	}
	var err error
	if in.Limits, err = s.limits(); err != nil {
		return err
	}
	in.Executables = p.objects
	if s.packDir != "" {
		pack, err := view.Resolve(s.packDir)
		if err != nil {
			return err
		}
		in.Pack = &pack
	}
	dir, home := s.workDir(in), in.HomePath
	if home == "" {
		home = "/nonexistent"
	}
	in.Program = enforce.Program{Path: p.path, Argv: p.argv, Dir: dir, Env: s.environment(dir, home)}
	plan, err := enforce.Compile(in, facts(w, in.Limits))
	if err != nil {
		return err
	}
	s.spec = session.Spec{
		ID: s.subject.Session, Principal: s.subject.Principal, Pack: s.subject.Pack, Digest: s.subject.Digest, Decide: s.record,
		Plan: plan, Stdio: s.app.stdio(),
	}
	for _, c := range effective {
		s.spec.Effective = append(s.spec.Effective, c.String())
	}
	return nil
}
