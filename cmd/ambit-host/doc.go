// Command ambit-host serves the API of one person's Ambit on this machine: ambit
// serve becomes it. What it serves is internal/server; here is who may ask.
//
// It listens on a unix socket in the state folder, and on nothing else (TestServeNoPort)
// unless it is told to: then on a port too (internal/server/port). Invariants:
//
//   - On the socket only this user's processes are served, and of those only such that
//     are in this program's own namespaces: no sandbox is (TestServeFromInside,
//     TestServeNamespaces, TestServeOtherUser in test/serve).
//   - On the port nobody is who has neither a token nor a login.
//   - One host serves a state folder at a time (TestServeTwice).
//   - Its end ends no session, and nothing that it was asked for is done twice.
//
// It is a program of its own since protobuf and HTTP would cost each `ambit run`
// its start.
package main
