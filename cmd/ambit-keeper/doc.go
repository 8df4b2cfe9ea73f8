// Command ambit-keeper looks after one session that was asked for through the API:
// it runs `ambit run`, as the folder that it is given says, and keeps in that folder
// what the program writes and how it ended (internal/keep). ambit-host starts one
// for each session, and may end or be ended meanwhile.
//
// It is a program of its own to be small: there are as many as there are sessions.
package main
