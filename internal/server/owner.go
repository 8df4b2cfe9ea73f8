package server

import "strings"

// Of returns the principal by which a person's host acts for an organisation; "" is
// the person, who runs the machine.
func Of(person, org string) string {
	if org == "" {
		return person
	}
	return person + "@" + org
}

// orgOf is the organisation of a principal; "" for who runs the machine.
func orgOf(principal string) string {
	_, org, _ := strings.Cut(principal, "@")
	return org
}

// sees reports whether to a principal there is what another one owns: what is its own;
// and to who runs the machine also what is an organisation's there.
//
// Security: this is the one answer to whose something is. What is read of store, log
// and folders goes through it before anything is made of it (TestOrganisations in
// test/serve, of each route). The name of an organisation has no @, so none is the
// beginning of another.
func sees(principal, owner string) bool {
	if owner == principal {
		return true
	}
	_, theirs := strings.CutPrefix(owner, principal+"@")
	return theirs && principal != "" && orgOf(principal) == ""
}

// seesRecord is sees for records: what is nobody's tells of the machine, and is for who
// runs it.
func seesRecord(principal, owner string) bool {
	return owner == "" && orgOf(principal) == "" || owner != "" && sees(principal, owner)
}
