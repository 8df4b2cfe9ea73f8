package guest

import "time"

// A start is one guest from its boot to its end.
type start struct {
	name     string
	kernel   string // folder of .tools/kernels
	deadline time.Duration
	suites   []suite
}

// boots are the guests of make test, or of make test-guest.
func boots(whole bool) []start {
	if !whole {
		return []start{{"stock", "stock", 5 * time.Minute, bounded()}}
	}
	return []start{
		{"stock", "stock", time.Hour, everything()},
	}
}

// delegated is where a user's control group lies under systemd.
const delegated = "user.slice/user-1000.slice/user@1000.service/app.slice/ambit.scope"

// own is a control group of root's like that of a service with Delegate=yes.
const own = "system.slice/ambit.service"

// The switches that forbid user namespaces: Debian's own, and the kernel's.
const (
	clone  = "kernel.unprivileged_userns_clone"
	number = "user.max_user_namespaces"
)

// bounded is the part that make test runs.
func bounded() []suite {
	const skipped = "^TestForbidden$"
	return []suite{
		{folder: "test/guest/checks", group: own, skip: skipped + "|^TestNotAlone$", limit: 2 * time.Minute},
		{folder: "test/guest/checks", uid: user, group: delegated, skip: skipped + "|^TestTop$", limit: 2 * time.Minute},
		{folder: "test/guest/checks", forbidden: clone, run: skipped, limit: time.Minute},
		{folder: "test/guest/checks", uid: user, forbidden: clone, run: skipped, limit: time.Minute},
		{folder: "test/guest/checks", forbidden: number, run: skipped, limit: time.Minute},
		{folder: "test/guest/checks", uid: user, forbidden: number, run: skipped, limit: time.Minute},
	}
}

// everything is the whole.
func everything() []suite {
	all := bounded()
	for _, uid := range []int{0, user} {
		group := own
		if uid != 0 {
			group = delegated
		}
		for _, folder := range []string{"internal/enforce/landlock", "internal/enforce/seccomp", "internal/enforce/cgroup",
			"internal/enforce/namespace", "internal/enforce/view", "internal/enforce/trap", "internal/enforce/link", "internal/enforce/probe",
			"internal/enforce/process", "test/escape"} {
			all = append(all, suite{folder: folder, uid: uid, group: group, limit: 20 * time.Minute})
		}
	}
	return all
}
