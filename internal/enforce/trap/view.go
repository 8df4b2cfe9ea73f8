package trap

import "ambit.dev/ambit/internal/enforce"

// Names are what a view has of its own on the trap.
func Names(entries []enforce.Entry) (names []Name) {
	for i := range entries { // an entry is large
		e := &entries[i]
		n := Name{Path: e.Path, Mode: e.Mode}
		switch e.Op {
		case enforce.OpDir:
			n.Dir = true
		case enforce.OpLink:
			n.Link = e.Source
		default:
			n.Content = e.Content
		}
		names = append(names, n)
	}
	return names
}

// ShowMounted is Shown for what a view has mounted since its start. A name among them lies
// in a mount, where nobody comes to the trap.
func (t *Trap) ShowMounted(entries []enforce.Entry) {
	for i := range entries {
		if e := &entries[i]; !e.IsName() {
			t.Shown(e.Path, e.Dir || e.Op == enforce.OpTmpfs || e.Op == enforce.OpProc || e.Op == enforce.OpDevpts)
		}
	}
}
