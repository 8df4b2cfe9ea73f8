"""The messages and services of the API of a host, version 1.

Made by api/gen of the files in api/ambit/v1: change those and run `make api`.
"""

from __future__ import annotations

import dataclasses as _dc
import datetime as _dt
import enum as _enum
from typing import ClassVar as _ClassVar, Dict as _Dict, Iterator as _Iterator, List as _List, Optional as _Optional

from . import call as _call, codec as _codec


class DifferenceKind(str, _enum.Enum):
    UNSPECIFIED = "DIFFERENCE_KIND_UNSPECIFIED"
    TEXT = "DIFFERENCE_KIND_TEXT"
    BINARY = "DIFFERENCE_KIND_BINARY"
    LONG = "DIFFERENCE_KIND_LONG"


_codec.enumeration(DifferenceKind, {0: DifferenceKind.UNSPECIFIED, 1: DifferenceKind.TEXT, 2: DifferenceKind.BINARY, 3: DifferenceKind.LONG})


class SessionState(str, _enum.Enum):
    UNSPECIFIED = "SESSION_STATE_UNSPECIFIED"
    STARTING = "SESSION_STATE_STARTING"
    RUNNING = "SESSION_STATE_RUNNING"
    ENDED = "SESSION_STATE_ENDED"
    LOST = "SESSION_STATE_LOST"


_codec.enumeration(SessionState, {0: SessionState.UNSPECIFIED, 1: SessionState.STARTING, 2: SessionState.RUNNING, 3: SessionState.ENDED, 4: SessionState.LOST})


class Ask(str, _enum.Enum):
    """Who is asked at the first touch of what was not granted."""
    UNSPECIFIED = "ASK_UNSPECIFIED"
    NOBODY = "ASK_NOBODY"
    QUEUE = "ASK_QUEUE"


_codec.enumeration(Ask, {0: Ask.UNSPECIFIED, 1: Ask.NOBODY, 2: Ask.QUEUE})


class OutputStream(str, _enum.Enum):
    """Where output comes from."""
    UNSPECIFIED = "OUTPUT_STREAM_UNSPECIFIED"
    STDOUT = "OUTPUT_STREAM_STDOUT"
    STDERR = "OUTPUT_STREAM_STDERR"


_codec.enumeration(OutputStream, {0: OutputStream.UNSPECIFIED, 1: OutputStream.STDOUT, 2: OutputStream.STDERR})


class FileKind(str, _enum.Enum):
    UNSPECIFIED = "FILE_KIND_UNSPECIFIED"
    FILE = "FILE_KIND_FILE"
    FOLDER = "FILE_KIND_FOLDER"
    LINK = "FILE_KIND_LINK"
    PIPE = "FILE_KIND_PIPE"
    SOCKET = "FILE_KIND_SOCKET"
    DEVICE = "FILE_KIND_DEVICE"


_codec.enumeration(FileKind, {0: FileKind.UNSPECIFIED, 1: FileKind.FILE, 2: FileKind.FOLDER, 3: FileKind.LINK, 4: FileKind.PIPE, 5: FileKind.SOCKET, 6: FileKind.DEVICE})


class Verdict(str, _enum.Enum):
    """How a question is answered."""
    UNSPECIFIED = "VERDICT_UNSPECIFIED"
    DENY = "VERDICT_DENY"
    ALLOW = "VERDICT_ALLOW"


_codec.enumeration(Verdict, {0: Verdict.UNSPECIFIED, 1: Verdict.DENY, 2: Verdict.ALLOW})


class Span(str, _enum.Enum):
    """How long an answer or a grant holds."""
    UNSPECIFIED = "SPAN_UNSPECIFIED"
    ONCE = "SPAN_ONCE"
    SESSION = "SPAN_SESSION"
    ALWAYS = "SPAN_ALWAYS"
    UNTIL = "SPAN_UNTIL"


_codec.enumeration(Span, {0: Span.UNSPECIFIED, 1: Span.ONCE, 2: Span.SESSION, 3: Span.ALWAYS, 4: Span.UNTIL})


class SignerState(str, _enum.Enum):
    """Who signed a pack, beside who signed what is installed."""
    UNSPECIFIED = "SIGNER_STATE_UNSPECIFIED"
    UNSIGNED = "SIGNER_STATE_UNSIGNED"
    FIRST = "SIGNER_STATE_FIRST"
    SAME = "SIGNER_STATE_SAME"
    TAKES_OVER = "SIGNER_STATE_TAKES_OVER"
    HANDED_ON = "SIGNER_STATE_HANDED_ON"


_codec.enumeration(SignerState, {0: SignerState.UNSPECIFIED, 1: SignerState.UNSIGNED, 2: SignerState.FIRST, 3: SignerState.SAME, 4: SignerState.TAKES_OVER, 5: SignerState.HANDED_ON})


class WantState(str, _enum.Enum):
    """What was answered to a capability before."""
    UNSPECIFIED = "WANT_STATE_UNSPECIFIED"
    ASKED = "WANT_STATE_ASKED"
    ALLOWED = "WANT_STATE_ALLOWED"
    DENIED = "WANT_STATE_DENIED"


_codec.enumeration(WantState, {0: WantState.UNSPECIFIED, 1: WantState.ASKED, 2: WantState.ALLOWED, 3: WantState.DENIED})


class Choosing(str, _enum.Enum):
    UNSPECIFIED = "CHOOSING_UNSPECIFIED"
    LATER = "CHOOSING_LATER"
    ALLOW = "CHOOSING_ALLOW"
    DENY = "CHOOSING_DENY"


_codec.enumeration(Choosing, {0: Choosing.UNSPECIFIED, 1: Choosing.LATER, 2: Choosing.ALLOW, 3: Choosing.DENY})


@_dc.dataclass
class Record(_codec.Message):

    seq: int = 0
    time: _Optional[_dt.datetime] = None
    id: str = ""
    kind: str = ""
    session: str = ""
    pack: str = ""
    #: JSON, as it stands in the log.
    body: str = ""
    #: The hash of what stands before it, hexadecimal.
    prev: str = ""
    #: The id of the trace that it belongs to (W3C Trace Context); empty: none.
    trace: str = ""
    #: The organisation that it is for; empty: the machine itself.
    organisation: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "seq", "seq", "long", "one"),
        _codec.Field(2, "time", "time", "time", "optional"),
        _codec.Field(3, "id", "id", "string", "one"),
        _codec.Field(4, "kind", "kind", "string", "one"),
        _codec.Field(5, "session", "session", "string", "one"),
        _codec.Field(6, "pack", "pack", "string", "one"),
        _codec.Field(7, "body", "body", "string", "one"),
        _codec.Field(8, "prev", "prev", "string", "one"),
        _codec.Field(9, "trace", "trace", "string", "one"),
        _codec.Field(10, "organisation", "organisation", "string", "one"),
    )


@_dc.dataclass
class RecordFilter(_codec.Message):
    """Empty fields let everything through."""

    session: str = ""
    kind: str = ""
    pack: str = ""
    since: _Optional[_dt.datetime] = None
    until: _Optional[_dt.datetime] = None
    #: The beginning of the capability that the record is about.
    capability: str = ""
    #: Of decisions and grants: allow, ask or deny.
    outcome: str = ""
    #: The id of a trace, 32 hexadecimal digits.
    trace: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "kind", "kind", "string", "one"),
        _codec.Field(3, "pack", "pack", "string", "one"),
        _codec.Field(4, "since", "since", "time", "optional"),
        _codec.Field(5, "until", "until", "time", "optional"),
        _codec.Field(6, "capability", "capability", "string", "one"),
        _codec.Field(7, "outcome", "outcome", "string", "one"),
        _codec.Field(8, "trace", "trace", "string", "one"),
    )


@_dc.dataclass
class ListRecordsRequest(_codec.Message):

    page_size: int = 0
    page_token: str = ""
    filter: _Optional[RecordFilter] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
        _codec.Field(3, "filter", "filter", "message", "optional", lambda: RecordFilter),
    )


@_dc.dataclass
class ListRecordsResponse(_codec.Message):

    records: _List[Record] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "records", "records", "message", "many", lambda: Record),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetRecordRequest(_codec.Message):

    #: The id or the number of one record.
    ref: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "ref", "ref", "string", "one"),
    )


@_dc.dataclass
class GetRecordResponse(_codec.Message):

    record: _Optional[Record] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "record", "record", "message", "optional", lambda: Record),
    )


@_dc.dataclass
class StreamRecordsRequest(_codec.Message):

    filter: _Optional[RecordFilter] = None
    #: From this number on; 0: what is written from now on.
    from_: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "filter", "filter", "message", "optional", lambda: RecordFilter),
        _codec.Field(2, "from_", "from", "long", "one"),
    )


@_dc.dataclass
class StreamRecordsResponse(_codec.Message):

    record: _Optional[Record] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "record", "record", "message", "optional", lambda: Record),
    )


@_dc.dataclass
class VerifyLogRequest(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class VerifyLogResponse(_codec.Message):

    intact: bool = False
    records: int = 0
    #: Where it is not what was written, and how.
    fault: str = ""
    #: The signed head, to keep elsewhere.
    head: str = ""
    #: How many records behind these are not there that were written, but not known to be
    #: on the disk, before the machine last stopped: lost with it, or cut off.
    lost: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "intact", "intact", "bool", "one"),
        _codec.Field(2, "records", "records", "long", "one"),
        _codec.Field(3, "fault", "fault", "string", "one"),
        _codec.Field(4, "head", "head", "string", "one"),
        _codec.Field(5, "lost", "lost", "long", "one"),
    )


@_dc.dataclass
class ChangedVolume(_codec.Message):
    """A directory of the host that a session saw as a volume."""

    volume: str = ""
    #: On the host, and in the session.
    source: str = ""
    target: str = ""
    #: Another one after each change of what is kept apart.
    stamp: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "volume", "volume", "string", "one"),
        _codec.Field(2, "source", "source", "string", "one"),
        _codec.Field(3, "target", "target", "string", "one"),
        _codec.Field(4, "stamp", "stamp", "string", "one"),
    )


@_dc.dataclass
class Change(_codec.Message):
    """What became of one path. A directory that was removed stands for all in it."""

    volume: str = ""
    #: Beneath the volume's source.
    path: str = ""
    #: added, changed, replaced or removed.
    what: str = ""
    #: file, program, directory, link or special file.
    type: str = ""
    size: int = 0
    #: Of a link.
    target: str = ""
    #: It may run as the person without their starting it, by a list of names.
    runs: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "volume", "volume", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "what", "what", "string", "one"),
        _codec.Field(4, "type", "type", "string", "one"),
        _codec.Field(5, "size", "size", "long", "one"),
        _codec.Field(6, "target", "target", "string", "one"),
        _codec.Field(7, "runs", "runs", "bool", "one"),
    )


@_dc.dataclass
class ListChangesRequest(_codec.Message):

    session: str = ""
    page_size: int = 0
    page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "page_size", "pageSize", "int", "one"),
        _codec.Field(3, "page_token", "pageToken", "string", "one"),
    )


@_dc.dataclass
class ListChangesResponse(_codec.Message):

    volumes: _List[ChangedVolume] = _dc.field(default_factory=list)
    changes: _List[Change] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "volumes", "volumes", "message", "many", lambda: ChangedVolume),
        _codec.Field(2, "changes", "changes", "message", "many", lambda: Change),
        _codec.Field(3, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetDifferenceRequest(_codec.Message):

    session: str = ""
    volume: str = ""
    path: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "volume", "volume", "string", "one"),
        _codec.Field(3, "path", "path", "string", "one"),
    )


@_dc.dataclass
class GetDifferenceResponse(_codec.Message):

    change: _Optional[Change] = None
    kind: DifferenceKind = DifferenceKind.UNSPECIFIED
    #: Of text: lines that begin with a space, - or +, in parts that begin with @@, as
    #: diff -u prints them. What stands in it was written by the program.
    text: str = ""
    #: It is longer than is told.
    more: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "change", "change", "message", "optional", lambda: Change),
        _codec.Field(2, "kind", "kind", "enum", "one", lambda: DifferenceKind),
        _codec.Field(3, "text", "text", "string", "one"),
        _codec.Field(4, "more", "more", "bool", "one"),
    )


@_dc.dataclass
class ApplyChangesRequest(_codec.Message):

    session: str = ""
    volume: str = ""
    #: That of the volume when it was looked at.
    stamp: str = ""
    #: Each stands for itself; directories that lead there are made with it.
    paths: _List[str] = _dc.field(default_factory=list)
    #: Instead of paths: all of the volume.
    all: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "volume", "volume", "string", "one"),
        _codec.Field(3, "stamp", "stamp", "string", "one"),
        _codec.Field(4, "paths", "paths", "string", "many"),
        _codec.Field(5, "all", "all", "bool", "one"),
    )


@_dc.dataclass
class ApplyChangesResponse(_codec.Message):

    applied: _List[Change] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "applied", "applied", "message", "many", lambda: Change),
    )


@_dc.dataclass
class DropChangesRequest(_codec.Message):

    session: str = ""
    volume: str = ""
    #: Instead of a volume: all of them.
    all: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "volume", "volume", "string", "one"),
        _codec.Field(3, "all", "all", "bool", "one"),
    )


@_dc.dataclass
class DropChangesResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class Denial(_codec.Message):
    """A detail of errors with the code permission_denied: what was denied, and why."""

    #: The record of the decision in the audit log, which `ambit why ID` explains.
    id: str = ""
    capability: str = ""
    reasons: _List[Reason] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "capability", "capability", "string", "one"),
        _codec.Field(3, "reasons", "reasons", "message", "many", lambda: Reason),
    )


@_dc.dataclass
class Reason(_codec.Message):
    """One reason of a decision."""

    #: The rule that applied, one of a closed set.
    rule: str = ""
    text: str = ""
    #: What would change the answer, where anything would.
    fix: str = ""
    #: The grant that decided, where one did.
    grant: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "rule", "rule", "string", "one"),
        _codec.Field(2, "text", "text", "string", "one"),
        _codec.Field(3, "fix", "fix", "string", "one"),
        _codec.Field(4, "grant", "grant", "string", "one"),
    )


@_dc.dataclass
class Terminal(_codec.Message):
    """That a program gets a terminal, and which."""

    #: Its size, at most 1000 each.
    rows: int = 0
    columns: int = 0
    #: What it understands, as in TERM. Empty: xterm-256color.
    term: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "rows", "rows", "int", "one"),
        _codec.Field(2, "columns", "columns", "int", "one"),
        _codec.Field(3, "term", "term", "string", "one"),
    )


@_dc.dataclass
class WriteInputRequest(_codec.Message):

    #: Of a session or of a program that was started in one.
    id: str = ""
    #: Chosen at random by who types, at most 64 characters: what each writer has typed
    #: is counted by itself.
    writer: str = ""
    #: How much this writer has typed before: `next` of an earlier answer.
    offset: int = 0
    #: At most 32 KiB.
    data: bytes = b""
    #: Nobody pressed these keys: a program asked its terminal something, and this is the
    #: answer. It is `next` of the message of StreamOutput in which it asked. Of several
    #: writers that answer one alone is typed: who did it last, as long as that one does so
    #: within 0.3 s. What the others say is taken, and not typed. 0: somebody types.
    asked: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "writer", "writer", "string", "one"),
        _codec.Field(3, "offset", "offset", "long", "one"),
        _codec.Field(4, "data", "data", "bytes", "one"),
        _codec.Field(5, "asked", "asked", "long", "one"),
    )


@_dc.dataclass
class WriteInputResponse(_codec.Message):

    #: Up to where this writer's input has been taken. What lies behind it was not, since
    #: the program does not read: it is to be sent again from there, later.
    next: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "next", "next", "long", "one"),
    )


@_dc.dataclass
class ResizeTerminalRequest(_codec.Message):

    id: str = ""
    rows: int = 0
    columns: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "rows", "rows", "int", "one"),
        _codec.Field(3, "columns", "columns", "int", "one"),
    )


@_dc.dataclass
class ResizeTerminalResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class Session(_codec.Message):

    id: str = ""
    pack: str = ""
    program: str = ""
    tier: str = ""
    #: The process that looks after it.
    pid: int = 0
    started: _Optional[_dt.datetime] = None
    ended: _Optional[_dt.datetime] = None
    state: SessionState = SessionState.UNSPECIFIED
    #: How it ended, in words.
    status: str = ""
    #: Of a session that has ended: the exit status of `ambit run`. 125: it could not
    #: be confined or started; 126: denied; 127: no such command; 128+N: signal N.
    exit: _Optional[int] = None
    #: It was made by this API, which keeps its output.
    kept: bool = False
    #: What Ambit itself said, where the launch failed.
    error: str = ""
    #: It was given a terminal, which can be typed into: TerminalService.
    terminal: bool = False
    #: Of a session that was made by this API: the id of the trace that it belongs to.
    trace: str = ""
    #: The organisation that it is for; empty: the machine itself.
    organisation: str = ""
    #: It runs, and nothing in it goes on until it is resumed: PauseService.
    paused: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "pack", "pack", "string", "one"),
        _codec.Field(3, "program", "program", "string", "one"),
        _codec.Field(4, "tier", "tier", "string", "one"),
        _codec.Field(5, "pid", "pid", "int", "one"),
        _codec.Field(6, "started", "started", "time", "optional"),
        _codec.Field(7, "ended", "ended", "time", "optional"),
        _codec.Field(8, "state", "state", "enum", "one", lambda: SessionState),
        _codec.Field(9, "status", "status", "string", "one"),
        _codec.Field(10, "exit", "exit", "int", "optional"),
        _codec.Field(11, "kept", "kept", "bool", "one"),
        _codec.Field(12, "error", "error", "string", "one"),
        _codec.Field(13, "terminal", "terminal", "bool", "one"),
        _codec.Field(14, "trace", "trace", "string", "one"),
        _codec.Field(15, "organisation", "organisation", "string", "one"),
        _codec.Field(16, "paused", "paused", "bool", "one"),
    )


@_dc.dataclass
class ListSessionsRequest(_codec.Message):

    page_size: int = 0
    page_token: str = ""
    #: Also those that have ended.
    ended: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
        _codec.Field(3, "ended", "ended", "bool", "one"),
    )


@_dc.dataclass
class ListSessionsResponse(_codec.Message):

    sessions: _List[Session] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "sessions", "sessions", "message", "many", lambda: Session),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetSessionRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class GetSessionResponse(_codec.Message):

    session: _Optional[Session] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "message", "optional", lambda: Session),
    )


@_dc.dataclass
class CreateSessionRequest(_codec.Message):
    """Each field is a flag of `ambit run`."""

    #: Chosen by the caller, at most 128 characters: the same request with the same
    #: key starts one session, however often it is sent. Empty: each starts one.
    idempotency_key: str = ""
    #: The command. With a pack, arguments behind its entry.
    argv: _List[str] = _dc.field(default_factory=list)
    #: A folder's absolute path, or the id of an installed pack.
    pack: str = ""
    allow: _List[str] = _dc.field(default_factory=list)
    deny: _List[str] = _dc.field(default_factory=list)
    #: SOURCE:TARGET:ro|rw|append|cow, with absolute paths.
    volumes: _List[str] = _dc.field(default_factory=list)
    #: Variables inside, by name. Nothing of the host's environment goes in.
    env: _Dict[str, str] = _dc.field(default_factory=dict)
    #: Bounds, as in memory: 512M.
    limits: _Dict[str, str] = _dc.field(default_factory=dict)
    home: str = ""
    tier: str = ""
    ask: Ask = Ask.UNSPECIFIED
    #: How long a question waits.
    ask_timeout: _Optional[_dt.timedelta] = None
    #: The working directory, absolute. Empty: the user's home.
    dir: str = ""
    #: What the program reads on its standard input, at most 1 MiB.
    stdin: bytes = b""
    #: How first touches are heard of: trap, which needs /dev/fuse, or notification,
    #: which is slower. Empty: trap.
    ask_by: str = ""
    #: Instead of stdin: the program gets a terminal of its own. All that it writes is
    #: its standard output then.
    terminal: _Optional[Terminal] = None
    #: The digest of a CheckSessionResponse: it is started as was said there, or not at all.
    checked: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "idempotency_key", "idempotencyKey", "string", "one"),
        _codec.Field(2, "argv", "argv", "string", "many"),
        _codec.Field(3, "pack", "pack", "string", "one"),
        _codec.Field(4, "allow", "allow", "string", "many"),
        _codec.Field(5, "deny", "deny", "string", "many"),
        _codec.Field(6, "volumes", "volumes", "string", "many"),
        _codec.Field(7, "env", "env", "string", "map"),
        _codec.Field(8, "limits", "limits", "string", "map"),
        _codec.Field(9, "home", "home", "string", "one"),
        _codec.Field(10, "tier", "tier", "string", "one"),
        _codec.Field(11, "ask", "ask", "enum", "one", lambda: Ask),
        _codec.Field(12, "ask_timeout", "askTimeout", "duration", "optional"),
        _codec.Field(13, "dir", "dir", "string", "one"),
        _codec.Field(14, "stdin", "stdin", "bytes", "one"),
        _codec.Field(15, "ask_by", "askBy", "string", "one"),
        _codec.Field(16, "terminal", "terminal", "message", "optional", lambda: Terminal),
        _codec.Field(17, "checked", "checked", "string", "one"),
    )


@_dc.dataclass
class CreateSessionResponse(_codec.Message):

    session: _Optional[Session] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "message", "optional", lambda: Session),
    )


@_dc.dataclass
class CheckSessionRequest(_codec.Message):

    session: _Optional[CreateSessionRequest] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "message", "optional", lambda: CreateSessionRequest),
    )


@_dc.dataclass
class CheckSessionResponse(_codec.Message):

    #: Nothing that is denied stops it.
    starts: bool = False
    #: The file that is started, and with which arguments.
    program: str = ""
    argv: _List[str] = _dc.field(default_factory=list)
    #: Where it is started; empty: it is not.
    dir: str = ""
    pack: str = ""
    version: str = ""
    pack_digest: str = ""
    tier: str = ""
    #: The home that it has: none, ephemeral, private or host.
    home: str = ""
    #: First touches of what was not granted are asked about.
    asks: bool = False
    #: The gravest first.
    capabilities: _List[CheckedCapability] = _dc.field(default_factory=list)
    volumes: _List[CheckedVolume] = _dc.field(default_factory=list)
    limits: _Dict[str, str] = _dc.field(default_factory=dict)
    #: Of all this and of what would be enforced: CreateSessionRequest.checked.
    digest: str = ""
    #: The variables that the request sets, as NAME=VALUE.
    env: _List[str] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "starts", "starts", "bool", "one"),
        _codec.Field(2, "program", "program", "string", "one"),
        _codec.Field(3, "argv", "argv", "string", "many"),
        _codec.Field(4, "dir", "dir", "string", "one"),
        _codec.Field(5, "pack", "pack", "string", "one"),
        _codec.Field(6, "version", "version", "string", "one"),
        _codec.Field(7, "pack_digest", "packDigest", "string", "one"),
        _codec.Field(8, "tier", "tier", "string", "one"),
        _codec.Field(9, "home", "home", "string", "one"),
        _codec.Field(10, "asks", "asks", "bool", "one"),
        _codec.Field(11, "capabilities", "capabilities", "message", "many", lambda: CheckedCapability),
        _codec.Field(12, "volumes", "volumes", "message", "many", lambda: CheckedVolume),
        _codec.Field(13, "limits", "limits", "string", "map"),
        _codec.Field(14, "digest", "digest", "string", "one"),
        _codec.Field(15, "env", "env", "string", "many"),
    )


@_dc.dataclass
class CheckedCapability(_codec.Message):
    """A capability that the request names, the pack wants, or that was granted before."""

    capability: str = ""
    meaning: str = ""
    #: allow, ask (at its first touch) or deny.
    outcome: str = ""
    #: It is wide, or reaches secrets.
    broad: bool = False
    #: It is denied, and nothing is started for that.
    stops: bool = False
    #: What the pack wants it for, in its author's words.
    reason: str = ""
    #: Why it is not allowed.
    why: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "meaning", "meaning", "string", "one"),
        _codec.Field(3, "outcome", "outcome", "string", "one"),
        _codec.Field(4, "broad", "broad", "bool", "one"),
        _codec.Field(5, "stops", "stops", "bool", "one"),
        _codec.Field(6, "reason", "reason", "string", "one"),
        _codec.Field(7, "why", "why", "string", "one"),
    )


@_dc.dataclass
class CheckedVolume(_codec.Message):
    """A path of the host and where the program sees it."""

    source: str = ""
    target: str = ""
    #: ro, rw, append or cow.
    mode: str = ""
    #: The zone of the pack that it is; empty: the request names it.
    zone: str = ""
    #: How much there can be in it; 0: it has no bound of its own.
    bytes_: int = 0
    files: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "source", "source", "string", "one"),
        _codec.Field(2, "target", "target", "string", "one"),
        _codec.Field(3, "mode", "mode", "string", "one"),
        _codec.Field(4, "zone", "zone", "string", "one"),
        _codec.Field(5, "bytes_", "bytes", "long", "one"),
        _codec.Field(6, "files", "files", "long", "one"),
    )


@_dc.dataclass
class StopSessionRequest(_codec.Message):

    id: str = ""
    #: Without giving it time: its end is then not in the log.
    now: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "now", "now", "bool", "one"),
    )


@_dc.dataclass
class StopSessionResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class StreamOutputRequest(_codec.Message):

    id: str = ""
    #: Of the first chunk that is wanted: `next` of an earlier one.
    offset: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "offset", "offset", "long", "one"),
    )


@_dc.dataclass
class StreamOutputResponse(_codec.Message):

    stream: OutputStream = OutputStream.UNSPECIFIED
    data: bytes = b""
    #: The offset to go on from.
    next: int = 0
    #: In the last message alone: how the session ended.
    end: _Optional[SessionEnd] = None
    #: What was to come before this is not kept any more, since more was written than is:
    #: so far apart are the offset that was wanted and that of this, which count what was
    #: written and five bytes for each piece.
    lost: int = 0
    #: In a message of its own, once: all that was written before this call was made, or a
    #: moment later, has been sent. There is none where it has ended.
    caught_up: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "stream", "stream", "enum", "one", lambda: OutputStream),
        _codec.Field(2, "data", "data", "bytes", "one"),
        _codec.Field(3, "next", "next", "long", "one"),
        _codec.Field(4, "end", "end", "message", "optional", lambda: SessionEnd),
        _codec.Field(5, "lost", "lost", "long", "one"),
        _codec.Field(6, "caught_up", "caughtUp", "bool", "one"),
    )


@_dc.dataclass
class SessionEnd(_codec.Message):

    exit: int = 0
    #: Where the newest output cannot be kept in the place of the oldest (`lost`): so many
    #: bytes are missing behind what was sent.
    dropped: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "exit", "exit", "int", "one"),
        _codec.Field(2, "dropped", "dropped", "long", "one"),
    )


@_dc.dataclass
class Exec(_codec.Message):

    #: That of its record in the log, too.
    id: str = ""
    session: str = ""
    argv: _List[str] = _dc.field(default_factory=list)
    started: _Optional[_dt.datetime] = None
    ended: _Optional[_dt.datetime] = None
    state: SessionState = SessionState.UNSPECIFIED
    #: Of one that has ended: the exit status of `ambit exec`, as a session's.
    exit: _Optional[int] = None
    terminal: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "session", "session", "string", "one"),
        _codec.Field(3, "argv", "argv", "string", "many"),
        _codec.Field(4, "started", "started", "time", "optional"),
        _codec.Field(5, "ended", "ended", "time", "optional"),
        _codec.Field(6, "state", "state", "enum", "one", lambda: SessionState),
        _codec.Field(7, "exit", "exit", "int", "optional"),
        _codec.Field(8, "terminal", "terminal", "bool", "one"),
    )


@_dc.dataclass
class CreateExecRequest(_codec.Message):

    #: As of CreateSession.
    idempotency_key: str = ""
    session: str = ""
    argv: _List[str] = _dc.field(default_factory=list)
    #: Beside the session's own.
    env: _Dict[str, str] = _dc.field(default_factory=dict)
    #: A folder of the session, absolute. Empty: where its program was started.
    dir: str = ""
    #: At most 1 MiB.
    stdin: bytes = b""
    #: Instead of stdin.
    terminal: _Optional[Terminal] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "idempotency_key", "idempotencyKey", "string", "one"),
        _codec.Field(2, "session", "session", "string", "one"),
        _codec.Field(3, "argv", "argv", "string", "many"),
        _codec.Field(4, "env", "env", "string", "map"),
        _codec.Field(5, "dir", "dir", "string", "one"),
        _codec.Field(6, "stdin", "stdin", "bytes", "one"),
        _codec.Field(7, "terminal", "terminal", "message", "optional", lambda: Terminal),
    )


@_dc.dataclass
class CreateExecResponse(_codec.Message):

    exec: _Optional[Exec] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "exec", "exec", "message", "optional", lambda: Exec),
    )


@_dc.dataclass
class ListExecsRequest(_codec.Message):

    session: str = ""
    page_size: int = 0
    page_token: str = ""
    #: Also those that have ended.
    ended: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "page_size", "pageSize", "int", "one"),
        _codec.Field(3, "page_token", "pageToken", "string", "one"),
        _codec.Field(4, "ended", "ended", "bool", "one"),
    )


@_dc.dataclass
class ListExecsResponse(_codec.Message):

    execs: _List[Exec] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "execs", "execs", "message", "many", lambda: Exec),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetExecRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class GetExecResponse(_codec.Message):

    exec: _Optional[Exec] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "exec", "exec", "message", "optional", lambda: Exec),
    )


@_dc.dataclass
class StopExecRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class StopExecResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class File(_codec.Message):
    """A name in a session. Names are chosen by programs: they are to be shown as text."""

    #: What is not UTF-8 in it is replaced.
    name: str = ""
    #: The name, where it is not UTF-8.
    raw_name: bytes = b""
    kind: FileKind = FileKind.UNSPECIFIED
    size: int = 0
    #: The twelve bits of permissions.
    mode: int = 0
    modified: _Optional[_dt.datetime] = None
    #: Of a link: where it leads inside, in words.
    target: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "name", "name", "string", "one"),
        _codec.Field(2, "raw_name", "rawName", "bytes", "one"),
        _codec.Field(3, "kind", "kind", "enum", "one", lambda: FileKind),
        _codec.Field(4, "size", "size", "long", "one"),
        _codec.Field(5, "mode", "mode", "int", "one"),
        _codec.Field(6, "modified", "modified", "time", "optional"),
        _codec.Field(7, "target", "target", "string", "one"),
    )


@_dc.dataclass
class ListFilesRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""
    page_size: int = 0
    page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
        _codec.Field(4, "page_size", "pageSize", "int", "one"),
        _codec.Field(5, "page_token", "pageToken", "string", "one"),
    )


@_dc.dataclass
class ListFilesResponse(_codec.Message):

    files: _List[File] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "files", "files", "message", "many", lambda: File),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetFileRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
    )


@_dc.dataclass
class GetFileResponse(_codec.Message):

    file: _Optional[File] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "file", "file", "message", "optional", lambda: File),
    )


@_dc.dataclass
class StreamFileRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""
    #: The first byte that is wanted.
    offset: int = 0
    #: How many at most; 0: to the end.
    length: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
        _codec.Field(4, "offset", "offset", "long", "one"),
        _codec.Field(5, "length", "length", "long", "one"),
    )


@_dc.dataclass
class StreamFileResponse(_codec.Message):

    data: bytes = b""
    #: In the last message alone.
    end: _Optional[FileEnd] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "data", "data", "bytes", "one"),
        _codec.Field(2, "end", "end", "message", "optional", lambda: FileEnd),
    )


@_dc.dataclass
class FileEnd(_codec.Message):

    #: Of the whole file, when it was opened.
    size: int = 0
    #: It was changed while it was read: what was sent may be of both.
    changed: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "size", "size", "long", "one"),
        _codec.Field(2, "changed", "changed", "bool", "one"),
    )


@_dc.dataclass
class WriteFileRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""
    #: That of the answer to the first part; empty in the first.
    upload: str = ""
    #: How much was sent before.
    offset: int = 0
    #: At most 1 MiB, and 64 MiB in all.
    data: bytes = b""
    #: This is the last part.
    last: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
        _codec.Field(4, "upload", "upload", "string", "one"),
        _codec.Field(5, "offset", "offset", "long", "one"),
        _codec.Field(6, "data", "data", "bytes", "one"),
        _codec.Field(7, "last", "last", "bool", "one"),
    )


@_dc.dataclass
class WriteFileResponse(_codec.Message):

    upload: str = ""
    #: How much was sent until now.
    size: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "upload", "upload", "string", "one"),
        _codec.Field(2, "size", "size", "long", "one"),
    )


@_dc.dataclass
class RemoveFileRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""
    #: It is a folder.
    folder: bool = False
    #: It is a folder, and goes with what is in it. Where something in it may not be removed,
    #: nothing is: then it is failed_precondition or permission_denied, and says what.
    all: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
        _codec.Field(4, "folder", "folder", "bool", "one"),
        _codec.Field(5, "all", "all", "bool", "one"),
    )


@_dc.dataclass
class RemoveFileResponse(_codec.Message):

    #: How many names were removed.
    names: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "names", "names", "long", "one"),
    )


@_dc.dataclass
class MakeFolderRequest(_codec.Message):

    session: str = ""
    path: str = ""
    raw_path: bytes = b""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "path", "path", "string", "one"),
        _codec.Field(3, "raw_path", "rawPath", "bytes", "one"),
    )


@_dc.dataclass
class MakeFolderResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class Question(_codec.Message):
    """A question that a session has put. Texts in it come from the program that
    waits: show them as text, and never as markup or to a terminal unescaped.
    """

    id: str = ""
    session: str = ""
    #: The pack that asks; empty for a command that is run without one.
    pack: str = ""
    program: str = ""
    pid: int = 0
    argv: _List[str] = _dc.field(default_factory=list)
    capability: str = ""
    #: What the capability lets the program do, in words.
    meaning: str = ""
    #: Why the pack's manifest says that it wants it.
    reason: str = ""
    #: What is secret about it, where something is.
    sensitive: str = ""
    offers: _List[Offer] = _dc.field(default_factory=list)
    asked: _Optional[_dt.datetime] = None
    expires: _Optional[_dt.datetime] = None
    #: The organisation that it is for; empty: the machine itself.
    organisation: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "session", "session", "string", "one"),
        _codec.Field(3, "pack", "pack", "string", "one"),
        _codec.Field(4, "program", "program", "string", "one"),
        _codec.Field(5, "pid", "pid", "int", "one"),
        _codec.Field(6, "argv", "argv", "string", "many"),
        _codec.Field(7, "capability", "capability", "string", "one"),
        _codec.Field(8, "meaning", "meaning", "string", "one"),
        _codec.Field(9, "reason", "reason", "string", "one"),
        _codec.Field(10, "sensitive", "sensitive", "string", "one"),
        _codec.Field(11, "offers", "offers", "message", "many", lambda: Offer),
        _codec.Field(12, "asked", "asked", "time", "optional"),
        _codec.Field(13, "expires", "expires", "time", "optional"),
        _codec.Field(14, "organisation", "organisation", "string", "one"),
    )


@_dc.dataclass
class Offer(_codec.Message):
    """What may be granted in answer to a question. The first one is the narrowest."""

    capability: str = ""
    #: One of file, run, dir, declared.
    scope: str = ""
    words: str = ""
    #: It is wide, or reaches secrets: allowing it wants `broad`.
    broad: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "scope", "scope", "string", "one"),
        _codec.Field(3, "words", "words", "string", "one"),
        _codec.Field(4, "broad", "broad", "bool", "one"),
    )


@_dc.dataclass
class ListQuestionsRequest(_codec.Message):

    #: At most so many; 0 is 100, and more than 1000 is 1000.
    page_size: int = 0
    #: next_page_token of an earlier response to the same request.
    page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
    )


@_dc.dataclass
class ListQuestionsResponse(_codec.Message):

    questions: _List[Question] = _dc.field(default_factory=list)
    #: Empty on the last page.
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "questions", "questions", "message", "many", lambda: Question),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class WatchQuestionsRequest(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class WatchQuestionsResponse(_codec.Message):

    put: _Optional[Question] = None
    #: The id of a question that was answered, withdrawn, or whose time is over.
    over: _Optional[str] = None
    #: All questions that waited at the beginning have been sent.
    caught_up: _Optional[bool] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "put", "put", "message", "optional", lambda: Question),
        _codec.Field(2, "over", "over", "string", "optional"),
        _codec.Field(3, "caught_up", "caughtUp", "bool", "optional"),
    )


@_dc.dataclass
class AnswerQuestionRequest(_codec.Message):

    #: The whole id.
    id: str = ""
    verdict: Verdict = Verdict.UNSPECIFIED
    #: The scope of one of the offers, or its capability. Empty: the narrowest, or,
    #: to deny, exactly what was asked.
    scope: str = ""
    span: Span = Span.UNSPECIFIED
    #: With SPAN_UNTIL: how long from now.
    lifetime: _Optional[_dt.timedelta] = None
    #: Allow also what is wide, or reaches secrets.
    broad: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "verdict", "verdict", "enum", "one", lambda: Verdict),
        _codec.Field(3, "scope", "scope", "string", "one"),
        _codec.Field(4, "span", "span", "enum", "one", lambda: Span),
        _codec.Field(5, "lifetime", "lifetime", "duration", "optional"),
        _codec.Field(6, "broad", "broad", "bool", "one"),
    )


@_dc.dataclass
class AnswerQuestionResponse(_codec.Message):

    capability: str = ""
    verdict: Verdict = Verdict.UNSPECIFIED
    span: Span = Span.UNSPECIFIED
    until: _Optional[_dt.datetime] = None
    #: The session has taken the answer. If not yet, it may be stopped.
    taken: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "verdict", "verdict", "enum", "one", lambda: Verdict),
        _codec.Field(3, "span", "span", "enum", "one", lambda: Span),
        _codec.Field(4, "until", "until", "time", "optional"),
        _codec.Field(5, "taken", "taken", "bool", "one"),
    )


@_dc.dataclass
class Grant(_codec.Message):

    id: str = ""
    #: Empty: every command that is run without a pack.
    pack: str = ""
    digest: str = ""
    capability: str = ""
    meaning: str = ""
    verdict: Verdict = Verdict.UNSPECIFIED
    span: Span = Span.UNSPECIFIED
    until: _Optional[_dt.datetime] = None
    #: The session that a grant for a session is for.
    session: str = ""
    origin: str = ""
    reason: str = ""
    created: _Optional[_dt.datetime] = None
    revoked: _Optional[_dt.datetime] = None
    #: The organisation that it is for; empty: the machine itself.
    organisation: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "pack", "pack", "string", "one"),
        _codec.Field(3, "digest", "digest", "string", "one"),
        _codec.Field(4, "capability", "capability", "string", "one"),
        _codec.Field(5, "meaning", "meaning", "string", "one"),
        _codec.Field(6, "verdict", "verdict", "enum", "one", lambda: Verdict),
        _codec.Field(7, "span", "span", "enum", "one", lambda: Span),
        _codec.Field(8, "until", "until", "time", "optional"),
        _codec.Field(9, "session", "session", "string", "one"),
        _codec.Field(10, "origin", "origin", "string", "one"),
        _codec.Field(11, "reason", "reason", "string", "one"),
        _codec.Field(12, "created", "created", "time", "optional"),
        _codec.Field(13, "revoked", "revoked", "time", "optional"),
        _codec.Field(14, "organisation", "organisation", "string", "one"),
    )


@_dc.dataclass
class ListGrantsRequest(_codec.Message):

    page_size: int = 0
    page_token: str = ""
    #: Only those of this pack.
    pack: str = ""
    #: Also those that were revoked or are over.
    ended: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
        _codec.Field(3, "pack", "pack", "string", "one"),
        _codec.Field(4, "ended", "ended", "bool", "one"),
    )


@_dc.dataclass
class ListGrantsResponse(_codec.Message):

    grants: _List[Grant] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "grants", "grants", "message", "many", lambda: Grant),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class AddGrantsRequest(_codec.Message):

    #: As on the command line, with absolute paths or ~.
    capabilities: _List[str] = _dc.field(default_factory=list)
    #: A folder's absolute path, or the id of an installed pack. Empty: every command
    #: that is run without one.
    pack: str = ""
    #: VERDICT_ALLOW or VERDICT_DENY.
    verdict: Verdict = Verdict.UNSPECIFIED
    #: How long from now; none: until it is revoked.
    lifetime: _Optional[_dt.timedelta] = None
    reason: str = ""
    #: Allow also what is wide.
    broad: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capabilities", "capabilities", "string", "many"),
        _codec.Field(2, "pack", "pack", "string", "one"),
        _codec.Field(3, "verdict", "verdict", "enum", "one", lambda: Verdict),
        _codec.Field(4, "lifetime", "lifetime", "duration", "optional"),
        _codec.Field(5, "reason", "reason", "string", "one"),
        _codec.Field(6, "broad", "broad", "bool", "one"),
    )


@_dc.dataclass
class AddGrantsResponse(_codec.Message):

    #: What was added: not what held already.
    grants: _List[Grant] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "grants", "grants", "message", "many", lambda: Grant),
    )


@_dc.dataclass
class RevokeGrantsRequest(_codec.Message):

    ids: _List[str] = _dc.field(default_factory=list)
    #: End the sessions that lose something by it.
    end_sessions: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "ids", "ids", "string", "many"),
        _codec.Field(2, "end_sessions", "endSessions", "bool", "one"),
    )


@_dc.dataclass
class RevokeGrantsResponse(_codec.Message):

    grants: _List[Grant] = _dc.field(default_factory=list)
    losses: _List[Loss] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "grants", "grants", "message", "many", lambda: Grant),
        _codec.Field(2, "losses", "losses", "message", "many", lambda: Loss),
    )


@_dc.dataclass
class Loss(_codec.Message):
    """What a running session no longer has."""

    session: str = ""
    capability: str = ""
    #: Descriptors that it still has open of it, and other hold that was found.
    open: int = 0
    #: The session was told to end.
    ended: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "session", "session", "string", "one"),
        _codec.Field(2, "capability", "capability", "string", "one"),
        _codec.Field(3, "open", "open", "int", "one"),
        _codec.Field(4, "ended", "ended", "bool", "one"),
    )


@_dc.dataclass
class GetVersionRequest(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class GetVersionResponse(_codec.Message):

    version: str = ""
    #: Who the caller is to Ambit.
    principal: str = ""
    #: The role that decides which routes the caller may use.
    role: str = ""
    started: _Optional[_dt.datetime] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "version", "version", "string", "one"),
        _codec.Field(2, "principal", "principal", "string", "one"),
        _codec.Field(3, "role", "role", "string", "one"),
        _codec.Field(4, "started", "started", "time", "optional"),
    )


@_dc.dataclass
class CheckHealthRequest(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class CheckHealthResponse(_codec.Message):

    ready: bool = False
    checks: _List[Check] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "ready", "ready", "bool", "one"),
        _codec.Field(2, "checks", "checks", "message", "many", lambda: Check),
    )


@_dc.dataclass
class Check(_codec.Message):

    name: str = ""
    holds: bool = False
    detail: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "name", "name", "string", "one"),
        _codec.Field(2, "holds", "holds", "bool", "one"),
        _codec.Field(3, "detail", "detail", "string", "one"),
    )


@_dc.dataclass
class DiagnoseRequest(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class DiagnoseResponse(_codec.Message):

    #: Everything that the process tier needs holds.
    holds: bool = False
    findings: _List[Finding] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "holds", "holds", "bool", "one"),
        _codec.Field(2, "findings", "findings", "message", "many", lambda: Finding),
    )


@_dc.dataclass
class Finding(_codec.Message):

    layer: str = ""
    #: One of holds, weaker, fails, absent.
    state: str = ""
    needed: bool = False
    detail: str = ""
    fix: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "layer", "layer", "string", "one"),
        _codec.Field(2, "state", "state", "string", "one"),
        _codec.Field(3, "needed", "needed", "bool", "one"),
        _codec.Field(4, "detail", "detail", "string", "one"),
        _codec.Field(5, "fix", "fix", "string", "one"),
    )


@_dc.dataclass
class Pack(_codec.Message):

    id: str = ""
    folder: str = ""
    version: str = ""
    digest: str = ""
    signer: str = ""
    source: str = ""
    #: It was installed, and is not run where it lies.
    installed: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "folder", "folder", "string", "one"),
        _codec.Field(3, "version", "version", "string", "one"),
        _codec.Field(4, "digest", "digest", "string", "one"),
        _codec.Field(5, "signer", "signer", "string", "one"),
        _codec.Field(6, "source", "source", "string", "one"),
        _codec.Field(7, "installed", "installed", "bool", "one"),
    )


@_dc.dataclass
class ListPacksRequest(_codec.Message):

    page_size: int = 0
    page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
    )


@_dc.dataclass
class ListPacksResponse(_codec.Message):

    packs: _List[Pack] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "packs", "packs", "message", "many", lambda: Pack),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetPackRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class GetPackResponse(_codec.Message):

    pack: _Optional[Pack] = None
    name: str = ""
    kind: str = ""
    description: str = ""
    entry: _List[str] = _dc.field(default_factory=list)
    wants: _List[Want] = _dc.field(default_factory=list)
    #: What keeps it from running here.
    problems: _List[str] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "message", "optional", lambda: Pack),
        _codec.Field(2, "name", "name", "string", "one"),
        _codec.Field(3, "kind", "kind", "string", "one"),
        _codec.Field(4, "description", "description", "string", "one"),
        _codec.Field(5, "entry", "entry", "string", "many"),
        _codec.Field(6, "wants", "wants", "message", "many", lambda: Want),
        _codec.Field(7, "problems", "problems", "string", "many"),
    )


@_dc.dataclass
class Want(_codec.Message):
    """One capability that a pack declares."""

    capability: str = ""
    meaning: str = ""
    reason: str = ""
    optional: bool = False
    broad: bool = False
    granted: bool = False
    #: Why it is granted, or not.
    why: str = ""
    problem: str = ""
    #: Sessions that had it and in which its use could be seen, and those of them that
    #: used it, as `ambit pack show` counts them.
    sessions: int = 0
    used: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "meaning", "meaning", "string", "one"),
        _codec.Field(3, "reason", "reason", "string", "one"),
        _codec.Field(4, "optional", "optional", "bool", "one"),
        _codec.Field(5, "broad", "broad", "bool", "one"),
        _codec.Field(6, "granted", "granted", "bool", "one"),
        _codec.Field(7, "why", "why", "string", "one"),
        _codec.Field(8, "problem", "problem", "string", "one"),
        _codec.Field(9, "sessions", "sessions", "int", "one"),
        _codec.Field(10, "used", "used", "int", "one"),
    )


@_dc.dataclass
class UploadPackRequest(_codec.Message):

    #: Empty: a new one. After that the answer's.
    upload: str = ""
    #: How much was sent before.
    offset: int = 0
    data: bytes = b""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "upload", "upload", "string", "one"),
        _codec.Field(2, "offset", "offset", "long", "one"),
        _codec.Field(3, "data", "data", "bytes", "one"),
    )


@_dc.dataclass
class UploadPackResponse(_codec.Message):

    upload: str = ""
    #: How much is there.
    size: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "upload", "upload", "string", "one"),
        _codec.Field(2, "size", "size", "long", "one"),
    )


@_dc.dataclass
class PreparePackRequest(_codec.Message):

    #: An absolute path on the host (a folder, an archive, an OCI layout), or
    #: oci://REGISTRY/NAME:TAG.
    source: _Optional[str] = None
    #: The id of an upload, which is used up.
    upload: _Optional[str] = None
    #: Only what this key signed, which may take over from another key.
    signer: str = ""
    #: Also a version that is older than the one installed last.
    allow_older: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "source", "source", "string", "optional"),
        _codec.Field(2, "upload", "upload", "string", "optional"),
        _codec.Field(3, "signer", "signer", "string", "one"),
        _codec.Field(4, "allow_older", "allowOlder", "bool", "one"),
    )


@_dc.dataclass
class OlderVersion(_codec.Message):
    """The detail of a refusal (FAILED_PRECONDITION): nothing says that a version is as new
    as the one installed last. The same request with allow_older takes it.
    """

    id: str = ""
    #: That the pack has.
    version: str = ""
    #: That was installed last.
    taken: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "version", "version", "string", "one"),
        _codec.Field(3, "taken", "taken", "string", "one"),
    )


@_dc.dataclass
class PreparePackResponse(_codec.Message):

    prepared: _Optional[Prepared] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "prepared", "prepared", "message", "optional", lambda: Prepared),
    )


@_dc.dataclass
class Prepared(_codec.Message):
    """A pack that lies ready, and what it asks for. Its texts come from whoever made the
    pack: show them as text.
    """

    #: Good for one InstallPack.
    id: str = ""
    expires: _Optional[_dt.datetime] = None
    #: As it would be installed.
    pack: _Optional[Pack] = None
    name: str = ""
    kind: str = ""
    description: str = ""
    entry: _List[str] = _dc.field(default_factory=list)
    signer_state: SignerState = SignerState.UNSPECIFIED
    #: What is installed now, if anything is.
    before: _Optional[Pack] = None
    #: All that it declares, the gravest first.
    wants: _List[PreparedWant] = _dc.field(default_factory=list)
    #: What was granted, it does not ask for any more, and is taken back.
    dropped: _List[Dropped] = _dc.field(default_factory=list)
    #: Its version was installed before, with other content.
    same_version: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "expires", "expires", "time", "optional"),
        _codec.Field(3, "pack", "pack", "message", "optional", lambda: Pack),
        _codec.Field(4, "name", "name", "string", "one"),
        _codec.Field(5, "kind", "kind", "string", "one"),
        _codec.Field(6, "description", "description", "string", "one"),
        _codec.Field(7, "entry", "entry", "string", "many"),
        _codec.Field(8, "signer_state", "signerState", "enum", "one", lambda: SignerState),
        _codec.Field(9, "before", "before", "message", "optional", lambda: Pack),
        _codec.Field(10, "wants", "wants", "message", "many", lambda: PreparedWant),
        _codec.Field(11, "dropped", "dropped", "message", "many", lambda: Dropped),
        _codec.Field(12, "same_version", "sameVersion", "bool", "one"),
    )


@_dc.dataclass
class PreparedWant(_codec.Message):

    #: To be named in a choice, as it stands here.
    capability: str = ""
    meaning: str = ""
    #: What its author says it is for.
    reason: str = ""
    optional: bool = False
    #: The name of its group: those that stand together are of one risk.
    risk: str = ""
    #: To allow it takes the pack's id, typed.
    broad: bool = False
    state: WantState = WantState.UNSPECIFIED

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "meaning", "meaning", "string", "one"),
        _codec.Field(3, "reason", "reason", "string", "one"),
        _codec.Field(4, "optional", "optional", "bool", "one"),
        _codec.Field(5, "risk", "risk", "string", "one"),
        _codec.Field(6, "broad", "broad", "bool", "one"),
        _codec.Field(7, "state", "state", "enum", "one", lambda: WantState),
    )


@_dc.dataclass
class Dropped(_codec.Message):

    capability: str = ""
    meaning: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "meaning", "meaning", "string", "one"),
    )


@_dc.dataclass
class Choice(_codec.Message):
    """What is to become of one capability that is asked for."""

    capability: str = ""
    choosing: Choosing = Choosing.UNSPECIFIED

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "capability", "capability", "string", "one"),
        _codec.Field(2, "choosing", "choosing", "enum", "one", lambda: Choosing),
    )


@_dc.dataclass
class InstallPackRequest(_codec.Message):

    id: str = ""
    #: Of the pack that was shown.
    digest: str = ""
    choices: _List[Choice] = _dc.field(default_factory=list)
    #: The pack's id, where something broad is allowed.
    typed_id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "digest", "digest", "string", "one"),
        _codec.Field(3, "choices", "choices", "message", "many", lambda: Choice),
        _codec.Field(4, "typed_id", "typedId", "string", "one"),
    )


@_dc.dataclass
class InstallPackResponse(_codec.Message):

    installed: _Optional[Installed] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "installed", "installed", "message", "optional", lambda: Installed),
    )


@_dc.dataclass
class Installed(_codec.Message):

    pack: _Optional[Pack] = None
    granted: _List[str] = _dc.field(default_factory=list)
    denied: _List[str] = _dc.field(default_factory=list)
    #: What it asks for and was not answered.
    left: _List[str] = _dc.field(default_factory=list)
    revoked: _List[str] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "message", "optional", lambda: Pack),
        _codec.Field(2, "granted", "granted", "string", "many"),
        _codec.Field(3, "denied", "denied", "string", "many"),
        _codec.Field(4, "left", "left", "string", "many"),
        _codec.Field(5, "revoked", "revoked", "string", "many"),
    )


@_dc.dataclass
class UpdatePackRequest(_codec.Message):

    id: str = ""
    signer: str = ""
    #: Also a version that is older than the one installed last.
    allow_older: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
        _codec.Field(2, "signer", "signer", "string", "one"),
        _codec.Field(3, "allow_older", "allowOlder", "bool", "one"),
    )


@_dc.dataclass
class UpdatePackResponse(_codec.Message):

    installed: _Optional[Installed] = None
    #: It asks for more: InstallPack goes on.
    prepared: _Optional[Prepared] = None
    #: The source has what is installed.
    unchanged: _Optional[Pack] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "installed", "installed", "message", "optional", lambda: Installed),
        _codec.Field(2, "prepared", "prepared", "message", "optional", lambda: Prepared),
        _codec.Field(3, "unchanged", "unchanged", "message", "optional", lambda: Pack),
    )


@_dc.dataclass
class RemovePackRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class RemovePackResponse(_codec.Message):

    pack: _Optional[Pack] = None
    #: How many grants were taken back.
    revoked: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "message", "optional", lambda: Pack),
        _codec.Field(2, "revoked", "revoked", "int", "one"),
    )


@_dc.dataclass
class PauseSessionRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class PauseSessionResponse(_codec.Message):

    #: By which it stands still, in words.
    way: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "way", "way", "string", "one"),
    )


@_dc.dataclass
class ResumeSessionRequest(_codec.Message):

    id: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "id", "id", "string", "one"),
    )


@_dc.dataclass
class ResumeSessionResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class StoredVersion(_codec.Message):
    """What a key had from one commit to the next."""

    number: int = 0
    #: "sha256:…"; empty where there was nothing.
    digest: str = ""
    size: int = 0
    time: _Optional[_dt.datetime] = None
    #: Empty: a person committed it.
    session: str = ""
    #: From here on there was nothing under the key.
    removed: bool = False

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "number", "number", "long", "one"),
        _codec.Field(2, "digest", "digest", "string", "one"),
        _codec.Field(3, "size", "size", "long", "one"),
        _codec.Field(4, "time", "time", "time", "optional"),
        _codec.Field(5, "session", "session", "string", "one"),
        _codec.Field(6, "removed", "removed", "bool", "one"),
    )


@_dc.dataclass
class StoredValue(_codec.Message):
    """A key with what is current."""

    #: Empty: of runs without a pack.
    pack: str = ""
    key: str = ""
    current: _Optional[StoredVersion] = None
    #: How many versions are kept, and the bytes of all.
    versions: int = 0
    bytes_: int = 0
    #: The pack was removed then, and what it stored is kept for nobody.
    left: _Optional[_dt.datetime] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
        _codec.Field(3, "current", "current", "message", "optional", lambda: StoredVersion),
        _codec.Field(4, "versions", "versions", "int", "one"),
        _codec.Field(5, "bytes_", "bytes", "long", "one"),
        _codec.Field(6, "left", "left", "time", "optional"),
    )


@_dc.dataclass
class ListValuesRequest(_codec.Message):

    page_size: int = 0
    page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "page_size", "pageSize", "int", "one"),
        _codec.Field(2, "page_token", "pageToken", "string", "one"),
    )


@_dc.dataclass
class ListValuesResponse(_codec.Message):

    values: _List[StoredValue] = _dc.field(default_factory=list)
    next_page_token: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "values", "values", "message", "many", lambda: StoredValue),
        _codec.Field(2, "next_page_token", "nextPageToken", "string", "one"),
    )


@_dc.dataclass
class GetValueRequest(_codec.Message):

    pack: str = ""
    key: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
    )


@_dc.dataclass
class GetValueResponse(_codec.Message):

    versions: _List[StoredVersion] = _dc.field(default_factory=list)

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "versions", "versions", "message", "many", lambda: StoredVersion),
    )


@_dc.dataclass
class GetContentRequest(_codec.Message):

    pack: str = ""
    key: str = ""
    #: 0: what is current.
    version: int = 0
    offset: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
        _codec.Field(3, "version", "version", "long", "one"),
        _codec.Field(4, "offset", "offset", "long", "one"),
    )


@_dc.dataclass
class GetContentResponse(_codec.Message):

    #: The version that it is of, to ask for the rest of it.
    version: int = 0
    size: int = 0
    #: At most 1 MiB.
    data: bytes = b""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "version", "version", "long", "one"),
        _codec.Field(2, "size", "size", "long", "one"),
        _codec.Field(3, "data", "data", "bytes", "one"),
    )


@_dc.dataclass
class RemoveValueRequest(_codec.Message):

    pack: str = ""
    key: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
    )


@_dc.dataclass
class RemoveValueResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class RestoreValueRequest(_codec.Message):

    pack: str = ""
    key: str = ""
    version: int = 0

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
        _codec.Field(3, "version", "version", "long", "one"),
    )


@_dc.dataclass
class RestoreValueResponse(_codec.Message):

    #: The new version, or what was current where it had that content already.
    version: _Optional[StoredVersion] = None

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "version", "version", "message", "optional", lambda: StoredVersion),
    )


@_dc.dataclass
class ForgetValueRequest(_codec.Message):

    pack: str = ""
    key: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
        _codec.Field(2, "key", "key", "string", "one"),
    )


@_dc.dataclass
class ForgetValueResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


@_dc.dataclass
class AdoptValuesRequest(_codec.Message):

    pack: str = ""

    FIELDS: _ClassVar[_codec.Fields] = (
        _codec.Field(1, "pack", "pack", "string", "one"),
    )


@_dc.dataclass
class AdoptValuesResponse(_codec.Message):

    FIELDS: _ClassVar[_codec.Fields] = ()


class AuditService:
    """The record of what was asked, answered and done."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_records(self, request: _Optional[ListRecordsRequest] = None, *, timeout: _Optional[float] = None) -> ListRecordsResponse:
        """Records, the newest first."""
        return _call.call(self._service, "ambit.v1.AuditService/ListRecords", request or ListRecordsRequest(), ListRecordsResponse, timeout)

    def all_records(self, request: _Optional[ListRecordsRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Record]:
        """The rows of all pages of list_records, each page when it is come to."""
        request = request or ListRecordsRequest()
        while True:
            page = self.list_records(request, timeout=timeout)
            yield from page.records
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_record(self, request: _Optional[GetRecordRequest] = None, *, timeout: _Optional[float] = None) -> GetRecordResponse:
        return _call.call(self._service, "ambit.v1.AuditService/GetRecord", request or GetRecordRequest(), GetRecordResponse, timeout)

    def stream_records(self, request: _Optional[StreamRecordsRequest] = None) -> _call.Stream[StreamRecordsResponse]:
        """Records as they are written, from now on or from a number on."""
        return _call.stream(self._service, "ambit.v1.AuditService/StreamRecords", request or StreamRecordsRequest(), StreamRecordsResponse)

    def verify_log(self, request: _Optional[VerifyLogRequest] = None, *, timeout: _Optional[float] = None) -> VerifyLogResponse:
        """Checks the whole log, as `ambit audit verify` does."""
        return _call.call(self._service, "ambit.v1.AuditService/VerifyLog", request or VerifyLogRequest(), VerifyLogResponse, timeout)


class ChangeService:
    """What sessions changed in volumes that copy on write, which is kept apart until
    somebody applies it or drops it. Of a session that still runs there is none yet.
    """

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_changes(self, request: _Optional[ListChangesRequest] = None, *, timeout: _Optional[float] = None) -> ListChangesResponse:
        """What was changed, one volume after the other, in the order of the paths."""
        return _call.call(self._service, "ambit.v1.ChangeService/ListChanges", request or ListChangesRequest(), ListChangesResponse, timeout)

    def all_changes(self, request: _Optional[ListChangesRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[ChangedVolume]:
        """The rows of all pages of list_changes, each page when it is come to."""
        request = request or ListChangesRequest()
        while True:
            page = self.list_changes(request, timeout=timeout)
            yield from page.volumes
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_difference(self, request: _Optional[GetDifferenceRequest] = None, *, timeout: _Optional[float] = None) -> GetDifferenceResponse:
        """What became of one file."""
        return _call.call(self._service, "ambit.v1.ChangeService/GetDifference", request or GetDifferenceRequest(), GetDifferenceResponse, timeout)

    def apply_changes(self, request: _Optional[ApplyChangesRequest] = None, *, timeout: _Optional[float] = None) -> ApplyChangesResponse:
        """Puts changes of one volume into their place, all that are named or none: none
        where the host's files, or what is kept apart, were changed since.
        """
        return _call.call(self._service, "ambit.v1.ChangeService/ApplyChanges", request or ApplyChangesRequest(), ApplyChangesResponse, timeout)

    def drop_changes(self, request: _Optional[DropChangesRequest] = None, *, timeout: _Optional[float] = None) -> DropChangesResponse:
        """Forgets the changes of a volume, or of all."""
        return _call.call(self._service, "ambit.v1.ChangeService/DropChanges", request or DropChangesRequest(), DropChangesResponse, timeout)


class TerminalService:
    """The terminals of programs that this API has started with one. What is written to
    them is SessionService.StreamOutput's.
    """

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def write_input(self, request: _Optional[WriteInputRequest] = None, *, timeout: _Optional[float] = None) -> WriteInputResponse:
        """Types something. A call that is sent again types nothing twice."""
        return _call.call(self._service, "ambit.v1.TerminalService/WriteInput", request or WriteInputRequest(), WriteInputResponse, timeout)

    def resize_terminal(self, request: _Optional[ResizeTerminalRequest] = None, *, timeout: _Optional[float] = None) -> ResizeTerminalResponse:
        return _call.call(self._service, "ambit.v1.TerminalService/ResizeTerminal", request or ResizeTerminalRequest(), ResizeTerminalResponse, timeout)


class SessionService:
    """Programs in their sandboxes."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_sessions(self, request: _Optional[ListSessionsRequest] = None, *, timeout: _Optional[float] = None) -> ListSessionsResponse:
        """The sessions that run, the latest first."""
        return _call.call(self._service, "ambit.v1.SessionService/ListSessions", request or ListSessionsRequest(), ListSessionsResponse, timeout)

    def all_sessions(self, request: _Optional[ListSessionsRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Session]:
        """The rows of all pages of list_sessions, each page when it is come to."""
        request = request or ListSessionsRequest()
        while True:
            page = self.list_sessions(request, timeout=timeout)
            yield from page.sessions
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_session(self, request: _Optional[GetSessionRequest] = None, *, timeout: _Optional[float] = None) -> GetSessionResponse:
        return _call.call(self._service, "ambit.v1.SessionService/GetSession", request or GetSessionRequest(), GetSessionResponse, timeout)

    def create_session(self, request: _Optional[CreateSessionRequest] = None, *, timeout: _Optional[float] = None) -> CreateSessionResponse:
        """Starts a program by `ambit run`, and returns when it is recorded as begun or
        refused. A launch that is denied is permission_denied with a Denial each.
        """
        return _call.call(self._service, "ambit.v1.SessionService/CreateSession", request or CreateSessionRequest(), CreateSessionResponse, timeout)

    def check_session(self, request: _Optional[CheckSessionRequest] = None, *, timeout: _Optional[float] = None) -> CheckSessionResponse:
        """What a program would be started with, as CreateSession would decide it now. Nothing
        is started and nothing is recorded.
        """
        return _call.call(self._service, "ambit.v1.SessionService/CheckSession", request or CheckSessionRequest(), CheckSessionResponse, timeout)

    def stop_session(self, request: _Optional[StopSessionRequest] = None, *, timeout: _Optional[float] = None) -> StopSessionResponse:
        """Tells a session to end, and waits for that."""
        return _call.call(self._service, "ambit.v1.SessionService/StopSession", request or StopSessionRequest(), StopSessionResponse, timeout)

    def stream_output(self, request: _Optional[StreamOutputRequest] = None) -> _call.Stream[StreamOutputResponse]:
        """What the program of a session that this API has made writes, from an offset
        on, until it has ended.
        """
        return _call.stream(self._service, "ambit.v1.SessionService/StreamOutput", request or StreamOutputRequest(), StreamOutputResponse)


class ExecService:
    """Further programs in sessions that run, as `ambit exec` starts them. What they write
    SessionService.StreamOutput has by their id, and TerminalService types into them.
    """

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def create_exec(self, request: _Optional[CreateExecRequest] = None, *, timeout: _Optional[float] = None) -> CreateExecResponse:
        """Starts a program in a session, and returns when that is recorded or refused: by
        the same decision as for the session's own programs.
        """
        return _call.call(self._service, "ambit.v1.ExecService/CreateExec", request or CreateExecRequest(), CreateExecResponse, timeout)

    def list_execs(self, request: _Optional[ListExecsRequest] = None, *, timeout: _Optional[float] = None) -> ListExecsResponse:
        """Those of a session that run, the latest first: the ones that this API has started."""
        return _call.call(self._service, "ambit.v1.ExecService/ListExecs", request or ListExecsRequest(), ListExecsResponse, timeout)

    def all_execs(self, request: _Optional[ListExecsRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Exec]:
        """The rows of all pages of list_execs, each page when it is come to."""
        request = request or ListExecsRequest()
        while True:
            page = self.list_execs(request, timeout=timeout)
            yield from page.execs
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_exec(self, request: _Optional[GetExecRequest] = None, *, timeout: _Optional[float] = None) -> GetExecResponse:
        return _call.call(self._service, "ambit.v1.ExecService/GetExec", request or GetExecRequest(), GetExecResponse, timeout)

    def stop_exec(self, request: _Optional[StopExecRequest] = None, *, timeout: _Optional[float] = None) -> StopExecResponse:
        """Tells a program to end, and all that it started with it. Who wants to know when
        it has, reads its output to the end.
        """
        return _call.call(self._service, "ambit.v1.ExecService/StopExec", request or StopExecRequest(), StopExecResponse, timeout)


class FileService:
    """Files of a session that runs, by the rights that its programs have. A path is
    absolute and walked inside. It is given as text, or where it is not UTF-8 as raw
    bytes, and never as both.
    """

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_files(self, request: _Optional[ListFilesRequest] = None, *, timeout: _Optional[float] = None) -> ListFilesResponse:
        """What is in a folder, in the order of the names' bytes. Links are not followed."""
        return _call.call(self._service, "ambit.v1.FileService/ListFiles", request or ListFilesRequest(), ListFilesResponse, timeout)

    def all_files(self, request: _Optional[ListFilesRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[File]:
        """The rows of all pages of list_files, each page when it is come to."""
        request = request or ListFilesRequest()
        while True:
            page = self.list_files(request, timeout=timeout)
            yield from page.files
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_file(self, request: _Optional[GetFileRequest] = None, *, timeout: _Optional[float] = None) -> GetFileResponse:
        """What a path is. A link at its end is not followed."""
        return _call.call(self._service, "ambit.v1.FileService/GetFile", request or GetFileRequest(), GetFileResponse, timeout)

    def stream_file(self, request: _Optional[StreamFileRequest] = None) -> _call.Stream[StreamFileResponse]:
        """A file as it is, or a part of it: as much as it has when it is opened."""
        return _call.stream(self._service, "ambit.v1.FileService/StreamFile", request or StreamFileRequest(), StreamFileResponse)

    def write_file(self, request: _Optional[WriteFileRequest] = None, *, timeout: _Optional[float] = None) -> WriteFileResponse:
        """Sends a file in parts. It is put in its place with the last one, whole."""
        return _call.call(self._service, "ambit.v1.FileService/WriteFile", request or WriteFileRequest(), WriteFileResponse, timeout)

    def remove_file(self, request: _Optional[RemoveFileRequest] = None, *, timeout: _Optional[float] = None) -> RemoveFileResponse:
        """Removes a file, or a folder: one in which nothing is, or with what is in it."""
        return _call.call(self._service, "ambit.v1.FileService/RemoveFile", request or RemoveFileRequest(), RemoveFileResponse, timeout)

    def make_folder(self, request: _Optional[MakeFolderRequest] = None, *, timeout: _Optional[float] = None) -> MakeFolderResponse:
        """Makes a folder in one that is there."""
        return _call.call(self._service, "ambit.v1.FileService/MakeFolder", request or MakeFolderRequest(), MakeFolderResponse, timeout)


class QuestionService:
    """What running programs have asked for, and the answers of people."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_questions(self, request: _Optional[ListQuestionsRequest] = None, *, timeout: _Optional[float] = None) -> ListQuestionsResponse:
        """The questions that wait, oldest first."""
        return _call.call(self._service, "ambit.v1.QuestionService/ListQuestions", request or ListQuestionsRequest(), ListQuestionsResponse, timeout)

    def all_questions(self, request: _Optional[ListQuestionsRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Question]:
        """The rows of all pages of list_questions, each page when it is come to."""
        request = request or ListQuestionsRequest()
        while True:
            page = self.list_questions(request, timeout=timeout)
            yield from page.questions
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def watch_questions(self, request: _Optional[WatchQuestionsRequest] = None) -> _call.Stream[WatchQuestionsResponse]:
        """The questions that wait, and then each change, until the caller leaves."""
        return _call.stream(self._service, "ambit.v1.QuestionService/WatchQuestions", request or WatchQuestionsRequest(), WatchQuestionsResponse)

    def answer_question(self, request: _Optional[AnswerQuestionRequest] = None, *, timeout: _Optional[float] = None) -> AnswerQuestionResponse:
        """Answers a question. Of two answers the first one stands."""
        return _call.call(self._service, "ambit.v1.QuestionService/AnswerQuestion", request or AnswerQuestionRequest(), AnswerQuestionResponse, timeout)


class GrantService:
    """What was granted and denied until further notice."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_grants(self, request: _Optional[ListGrantsRequest] = None, *, timeout: _Optional[float] = None) -> ListGrantsResponse:
        """The grants of the caller, oldest first."""
        return _call.call(self._service, "ambit.v1.GrantService/ListGrants", request or ListGrantsRequest(), ListGrantsResponse, timeout)

    def all_grants(self, request: _Optional[ListGrantsRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Grant]:
        """The rows of all pages of list_grants, each page when it is come to."""
        request = request or ListGrantsRequest()
        while True:
            page = self.list_grants(request, timeout=timeout)
            yield from page.grants
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def add_grants(self, request: _Optional[AddGrantsRequest] = None, *, timeout: _Optional[float] = None) -> AddGrantsResponse:
        """Grants or denies, as `ambit grants add` does: all that is named, or nothing."""
        return _call.call(self._service, "ambit.v1.GrantService/AddGrants", request or AddGrantsRequest(), AddGrantsResponse, timeout)

    def revoke_grants(self, request: _Optional[RevokeGrantsRequest] = None, *, timeout: _Optional[float] = None) -> RevokeGrantsResponse:
        """Takes grants back, as `ambit grants revoke` does: all that are named, or none.
        Sessions that run lose them within a second.
        """
        return _call.call(self._service, "ambit.v1.GrantService/RevokeGrants", request or RevokeGrantsRequest(), RevokeGrantsResponse, timeout)


class HostService:
    """The machine, and what serves this API on it."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def get_version(self, request: _Optional[GetVersionRequest] = None, *, timeout: _Optional[float] = None) -> GetVersionResponse:
        return _call.call(self._service, "ambit.v1.HostService/GetVersion", request or GetVersionRequest(), GetVersionResponse, timeout)

    def check_health(self, request: _Optional[CheckHealthRequest] = None, *, timeout: _Optional[float] = None) -> CheckHealthResponse:
        """Whether the store answers and the log can be read."""
        return _call.call(self._service, "ambit.v1.HostService/CheckHealth", request or CheckHealthRequest(), CheckHealthResponse, timeout)

    def diagnose(self, request: _Optional[DiagnoseRequest] = None, *, timeout: _Optional[float] = None) -> DiagnoseResponse:
        """What holds on this machine, as `ambit doctor` finds it. It takes seconds."""
        return _call.call(self._service, "ambit.v1.HostService/Diagnose", request or DiagnoseRequest(), DiagnoseResponse, timeout)


class PackService:
    """Installed packs."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_packs(self, request: _Optional[ListPacksRequest] = None, *, timeout: _Optional[float] = None) -> ListPacksResponse:
        return _call.call(self._service, "ambit.v1.PackService/ListPacks", request or ListPacksRequest(), ListPacksResponse, timeout)

    def all_packs(self, request: _Optional[ListPacksRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[Pack]:
        """The rows of all pages of list_packs, each page when it is come to."""
        request = request or ListPacksRequest()
        while True:
            page = self.list_packs(request, timeout=timeout)
            yield from page.packs
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_pack(self, request: _Optional[GetPackRequest] = None, *, timeout: _Optional[float] = None) -> GetPackResponse:
        """What a pack is and asks for, as `ambit pack check` says it."""
        return _call.call(self._service, "ambit.v1.PackService/GetPack", request or GetPackRequest(), GetPackResponse, timeout)

    def upload_pack(self, request: _Optional[UploadPackRequest] = None, *, timeout: _Optional[float] = None) -> UploadPackResponse:
        """Takes an archive in parts, in their order, each of at most 1 MiB and all together
        of at most 64 MiB. PreparePack reads it; what nobody goes on with is forgotten.
        """
        return _call.call(self._service, "ambit.v1.PackService/UploadPack", request or UploadPackRequest(), UploadPackResponse, timeout)

    def prepare_pack(self, request: _Optional[PreparePackRequest] = None, *, timeout: _Optional[float] = None) -> PreparePackResponse:
        """Unpacks and checks a pack, and says what it asks for. Nothing is installed and
        nothing granted: InstallPack does that with the id of the answer, once, within
        a quarter of an hour, for the same caller.
        """
        return _call.call(self._service, "ambit.v1.PackService/PreparePack", request or PreparePackRequest(), PreparePackResponse, timeout)

    def install_pack(self, request: _Optional[InstallPackRequest] = None, *, timeout: _Optional[float] = None) -> InstallPackResponse:
        """Installs what was prepared, exactly that, and grants what is chosen."""
        return _call.call(self._service, "ambit.v1.PackService/InstallPack", request or InstallPackRequest(), InstallPackResponse, timeout)

    def update_pack(self, request: _Optional[UpdatePackRequest] = None, *, timeout: _Optional[float] = None) -> UpdatePackResponse:
        """Prepares what the source of an installed pack has now. What asks for no more than
        was allowed is installed at once.
        """
        return _call.call(self._service, "ambit.v1.PackService/UpdatePack", request or UpdatePackRequest(), UpdatePackResponse, timeout)

    def remove_pack(self, request: _Optional[RemovePackRequest] = None, *, timeout: _Optional[float] = None) -> RemovePackResponse:
        """Removes a pack, and takes back what was granted to it, as `ambit pack rm` does."""
        return _call.call(self._service, "ambit.v1.PackService/RemovePack", request or RemovePackRequest(), RemovePackResponse, timeout)


class PauseService:
    """Sessions that stand still for a time."""

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def pause_session(self, request: _Optional[PauseSessionRequest] = None, *, timeout: _Optional[float] = None) -> PauseSessionResponse:
        """Has nothing in a session that runs go on, and returns when that is so. What waits
        for an answer waits on; a bound on time goes on.
        """
        return _call.call(self._service, "ambit.v1.PauseService/PauseSession", request or PauseSessionRequest(), PauseSessionResponse, timeout)

    def resume_session(self, request: _Optional[ResumeSessionRequest] = None, *, timeout: _Optional[float] = None) -> ResumeSessionResponse:
        """Lets it go on."""
        return _call.call(self._service, "ambit.v1.PauseService/ResumeSession", request or ResumeSessionRequest(), ResumeSessionResponse, timeout)


class StorageService:
    """What outlives sessions: values under keys, of each pack, and of runs without one,
    each in the versions that programs committed. The caller's own, and nobody else's.
    """

    def __init__(self, service: _call.Service) -> None:
        self._service = service

    def list_values(self, request: _Optional[ListValuesRequest] = None, *, timeout: _Optional[float] = None) -> ListValuesResponse:
        """All keys, in the order of packs and keys, with what is current."""
        return _call.call(self._service, "ambit.v1.StorageService/ListValues", request or ListValuesRequest(), ListValuesResponse, timeout)

    def all_values(self, request: _Optional[ListValuesRequest] = None, *, timeout: _Optional[float] = None) -> _Iterator[StoredValue]:
        """The rows of all pages of list_values, each page when it is come to."""
        request = request or ListValuesRequest()
        while True:
            page = self.list_values(request, timeout=timeout)
            yield from page.values
            if not page.next_page_token:
                return
            request = _dc.replace(request, page_token=page.next_page_token)

    def get_value(self, request: _Optional[GetValueRequest] = None, *, timeout: _Optional[float] = None) -> GetValueResponse:
        """The versions of one key, oldest first."""
        return _call.call(self._service, "ambit.v1.StorageService/GetValue", request or GetValueRequest(), GetValueResponse, timeout)

    def get_content(self, request: _Optional[GetContentRequest] = None, *, timeout: _Optional[float] = None) -> GetContentResponse:
        """A part of the content of a version."""
        return _call.call(self._service, "ambit.v1.StorageService/GetContent", request or GetContentRequest(), GetContentResponse, timeout)

    def remove_value(self, request: _Optional[RemoveValueRequest] = None, *, timeout: _Optional[float] = None) -> RemoveValueResponse:
        """Commits that there is nothing under a key. Its versions stay."""
        return _call.call(self._service, "ambit.v1.StorageService/RemoveValue", request or RemoveValueRequest(), RemoveValueResponse, timeout)

    def restore_value(self, request: _Optional[RestoreValueRequest] = None, *, timeout: _Optional[float] = None) -> RestoreValueResponse:
        """Commits what a version had once more, as a version of its own."""
        return _call.call(self._service, "ambit.v1.StorageService/RestoreValue", request or RestoreValueRequest(), RestoreValueResponse, timeout)

    def forget_value(self, request: _Optional[ForgetValueRequest] = None, *, timeout: _Optional[float] = None) -> ForgetValueResponse:
        """Removes a key with all its versions: nothing brings them back."""
        return _call.call(self._service, "ambit.v1.StorageService/ForgetValue", request or ForgetValueRequest(), ForgetValueResponse, timeout)

    def adopt_values(self, request: _Optional[AdoptValuesRequest] = None, *, timeout: _Optional[float] = None) -> AdoptValuesResponse:
        """Gives a pack what the one that had its id before, and was removed, had stored."""
        return _call.call(self._service, "ambit.v1.StorageService/AdoptValues", request or AdoptValuesRequest(), AdoptValuesResponse, timeout)


class Services:
    """Every service of a host."""

    def __init__(self, service: _call.Service) -> None:
        self.audit = AuditService(service)
        self.changes = ChangeService(service)
        self.terminals = TerminalService(service)
        self.sessions = SessionService(service)
        self.execs = ExecService(service)
        self.files = FileService(service)
        self.questions = QuestionService(service)
        self.grants = GrantService(service)
        self.host = HostService(service)
        self.packs = PackService(service)
        self.pause = PauseService(service)
        self.storage = StorageService(service)
