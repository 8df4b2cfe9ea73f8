package main

import (
	"fmt"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
)

// ahead tells the tier what the view of most plans for this command line has, so
// that it is made while the launch is decided. What differs in the end is made
// anew.
func (s *prepared) ahead(t process.Tier) {
	base, err := view.Base(who())
	if err != nil {
		return // arrange will say so
	}
	s.found = &base
	if all, link, err := s.usual(base); err == nil { // otherwise arrange will say so
		t.Ahead(all, link)
	}
}

// usual is the view of most plans for this command line.
func (s *prepared) usual(base enforce.Base) ([]enforce.Entry, *enforce.LinkPlan, error) {
	in := enforce.Input{Base: base, AdHoc: s.flags.pack == "", Home: enforce.HomeEphemeral, Terminal: s.app.terminal(),
		Ask: s.flags.asks(), Notify: s.flags.asks() && s.flags.askBy == askByNotification}
	in.Quiet, in.Program.Dir = s.quietPlaces(in), "/"
	switch {
	case s.flags.home != "":
		in.Home = enforce.Home(s.flags.home)
	case in.Ask && in.AdHoc:
		in.Home = enforce.HomeHost
	}
	if o, err := view.Resolve(who().Home); err == nil {
		in.HomePath, in.Base.Links = o.Path, append(in.Base.Links, o.Links...)
	}
	link, err := s.linkAhead(&in)
	return enforce.Ahead(in), link, err
}

// linkAhead is the link that a command without a pack will probably have from the
// start, with the files that every link has: what it reaches for can be asked about.
// Where nothing of the network was named, the link is made later.
func (s *prepared) linkAhead(in *enforce.Input) (*enforce.LinkPlan, error) {
	if !in.AdHoc || !in.Ask || s.flags.offline || !egressThere() {
		return nil, nil
	}
	if !s.flags.namesNetwork() {
		return nil, linked(in, nil)
	}
	l := linkPlan
	l.Tun = tunOpens()
	return &l, linked(in, nil)
}

// readBase is what every program sees of this host, as it is now.
func (s *prepared) readBase() (enforce.Base, error) {
	if now := s.found; now != nil {
		s.found = nil // an arrangement that comes later reads anew
		return *now, nil
	}
	base, err := s.app.stood.base.Base(who())
	if err != nil {
		return base, fmt.Errorf("read the base view: %w", err)
	}
	return base, nil
}
