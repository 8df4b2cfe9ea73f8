package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// prepared is a launch that was decided and compiled, with what it keeps open.
type prepared struct {
	app      *app
	began    time.Time // of one with a trace
	flags    *runFlags
	base     capability.Base
	facts    enforce.Facts // read once: namespaces are begun and the plan is made by them
	found    *enforce.Base // nil: to be read
	manifest manifest.Manifest
	tier     tierRow
	packDir  string // "" for an ad hoc run
	unowned  bool   // its id belongs to nobody yet
	subject  decision.Subject
	policy   decision.Policy
	managed  *managed
	ruled    bool          // there were managed policies when it was decided
	given    []grant.Grant // by flags, for this session
	stored   []grant.Grant
	stamp    string    // of the store, before the grants were read
	volumes  []volume  // that flags name
	zones    []volume  // of the manifest, as far as they are granted and no flag names them
	secrets  []offered // what this session may use without seeing it
	vault    *safe     // where they are kept
	argv     []string
	program  program
	// spelled are the capabilities whose path leads through links, as they were
	// written, by what they were settled to.
	spelled map[capability.Capability]capability.Capability

	questions []questions
	named     map[capability.Capability]bool // what a person put by name now

	beside func() ([]enforce.ProgramDir, error) // programs among libraries

	log      *opening[*audit.Log]
	store    *opening[*store.Store]
	sessions *lister
	input    enforce.Input // what the plan was compiled from
	spec     session.Spec
	fronts   []approval.Front // ways to ask, besides the queue
	deno     *denoDoor        // nil: Deno programs do not ask
	egress   *egress          // started before there is a network; nil: not, or taken over
	trusted  []byte           // the certificate that is trusted inside; nil where no connection is opened
	// heard is told of denials in the place of the person; nil: they are printed.
	heard func(capability, why, id string)
}

// close closes log, store and list.
func (s *prepared) close() {
	s.managed.close()
	s.deno.close()
	s.egress.stop()
	s.vault.close()
	s.sessions.close()
	s.log.close()
	s.store.close()
}

// Append writes to the log once it is open; it makes prepared a recorder.
func (s *prepared) Append(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	l, err := s.ownLog()
	if err != nil {
		return nil, err
	}
	return l.Append(ctx, records...)
}

// AppendSoon is Append that does not wait for the disk.
func (s *prepared) AppendSoon(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	l, err := s.ownLog()
	if err != nil {
		return nil, err
	}
	return l.AppendSoon(ctx, records...)
}

// ownLog is the log, unless what it is in is another's.
func (s *prepared) ownLog() (*audit.Log, error) {
	if err := s.app.mine(); err != nil {
		return nil, err
	}
	return s.log.get()
}

// Took is how long it took to write to the log.
func (s *prepared) Took() audit.Took {
	l, err := s.log.get()
	if err != nil {
		return audit.Took{} // nothing was written
	}
	return l.Took()
}

// begin reads what comes before all else.
func (a *app) begin(f *runFlags, argv []string) *prepared {
	s := &prepared{app: a, flags: f, argv: argv, managed: a.manage(), log: open(a.openLog), store: open(a.openStore), sessions: &lister{open: a.openList}, vault: &safe{app: a},
		spelled: map[capability.Capability]capability.Capability{}}
	if !a.trace().parent.None() {
		s.began = a.now()
	}
	s.facts = hostFacts(who())
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
	s.subject.Principal, s.subject.Session, s.subject.Pack = s.app.principal(), cmp.Or(s.flags.sessionID, audit.NewID("s")), s.manifest.ID
	if err := s.readFlags(); err != nil {
		return err
	}
	s.managed.of(s.app.signerOf(s.manifest.ID), s.tier.name)
	if s.policy, err = readPolicy(s.base, s.managed); err != nil {
		return err
	}
	if err := s.protectState(); err != nil {
		return err
	}
	return s.arrange(ctx)
}

// arrange works out the plan from the grants that stand now. It may be called
// again when they have changed.
func (s *prepared) arrange(ctx context.Context) error {
	base, err := s.readBase()
	if err != nil {
		return err
	}
	if err := s.readGrants(ctx); err != nil {
		return err
	}
	s.vault.begin(s.grants())
	if s.program, err = s.findProgram(); err != nil {
		return err
	}
	effective, err := s.decide(s.program)
	if err != nil {
		return errors.Join(err, s.recordDenied(ctx))
	}
	s.beginEgress(effective)
	if s.zones, err = s.grantedZones(effective); err != nil {
		return err
	}
	return s.compile(effective, s.program, base)
}

// protectState forbids what holds the grants, the log and its key, and changes
// of the managed policy: no grant reaches them, and inside a wider one they are hidden.
func (s *prepared) protectState() error {
	dir, err := s.app.state()
	if err != nil {
		return err
	}
	if err := s.protect("the state directory", capability.FSRead, dir); err != nil {
		return err
	}
	policy, err := capability.ForPath(capability.FSWrite, filepath.Dir(policyFile))
	if err != nil {
		return fmt.Errorf("protect the policy: %w", err)
	}
	s.policy.Forbid = append(s.policy.Forbid, policy)
	// What answers by URL are signed with.
	if file := secretFile(); file != "" {
		err = s.protect("the secret for questions", capability.FSRead, file)
	}
	return errors.Join(err, s.protectShelf())
}

// protect forbids a path, by all the names of it, whatever is granted.
func (s *prepared) protect(what string, k capability.Kind, path string) error {
	c, err := capability.ForPath(k, path)
	if err != nil {
		return fmt.Errorf("protect %s: %w", what, err)
	}
	closed, err := closing(c, s.base)
	if err != nil {
		return fmt.Errorf("protect %s: %w", what, err)
	}
	s.policy.Forbid = append(s.policy.Forbid, closed...)
	return nil
}

// readManifest reads the pack's manifest, or makes the one of an ad hoc run.
func (s *prepared) readManifest() (err error) {
	if s.flags.pack == "" {
		if len(s.argv) == 0 {
			return errors.New("nothing to run: give a command after --, or a --pack")
		}
		s.manifest = manifest.AdHoc(s.argv)
		if s.tier, err = chooseTier(tiers(s.app), s.manifest.Kind, s.flags.tier); err != nil {
			return err
		}
		return nil
	}
	m, dir, owned, err := s.app.readPack(s.flags.pack)
	if err != nil {
		return err
	}
	s.packDir, s.unowned = dir, !owned
	if s.tier, err = chooseTier(tiers(s.app), m.Kind, s.flags.tier); err != nil {
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
	s.beginBeside()
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
			caps, err := s.parse(text, set.outcome)
			if err != nil {
				return fmt.Errorf("%s %s: %w", set.flag, capability.Printable(text), err)
			}
			for _, c := range caps {
				s.give(c, set.outcome, byFlag)
			}
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
// changes nothing. A denial means the links' own names too.
func (s *prepared) parse(text string, o grant.Outcome) ([]capability.Capability, error) {
	c, err := capability.Parse(text)
	if err != nil {
		return nil, err
	}
	named, err := c.Resolve(s.base)
	if err != nil {
		return nil, err
	}
	if c, err = settle(named, s.base); err != nil {
		return nil, err
	}
	if c != named {
		s.leads(named, c)
	}
	if o == grant.Deny {
		return closing(named, s.base)
	}
	if c != named {
		s.spelled[c] = named
	}
	return []capability.Capability{c}, nil
}

// Where grants for this session come from.
const (
	byFlag   = "command line"
	byVolume = "volume"
)

// give adds a grant for this session alone.
func (s *prepared) give(c capability.Capability, o grant.Outcome, origin string) {
	if slices.ContainsFunc(s.given, func(g grant.Grant) bool { return g.Capability == c && g.Outcome == o && g.Origin == origin }) {
		return
	}
	s.given = append(s.given, s.forSession(c, o, origin))
}

// forSession is a grant for this session alone.
func (s *prepared) forSession(c capability.Capability, o grant.Outcome, origin string) grant.Grant {
	return grant.Grant{
		ID: audit.NewID("g"), Principal: s.subject.Principal, Pack: s.subject.Pack, Digest: s.subject.Digest,
		Capability: c, Outcome: o, Lifespan: grant.Lifespan{Span: grant.Session, Session: s.subject.Session},
		Origin: origin, Created: s.app.now(),
	}
}

// readGrants asks the store only where it has changed since it was read last.
func (s *prepared) readGrants(ctx context.Context) (err error) {
	if s.stored, err = s.readStore(ctx); err != nil {
		return err
	}
	if s.flags.ask == askRule { // what was granted before would be used without a trace
		s.stored = slices.DeleteFunc(s.stored, func(g grant.Grant) bool { return g.Outcome == grant.Allow })
	}
	return nil
}

// readStore answers the grants of the store that stand for this subject.
func (s *prepared) readStore(ctx context.Context) ([]grant.Grant, error) {
	dir, err := s.app.state()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, grantsStore)
	s.stamp = store.Stamp(path)
	// Where the store is open it looks whether anything has changed.
	if !s.store.begun.Load() {
		now := store.Fingerprint(path)
		if all, ok := store.Standing(path, now, s.subject.Principal, s.subject.Pack); ok {
			return all, nil
		}
	}
	db, err := s.store.get()
	if err != nil {
		return nil, err
	}
	return db.Grants(ctx, s.subject.Principal, s.subject.Pack)
}
