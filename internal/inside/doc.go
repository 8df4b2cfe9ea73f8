// Package inside looks after files of a session that runs: through descriptors that
// were opened in it, or, where none can come out of the kernel that it has for
// itself, within it, by a program of Ambit's own that is told one order and says
// over pipes what came of it.
//
// Whoever hears such a program trusts nothing that it says: it runs beside the
// session's programs, with no right more than they have.
//
// Layer: it imports internal/aside alone; cmd/ambit and cmd/ambit-guest use it.
package inside
