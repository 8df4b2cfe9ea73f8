package audit

import "time"

// Body is what a record of one kind says beyond its head. The set is closed.
type Body interface{ kind() Kind }

// OpenBody begins a log and ties it to its key.
type OpenBody struct {
	Version int    `json:"version"` // of the format, 1
	Origin  string `json:"origin"`
	Key     string `json:"key"` // the text of key.pub
}

// RepairBody tells of bytes that were cut off the end of a segment: a commit
// that was being written when its writer or the machine stopped.
type RepairBody struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // hex, of those bytes
}

// LaunchBody tells what is about to run.
type LaunchBody struct {
	Argv         []Text `json:"argv"`
	Program      Text   `json:"program,omitempty"` // resolved path of argv[0]
	Dir          Text   `json:"dir,omitempty"`
	Digest       string `json:"digest,omitempty"` // of the pack
	Tier         string `json:"tier,omitempty"`
	PID          int    `json:"pid,omitempty"`
	Capabilities []Text `json:"capabilities,omitempty"` // the effective set
	TraceState   string `json:"tracestate,omitempty"`   // what came with its trace
}

// EnterBody tells what is about to be started in a session that runs.
type EnterBody struct {
	Argv     []Text `json:"argv"`
	Dir      Text   `json:"dir,omitempty"`
	Decision string `json:"decision"` // the record of the answer
	PID      int    `json:"pid"`      // of who asked for it
}

// LeaveBody tells how what was started in a session that runs has ended.
type LeaveBody struct {
	Exec  string `json:"exec"` // the record of its begin
	Exit  int    `json:"exit"`
	Error Text   `json:"error,omitempty"` // why it could not be started, or looked after
}

// CopyBody tells what is about to be copied into or out of a session that runs, or
// made or removed there.
type CopyBody struct {
	Path Text   `json:"path"` // in the view
	In   bool   `json:"in,omitempty"`
	Deed string `json:"deed,omitempty"` // make (a folder), remove or remove-all (a folder, with what is in it); "": it is copied
	PID  int    `json:"pid"`            // of who asked for it
}

// SnapshotBody tells of the state of a session: that it is about to be kept, or that
// this one is about to go on from it.
type SnapshotBody struct {
	Seal string `json:"seal"`         // of the snapshot
	Plan string `json:"plan"`         // digest of what has to be equal
	Of   string `json:"of,omitempty"` // of which session it is, where this is another
	PID  int    `json:"pid"`          // of who asked for it

	Restored bool `json:"-"` // which kind it is
}

// PauseBody tells that the programs of a session are about to stand still, or to go on.
type PauseBody struct {
	PID   int  `json:"pid"`             // of who asked for it; 0: they go on to end
	Error Text `json:"error,omitempty"` // why they could not be stopped, and go on

	Resumed bool `json:"-"` // which kind it is
}

// EndBody tells how a session ended.
type EndBody struct {
	Status   string        `json:"status"` // "exited", "killed", "refused", …
	Exit     int           `json:"exit"`
	Signal   string        `json:"signal,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	Prepare  time.Duration `json:"prepare_ns,omitempty"` // of one with a trace: how long it was decided and compiled, before that
	Row      time.Duration `json:"row_ns,omitempty"`     // how long it took then until the sandbox was built
	Ready    time.Duration `json:"ready_ns,omitempty"`   // and until the program was let go
	Stood    string        `json:"stood,omitempty"`      // of a sandbox that stood by: "used", or what it was made anew for
	Error    Text          `json:"error,omitempty"`
	Denials  int           `json:"denials,omitempty"` // seen, each time
	Missed   int           `json:"missed,omitempty"`  // denials that came too fast to be recorded
	Counts   []CountBody   `json:"counts,omitempty"`  // of what was decided, by kind of capability
	Flows    int           `json:"flows,omitempty"`   // connections and exchanges of datagrams that there were
	Refused  int           `json:"refused,omitempty"` // and those that were not to be
	In       int64         `json:"in,omitempty"`      // bytes to the sandbox
	Out      int64         `json:"out,omitempty"`     // bytes from it
	Uses     []UseBody     `json:"uses,omitempty"`    // of what was watched

	Appends  []int         `json:"appends,omitempty"`   // to this log, by how long they took: Bounds
	Appended time.Duration `json:"append_ns,omitempty"` // how long all of them took
}

// What became of a sandbox that stood by: it was used, or made anew since the session
// has another tier, the host other mounts, the program asks, has bounds of a control
// group or another home, or since what is granted lies above what was made.
const (
	StoodUsed   = "used"
	StoodTier   = "tier"
	StoodMounts = "mounts"
	StoodAsking = "asking"
	StoodLimits = "limits"
	StoodHome   = "home"
	StoodGrants = "grants"
)

// UseBody says whether a session used a capability that it had and that could be
// watched: files were opened or not.
type UseBody struct {
	Capability Text `json:"capability"`
	Used       bool `json:"used,omitempty"`
}

// CountBody says how often a session was allowed and denied one kind of
// capability, and how many questions about it were put to people.
type CountBody struct {
	Capability string `json:"capability"`
	Allowed    int    `json:"allowed,omitempty"`
	Asked      int    `json:"asked,omitempty"`
	Denied     int    `json:"denied,omitempty"`
}

// DecisionBody is a request and the answer to it.
type DecisionBody struct {
	Program    Text         `json:"program,omitempty"`
	Digest     string       `json:"digest,omitempty"` // of the pack
	Capability Text         `json:"capability"`
	Why        Text         `json:"why,omitempty"` // what the asker said it is for
	Outcome    string       `json:"outcome"`
	Reasons    []ReasonBody `json:"reasons,omitempty"`
}

// ReasonBody is one reason of an answer.
type ReasonBody struct {
	Rule  string `json:"rule"`
	Text  Text   `json:"text,omitempty"`
	Grant string `json:"grant,omitempty"`
	By    Text   `json:"by,omitempty"` // the capability that the rule holds for
	Fix   Text   `json:"fix,omitempty"`

	Policy Text   `json:"policy,omitempty"` // the managed policy that decided: FILE:LINE (ID)
	Set    string `json:"set,omitempty"`    // digest of the policies among which it stood
}

// DenialBody tells what a layer of the sandbox stopped without asking the gate.
type DenialBody struct {
	Layer      string `json:"layer"` // "seccomp", "landlock", "egress", …
	Program    Text   `json:"program,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Action     string `json:"action,omitempty"` // system call or verb
	Capability Text   `json:"capability,omitempty"`
	Object     Text   `json:"object,omitempty"` // path, address, …
	Count      int    `json:"count,omitempty"`
	Text       Text   `json:"text,omitempty"`
}

// GrantBody is a grant that was added or, with Revoked, taken back.
type GrantBody struct {
	Grant      string    `json:"grant"`
	Digest     string    `json:"digest,omitempty"`
	Capability Text      `json:"capability,omitempty"`
	Outcome    string    `json:"outcome,omitempty"`
	Span       string    `json:"span,omitempty"`
	Until      time.Time `json:"until,omitzero"`
	Origin     string    `json:"origin,omitempty"`
	Reason     Text      `json:"reason,omitempty"`
	Revoked    bool      `json:"revoked,omitempty"`
}

// PackBody tells whom the id of a pack belongs to from now on: a folder, or, with a
// digest, a pack that was installed there. With Removed it belongs to nobody.
type PackBody struct {
	Folder  Text   `json:"folder"`
	Digest  string `json:"digest,omitempty"` // of the content
	Version Text   `json:"version,omitempty"`
	Signer  Text   `json:"signer,omitempty"` // key of who signed it
	Source  Text   `json:"source,omitempty"` // what it was installed from
	Removed bool   `json:"removed,omitempty"`
}

// TokenBody is a token for the port of the host that was made or, with Removed, taken
// back. There is no room for the token.
type TokenBody struct {
	Name    string    `json:"name"`
	Role    string    `json:"role,omitempty"`
	Org     string    `json:"org,omitempty"` // whose it is
	Until   time.Time `json:"until,omitzero"`
	Removed bool      `json:"-"` // which kind it is
}

// CallBody tells what is about to be changed by somebody who is not at this machine, and
// by what they are known.
type CallBody struct {
	By        Text   `json:"by"` // "token ci"
	Role      string `json:"role"`
	Procedure string `json:"procedure"`
	Objects   []Text `json:"objects,omitempty"` // ids of questions, sessions, grants; what is to be granted or run
}

// StoredBody tells what is about to be the current version of what is stored under a
// key, of the pack and principal of the record, or that a key or all of it is
// forgotten.
type StoredBody struct {
	Key      Text   `json:"key,omitempty"` // "": all
	Version  int64  `json:"version,omitempty"`
	Digest   string `json:"digest,omitempty"`
	Size     int64  `json:"size,omitempty"`
	Base     int64  `json:"base,omitempty"`     // the version that the writer began with
	Was      int64  `json:"was,omitempty"`      // the version that it replaces
	Restored int64  `json:"restored,omitempty"` // the version whose content it is
	Removed  bool   `json:"removed,omitempty"`  // there is nothing from here on

	Forgotten bool `json:"-"` // which kind it is
}

// ChangesBody tells what of a directory is about to be changed to what a session made
// of it.
type ChangesBody struct {
	Source Text   `json:"source"`
	Paths  []Text `json:"paths"`          // each behind what becomes of it
	More   int    `json:"more,omitempty"` // how many more than are listed
}

// EffectBody tells what a running session lost, because a grant was revoked or
// has run out, or was denied since.
type EffectBody struct {
	Capability Text       `json:"capability"`
	Reason     string     `json:"reason"`           // the rule that denies it now
	Policy     Text       `json:"policy,omitempty"` // the managed policy that does: FILE:LINE (ID)
	Set        string     `json:"set,omitempty"`    // digest of the policies among which it stands
	Paths      []Text     `json:"paths,omitempty"`  // of the view, which lead nowhere from here on
	Open       []HeldBody `json:"open,omitempty"`   // and what processes hold of them all the same
	More       int        `json:"more,omitempty"`   // how much more they hold than is listed
	Error      Text       `json:"error,omitempty"`  // why something could not be taken away
}

// HeldBody is something that a process holds.
type HeldBody struct {
	PID     int    `json:"pid"`
	Program Text   `json:"program,omitempty"`
	What    string `json:"what"`
	Path    Text   `json:"path,omitempty"`
}

// FlowBody is a connection, or an exchange of datagrams, that has ended or was
// refused. One that goes on because of an answer that was given before has a record
// without an end, before that of its end.
type FlowBody struct {
	Decision   string        `json:"decision,omitempty"` // the record of the answer
	Capability Text          `json:"capability,omitempty"`
	UDP        bool          `json:"udp,omitempty"`
	Inbound    bool          `json:"inbound,omitempty"` // to a port of the sandbox that is published
	From       string        `json:"from,omitempty"`    // who came, if it is
	Name       Text          `json:"name,omitempty"`    // that the program asked for
	To         string        `json:"to"`                // address and port, as the program saw them
	Dialled    string        `json:"dialled,omitempty"`
	Program    Text          `json:"program,omitempty"`
	PID        int           `json:"pid,omitempty"`
	In         uint64        `json:"in"`  // bytes to the sandbox
	Out        uint64        `json:"out"` // bytes from it
	Duration   time.Duration `json:"duration_ns,omitempty"`
	Open       bool          `json:"open,omitempty"` // it goes on
	End        string        `json:"end"`            // why it ended: "done", "not-granted", …
	Why        Text          `json:"why,omitempty"`
	Times      int           `json:"times,omitempty"` // how often the same was refused before
}

// SecretBody is a secret that was put into the vault, or, with Removed, taken
// out. It has no value.
type SecretBody struct {
	Name    string `json:"name"`
	Target  string `json:"target"` // the one destination that it goes to
	Place   Text   `json:"place"`  // and where in a request it stands
	Removed bool   `json:"removed,omitempty"`
}

// RequestBody is a request over an opened connection, that has ended or was
// refused, or, as with FlowBody, that goes on.
type RequestBody struct {
	Decision string        `json:"decision,omitempty"` // the record of the answer
	To       Text          `json:"to"`                 // the connection
	Method   Text          `json:"method"`
	Path     Text          `json:"path,omitempty"` // without its query
	Status   int           `json:"status,omitempty"`
	In       uint64        `json:"in"`  // bytes of the response's body
	Out      uint64        `json:"out"` // bytes of the request's
	Duration time.Duration `json:"duration_ns,omitempty"`
	Open     bool          `json:"open,omitempty"` // it goes on
	End      string        `json:"end,omitempty"`  // why it was refused: "not-granted", …
	Why      Text          `json:"why,omitempty"`
}

// ReportBody is what a tier promised and whether each layer holds.
type ReportBody struct {
	Tier   string      `json:"tier"`
	Layers []LayerBody `json:"layers,omitempty"`
	Notes  []Text      `json:"notes,omitempty"`
}

// LayerBody is one layer of a ReportBody.
type LayerBody struct {
	Name     string `json:"name"`
	Promised bool   `json:"promised"`
	Holds    bool   `json:"holds"`
	Weaker   bool   `json:"weaker,omitempty"` // the named weaker way
	Detail   Text   `json:"detail,omitempty"`
}

func (OpenBody) kind() Kind   { return LogOpen }
func (RepairBody) kind() Kind { return LogRepair }
func (LaunchBody) kind() Kind { return SessionStart }
func (EnterBody) kind() Kind  { return SessionExec }
func (LeaveBody) kind() Kind  { return SessionLeave }
func (CopyBody) kind() Kind   { return SessionCopy }
func (b SnapshotBody) kind() Kind {
	if b.Restored {
		return SessionRestore
	}
	return SessionSnapshot
}
func (b PauseBody) kind() Kind {
	if b.Resumed {
		return SessionResume
	}
	return SessionPause
}
func (EndBody) kind() Kind      { return SessionEnd }
func (DecisionBody) kind() Kind { return Decision }
func (DenialBody) kind() Kind   { return Denial }
func (ReportBody) kind() Kind   { return Report }
func (EffectBody) kind() Kind   { return GrantEffect }
func (FlowBody) kind() Kind     { return Flow }
func (RequestBody) kind() Kind  { return Request }
func (b StoredBody) kind() Kind {
	if b.Forgotten {
		return StoredForget
	}
	return StoredCommit
}
func (ChangesBody) kind() Kind { return Changes }
func (CallBody) kind() Kind    { return Call }
func (b PackBody) kind() Kind {
	if b.Removed {
		return PackRemove
	}
	return PackOwn
}
func (b TokenBody) kind() Kind {
	if b.Removed {
		return TokenRemove
	}
	return TokenAdd
}

func (b SecretBody) kind() Kind {
	if b.Removed {
		return SecretRemove
	}
	return SecretSet
}
func (b GrantBody) kind() Kind {
	if b.Revoked {
		return GrantRevoke
	}
	return GrantAdd
}
