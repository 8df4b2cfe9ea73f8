package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/learn"
)

// learnFlags are the flags of ambit learn.
type learnFlags struct {
	run    runFlags
	output string
	force  bool
	net    bool
}

func (a *app) learnCommand() *cobra.Command {
	f := &learnFlags{run: runFlags{tier: enforce.TierProcess, ask: askRule, watch: "on"}}
	cmd := &cobra.Command{
		Use:   "learn [flags] [--] COMMAND [ARG…]",
		Short: "Run a program and write down what it used, as a manifest",
		Long: `Run a program in a sandbox, answer for it what it reaches for by a cautious rule,
and write the smallest ambit.json that would have sufficed: each line with what
used it. With that granted, the program runs as a pack and nothing is missing.

While it runs it may read and change the project of the working directory, read
ordinary files elsewhere, change caches of tools that are known, and start what
belongs to the system or to a package. What may hold secrets stays closed: keys,
credentials, tokens, browser profiles, histories, mail, .env files. What was
refused is listed at the end. Each answer is a decision in the audit log.

The manifest is written when the program has ended, whatever its exit status,
which is ambit's own. It asks and gives nothing: read it before you grant it.`,
		Example: `  ambit learn -- make test
  ambit learn -o - -- git status                    print it
  ambit learn --allow fs.read:~/.npmrc -- npm install
  ambit learn -- ./report.py && ambit grants add --pack . --all && ambit run --pack .`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.learn(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringVarP(&f.output, "output", "o", manifest.File, "write the manifest to this `file`; - prints it")
	fl.BoolVar(&f.force, "force", false, "replace the file if it exists; its pack keeps its id")
	fl.BoolVar(&f.net, "net", false, "let it reach public names")
	fl.StringArrayVar(&f.run.allow, "allow", nil, "grant a `capability` from the start, and ask for it in the manifest")
	fl.StringArrayVar(&f.run.deny, "deny", nil, "deny a `capability`, whatever the rule says")
	fl.StringArrayVarP(&f.run.volumes, "volume", "v", nil, "show a path of the host at another: `SRC:DST:ro|rw`")
	fl.StringArrayVar(&f.run.env, "env", nil, "let an environment variable through, or set it: `NAME[=VALUE]`")
	fl.StringArrayVar(&f.run.limits, "limit", nil, "bound memory, pids, cpu, wall, disk or fds: `NAME=VALUE`")
	fl.StringVar(&f.run.home, "home", "", "home directory: `host` (yours, as far as the rule allows; the default), ephemeral or none")
	fl.StringVar(&f.run.askBy, "ask-by", askByTrap, "how first touches are heard of: by a trap, which needs /dev/fuse, or by `notification`, which is slower for whatever opens or looks at a file")
	return cmd
}

// learn runs a program under the rule and writes what it used.
func (a *app) learn(ctx context.Context, f *learnFlags, argv []string) error {
	switch {
	case f.net:
		return errors.New("--net: a run that learns has no network yet; leave it out, and add what the program connects to by hand, as net.connect:HOST")
	case f.run.askBy != askByTrap && f.run.askBy != askByNotification:
		return fmt.Errorf("--ask-by %q: want %s or %s", f.run.askBy, askByTrap, askByNotification)
	case f.run.home == manifest.HomePrivate:
		return errors.New("--home private is kept for a pack; this run has none")
	}
	out, err := f.newOutput(argv)
	if err != nil {
		return err
	}
	f.run.offline = true
	s := a.begin(&f.run, argv)
	tier := process.Begin(enforce.Outline(bounds(s.facts, enforce.Limits{})), a.stdio())
	defer tier.Discard()
	s.ahead(tier)
	defer s.close()
	l, err := s.newLearner(f, out)
	if err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	on, tally := &stage{told: &teller{}}, s.count()
	t := s.newToucher(tally, on.told.tell)
	t.answer, l.t, tier.Asker = l.answer, t, l
	defer s.endTouches(ctx, t)
	re := s.newRechecker()
	re.shown, re.forget, re.replaced, re.grants = t.shown, t.forget, t.replaced, t.grants
	ran := a.supervise(ctx, s, tier, on, tally, re)
	if exit, ok := errors.AsType[*exitError](ran); ran != nil && (!ok || exit.err != nil) {
		return ran
	}
	return errors.Join(l.finish(ran), ran)
}

// newLearner makes what answers and remembers. The folder of the manifest is
// shown as a pack sees its own, but for what may be secret in it; so is the
// working directory where that is another, for a program to start in.
func (s *prepared) newLearner(f *learnFlags, out *output) (*learner, error) {
	l := &learner{s: s, flags: f, out: out, given: map[capability.Capability]learn.Touch{}, near: map[string]int{}, refused: map[string]refusal{},
		denied: map[capability.Capability]bool{}, started: map[capability.Capability]bool{}, links: map[string]bool{}, opened: map[string]string{}}
	s.heard, l.allowed = l.refuse, f.run.allow
	dir, err := l.readBase()
	if err != nil {
		return nil, err
	}
	l.rule = learn.Rule{Base: l.base, Host: hostTree{}, Net: f.net}
	if out.pack != "" {
		l.hidden, _, err = l.show(out.pack)
	}
	if err != nil || exposed(dir, l.base.Home) || out.pack != "" && under(dir, out.pack) {
		return l, err
	}
	_, c, err := l.show(dir)
	if !c.IsZero() {
		l.trail = append(l.trail, learn.Touch{Capability: c, Dir: true, Program: filepath.Base(s.argv[0]), Count: 1})
	}
	return l, err
}

// show gives a directory from the start, but for the secrets in it.
func (l *learner) show(dir string) (hidden []string, c capability.Capability, err error) {
	if c, err = capability.ForPath(capability.FSRead, dir); err != nil {
		return nil, c, err
	}
	hidden, ok := learn.Secrets(dir, l.base, hostTree{})
	if f := &l.flags.run; !ok && !slices.Contains(f.allow, c.Display()) {
		return nil, c, fmt.Errorf("%s holds more than can be looked through for secrets: learn in a smaller folder, or give all of it with --allow %s",
			shellWord(dir), shellWord(c.Display()))
	}
	f := &l.flags.run
	f.allow = append(f.allow, c.Display())
	for _, p := range hidden {
		secret, err := capability.ForPath(capability.FSRead, p)
		if err != nil {
			return nil, c, err
		}
		f.deny = append(f.deny, secret.Display())
	}
	return hidden, c, nil
}
