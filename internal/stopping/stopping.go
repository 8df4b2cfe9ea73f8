// Package stopping has the terminal's stop signal (SIGTSTP) wait for what must not
// be left half done: who is stopped while it holds a lock has everybody wait who
// wants that lock.
//
// What a signal does is the whole process's, so this is the one place that says
// it, and its state is the package's. While nobody holds, the signal does what it
// does anywhere: a program that has nothing to hold pays nothing for this, and
// stops with its job also where it runs no code at all. SIGSTOP cannot be held.
//
// It knows nothing of what is held.
package stopping
