package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Kind says what a record tells, and so what its body is. The set is closed: a
// record of another kind is neither written nor read.
type Kind string

// The kinds. Each names its body.
const (
	LogOpen         Kind = "log.open"         // OpenBody: first record of every log
	LogRepair       Kind = "log.repair"       // RepairBody: a torn commit was cut off
	SessionStart    Kind = "session.start"    // LaunchBody
	SessionExec     Kind = "session.exec"     // EnterBody
	SessionLeave    Kind = "session.leave"    // LeaveBody: how that has ended
	SessionCopy     Kind = "session.copy"     // CopyBody
	SessionSnapshot Kind = "session.snapshot" // SnapshotBody: its state is about to be kept
	SessionRestore  Kind = "session.restore"  // SnapshotBody: it is about to go on from another's
	SessionPause    Kind = "session.pause"    // PauseBody: its programs are about to be stopped
	SessionResume   Kind = "session.resume"   // PauseBody: they are about to go on
	SessionEnd      Kind = "session.end"      // EndBody
	Decision        Kind = "decision"         // DecisionBody: what the gate answered
	Denial          Kind = "denial"           // DenialBody: what a layer of the sandbox stopped
	GrantAdd        Kind = "grant.add"        // GrantBody
	GrantRevoke     Kind = "grant.revoke"     // GrantBody
	GrantEffect     Kind = "grant.effect"     // EffectBody: what a running session lost
	Flow            Kind = "flow"             // FlowBody: a connection that has ended or was refused
	SecretSet       Kind = "secret.set"       // SecretBody: put into the vault
	SecretRemove    Kind = "secret.remove"    // SecretBody
	PackOwn         Kind = "pack.own"         // PackBody: whom an id belongs to from now on
	PackRemove      Kind = "pack.remove"      // PackBody
	Changes         Kind = "changes.apply"    // ChangesBody: what a session changed is put into its place
	StoredCommit    Kind = "storage.commit"   // StoredBody: what a key has from now on
	StoredForget    Kind = "storage.forget"   // StoredBody: a key with its versions, or all, is about to be forgotten
	TokenAdd        Kind = "token.add"        // TokenBody: who is known on the port of the host from now on
	TokenRemove     Kind = "token.remove"     // TokenBody
	Call            Kind = "api.call"         // CallBody: what somebody who is known there is about to change
	Request         Kind = "request"          // RequestBody: a request over an opened connection that has ended or was refused
	Report          Kind = "report"           // ReportBody: what a tier promised, and what holds
)

// kinds is the closed set with an empty body of each.
var kinds = []struct {
	kind Kind
	body func() Body
}{
	{LogOpen, func() Body { return &OpenBody{} }},
	{LogRepair, func() Body { return &RepairBody{} }},
	{SessionStart, func() Body { return &LaunchBody{} }},
	{SessionExec, func() Body { return &EnterBody{} }},
	{SessionLeave, func() Body { return &LeaveBody{} }},
	{SessionCopy, func() Body { return &CopyBody{} }},
	{SessionSnapshot, func() Body { return &SnapshotBody{} }},
	{SessionRestore, func() Body { return &SnapshotBody{Restored: true} }},
	{SessionPause, func() Body { return &PauseBody{} }},
	{SessionResume, func() Body { return &PauseBody{Resumed: true} }},
	{SessionEnd, func() Body { return &EndBody{} }},
	{Decision, func() Body { return &DecisionBody{} }},
	{Denial, func() Body { return &DenialBody{} }},
	{GrantAdd, func() Body { return &GrantBody{} }},
	{GrantRevoke, func() Body { return &GrantBody{Revoked: true} }},
	{GrantEffect, func() Body { return &EffectBody{} }},
	{Flow, func() Body { return &FlowBody{} }},
	{SecretSet, func() Body { return &SecretBody{} }},
	{SecretRemove, func() Body { return &SecretBody{Removed: true} }},
	{PackOwn, func() Body { return &PackBody{} }},
	{PackRemove, func() Body { return &PackBody{Removed: true} }},
	{Changes, func() Body { return &ChangesBody{} }},
	{StoredCommit, func() Body { return &StoredBody{} }},
	{StoredForget, func() Body { return &StoredBody{Forgotten: true} }},
	{TokenAdd, func() Body { return &TokenBody{} }},
	{TokenRemove, func() Body { return &TokenBody{Removed: true} }},
	{Call, func() Body { return &CallBody{} }},
	{Request, func() Body { return &RequestBody{} }},
	{Report, func() Body { return &ReportBody{} }},
}

// Kinds returns every kind.
func Kinds() []Kind {
	var all []Kind
	for _, k := range kinds {
		all = append(all, k.kind)
	}
	return all
}

func (k Kind) known() bool {
	for i := range kinds {
		if kinds[i].kind == k {
			return true
		}
	}
	return false
}

// Decode returns the typed body of r, a pointer to one of the …Body types.
// An unknown kind and an unknown or ill-typed field are errors.
func (r Record) Decode() (Body, error) {
	for _, k := range kinds {
		if k.kind != r.Kind {
			continue
		}
		raw := withoutTrace(r.Body)
		body := k.body()
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(body); err != nil && lenient(k.body(), raw) {
			return nil, fmt.Errorf("body of kind %q: %w: a newer version of ambit wrote it, which is needed to read it, or it was changed", r.Kind, err)
		} else if err != nil {
			return nil, fmt.Errorf("body of kind %q: %w", r.Kind, err)
		}
		if _, err := dec.Token(); err != io.EOF {
			return nil, fmt.Errorf("body of kind %q: more than one value", r.Kind)
		}
		if r.Body[0] != '{' {
			return nil, fmt.Errorf("body of kind %q: not an object", r.Kind)
		}
		return body, nil
	}
	return nil, unknownKind(r.Kind)
}

// unknownKind says what a kind means that is none. Each version of ambit reads what
// earlier ones wrote, and no other program writes.
func unknownKind(k Kind) error {
	return fmt.Errorf("this version knows no records of kind %q: a newer version of ambit wrote it, which is needed to read this log, or it was changed", k)
}

// lenient reports whether a body can be read but for fields that are not known.
func lenient(body Body, raw []byte) bool { return json.Unmarshal(raw, body) == nil }
