package server

import "ambit.dev/ambit/internal/core/principal"

// Whose something is, principal.Sees says. What is read of store, log and folders goes
// through it before anything is made of it (TestOrganisations in test/serve, of each
// route).

// seesRecord is Sees for records: what is nobody's tells of the machine, and is for who
// runs it.
func seesRecord(who, owner string) bool {
	if owner == "" {
		return principal.Org(who) == ""
	}
	return principal.Sees(who, owner)
}
