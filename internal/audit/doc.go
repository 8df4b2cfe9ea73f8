// Package audit keeps the log: an append-only record of what was asked, what
// was answered and what was done, that its reader can check without trusting
// the disk it lay on.
//
// It writes, reads, verifies and proves records. It does not decide anything,
// does not know who asked for a record and has no database. Layer: it imports
// nothing of this module but internal/core.
//
// # On disk
//
// A log is one folder:
//
//	00000001.log …  segments: JSON lines, records and signed heads
//	hashes          the inner hashes of the Merkle tree, in the order of tlog; a cache
//	head            the latest signed head, padded to 512 bytes
//	key, key.pub    the Ed25519 key that signs heads (0600), and its public half
//	lock            what writers lock
//
// A record line carries its number, time, id, kind, subject, body, and prev:
// the SHA-256 of everything between the start of the record before it and the
// start of this one, so of that record and of the head that signed it. The
// prev of the first record is the SHA-256 of the text of key.pub. The leaves of the
// Merkle tree (RFC 6962) are the record lines without their newline. A head
// line is {"head":TEXT}, where TEXT is a signed note (C2SP signed-note and
// tlog-checkpoint): origin, number of records, root hash, signature.
//
// # Commit
//
// A commit is some record lines and the head line that covers them. It is one
// write at the end of the last segment and one fdatasync; then it is
// acknowledged. (AppendSoon leaves out the fdatasync: see below.) Everything else is derived from it. One writer at a time holds
// the lock, whatever the number of processes; appends of one process that meet
// share a commit. The steps, and what a crash (kill -9, power) after each leaves:
//
//  1. hashes of the new records are written to the file of hashes, not synced.
//     Left: hashes beyond the end of the tree, which the next commit overwrites.
//  2. if the segment is full: it and the file of hashes are synced, and an empty
//     segment is made. Left: an empty last segment, in which the log goes on.
//  3. the commit is written. Left: some, all or (power) any pages of it. If the
//     last line is a head that is signed, covers the records before it and has
//     their root, the commit is whole and stands, though nobody was told. If
//     not, it is torn: it was not acknowledged, because step 4 did not end, and
//     no second commit can follow it, because the next writer cuts it off first.
//  4. fdatasync; for a new segment also fsync of the folder. Left: the whole
//     commit. Acknowledged only from here.
//  5. the head file is overwritten in place, one sector, not synced. Left: a
//     head file that is older than the last head line. It is never newer, of what was
//     on the disk, and that is how a log that was cut back is told from one that was torn.
//
// The next writer therefore reads the last commit alone: a good one is built
// upon, a torn one is cut off, synced, and named in a log.repair record with its
// length and hash. It refuses to go on (ErrDamaged) when a bad stretch cannot be
// a torn commit: the head file knows more records than the segments hold, or a
// head stands in it that is not its end. After power loss the file of hashes
// may be stale; its root then differs from the signed one and it is rebuilt, from
// the last segment alone as a rule, since a full segment leaves it synced.
//
// # Ahead of the disk
//
// A commit of AppendSoon is acknowledged after step 3. Its head says so, in a line of its own that is
// signed with the rest: "unsynced N BOOT", N being the records before it and BOOT the
// id of this boot of the machine. The next writer waits for the disk before it writes
// anything behind it, so that what a crash leaves torn is still the last commit alone. Until the
// machine begins anew the commit must be there, since all of its processes see what was written: a log that
// lacks it, or has another in its place, is at fault. In another boot the head file holds the log to N records,
// and a commit that is not there is what a crash leaves (VerifyResult.Lost); that somebody cut that one off shows no more then.
// A disk that is taken away from a running machine looks like it, too, and stops the log.
//
// A write or sync that fails (disk full) is undone by truncating the segment
// to the last commit; nothing of it is acknowledged.
//
// # What Verify finds, and what it cannot
//
// Any edit, deletion, insertion, reordering or loss of records, lines, segments
// or heads by someone without the key. The holder of the key, which is whoever can read
// the file key, can rewrite the log; and anybody who can write the folder can put back
// an older copy of all of it. Both are found only by what is kept
// elsewhere: the public key pinned, or an earlier head (Verify takes both).
// Bytes after the last head line that look like a torn commit are reported as
// uncommitted and are not a fault.
package audit
