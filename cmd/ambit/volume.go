package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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
	apart          bool // what is changed of it is kept apart
	beside         bool // it says more of the volume before it, and shows nothing
}

// The ways to show a volume.
const (
	volumeReadOnly = manifest.ZoneReadOnly
	volumeWritable = manifest.ZoneWritable
	volumeAppended = manifest.ZoneAppended
	volumeCopied   = manifest.ZoneCopied
)

// parseVolume reads SRC:DST[:ro|rw|append|cow]. Colons belong to SRC as far as possible.
func parseVolume(text string) (src, dst, mode string, err error) {
	rest, mode, ok := cutLast(text)
	if !ok || !slices.Contains([]string{volumeReadOnly, volumeWritable, volumeAppended, volumeCopied}, mode) {
		rest, mode = text, volumeReadOnly
	}
	src, dst, ok = cutLast(rest)
	if !ok || src == "" || !filepath.IsAbs(dst) {
		return "", "", "", fmt.Errorf("volume %s: want SRC:DST:ro, SRC:DST:rw, SRC:DST:append or SRC:DST:cow with an absolute DST", capability.Printable(text))
	}
	return src, filepath.Clean(dst), mode, nil
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
		src, dst, mode, err := parseVolume(text)
		if err != nil {
			return err
		}
		if err := s.fitsZone(dst, mode); err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		if src, err = filepath.Abs(src); err != nil {
			return err
		}
		o, err := view.Resolve(src)
		if err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		more, err := volumesOf(o, dst, mode)
		if err != nil {
			return fmt.Errorf("volume %s: %w", capability.Printable(text), err)
		}
		s.volumes = append(s.volumes, more...)
	}
	for _, v := range s.volumes {
		s.give(v.source, grant.Allow, byVolume)
		if s.packDir != "" {
			s.give(v.target, grant.Allow, byFlag)
		}
	}
	return nil
}

// volumesOf is what a volume asks for. What is changed elsewhere is only read on the
// host, and changed in the view; what is append-only can be read as well.
func volumesOf(o enforce.Object, dst, mode string) (all []volume, err error) {
	kinds := map[string][][2]capability.Kind{
		volumeReadOnly: {{capability.FSRead, capability.FSRead}},
		volumeWritable: {{capability.FSWrite, capability.FSWrite}},
		volumeAppended: {{capability.FSAppend, capability.FSAppend}, {capability.FSRead, capability.FSRead}},
		volumeCopied:   {{capability.FSRead, capability.FSWrite}},
	}[mode]
	for i, k := range kinds {
		v := volume{apart: mode == volumeCopied, beside: i > 0,
			shown: enforce.Volume{Source: o, Target: dst, Write: mode == volumeWritable, Append: mode == volumeAppended}}
		if v.source, err = capability.ForPath(k[0], o.Path); err != nil {
			return nil, err
		}
		if v.target, err = capability.ForPath(k[1], dst); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
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
