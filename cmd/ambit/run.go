package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/thread"
)

// runFlags are the flags of ambit run.
type runFlags struct {
	pack, home, tier, watch   string
	deno                      string
	allow, deny, volumes, env []string
	limits                    []string
	plan, check, keep         bool
	checked                   string // the digest of what was looked at; "": nobody has
	ask, askBy, askURL        string
	askTimeout                time.Duration
	webhook                   approval.Front // for askURL
	askAuto                   bool           // nobody said whether to ask
	offline                   bool           // nobody is asked about the network
	sessionID                 string         // of whoever has to know it before; "": it is made
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARG…]",
		Short: "Run a program with exactly the capabilities that it was granted",
		Long: `Run a program in a sandbox of its own. Without a pack it sees the system's
programs and libraries, read-only, an empty home and an empty /tmp, and nothing
of yours; no network; no other process. Each --allow adds one capability.

The arguments reach the program byte for byte. Its exit status is ambit's own;
125: it could not be confined or started; 126: the launch was denied; 127: there
is no such command; 128+N: signal N ended it.`,
		Example: `  ambit run -- python3 -c 'print(1)'
  ambit run --allow fs.read:. --allow fs.write:./out -- make report
  ambit run --pack examples/packs/history-report
  ambit run --allow 'fs.read:~/Documents/*.pdf' -- pdftotext ~/Documents/a.pdf -
  ambit run --limit memory=512M --limit wall=30s -- ./untrusted
  ambit run --ask tty -- ./installer                ask about what it reaches for
  ambit run --check --allow net.connect:example.org:443 -- curl https://example.org
  ambit run --plan -- true                          print what would be enforced`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.launch(cmd.Context(), f, args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.pack, "pack", "", "run the pack in this `folder`, or the installed one with this id, with what it was granted")
	fl.Var((*texts)(&f.allow), "allow", "grant a `capability` for this session, as in fs.read:PATH")
	fl.Var((*texts)(&f.deny), "deny", "deny a `capability` for this session, also inside what is allowed")
	fl.VarP((*texts)(&f.volumes), "volume", "v", "show a path of the host at another: `SRC:DST:ro|rw|append|cow`; with append what is there stays and grows; with cow what is changed is kept apart, for ambit session diff and apply")
	fl.Var((*texts)(&f.env), "env", "let an environment variable through, or set it: `NAME[=VALUE]`")
	fl.Var((*texts)(&f.limits), "limit", "bound memory, pids, cpu, wall, disk, fds, storage or versions: `NAME=VALUE`")
	fl.StringVar(&f.home, "home", "", "home directory: `none`, ephemeral (gone at the end), private (kept for the pack) or host (yours, as far as you allow when asked)")
	fl.StringVar(&f.tier, "tier", tierAuto, "strength of isolation: `auto` (by the kind of the pack), "+strings.Join(tierNames()[1:], ", "))
	fl.StringVar(&f.ask, "ask", askAuto, "who is asked at the first touch of what was not granted: `tty`, queue (ambit approvals) or none; auto is tty on a terminal and none elsewhere")
	fl.StringVar(&f.askBy, "ask-by", askByTrap, "how first touches are heard of: by a trap, which needs /dev/fuse, or by `notification`, which is slower for whatever opens or looks at a file")
	fl.StringVar(&f.askURL, "ask-url", "", "ask the service at this `URL` too; the secret for it is in the file that AMBIT_ASK_SECRET_FILE names")
	fl.DurationVar(&f.askTimeout, "ask-timeout", defaultAskTimeout, "how long a question waits; then, and at once with 0, the answer is no: `TIME`")
	fl.StringVar(&f.deno, "deno", "auto", "with --ask, have Deno programs ask here before they do something, in the place of their own permissions: `auto` (where the command is Deno), on or off")
	fl.BoolVar(&f.plan, "plan", false, "print the plan and start nothing")
	fl.BoolVar(&f.check, "check", false, "say what it would be allowed, in words, and start nothing; the exit status is 126 where it would be denied")
	fl.StringVar(&f.checked, "checked", "", "start it only if it is what --check said, which ended with this `DIGEST`")
	fl.BoolVar(&f.keep, "keep-output", false, "keep what the program writes, for ambit logs and attach; it writes to pipes then, and to no terminal")
	fl.StringVar(&f.watch, "watch-files", "auto", "report files that were not there for the program: `auto` (for packs), on or off; it costs some microseconds for each file opened")
	fl.StringVar(&f.sessionID, "session-id", "", "the id of this session, one that no other has")
	_ = fl.MarkHidden("session-id") // for ambit serve, which tells it before the session is there
	return cmd
}

// serves reports whether others may wait for this process while the program runs, and
// by timers of its runtime: what a pack needs is not known yet. First touches, new
// connections and uses of secrets wait for its poller and the disk, or for threads that
// say that they wait; with exact timers Go's monitor had a turn several times at each.
func (f *runFlags) serves() bool { return f.pack != "" }

// namesNetwork reports whether something of the network is allowed by name.
func (f *runFlags) namesNetwork() bool {
	return slices.ContainsFunc(f.allow, func(text string) bool {
		c, err := capability.Parse(text)
		return err == nil && (c.Kind() == capability.NetConnect || c.Kind() == capability.NetListen || c.Kind() == capability.NetStream)
	})
}

// launch goes from words to a running program: read, decide, compile, run.
func (a *app) launch(ctx context.Context, f *runFlags, argv []string) error {
	if err := f.valid(); err != nil {
		return err
	}
	if err := errors.Join(f.readAsk(), a.resolveAsk(f), a.readURL(ctx, f)); err != nil {
		return err
	}
	f.plan = f.plan || f.check // neither starts or records anything
	if f.serves() {
		thread.Exact() // before any row begins
	}
	if f.keep && !f.plan {
		if err := a.keepOutput(); err != nil {
			return err
		}
	}
	s := a.begin(f, argv)
	if a.claimed != nil && a.stood.log == nil {
		go s.readyLog(ctx)
	}
	var tier process.Tier
	if !f.plan && (f.tier == tierAuto || f.tier == enforce.TierProcess) {
		tier = s.beginTier()
		defer tier.Discard()
	} else {
		a.early.Discard() // another tier was named
	}
	defer s.close()
	err := s.prepare(ctx)
	if err != nil || !s.leavesNothing() { // or its record waits for that, while its sandbox is built
		if other := a.mine(); other != nil {
			return other
		}
	}
	if f.check {
		return s.sayCheck(err)
	}
	if err == nil {
		err = s.asChecked()
	}
	if err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	if f.plan {
		_, err := a.out.Write(s.spec.Plan.Text())
		return err
	}
	if err := errors.Join(s.own(ctx), s.keepApart(), a.kept.keep(a, s.subject.Session)); err != nil {
		return errors.Join(err, s.recordRefusal(ctx, err))
	}
	return a.launchPrepared(ctx, f, s, tier)
}

// valid says what is wrong with flags that are no capability, limit or way to ask.
func (f *runFlags) valid() error {
	if f.tier != tierAuto {
		if _, err := tierNamed(f.tier); err != nil {
			return err
		}
	}
	if f.watch != "auto" && f.watch != "on" && f.watch != "off" {
		return fmt.Errorf("--watch-files %q: want auto, on or off", f.watch)
	}
	if f.deno != "auto" && f.deno != "on" && f.deno != "off" {
		return fmt.Errorf("--deno %q: want auto, on or off", f.deno)
	}
	if f.sessionID != "" && !isSessionID(f.sessionID) {
		return fmt.Errorf("--session-id %q: want an id such as %s", f.sessionID, audit.NewID("s"))
	}
	return nil
}

// launchPrepared begins what serves a run, questions, stored values and the network, and
// supervises it to its end. tier is the process tier's, begun before it was known whether
// another one is needed.
func (a *app) launchPrepared(ctx context.Context, f *runFlags, s *prepared, tier process.Tier) error {
	defer s.tellChanges()
	on, tally := &stage{told: &teller{}}, s.count()
	s.fronts = a.fronts(f, on)
	re := s.newRechecker()
	var asks *toucher
	if f.asks() {
		t := s.newToucher(tally, on.told.tell)
		tier.Asker, asks = t, t
		defer s.endTouches(ctx, t)
		if err := s.touchStart(ctx, t); err != nil {
			return errors.Join(err, s.recordRefusal(ctx, err))
		}
		re.asks, re.shown, re.forget, re.replaced, re.grants = t, t.shown, t.forget, t.replaced, t.grants
		s.deno.serve(ctx, s, t)
	}
	if s.spec.Plan.Stored != nil {
		v, err := s.openStorage(asks)
		if err != nil {
			return errors.Join(err, s.recordRefusal(ctx, err))
		}
		tier.Storer, re.storing = v, v
	}
	if s.spec.Plan.Link != nil {
		n, err := s.startNetwork(ctx, asks, tally, on.told.tell)
		if err != nil {
			return errors.Join(err, s.recordRefusal(ctx, err))
		}
		defer n.stop()
		tier.Networker, re.network = n, n
		if asks != nil {
			asks.network = n
		}
	}
	if s.tier.name == enforce.TierProcess {
		return a.supervise(ctx, s, tier, on, tally, re)
	}
	tier.Discard() // begun before it was known what the pack needs
	return a.supervise(ctx, s, s.tier.make(tier.Asker, tier.Networker), on, tally, re)
}

// endTouches takes back what was given until the end.
func (s *prepared) endTouches(ctx context.Context, t *toucher) {
	if err := t.end(context.WithoutCancel(ctx)); err != nil {
		printf(s.app.err, "ambit: grants of this session are still in the store, and hold for nothing: %v\n", err)
	}
}

// count begins the tally of a session with what was decided for its launch.
func (s *prepared) count() *session.Tally {
	tally := &session.Tally{}
	for _, q := range s.questions {
		for i, d := range q.answers {
			switch k := q.requests[i].Capability.Kind(); d.Outcome {
			case decision.Allow:
				tally.Allowed(k)
			case decision.Ask: // nobody was asked yet
			default:
				tally.Denied(k)
			}
		}
	}
	return tally
}

// supervise runs the prepared session and turns its end into an exit status.
func (a *app) supervise(ctx context.Context, s *prepared, tier enforce.Tier, on *stage, tally *session.Tally, re *rechecker) error {
	sigs, spec := newSignals(), s.spec
	// Once the launch is recorded, and not before: it takes two processors some
	// tenths of a millisecond, which the row that is being built needs until then.
	spec.Decide = func(ctx context.Context, launch audit.Record) error {
		defer sigs.catch(s.flags.ask == askTTY)
		return s.spec.Decide(ctx, launch)
	}
	defer sigs.stop()
	defer on.told.flush()
	r := session.Runner{Tier: tier, Log: s, Now: a.now, Ready: sigs.wait, Tally: tally,
		Denied: func(id string, d enforce.Denial) { on.told.tell(func() { s.denied(id, d) }) }}
	if a.claimed != nil {
		r.Stood = s.stoodFor
	}
	ended, listed := make(chan session.Result, 1), make(chan struct{})
	c := &control{s: s, tally: tally, asks: re.asks, grants: re.grants, over: make(chan struct{})}
	defer c.close()
	defer re.stop()
	r.Started = func(inside enforce.Session, rep enforce.Report) {
		c.inside = inside
		sigs.apart = s.tier.name == enforce.TierMicroVM || s.tier.name == enforce.TierEmulated
		sigs.toEnd = func() { c.toEnd(context.WithoutCancel(ctx)) }
		go sigs.pass(inside)
		on.begun(inside)
		s.deno.enter(inside)
		a.weaker(rep)
		re.network.begun(inside)
		re.start(ctx, inside)
		go func() {
			defer close(listed)
			s.list(ctx, c, ended)
		}()
	}
	r.Settle = func() {
		re.stop()
		re.network.stop()
	}
	r.Ended = func(res session.Result) {
		ended <- res
		<-listed
	}
	res, err := r.Run(ctx, spec)
	a.kept.end()
	c.end.Exit = res.Exit
	on.told.flush()
	if err != nil {
		return err
	}
	if a.json {
		text, err := res.JSON()
		if err != nil {
			return err
		}
		printf(a.err, "%s\n", text)
	}
	if res.CannotExec != nil {
		return cannotExec(s.spec.Plan.Program.Path, res.CannotExec)
	}
	if res.Limit != "" && !a.json {
		printf(a.err, "ambit: the limit of %s was reached%s\n", res.Limit, words(res.LimitText))
	}
	if res.Limit == "" && res.LimitText != "" && !a.json { // it held the program back, and ended nothing
		printf(a.err, "ambit: %s\n", res.LimitText)
	}
	if res.Exit != 0 {
		return &exitError{status: res.Exit}
	}
	return nil
}

func cannotExec(path string, cause error) error {
	err := fmt.Errorf("cannot execute %q: %w", path, cause)
	if errors.Is(cause, os.ErrNotExist) {
		return &exitError{exitNotFound, err}
	}
	return &exitError{exitFailed, err}
}

// weaker says which bounds are kept in the named weaker way.
func (a *app) weaker(rep enforce.Report) {
	if a.json {
		return
	}
	for _, l := range rep.Layers {
		if l.Weaker {
			printf(a.err, "ambit: %s: %s\n", l.Name, l.Detail)
		}
	}
}

// looked are the directories of the system where programs look around, and find
// less than on the host. That is recorded, and no news to the person.
var looked = []string{"/proc", "/sys", "/etc", "/run", "/var", "/dev"}

// quiet reports whether a denial is no news. In the person's home and in Ambit's
// state, wherever those lie, every one is.
func (s *prepared) quiet(d enforce.Denial) bool {
	state, _ := s.app.state() // the launch would have failed
	for _, own := range []string{s.base.Home, state} {
		if own != "" && own != "/" && under(d.Target, own) {
			return false
		}
	}
	return d.Kind == string(capability.FSRead) && slices.ContainsFunc(looked, func(dir string) bool { return under(d.Target, dir) })
}

// denied prints the line of one denial.
func (s *prepared) denied(id string, d enforce.Denial) {
	if s.heard != nil {
		s.heard(capability.Printable(strings.TrimSuffix(d.Kind+":"+d.Target, ":")), "the sandbox has nothing that provides it", id)
		return
	}
	if s.app.json || s.quiet(d) {
		return
	}
	what, fix := capability.Printable(d.Kind), ""
	if d.Target != "" {
		what = capability.Printable(d.Kind + ":" + d.Target)
	}
	if c, err := capability.ForPath(capability.Kind(d.Kind), d.Target); err == nil {
		what, fix = c.Display(), " allow: --allow "+shellWord(c.Display())
		if _, ok := s.manifest.Declares(c); !ok {
			fix = " its manifest does not ask for it"
		}
	}
	printf(s.app.err, "ambit: denied %s (not granted) [%s]%s\n", what, id, fix)
}
