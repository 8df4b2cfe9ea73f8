// Package egress is the network of one sandbox. It ends every packet of the
// sandbox in a TCP/IP stack of its own, decides about each flow before it is
// answered, and lets the host make the real connection.
//
// A Plane takes a link and a decision.Checker, not a process: the same plane
// serves every tier. Programs need to know nothing of it. They look names up,
// connect, and get a connection, or a refusal at once.
//
// Invariants, with the tests that hold them:
//
//   - What is decided is what happens: the name that the program asked for, and
//     the address that was checked, which is the one dialled (TestRebinding).
//   - Nothing is answered to the sandbox before the decision, and no connection
//     exists for it that the host does not have (TestOrder).
//   - A grant for a name or for any host leads to public addresses only; every
//     other address has to be granted itself (TestClasses).
//   - A refusal is quick: a reset, an ICMP error, or "no such name"
//     (TestRefusals). What does not fit the bounds is refused, not dropped.
//   - A person is asked once for equal things, for as long as a program waits
//     (TestJoinedQuestions, TestGiveUp).
//   - When a grant is withdrawn its flows end (TestWithdraw).
//   - Close leaves no goroutine and no descriptor (goleak in every test).
//
// Of what most flows carry it looks at the first words of a TLS client, for the
// name that stands there in the open (TestTLSNames). Connections to where a rule
// for requests leads, or a secret is bound, are opened: package request reads what
// they carry, and each request is put as a capability of its own (TestOpened).
//
// Layer: a mediator over core; it asks through decision.Checker.
package egress
