package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/gate"
)

// A volume shows a path of the host at another path of the view. The person
// grants the source by naming it; a pack must have declared the target.
type volume struct {
	source, target capability.Capability
	shown          enforce.Volume
}

// parseVolume reads SRC:DST[:ro|rw]. Colons belong to SRC as far as possible.
func parseVolume(text string) (src, dst string, write bool, err error) {
	rest, mode, ok := cutLast(text)
	if ok && (mode == "ro" || mode == "rw") {
		write = mode == "rw"
	} else {
		rest = text
	}
	src, dst, ok = cutLast(rest)
	if !ok || src == "" || !filepath.IsAbs(dst) {
		return "", "", false, fmt.Errorf("volume %s: want SRC:DST:ro or SRC:DST:rw with an absolute DST", capability.Printable(text))
	}
	return src, filepath.Clean(dst), write, nil
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// readVolumes finds the sources and grants them for this session.
func (s *prepared) readVolumes() error {
	for _, text := range s.flags.volumes {
		src, dst, write, err := parseVolume(text)
		if err != nil {
			return err
		}
		if src, err = filepath.Abs(src); err != nil {
			return err
		}
		o, err := view.Resolve(src)
		if err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		kind := capability.FSRead
		if write {
			kind = capability.FSWrite
		}
		v := volume{shown: enforce.Volume{Source: o, Target: dst, Write: write}}
		if v.source, err = capability.ForPath(kind, o.Path); err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		if v.target, err = capability.ForPath(kind, dst); err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		s.volumes = append(s.volumes, v)
	}
	for _, v := range s.volumes {
		s.give(v.source, grant.Allow, byVolume)
		if s.packDir != "" {
			s.give(v.target, grant.Allow, byFlag)
		}
	}
	return nil
}

// gate makes the one answerer for a manifest, over the grants of the launch.
func (s *prepared) gate(m manifest.Manifest) *gate.Gate {
	return s.gateOver(m, func(context.Context) ([]grant.Grant, error) { return s.grants(), nil }, s)
}

func (s *prepared) gateOver(m manifest.Manifest, grants func(context.Context) ([]grant.Grant, error), log gate.Recorder) *gate.Gate {
	return gate.New(gate.Config{
		Manifest: m, Policy: s.policy, Log: log, Now: s.app.now, Grants: grants,
		NewID: func() string { return audit.NewID("d") },
	})
}
