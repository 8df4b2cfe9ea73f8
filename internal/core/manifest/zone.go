package manifest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"ambit.dev/ambit/internal/core/capability"
)

// ZonesAt is where the zones of a pack are in its view, each by its name.
const ZonesAt = "/zones"

// The rules of a zone.
const (
	ZoneReadOnly = "ro"     // what it is given
	ZoneWritable = "rw"     // what it makes
	ZoneAppended = "append" // what is there stays, and grows
	ZoneCopied   = "cow"    // what is changed goes elsewhere, and is looked at before it is applied
)

// A Zone is a part of the workspace of a pack's sessions, with a rule of its own. What
// it needs is among the manifest's wants, and is granted or not like any other.
type Zone struct {
	Name        string
	Mode        string
	Of          string // of ZoneCopied: the folder of the host that it shows, as the manifest spells it
	Disk, Files string // bounds: bytes, as in 100M, and how many files and folders; "" none
	Reason      string
	Optional    bool
}

// Path is where the zone is in the view.
func (z Zone) Path() string { return ZonesAt + "/" + z.Name }

// ZoneAt is the zone that is at a path of the view.
func (m Manifest) ZoneAt(path string) (Zone, bool) {
	i := slices.IndexFunc(m.Zones, func(z Zone) bool { return z.Path() == path })
	if i < 0 {
		return Zone{}, false
	}
	return m.Zones[i], true
}

// Describe says in words what a want is for; of a zone also which, and how much.
func (m Manifest) Describe(w Want) string {
	i := slices.IndexFunc(m.Zones, func(z Zone) bool { return z.Name == w.Zone })
	if w.Zone == "" || i < 0 {
		return w.Capability.Describe()
	}
	z := m.Zones[i]
	words := " (its zone " + z.Name + ": "
	switch {
	case w.Source:
		words += "a copy is shown there"
	case z.Mode == ZoneCopied:
		words += "what it changes of " + capability.Printable(z.Of) + " is kept apart until you apply it"
	default:
		words += "a folder that is kept for it, or that you name"
	}
	if z.Disk != "" && !w.Source {
		words += "; at most " + z.Disk
	}
	if z.Files != "" && !w.Source {
		words += "; at most " + z.Files + " files"
	}
	return w.Capability.Describe() + words + ")"
}

// zones reads the zones; their wants come behind the others, in the order of names.
func (r reader) zones(m *Manifest, wants *[]placed) field {
	return func(v hujson.Value) error {
		o, ok := v.Value.(*hujson.Object)
		if !ok {
			return r.errorf(v.StartOffset, "expected zones, an object in { }, found %s", kindOf(v))
		}
		fields := map[string]field{}
		for _, member := range o.Members {
			name, err := r.text(member.Name)
			if err != nil {
				return err
			}
			if want := zoneName(name); want != "" {
				return r.errorf(member.Name.StartOffset, "expected %s, found %q", want, name)
			}
			fields[name] = r.zone(m, wants, name)
		}
		if err := r.object(v, "zones", false, fields); err != nil {
			return err
		}
		slices.SortFunc(m.Zones, func(a, b Zone) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortStableFunc(*wants, func(a, b placed) int { return cmp.Compare(a.want.Zone, b.want.Zone) })
		return nil
	}
}

// placed is a want, and where in the file it comes from.
type placed struct {
	want   Want
	offset int
}

func (r reader) zone(m *Manifest, wants *[]placed, name string) field {
	return func(v hujson.Value) error {
		z := Zone{Name: name}
		err := r.object(v, "a zone", false, map[string]field{
			"mode":   r.into(&z.Mode, oneOf(ZoneReadOnly, ZoneWritable, ZoneAppended, ZoneCopied)),
			"of":     r.into(&z.Of, anything),
			"disk":   r.into(&z.Disk, size),
			"files":  r.into(&z.Files, count),
			"reason": r.into(&z.Reason, line),
			"optional": func(v hujson.Value) (err error) {
				z.Optional, err = r.flag(v)
				return err
			},
		})
		switch {
		case err != nil:
			return err
		case z.Mode == "":
			return r.errorf(v.StartOffset, `expected the key "mode"`)
		case z.Mode == ZoneReadOnly && z.Disk+z.Files != "":
			return r.errorf(v.StartOffset, "expected no bound of a zone that is only read")
		case (z.Mode == ZoneCopied) != (z.Of != ""):
			return r.errorf(v.StartOffset, `expected the key "of", a folder of the host, with the mode "cow" and with no other`)
		}
		needed, err := r.zoneWants(&z, v.StartOffset)
		m.Zones = append(m.Zones, z)
		*wants = append(*wants, needed...)
		return err
	}
}

// zoneWants are the capabilities without which a zone is not there.
func (r reader) zoneWants(z *Zone, offset int) (wants []placed, err error) {
	kinds := map[string][]capability.Kind{ZoneReadOnly: {capability.FSRead}, ZoneWritable: {capability.FSWrite},
		ZoneAppended: {capability.FSAppend, capability.FSRead}, ZoneCopied: {capability.FSWrite}}[z.Mode]
	var texts []string
	for _, k := range kinds {
		texts = append(texts, string(k)+":"+z.Path())
	}
	const read = string(capability.FSRead) + ":"
	if z.Of != "" {
		texts = append(texts, read+z.Of)
	}
	for i, text := range texts {
		w := Want{Reason: z.Reason, Optional: z.Optional, Zone: z.Name, Source: i == len(kinds)}
		if w.Capability, err = capability.Parse(text); err != nil {
			return nil, r.errorf(offset, "of: %v", err)
		}
		wants = append(wants, placed{w, offset})
	}
	if z.Of == "" {
		return wants, nil
	}
	of := wants[len(wants)-1].want.Capability
	if pattern, _ := of.Pattern(); strings.ContainsAny(pattern.String(), "*?[") {
		return nil, r.errorf(offset, "of: expected one folder, found a pattern")
	}
	z.Of = strings.TrimPrefix(of.Display(), read)
	return wants, nil
}

// join adds the wants of zones to those that the manifest lists.
func (r reader) join(m *Manifest, wants []placed) error {
	for _, p := range wants {
		if slices.ContainsFunc(m.Wants, func(o Want) bool { return o.Capability == p.want.Capability }) {
			return r.errorf(p.offset, "expected each capability once, found %s again, which the zone %s is", p.want.Capability.Display(), p.want.Zone)
		}
		m.Wants = append(m.Wants, p.want)
	}
	return nil
}

// zoneName names a folder, and a limit.
func zoneName(s string) string {
	bad := func(r rune) bool { return !word(r) && r != '-' }
	if s == "" || len(s) > 64 || strings.Trim(s, "-") != s || strings.ContainsFunc(s, bad) {
		return "a zone's name such as output: letters, digits, _ and -, at most 64"
	}
	return ""
}

// canonicalZones are the zones as an object.
func canonicalZones(zones []Zone) object {
	all := object{}
	for _, z := range zones {
		o := object{}
		o.text("mode", z.Mode)
		o.text("of", z.Of)
		o.text("disk", z.Disk)
		o.text("files", z.Files)
		o.text("reason", z.Reason)
		o.flag("optional", z.Optional)
		all[z.Name] = o.json()
	}
	return all
}
