package enforce

// A Freezer is a Session that can be made to stand still.
type Freezer interface {
	// Freeze has nothing of the session's programs run until thaw is called, and says by
	// which way. It returns when none runs. thaw is called once, by any goroutine.
	//
	// Security: nothing inside can undo it, and the end of what looks after the session
	// still ends everything.
	Freeze() (way string, thaw func() error, err error)
}

// Freeze makes a session of a tier stand still, if that can be done there.
func Freeze(s Session, tier string) (way string, thaw func() error, err error) {
	f, ok := s.(Freezer)
	if !ok {
		return "", nil, &CannotEnforce{"pausing a session that runs", "the " + tier + " tier has no way to"}
	}
	return f.Freeze()
}
