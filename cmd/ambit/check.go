package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
)

// A checked is what a launch would be, as far as somebody has to know it who starts it:
// decided as for the launch, and not recorded.
type checked struct {
	Starts       bool                `json:"starts"` // false: something is denied that stops it
	Program      string              `json:"program"`
	Argv         []string            `json:"argv"`
	Dir          string              `json:"dir,omitempty"` // of one that starts
	Pack         string              `json:"pack,omitempty"`
	Version      string              `json:"version,omitempty"`
	PackDigest   string              `json:"pack_digest,omitempty"`
	Tier         string              `json:"tier"`
	Home         string              `json:"home,omitempty"` // of one that starts: none, ephemeral, private or host
	Asks         bool                `json:"asks"`
	Capabilities []checkedCapability `json:"capabilities"` // the gravest first
	Volumes      []checkedVolume     `json:"volumes"`
	Limits       map[string]string   `json:"limits"`
	Env          []string            `json:"env,omitempty"` // NAME=VALUE, or NAME of one that is let through

	// Digest is of all that stands before it, and of what would be enforced.
	Digest string `json:"digest,omitempty"`
}

// A checkedCapability is one capability that the launch names, the pack wants, or was
// granted before.
type checkedCapability struct {
	Capability string `json:"capability"`
	Meaning    string `json:"meaning"`
	Outcome    string `json:"outcome"` // allow, ask or deny
	Broad      bool   `json:"broad,omitempty"`
	Stops      bool   `json:"stops,omitempty"`  // the launch, since it is denied
	Reason     string `json:"reason,omitempty"` // of the pack, in its author's words
	Why        string `json:"why,omitempty"`    // it is not allowed
}

// A checkedVolume is a path of the host that the view shows: one that a flag names, or a
// zone of the pack.
type checkedVolume struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Mode   string `json:"mode"`
	Zone   string `json:"zone,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"` // at most, of one that starts; 0: no bound of its own
	Files  int64  `json:"files,omitempty"`
}

// check says what was decided and compiled.
func (s *prepared) check(starts bool) (checked, error) {
	c := checked{Starts: starts, Program: s.program.path, Argv: s.argv, Pack: s.manifest.ID, Version: s.manifest.Version, PackDigest: s.subject.Digest,
		Tier: s.tier.name, Asks: s.flags.asks(), Capabilities: s.checkedCapabilities(), Volumes: s.checkedVolumes(), Limits: s.limitTexts(), Env: s.checkedEnv()}
	if starts {
		c.Dir, c.Home = s.spec.Plan.Program.Dir, string(s.input.Home)
	}
	text, err := json.Marshal(c.unexplained())
	if err != nil {
		return c, err
	}
	sum := sha256.New()
	_, _ = sum.Write(text) // a hash takes everything
	if starts {
		_, _ = sum.Write(s.lasting().Text())
	}
	c.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return c, nil
}

// lasting is the plan without what is each launch's own: its id, what is made for it
// alone, the terminal that it is started on, and how this process can keep bounds.
//
// Security: what a launch is allowed is what its plan says, so that a digest of this
// covers zones, bounds and whatever else is put into plans, also where nothing is said
// of it in words. What is left out here is covered by nothing (TestServeCheckedPack).
func (s *prepared) lasting() enforce.Plan {
	p := s.spec.Plan
	p.Session, p.Limits = "", enforce.LimitPlan{Limits: p.Limits.Limits}
	own := []string{"AMBIT_SESSION"}
	for _, o := range s.secrets {
		own = append(own, o.Binding.Env) // a text that stands for the secret, for one session
	}
	p.Program.Env = slices.DeleteFunc(slices.Clone(p.Program.Env), func(text string) bool {
		name, _, _ := strings.Cut(text, "=")
		return slices.Contains(own, name)
	})
	p.View = slices.DeleteFunc(slices.Clone(p.View), func(e enforce.Entry) bool {
		return e.Path == enforce.Console || e.Path == denoSocket
	})
	for i := range p.View {
		e := &p.View[i]
		e.Content = nil // of files that Ambit itself makes, one of which is a certificate for one session
		if e.Changes != "" {
			e.Changes = volumeCopied
		}
	}
	return p
}

// unexplained is the same without saying why, which names the session.
func (c checked) unexplained() checked {
	c.Capabilities = slices.Clone(c.Capabilities)
	for i := range c.Capabilities {
		c.Capabilities[i].Why = ""
	}
	return c
}

// checkedVolumes are those that are named, and the zones that are granted, with the
// bounds that were compiled.
func (s *prepared) checkedVolumes() []checkedVolume {
	all := []checkedVolume{}
	for _, v := range s.allVolumes() {
		if v.beside {
			continue
		}
		c := checkedVolume{Source: v.shown.Source.Path, Target: v.shown.Target, Mode: v.mode()}
		if z, ok := s.manifest.ZoneAt(v.shown.Target); ok {
			c.Zone = z.Name
		}
		if i := slices.IndexFunc(s.input.Volumes, func(in enforce.Volume) bool { return in.Target == c.Target }); i >= 0 {
			c.Bytes, c.Files = s.input.Volumes[i].Bytes, s.input.Volumes[i].Files
		}
		all = append(all, c)
	}
	return all
}

func (v volume) mode() string {
	switch {
	case v.apart:
		return volumeCopied
	case v.shown.Append:
		return volumeAppended
	case v.shown.Write:
		return volumeWritable
	}
	return volumeReadOnly
}

// bounds says how much there can be in a volume.
func (v checkedVolume) bounds() (text string) {
	if v.Bytes > 0 {
		text += fmt.Sprintf(", at most %d bytes", v.Bytes)
	}
	if v.Files > 0 {
		text += fmt.Sprintf(", at most %d files and folders", v.Files)
	}
	return text
}

func (s *prepared) checkedCapabilities() []checkedCapability {
	type row struct {
		of capability.Capability
		checkedCapability
	}
	var rows []row
	for _, q := range s.questions {
		for i, d := range q.answers {
			c := q.requests[i].Capability
			r := checkedCapability{Capability: c.Display(), Meaning: c.Describe(), Outcome: d.Outcome.String(), Broad: broad(c),
				Stops: d.Outcome == decision.Deny && (s.named[c] || failed(d))}
			if w, ok := s.manifest.Declares(c); ok {
				r.Reason = capability.Printable(w.Reason)
			}
			if d.Outcome != decision.Allow {
				r.Why = reason(d)
			}
			rows = append(rows, row{c, r})
		}
	}
	for _, g := range s.given { // what nothing asks for is denied all the same
		if c := g.Capability; g.Outcome == grant.Deny && !slices.ContainsFunc(rows, func(r row) bool { return r.of == c }) {
			rows = append(rows, row{c, checkedCapability{Capability: c.Display(), Meaning: c.Describe(), Outcome: decision.Deny.String(), Why: "denied for this session"}})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return gravity(a.of) - gravity(b.of) })
	all := []checkedCapability{}
	for _, r := range rows {
		all = append(all, r.checkedCapability)
	}
	return all
}

// limitTexts are the bounds of a launch as they were written, by their names.
func (s *prepared) limitTexts() map[string]string {
	all := map[string]string{}
	maps.Copy(all, s.manifest.Limits)
	for _, text := range s.flags.limits {
		name, value, _ := strings.Cut(text, "=")
		all[name] = value
	}
	return all
}

// checkedEnv are the variables that flags set or let through. Of those with one name the
// last counts.
func (s *prepared) checkedEnv() []string {
	last := map[string]string{}
	for _, text := range s.flags.env {
		name, _, _ := strings.Cut(text, "=")
		last[name] = text
	}
	return slices.Sorted(maps.Values(last))
}

// asChecked refuses a launch that would not be what somebody has looked at.
//
// Security: between a check and its launch a grant, a policy, a pack or a link can
// change. Whoever agreed, agreed to what was shown (TestServeChecked).
func (s *prepared) asChecked() error {
	if s.flags.checked == "" {
		return nil
	}
	c, err := s.check(true)
	if err == nil && c.Digest != s.flags.checked {
		err = errors.New("what it would be allowed is not what was looked at any more: look at it again")
	}
	return err
}

// sayCheck says what a launch would be, or what denies it. What fails otherwise is no
// answer.
func (s *prepared) sayCheck(err error) error {
	if exit, ok := errors.AsType[*exitError](err); err != nil && (!ok || exit.status != exitDenied) {
		return err
	}
	c, bad := s.check(err == nil)
	if bad == nil {
		bad = s.app.printCheck(c)
	}
	return errors.Join(err, bad)
}

func (a *app) printCheck(c checked) error {
	if a.json {
		return a.printJSON(c)
	}
	line := func(name, format string, args ...any) {
		printf(a.out, "%-8s %s\n", name, capability.Printable(fmt.Sprintf(format, args...)))
	}
	starts := "yes"
	if !c.Starts {
		starts = "no: it would be denied"
	}
	line("starts", "%s", starts)
	line("runs", "%s", shellLine(c.Argv))
	if c.Pack != "" {
		line("pack", "%s", auditJoin(c.Pack, c.PackDigest))
	}
	line("tier", "%s", c.Tier)
	if c.Home != "" {
		line("home", "%s", c.Home)
	}
	for _, r := range c.Capabilities {
		line(r.Outcome, "%s: %s%s", r.Meaning, r.Capability, words(r.Why))
	}
	for _, v := range c.Volumes {
		line("shows", "%s at %s, %s%s", v.Source, v.Target, v.Mode, v.bounds())
	}
	for _, name := range slices.Sorted(maps.Keys(c.Limits)) {
		line("limit", "%s=%s", name, c.Limits[name])
	}
	for _, text := range c.Env {
		line("env", "%s", text)
	}
	line("digest", "%s", c.Digest)
	return nil
}
