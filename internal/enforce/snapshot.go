package enforce

import "os"

// A Snapshotter is a Session whose state can be kept, to begin others from.
type Snapshotter interface {
	// Snapshot keeps what the programs of the session are at this moment, and lets
	// them go on. The parts are sealed files in memory, the caller's to close; what
	// is in them is the tier's own.
	Snapshot() ([]*os.File, error)
}

// Snapshot keeps the state of a session of a tier, if that can be done there.
func Snapshot(s Session, tier string) ([]*os.File, error) {
	k, ok := s.(Snapshotter)
	if !ok {
		return nil, &CannotEnforce{"a snapshot of a session that runs", "the " + tier + " tier has no way to make one"}
	}
	return k.Snapshot()
}
