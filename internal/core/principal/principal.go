// Package principal spells whose grants, sessions and records are: a user of this
// machine, or an organisation that the user serves it to. A principal is a text, as it
// stands in the store and in the log.
//
// Invariant: nobody sees what another user, or another organisation, owns (TestSees).
//
// Layer: part of core; it imports nothing of ours.
package principal

import (
	"strconv"
	"strings"
)

// at stands between a user and an organisation; no name has it.
const at = "@"

// User is the user with an id, who runs this machine.
func User(uid int) string { return "uid:" + strconv.Itoa(uid) }

// Of is the principal by which a user's machine acts for an organisation; "" is the
// user.
func Of(user, org string) string {
	if org == "" {
		return user
	}
	return user + at + org
}

// Org is the organisation of a principal; "" for a user.
func Org(principal string) string {
	_, org, _ := strings.Cut(principal, at)
	return org
}

// Sees reports whether to a principal there is what another one owns: what is its own,
// and to who runs the machine also what is an organisation's there.
//
// Security: this is the one answer to whose something is.
func Sees(principal, owner string) bool {
	if owner == principal {
		return true
	}
	return principal != "" && Org(principal) == "" && strings.HasPrefix(owner, principal+at)
}
