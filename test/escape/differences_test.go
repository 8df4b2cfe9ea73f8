package escape_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// All that differs between the tiers, in one table: an attack that is not in it
// must hold in every tier. Each line is one of four kinds.

type kind int

const (
	none kind = iota
	// notThere: what is attacked is not there in the tier, so that nothing is tried.
	notThere
	// refusedByName: the launch is refused, in the words of the line.
	refusedByName
	// ownKernel: it may succeed inside, on what is the sandbox's own kernel's. The
	// host must be unharmed all the same, and nothing of it read.
	ownKernel
	// lesser: what is allowed elsewhere does not work there.
	lesser
)

// A difference is one line of the table.
type difference struct {
	tiers []string
	kind  kind
	// row are words of THREATMODEL.md or README.md that say it to everybody; of
	// notThere, which is no difference in what is promised, the reason.
	row string
	// words are what a launch is refused with.
	words string
	// tests are tests, and single tries of them (TEST/TRY).
	tests []string
}

var (
	gvisorOnly  = []string{tierGVisor}
	machineOnly = []string{tierMachine}
	bothStrong  = []string{tierGVisor, tierMachine}
)

var differences = []difference{
	// What is not there.
	{tiers: bothStrong, kind: notThere, row: "the supervisor that has a call wait, which no strong tier has", tests: []string{
		"TestKilledAtAnyMoment", "TestStateFailsWhileAsking", "TestF39ReplacedWhileAsked", "TestF44ReplacedWhileGranted",
		"TestP22SupervisorKilledWhileAsking", "TestP22ProgramKilledWhileAsking", "TestP25ForeignProgramAsked",
		"TestP42ManyTouches", "TestP42ManyMounts", "TestP42ManyProcesses"}},
	{tiers: bothStrong, kind: notThere, row: "the table of calls of the process tier's filter", tests: []string{
		"TestP23EveryCall", "TestP25ForeignArchitecture"}},
	{tiers: bothStrong, kind: notThere, row: "the launcher's start, which these replace a part of, is the same in every tier", tests: []string{
		"TestN22WithoutPlane", "TestN22PlaneTalksLater", "TestN22WithoutCertificate", "TestN23EmptyLists", "TestF27StoredDenial"}},
	{tiers: bothStrong, kind: notThere, row: "the process tier's init beside each program", tests: []string{"TestD28OtherProcesses"}},
	{tiers: bothStrong, kind: notThere, row: "a descriptor that outlives a revoked grant: these tiers cut the line to it, or end the session", tests: []string{"TestG3RevokedWhileOpen"}},
	{tiers: bothStrong, kind: notThere, row: "processes inside that the host could count", tests: []string{
		"TestP19LauncherKilled", "TestP39ForkBomb"}},

	{tiers: machineOnly, kind: notThere, row: "refused by name: TestRefusedByName", tests: []string{"TestD22DenialsAreTold"}},
	{tiers: machineOnly, kind: notThere, row: "names that are not UTF-8, and what lies too deep: they do not cross", tests: []string{"TestF13OddNames", "TestP41DeepGrant"}},
	{tiers: machineOnly, kind: notThere, row: "programs that the image has not", tests: []string{"TestD04EmptySandbox/id", "TestD04EmptySandbox/locale",
		"TestN17Requests/GET_of_/ok/", "TestN17StatedRules/Host"}},
	{tiers: machineOnly, kind: notThere, row: "a program that others can reach: `net.listen` is refused", tests: []string{"TestN19Siblings"}},
	{tiers: machineOnly, kind: notThere, row: "an image in a state folder of the test's own: what refuses is the same in every tier", tests: []string{"TestF27StateBehindLink"}},

	// What is refused, by its name.
	{tiers: machineOnly, kind: refusedByName, row: "files that were not there, `net.listen` | yes | refused", words: "reporting files that were not there cannot be enforced here", tests: []string{
		"TestF12LongPath", "TestF42Deputy", "TestF43ProcSelfOfAsker", "TestP30RewrittenPath", "TestP31BadPointers", "TestP33SignalsWhileHeld"}},
	{tiers: machineOnly, kind: refusedByName, row: "sockets and devices of the host that were granted by name", words: "cannot be enforced here: the microvm-emulated tier has no way", tests: []string{
		"TestF10ReceivedDescriptor", "TestP44GrantedSocket", "TestP30SocketAskedAbout"}},
	{tiers: machineOnly, kind: refusedByName, row: "a pack without `process.spawn`, or with single programs", words: "process.spawn of single programs cannot be enforced here", tests: []string{
		"TestP34MemoryFileOfPack", "TestP35Interpreters"}},
	{tiers: machineOnly, kind: refusedByName, row: "a pack without `process.spawn`, or with single programs", words: "a limit of what may be started", tests: []string{
		"TestP35NoSpawn"}},
	{tiers: gvisorOnly, kind: refusedByName, row: "files that were not there | yes | refused", words: "reporting files that were not there cannot be enforced here", tests: []string{
		"TestF12LongPath", "TestF42Deputy", "TestF43ProcSelfOfAsker", "TestP30RewrittenPath", "TestP31BadPointers", "TestP33SignalsWhileHeld"}},
	{tiers: machineOnly, kind: notThere, row: "what only makes a file longer, which is what it may become: of a copy zeros at its end are taken too", tests: []string{
		"TestF45AppendOnly/truncate_to_more", "TestF45AppendOnly/pwrite_beyond_the_end", "TestF45AppendOnly/space"}},
	{tiers: machineOnly, kind: ownKernel, row: "inside, its copy can be changed in every way", tests: []string{"TestF45AppendOnly",
		"TestF46DeniedInAppendOnly/remove", "TestF46DeniedInAppendOnly/remove_all_of_it", "TestF46DeniedInAppendOnly/put_another_in_its_place",
		"TestF46DeniedInAppendOnly/make_one_in_a_folder", "TestF46DeniedInAppendOnly/add_to_it", "TestF46DeniedInAppendOnly/add_to_what_may_be_read",
		"TestF46DeniedInAppendOnly/make_it,_where_it_may_be_read", "TestF46DeniedInAppendOnly/cut_what_may_be_read", "TestF46DeniedInAppendOnly/replace_what_may_be_read"}},
	{tiers: machineOnly, kind: notThere, row: "a server of append-only folders, of which a machine has copies: TestGrow", tests: []string{
		"TestF45AppendOnlyAsUser", "TestF45TwoSessions", "TestF45ServerKilled", "TestF45FullDisk"}},
	{tiers: bothStrong, kind: notThere, row: "what outlives a session (`storage.read`, `storage.write`) | yes | refused", tests: []string{
		"TestF47Storage", "TestF47Granted", "TestF47Killed", "TestF47ServerKilled", "TestF47FullDisk", "TestF47Flood", "TestF47Apart", "TestF47Revoked", "TestF47AsUser", "TestF47Asked"}},
	{tiers: gvisorOnly, kind: refusedByName, row: "first touches that are asked about", words: "asking by notification cannot be enforced here", tests: []string{
		"TestP30SocketAskedAbout"}},
	{tiers: gvisorOnly, kind: refusedByName, row: "unix sockets and named pipes of the host | where granted by name | refused", words: "cannot be enforced here: the gvisor tier has no way to a socket", tests: []string{
		"TestF10ReceivedDescriptor", "TestP44GrantedSocket"}},
	{tiers: gvisorOnly, kind: refusedByName, row: "single programs that may be started", words: "process.spawn of single programs cannot be enforced here", tests: []string{
		"TestP34MemoryFileOfPack", "TestP35Interpreters"}},

	// What succeeds on the sandbox's own kernel.
	{tiers: gvisorOnly, kind: ownKernel, row: "calls about its own kernel", tests: []string{
		"TestF11FileHandle/make_a_handle", "TestF33DeviceInGrant", "TestF35DeviceNodes", "TestF36KernelSettings/sysrq",
		"TestF36KernelSettings/an_own_setting", "TestF37Mount", "TestN04OtherProtocols/ping_socket", "TestN06PortsOfTheHost/a_port_below_1024",
		"TestN07OwnNetwork/tunnel", "TestP27Terminal", "TestP28KernelSurface/syslog", "TestP29SocketFamilies/device_events",
		"TestP32NestedFilter/one_that_lets_everything_pass,_then_unshare",
		"TestP01NewUserNamespace", "TestP02NamespaceAndTmpfs", "TestP03Umount", "TestP04NewMountInterface", "TestP05Chroot", "TestP06Setns",
		"TestP08Ptrace/be_traced", "TestP09ProcessMemory/its_own_memory_by_process_vm_readv", "TestP10Pidfd/pidfd_getfd_of_itself",
		"TestP10Pidfd/pidfd_getfd_of_process_1", "TestP11Priority", "TestP13Keyrings/session_keyring"}},
	{tiers: gvisorOnly, kind: ownKernel, row: "/dev`, processes", tests: []string{"TestD03LostWrites"}},
	{tiers: gvisorOnly, kind: ownKernel, row: "modes, times and attributes that it is told it set", tests: []string{
		"TestF16Chmod/device_of_the_view", "TestF16Chmod/times_of_a_device", "TestF16Chmod/standard_input,_which_is_/dev/null",
		"TestF17StandardInput/mode", "TestF17StandardInput/mode_by_name", "TestF17StandardInput/times",
		"TestF17TimesAndAttributes/FS_IOC_SETFLAGS", "TestF17TimesAndAttributes/file_setattr", "TestP14Setuid/an_own_copy", "TestP16LeftSetuid",
		"TestF45AppendOnly/truncate", "TestF45AppendOnly/truncate_to_more", "TestF45AppendOnly/ftruncate", "TestF45AppendOnly/chmod", "TestF45AppendOnly/fchmod", "TestF45AppendOnly/a_time_that_is_over", "TestF45AppendOnly/a_pipe"}},
	{tiers: machineOnly, kind: ownKernel, row: "what needs no privilege is the guest's kernel's to allow, and leads to nothing of the host", tests: []string{
		"TestN03Datagrams/UDP-Lite", "TestN04OtherProtocols/sock_diag", "TestF34DeviceIoctl/random", "TestF36KernelSettings/an_own_setting",
		"TestP18Personality", "TestP26IOUring", "TestP27Terminal", "TestP28KernelSurface/perf_event_open", "TestP28KernelSurface/userfaultfd",
		"TestP28KernelSurface/settimeofday", "TestP28KernelSurface/clock_settime", "TestP29SocketFamilies/MPTCP", "TestP29SocketFamilies/device_events",
		"TestP29SocketFamilies/generic_netlink", "TestP32NestedFilter", "TestP34MemoryFile",
		"TestP04NewMountInterface/open_tree", "TestP08Ptrace/be_traced", "TestP09ProcessMemory/its_own_memory_by_process_vm_readv", "TestP10Pidfd/pidfd_getfd_of_itself", "TestP11Priority", "TestP13Keyrings", "TestP14Setuid/an_own_copy",
		"TestF11FileHandle/make_a_handle", "TestF16Chmod", "TestF17StandardInput", "TestF17TimesAndAttributes", "TestP16LeftSetuid"}},
	{tiers: machineOnly, kind: ownKernel, row: "what leads to something denied stays a folder on the host", tests: []string{
		"TestF28GitConfig/another_repository_in_its_place", "TestF23RenameParent", "TestF23BesideNarrowerGrant/parent"}},

	// What is less.
	{tiers: machineOnly, kind: lesser, row: "others in a granted folder do not cross", tests: []string{"TestP44UnlistedSocket"}},
	{tiers: gvisorOnly, kind: lesser, row: "in a granted folder they cannot be opened", tests: []string{"TestP44UnlistedSocket"}},
	{tiers: gvisorOnly, kind: lesser, row: "calls about its own kernel", tests: []string{"TestP34MemoryFile", "TestP37Environment/words_of_the_parent",
		"TestP11Kill/process_1_of_the_sandbox", "TestP18Personality/no_randomisation"}},
	{tiers: gvisorOnly, kind: notThere, row: "refused by name: TestRefusedByName", tests: []string{
		"TestD22DenialsAreTold", "TestF13OddNames", "TestG06Arguments"}},
}

// differs is the line for a test in a tier: that of the longest name that covers it.
func differs(t *testing.T, tier string) (d difference) {
	t.Helper()
	longest := 0
	for _, line := range differences {
		for _, name := range line.tests {
			covers := t.Name() == name || strings.HasPrefix(t.Name(), name+"/")
			if covers && len(name) > longest && slices.Contains(line.tiers, tier) {
				d, longest = line, len(name)
			}
		}
	}
	return d
}

// skip skips a test of what is not there.
func (d difference) skip(t *testing.T) {
	t.Helper()
	if d.kind == notThere {
		t.Skip("requires: another tier:", d.row)
	}
}

// wanted is how a try must end in the field's tier.
func (d difference) wanted(f *field, y try) try {
	if !f.strong() {
		return y
	}
	if y.Want.why == "" && y.Want.launch == "" {
		y.Want = want{dies: y.Want.signal != 0} // another kernel answers
	}
	switch d.kind {
	case none, notThere:
	case refusedByName:
		y.Want = notLaunched(d.words)
	case ownKernel:
		y.Want = want{dies: true, either: true}
	case lesser:
		y.Want = want{dies: true}
	}
	return y
}

// Every line is said to everybody, and names tests that there are.
func TestDifferences(t *testing.T) {
	if attempting != nil {
		t.Skip("requires: no attempt")
	}
	said := ""
	for _, name := range []string{"../../THREATMODEL.md", "../../README.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		said += strings.Join(strings.Fields(string(text)), " ")
	}
	tests := declared(t)
	for _, d := range differences {
		if d.kind != notThere && !strings.Contains(said, d.row) {
			t.Errorf("no document says %q", d.row)
		}
		if d.kind == none || d.row == "" || len(d.tests) == 0 || (d.kind == refusedByName) != (d.words != "") {
			t.Errorf("half a line: %+v", d)
		}
		for _, name := range d.tests {
			if test, _, _ := strings.Cut(name, "/"); !slices.Contains(tests, test) {
				t.Errorf("there is no test %s", test)
			}
		}
	}
	for _, name := range quick {
		if !slices.Contains(tests, name) {
			t.Errorf("there is no test %s", name)
		}
	}
}

// declared are the names of the tests here.
func declared(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			continue // a folder
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "func Test"); ok {
				name, _, _ := strings.Cut(rest, "(")
				names = append(names, "Test"+name)
			}
		}
	}
	return names
}
