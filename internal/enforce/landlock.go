package enforce

// MinLandlockABI is the oldest version of Landlock that a plan may be built on
// (Linux 5.19). Below it nothing stands behind the view against descriptors and
// mounts that slip in, or files cannot be moved between folders.
const MinLandlockABI = 2

// FullLandlockABI is the first version that has all of what the process tier
// wants of Landlock as a second barrier (Linux 6.12). A plan on an older one
// names what it lacks.
const FullLandlockABI = 6

// A LandlockStep is what one version added that the process tier uses.
type LandlockStep struct {
	ABI    int
	Kernel string // the first with it
	What   string
}

var landlockSteps = []LandlockStep{
	{1, "5.13", "files"},
	{2, "5.19", "moving files between folders"},
	{3, "6.2", "truncating by path"},
	{5, "6.10", "ioctl on devices"},
	{6, "6.12", "signals and abstract sockets"},
}

// LandlockLacks are the steps up to wanted that a version does not have.
func LandlockLacks(abi, wanted int) (lacks []LandlockStep) {
	for _, s := range landlockSteps {
		if s.ABI > abi && s.ABI <= wanted {
			lacks = append(lacks, s)
		}
	}
	return lacks
}

// landlockPlan is what the plan has of Landlock on a host with this version.
//
// Security: signals and abstract sockets are closed by the namespaces of
// processes and network then, and by nothing else; but for signals to the own
// process group, which the filter refuses (Filter.NoGroupSignal). Mounts have no devices, and
// those of /dev take any ioctl that the filter and missing capabilities leave.
// Truncating is closed by the view, but not beneath a descriptor of a directory
// of the host that somebody hands to the program.
func landlockPlan(abi int) Landlock {
	l := Landlock{ABI: abi}
	for _, s := range LandlockLacks(abi, FullLandlockABI) {
		l.Weaker = append(l.Weaker, s.What)
	}
	return l
}
