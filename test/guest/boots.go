package guest

import "time"

// A start is one guest from its boot to its end.
type start struct {
	name     string
	kernel   string // folder of .tools/kernels
	model    model
	deadline time.Duration
	suites   []suite
}

// boots are the guests of make test, or of make test-guest. In the emulator of
// QEMU 7.2 the instruction that cx16 stands for spoils flags, and Linux from 6.12
// on uses it.
func boots(whole bool) []start {
	if !whole {
		return []start{{"stock", "stock", pc("max"), 9 * time.Minute, bounded("|^TestInterrupted$")}} // half a minute for each user
	}
	arm := model{qemu: "qemu-system-aarch64", machine: "virt", processor: "max,pauth-impdef=on", console: "ttyAMA0", arch: "arm64", packages: "arm64.packages"}
	return []start{
		{"stock", "stock", pc("max"), 3 * time.Hour, everything()},
		{"backports", "backports", pc("max,-cx16"), 40 * time.Minute, bounded("")},
		{"newest", "newest", pc("max,-cx16"), 40 * time.Minute, append(bounded(""), newer...)},
		{"arm64", "arm64", arm, 2 * time.Hour, other()},
	}
}

// delegated is where a user's control group lies under systemd.
const delegated = "user.slice/user-1000.slice/user@1000.service/app.slice"

// own is where those of services lie.
const own = "system.slice"

// The switches that forbid user namespaces: Debian's own, and the kernel's.
const (
	clone  = "kernel.unprivileged_userns_clone"
	number = "user.max_user_namespaces"
)

// attacks are those that older versions of Landlock look at less: descriptors,
// truncating, devices, signals, abstract sockets; and control groups.
const attacks = "^(TestF09|TestF10|TestF18|TestF34|TestP43|TestP45)"

// bounded is the part that make test runs, but for what is left out of it.
func bounded(out string) []suite {
	forbids, minute := "^TestForbidden$", time.Minute
	all := []suite{
		{folder: checks, group: own, skip: forbids + "|^TestNotAlone$" + newest + out, limit: 5 * minute},
		{folder: checks, uid: user, group: delegated, skip: forbids + "|^TestTop$|^TestOtherSystem$" + newest + out, limit: 5 * minute},
	}
	for _, by := range []string{clone, number} {
		for _, uid := range []int{0, user} {
			all = append(all, suite{folder: checks, uid: uid, forbidden: by, run: forbids, limit: 2 * minute})
		}
	}
	return append(all,
		suite{folder: scripts, group: own, run: "^(TestAsk|TestNetwork)$", limit: 5 * minute},
		suite{folder: scripts, uid: user, group: delegated, run: "^(TestAsk|TestNetwork)$", limit: 5 * minute},
		suite{folder: escapes, uid: user, group: delegated, run: attacks, limit: 5 * minute},
	)
}

// newest adds to what is left out what newer has.
const newest = "|^TestAppArmor$"

// newer is what only newer kernels can do.
var newer = []suite{{folder: checks, run: "^TestAppArmor$", limit: 5 * time.Minute}}

// Packages that both parts have suites of.
const (
	checks  = "test/guest/checks"
	scripts = "test/script"
	escapes = "test/escape"
)

// skips are how many tests of a package a guest cannot run: for want of a Go
// command, of a hierarchy of version 1, or of the other user.
var skips = map[string]int{
	"internal/enforce/seccomp": 1, // the go command
	"internal/enforce/cgroup":  2, // version 1; root at the top
	"internal/enforce/view":    1, // a host with many libraries
	"internal/enforce/trap":    1, // root
}

// everything is the whole.
func everything() []suite {
	all := bounded("")
	for _, uid := range []int{0, user} {
		group := own
		if uid != 0 {
			group = delegated
		}
		for _, folder := range []string{"internal/enforce/landlock", "internal/enforce/seccomp", "internal/enforce/cgroup",
			"internal/enforce/namespace", "internal/enforce/view", "internal/enforce/trap", "internal/enforce/link", "internal/enforce/probe",
			"internal/enforce/process", "test/escape"} {
			all = append(all, suite{folder: folder, uid: uid, group: group, skips: skips[folder], limit: 20 * time.Minute})
		}
	}
	return all
}

// other is what is tried on another architecture: all that is written for each
// one, in assembly or as numbers of calls, and what rests on it.
func other() (all []suite) {
	for _, uid := range []int{0, user} {
		group := own
		if uid != 0 {
			group = delegated
		}
		for _, folder := range []string{"internal/enforce/namespace", "internal/enforce/seccomp", "internal/enforce/landlock",
			"internal/enforce/view", "internal/enforce/trap", "internal/enforce/link", "internal/enforce/process", checks} {
			s := suite{folder: folder, uid: uid, group: group, skips: skips[folder], limit: 20 * time.Minute}
			if folder == checks {
				s.skip, s.skips = "^TestForbidden$|^TestOtherSystem$"+newest, 1 // of another user
			}
			all = append(all, s)
		}
	}
	return all
}
