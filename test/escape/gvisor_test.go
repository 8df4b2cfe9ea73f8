package escape_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Attacks on files, processes and privileges are run once more under the second
// kernel of the gVisor tier, with the same field around it. What counts there is
// the host: its files, what of them could be read, its processes. A refusal may
// have another errno, since another kernel answers.

// ownKernels are the attacks that succeed inside on what is the sandbox's own
// kernel's: its namespaces, mounts, devices, settings, processes and keyrings. The
// host must be unharmed all the same, and nothing of it read.
var ownKernels = []string{
	"P1", "P2", "P3", "P5", "P11", "P14", "P16",
	"F11", "F16", "F16, F17", "F17", "F33", "F35", "F36", "F37",
}

// ownProcesses are the attacks on processes and privileges that are tried there:
// those whose target is the host's. The calls of a kernel that is not the host's
// are not.
var ownProcesses = []string{"P1", "P2", "P3", "P5", "P7", "P11", "P14", "P16", "P37", "P38", "P43", "P44", "P45, N10"}

// otherwise are attacks that try nothing there: they need what the tier refuses by
// name, a supervisor that is asked or a socket that is granted.
var otherwise = []string{"F10", "F12", "F42", "F43"}

// asUser are those that an ordinary user tries too: what a uid that is mapped could
// change. The others are root's, who has more to try them with.
var asUser = []string{"D3", "F1", "F16", "F23", "F24", "P14", "P16", "P44"}

// gvisorToo reports whether a try is made under the second kernel. The network has
// the same plane there. In an emulated machine it is not made: what such a kernel
// costs would be emulated too, and it answers there as it does here.
func (a attack) gvisorToo(y try) bool {
	switch {
	case os.Getenv("AMBIT_GUEST") != "":
		return false
	case y.Want.launch != "" || slices.Contains(otherwise, a.ID):
		return false
	case a.ID[0] == 'P' && !slices.Contains(ownProcesses, a.ID), os.Getuid() != 0 && !slices.Contains(asUser, a.ID):
		return false
	}
	return a.ID[0] == 'F' || a.ID[0] == 'P' || a.ID[0] == 'D'
}

func (a attack) gvisor(t *testing.T, y try) {
	f := a.field(t)
	f.flags = append(f.flags, "--tier", "gvisor")
	if a.Flags != nil {
		f.flags = append(f.flags, a.Flags(f)...)
	}
	asked := y
	asked.Want.launch = "cannot be enforced here" // what the tier does not carry out it refuses
	o := f.inside(t, asked)
	if a.Harm != nil {
		if harm := a.Harm(f); harm != "" {
			t.Errorf("%s: the host was harmed: %s\n%+v", a.ID, harm, o)
		}
	}
	if harm := f.harm(); harm != "" {
		t.Errorf("%s: the host was harmed: %s\n%+v", a.ID, harm, o)
	}
	allowed := y.Want.why != ""
	if !allowed && strings.Contains(o.said, f.token) {
		t.Errorf("%s: the canary was read: %q", a.ID, o.said)
	}
	switch {
	case o.exit == 125:
		if !strings.Contains(o.said, asked.Want.launch) {
			t.Errorf("%s: it was not started, which proves nothing: %s", a.ID, o.said)
		}
	case o.Done && !allowed && !slices.Contains(ownKernels, a.ID):
		t.Errorf("%s: it succeeded inside: %s", a.ID, o.Detail)
	case !o.Done && a.ID[0] == 'F' && allowed: // of processes it may have others, and of sockets none
		t.Errorf("%s: %s %s, but it should work: %s\n%s", a.ID, o.Errno, o.Detail, y.Want.why, o.said)
	}
}
