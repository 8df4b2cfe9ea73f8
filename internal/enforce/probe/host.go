package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/enforce"
)

// Host is where facts about a host are read. Tests give one of their own.
type Host struct {
	FS          fs.FS // its root
	UID         int
	Kernel      string // its release
	LandlockABI int    // 0: none
	Open        func(device string) error
	NewUser     func() error // makes a user namespace with a mount in it
}

// Facts are what the host's settings say, each with what to do about it. They
// explain; whether a layer holds is for Prober.Run to say.
func (h Host) Facts() []Finding {
	return append([]Finding{
		{Layer: "kernel", State: Holds, Detail: "Linux " + h.Kernel},
		h.userNamespaces(),
		h.proc(),
		h.landlock(),
		h.seccomp(),
	}, h.devices()...)
}

// line reads the first line of a small file, "" if there is none.
func (h Host) line(name string) string {
	text, err := fs.ReadFile(h.FS, name)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first)
}

func (h Host) userNamespaces() Finding {
	f := Finding{Layer: "user namespaces", State: Holds, Needed: h.UID != 0, Detail: "one was made, with a mount in it"}
	err := h.NewUser()
	if err == nil {
		return f
	}
	f.State, f.Detail = Fails, err.Error()
	if h.UID == 0 {
		f.State, f.Detail = Absent, "root does without: "+err.Error()
	}
	switch {
	case h.line("proc/sys/user/max_user_namespaces") == "0":
		f.Detail += "; user.max_user_namespaces is 0"
		f.Fix = "sudo sysctl -w user.max_user_namespaces=15000"
	case h.line("proc/sys/kernel/unprivileged_userns_clone") == "0":
		f.Detail += "; kernel.unprivileged_userns_clone is 0"
		f.Fix = "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	case h.line("proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		f.Detail += "; AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1, as on Ubuntu 23.10 and later)"
		f.Fix = "give ambit a profile that permits them: " + appArmorFix
	case h.line("sys/fs/selinux/enforce") == "1":
		f.Detail += "; SELinux is enforcing and may refuse user_namespace create"
		f.Fix = "look for it with `sudo ausearch -m avc -c ambit`, and allow it for the domain that runs ambit"
	case h.container() != "":
		f.Detail += "; this is inside " + h.container() + ", whose filter refuses them"
		f.Fix = "start the container with --security-opt seccomp=unconfined, or with a profile that permits unshare and clone"
	case h.appArmorProfile() != "":
		f.Detail += "; AppArmor confines ambit by the profile " + strconv.Quote(h.appArmorProfile()) + ", which may not permit them or what is done in them"
		f.Fix = "start ambit where it is not confined, or give it a profile that permits them: " + appArmorFix
	}
	return f
}

// appArmorFix is Ubuntu's own way: an unconfined profile with the right to make
// user namespaces, for this one program.
const appArmorFix = `printf 'abi <abi/4.0>,\nprofile ambit %s flags=(unconfined) { userns, }\n' "$(readlink -f "$(command -v ambit)")" | sudo tee /etc/apparmor.d/ambit && sudo apparmor_parser -r /etc/apparmor.d/ambit`

// appArmorProfile is the profile that confines this process, "" if none does.
// Other security modules say there what they have, in other words.
func (h Host) appArmorProfile() string {
	if profile, enforced := strings.CutSuffix(h.line("proc/self/attr/current"), " (enforce)"); enforced {
		return profile
	}
	return ""
}

// container names what kind of container this is in, "" if none is known of.
func (h Host) container() string {
	if _, err := fs.Stat(h.FS, ".dockerenv"); err == nil {
		return "a Docker container"
	}
	if _, err := fs.Stat(h.FS, "run/.containerenv"); err == nil {
		return "a Podman container"
	}
	text, err := fs.ReadFile(h.FS, "proc/1/environ")
	if err == nil {
		for kv := range strings.SplitSeq(string(text), "\x00") {
			if value, ok := strings.CutPrefix(kv, "container="); ok && value != "" {
				return "a container (" + value + ")"
			}
		}
	}
	return ""
}

// proc looks for what hides parts of /proc. The kernel refuses a fresh one in a
// new namespace while something is mounted over the old (mount_too_revealing in
// fs/namespace.c).
func (h Host) proc() Finding {
	f := Finding{Layer: proc, State: Holds, Needed: true, Detail: "nothing is mounted over it"}
	text, err := fs.ReadFile(h.FS, "proc/self/mountinfo")
	if err != nil {
		return Finding{Layer: f.Layer, State: Fails, Needed: true, Detail: err.Error()}
	}
	var over []string
	for line := range strings.Lines(string(text)) {
		// binfmt_misc is an empty directory's mount, which the kernel permits.
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], "/proc/") && fields[4] != "/proc/sys/fs/binfmt_misc" { //nolint:forbidigo // the separator is part of the prefix
			over = append(over, fields[4])
		}
	}
	if len(over) == 0 {
		return f
	}
	slices.Sort(over)
	f.State, f.Needed = Weaker, false
	f.Detail = "hidden in part, as in containers, so that a fresh one may be refused: " + strings.Join(slices.Compact(over), ", ")
	f.Fix = "start the container with --security-opt systempaths=unconfined (Docker) or --security-opt unmask=ALL (Podman)"
	return f
}

// socketABI closes the host's sockets by path, whenever they are bound.
const socketABI = 9

func (h Host) landlock() Finding {
	f := Finding{Layer: "Landlock", State: Holds, Needed: true, Detail: fmt.Sprintf("version %d", h.LandlockABI)}
	sockets := ""
	if h.LandlockABI < socketABI {
		sockets = fmt.Sprintf("; unix sockets that the host binds in a granted folder after the start are closed from version %d on", socketABI)
	}
	if h.LandlockABI >= enforce.FullLandlockABI {
		f.Detail += sockets
		return f
	}
	var missing []string
	for _, s := range enforce.LandlockLacks(h.LandlockABI, enforce.FullLandlockABI) {
		missing = append(missing, s.What+" (Linux "+s.Kernel+")")
	}
	f.Fix = "run Linux 6.12 or later (Debian 12: linux-image-amd64 from bookworm-backports)"
	if h.LandlockABI >= enforce.MinLandlockABI {
		f.State = Weaker
		f.Detail = fmt.Sprintf("version %d, which does not cover what version %d does: %s", h.LandlockABI, enforce.FullLandlockABI, strings.Join(missing, ", ")) + sockets
		return f
	}
	f.State = Fails
	f.Detail = fmt.Sprintf("version %d, %d is needed; missing: %s", h.LandlockABI, enforce.MinLandlockABI, strings.Join(missing, ", "))
	if modules := h.line("sys/kernel/security/lsm"); modules != "" && !slices.Contains(strings.Split(modules, ","), "landlock") {
		f.Detail += "; the kernel was started without it (its modules are " + modules + ")"
		f.Fix = "add landlock to the kernel's command line: lsm=landlock," + modules + ", and start again"
	}
	return f
}

func (h Host) seccomp() Finding {
	f := Finding{Layer: "seccomp", State: Holds, Needed: true, Detail: "filters, with user notification"}
	actions := strings.Fields(h.line("proc/sys/kernel/seccomp/actions_avail"))
	switch {
	case len(actions) == 0:
		f.State, f.Detail = Fails, "this kernel has no seccomp filters"
		f.Fix = "run a kernel with CONFIG_SECCOMP_FILTER"
	case !slices.Contains(actions, "user_notif"):
		f.State, f.Detail = Fails, "no user notification"
		f.Fix = "run Linux 5.19 or later"
	}
	return f
}

// devices are those that other tiers and parts use. The process tier of this
// version needs none of them.
func (h Host) devices() (all []Finding) {
	for _, d := range []struct{ layer, path, group, opens, without string }{
		{"FUSE", "dev/fuse", "", ": first touches can be asked about by a trap, and folders be append-only", "ambit run asks by notification instead, if --ask-by notification says so: as safe, and slower; nothing can be append-only"},
		{"tunnels", "dev/net/tun", "", ": a granted network goes by a tun device", "a granted network goes by a veth pair and a packet socket instead: as safe, and somewhat slower"},
		{"KVM", "dev/kvm", "kvm", "", "the microVM tier needs it"},
	} {
		f := Finding{Layer: d.layer, State: Holds, Detail: "/" + d.path + " opens" + d.opens}
		switch err := h.Open("/" + d.path); {
		case errors.Is(err, fs.ErrNotExist):
			f.State, f.Detail = Absent, "there is no /"+d.path+"; "+d.without
			f.Fix = "sudo modprobe " + path.Base(d.path)
		case errors.Is(err, fs.ErrPermission):
			f.State, f.Detail = Absent, "/"+d.path+" may not be opened"+h.mode(d.path)+"; "+d.without
			f.Fix = "sudo chmod 0666 /" + d.path
			if d.group != "" {
				f.Fix = "sudo usermod -aG " + d.group + " $USER, and log in again"
			}
		case err != nil:
			f.State, f.Detail = Absent, err.Error()
		}
		all = append(all, f)
	}
	return all
}

func (h Host) mode(name string) string {
	fi, err := fs.Stat(h.FS, name)
	if err != nil {
		return ""
	}
	return " (its mode is 0" + strconv.FormatUint(uint64(fi.Mode().Perm()), 8) + ")"
}
