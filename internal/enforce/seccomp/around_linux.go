package seccomp

import "golang.org/x/sys/unix"

// Around returns a program for a process that is the kernel of other programs, or
// opens files for one: it mounts, makes namespaces and traces what it runs, so
// only what no such kernel needs is refused. It holds nothing.
//
// Security: holds as Filter's does. Whoever breaks out of that kernel into its
// process meets this filter, beside the one that the kernel enters itself.
func Around() ([]unix.SockFilter, error) {
	a, err := native()
	if err != nil {
		return nil, err
	}
	return a.assemble(around())
}

// around is the part of the refusals that holds for a kernel as well. Files in
// what was granted are the host's, whoever opens them: none becomes one that runs
// as this user for others.
func around() []rule {
	rs := append(modes(), sockets()...)
	for _, r := range []struct {
		why   string
		calls []string
	}{
		{whyHandle, []string{"open_by_handle_at", "name_to_handle_at", "fanotify_init"}},
		{whyRing, []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}},
		{whySurface, []string{"bpf", "perf_event_open", "userfaultfd"}},
		{whyKeys, []string{"keyctl", "add_key", "request_key"}},
		{"the kernel's log", []string{"syslog"}},
		{whyHost, []string{
			"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct",
			"quotactl", "quotactl_fd", "settimeofday", "clock_settime", "iopl", "ioperm", "modify_ldt", "lookup_dcookie", "vhangup",
		}},
	} {
		rs = append(rs, always(eperm, r.why, r.calls...)...)
	}
	return append(rs, rule{"ioctl", eperm, "types into the user's terminal, or loads line disciplines",
		"TIOCSTI, TIOCLINUX, TIOCSETD", []test{is(1, unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD)}})
}
