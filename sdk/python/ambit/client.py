"""A host as programs use it: run something, answer what it asks, review what stands."""

from __future__ import annotations

import dataclasses
import datetime
import os
from typing import BinaryIO, Dict, Iterator, List, Literal, Optional, Sequence

from . import call, host, v1
from .failure import Failure


def dial(state: Optional[str] = None) -> Client:
    """Makes a client of the host that serves a state folder.

    None is the one that ambit itself uses. It raises Failure where no host answers.
    """
    return _answering(host.Socket(state or host.state_folder()))


def dial_port(
    url: str, *, token: Optional[str] = None, token_file: Optional[str] = None, fingerprint: Optional[str] = None, ca_file: Optional[str] = None
) -> Client:
    """Makes a client of a host that listens on a port (`ambit serve --listen`).

    It is known by the SHA-256 of its certificate, by a file of authorities as PEM, or else
    by those that this machine trusts. It raises Failure where none answers, where it is
    another one, and where the token is not known.
    """
    known = host.fingerprint_of(fingerprint, ca_file)
    return _answering(host.Port(url, host.token_of(token, token_file), known, ca_file or None))


def dial_env() -> Client:
    """Makes a client of the host that the environment names.

    That is the port in AMBIT_HOST, with AMBIT_TOKEN_FILE or AMBIT_TOKEN and
    AMBIT_FINGERPRINT or AMBIT_CA_FILE; without AMBIT_HOST the socket, as dial does.
    """
    env = os.environ.get
    url = env("AMBIT_HOST")
    if not url:
        return dial()
    return dial_port(
        url, token=env("AMBIT_TOKEN"), token_file=env("AMBIT_TOKEN_FILE"), fingerprint=env("AMBIT_FINGERPRINT"), ca_file=env("AMBIT_CA_FILE")
    )


def _answering(service: call.Service) -> Client:
    client = Client(service)
    client.host.get_version()
    return client


@dataclasses.dataclass
class Command:
    """A program and what it may. What is left out gives it nothing."""

    #: The program and its arguments; with a pack, arguments behind its entry.
    argv: Sequence[str] = ()
    #: The folder of a pack, or the id of one that is installed.
    pack: str = ""
    #: Capabilities, as in fs.read:/srv/data.
    allow: Sequence[str] = ()
    #: Also inside what is allowed.
    deny: Sequence[str] = ()
    #: SOURCE:TARGET:ro|rw|cow
    volumes: Sequence[str] = ()
    env: Dict[str, str] = dataclasses.field(default_factory=dict)
    #: As in {"memory": "512M"}.
    limits: Dict[str, str] = dataclasses.field(default_factory=dict)
    #: Where it is started; empty: the user's home.
    dir: str = ""
    stdin: bytes = b""
    #: The first touch of what was not granted is asked about.
    ask: bool = False
    #: trap, which needs /dev/fuse on the host, or notification, which is slower.
    ask_by: Literal["", "trap", "notification"] = ""
    #: How long a question waits.
    ask_timeout: Optional[datetime.timedelta] = None
    #: The same command with the same key is started once, however often it is sent.
    key: str = ""
    #: The digest of what Client.check said: it is started as was said, or not at all.
    checked: str = ""

    def request(self) -> v1.CreateSessionRequest:
        return v1.CreateSessionRequest(
            idempotency_key=self.key,
            argv=list(self.argv),
            pack=self.pack,
            allow=list(self.allow),
            deny=list(self.deny),
            volumes=list(self.volumes),
            env=self.env,
            limits=self.limits,
            dir=self.dir,
            stdin=self.stdin,
            ask=v1.Ask.QUEUE if self.ask else v1.Ask.UNSPECIFIED,
            ask_by=self.ask_by,
            ask_timeout=self.ask_timeout,
            checked=self.checked,
        )


class Client(v1.Services):
    """A client of a host. Threads may share it."""

    def check(self, command: Command) -> v1.CheckSessionResponse:
        """Says what a program would be allowed if it were started now.

        Nothing is started and nothing recorded. What would be denied is no failure:
        starts is False then. Its digest is for Command.checked.
        """
        return self.sessions.check_session(v1.CheckSessionRequest(session=command.request()))

    def start(self, command: Command) -> Session:
        """Starts a program, and returns when its launch is recorded.

        Where it was denied, the Failure has the reasons.
        """
        made = self.sessions.create_session(command.request())
        return self.session(made.session.id if made.session else "")

    def session(self, id: str) -> Session:
        """The session with an id, which may have been started by anything."""
        return Session(self, id)

    def waiting(self) -> Iterator[Waiting]:
        """The questions that wait, and then each one as it is put, until the loop ends."""
        with self.questions.watch_questions() as watch:
            for change in watch:
                if change.put is not None:
                    yield Waiting(self, change.put)

    def standing(self) -> Iterator[v1.Grant]:
        """The grants and denials that stand, oldest first."""
        return self.grants.all_grants()

    def grant(self, capabilities: Sequence[str], pack: str = "") -> List[v1.Grant]:
        """Grants capabilities until they are revoked, all or none.

        That is to every command that is run without a pack, or to a pack.
        """
        request = v1.AddGrantsRequest(capabilities=list(capabilities), pack=pack, verdict=v1.Verdict.ALLOW)
        return self.grants.add_grants(request).grants

    def revoke(self, ids: Sequence[str]) -> List[v1.Loss]:
        """Takes grants back, all or none, and says what sessions that run have lost by it."""
        return self.grants.revoke_grants(v1.RevokeGrantsRequest(ids=list(ids))).losses


class Session:
    """A program in its sandbox."""

    def __init__(self, client: Client, id: str) -> None:
        self._client = client
        self.id = id

    def wait(self, stdout: Optional[BinaryIO] = None, stderr: Optional[BinaryIO] = None) -> int:
        """Writes what the program writes, from its beginning, until it has ended.

        It returns its exit status: 125, it could not be confined or started; 126, its
        launch was denied; 127, there is no such command; 128+N, signal N ended it. It is
        for sessions that the API has started.
        """
        to = {v1.OutputStream.STDOUT: stdout, v1.OutputStream.STDERR: stderr}
        with self._client.sessions.stream_output(v1.StreamOutputRequest(id=self.id)) as output:
            missing = 0
            for chunk in output:
                missing += chunk.lost
                if chunk.end is not None:
                    if missing + chunk.end.dropped:
                        raise Failure("data_loss", f"{missing + chunk.end.dropped} bytes of output are missing")
                    return chunk.end.exit
                file = to.get(chunk.stream)
                if file is not None:
                    file.write(chunk.data)
                    file.flush()
        raise Failure("unavailable", "the output ends before the program does")

    def stop(self) -> None:
        """Tells the session to end, and returns when it has."""
        self._client.sessions.stop_session(v1.StopSessionRequest(id=self.id))


class Waiting:
    """A question that waits for an answer. Its texts come from the program: show them as text."""

    def __init__(self, client: Client, question: v1.Question) -> None:
        self._client = client
        self.question = question

    def allow(
        self, *, scope: str = "", span: v1.Span = v1.Span.UNSPECIFIED, lifetime: Optional[datetime.timedelta] = None, broad: bool = False
    ) -> None:
        """Allows exactly what was asked, until the program ends, where nothing else is said."""
        self._answer(v1.AnswerQuestionRequest(self.question.id, v1.Verdict.ALLOW, scope, span, lifetime, broad))

    def deny(self, *, scope: str = "", span: v1.Span = v1.Span.UNSPECIFIED, lifetime: Optional[datetime.timedelta] = None) -> None:
        """Refuses it."""
        self._answer(v1.AnswerQuestionRequest(self.question.id, v1.Verdict.DENY, scope, span, lifetime))

    def _answer(self, request: v1.AnswerQuestionRequest) -> None:
        self._client.questions.answer_question(request)
