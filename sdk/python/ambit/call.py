"""Calls of procedures, by Connect's protocol.

A call is a POST of JSON, and for a stream of answers JSON in envelopes.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Dict, Generic, Iterator, Optional, Protocol, Type, TypeVar, Union

from . import codec
from .failure import Failure, failure_of

O = TypeVar("O", bound=codec.Message)

#: Seconds that an answer may take where nobody says. Streams have no such end.
PATIENCE = 60.0
#: No answer and no message of a stream is longer.
MOST = 64 << 20

_PREFIX = struct.Struct(">BI")
_COMPRESSED = 1
_END = 2


class Service(Protocol):
    """How requests get to a host: a connection of its own for each, so that nothing is sent twice."""

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """Makes a connection, or raises OSError."""

    def headers(self) -> Dict[str, str]:
        """What stands in each request."""


class _Exchange:
    """A request that was sent, and its answer."""

    def __init__(self, service: Service, procedure: str, kind: str, body: bytes, timeout: float) -> None:
        self._connection = service.connect(timeout)
        wire = self._connection.sock
        assert wire is not None
        # An answer may go on after the connection has forgotten the socket.
        self.wire: socket.socket = wire
        self._answer: Optional[http.client.HTTPResponse] = None
        headers = {**service.headers(), "Content-Type": kind, "Connect-Protocol-Version": "1"}
        try:
            self._connection.request("POST", "/" + procedure, body, headers)
        except BaseException:
            self._connection.close()
            raise

    def answer(self) -> http.client.HTTPResponse:
        """Waits for the answer to begin."""
        if self._answer is None:
            self._answer = self._connection.getresponse()
        return self._answer

    def accept(self, kind: str, until: Optional[float] = None) -> None:
        """Raises what is said in place of an answer of a kind."""
        answer = self.answer()
        if answer.status != 200:
            raise failure_of(_parsed(self.whole(until or time.monotonic() + PATIENCE)), answer.status)
        if not answer.headers.get("Content-Type", "").startswith(kind):
            raise Failure("unknown", "what answers is no host")

    def whole(self, until: float) -> bytes:
        """Reads the answer, whose end has to come until then."""
        answer, data = self.answer(), bytearray()
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise socket.timeout()
            if not answer.isclosed():
                self.wire.settimeout(left)
            part = answer.read1(1 << 16)
            if not part:
                if answer.length:
                    raise http.client.IncompleteRead(bytes(data), answer.length)
                return bytes(data)
            data += part
            if len(data) > MOST:
                raise codec.Malformed("the answer is too long")

    def end(self) -> None:
        """Ends it for whoever reads it, also in another thread."""
        try:
            # Of the socket itself: TLS has nothing to add.
            socket.socket.shutdown(self.wire, socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended

    def close(self) -> None:
        """Closes it, when nobody reads it any more."""
        self.end()
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


def _failed(e: Exception) -> Failure:
    if isinstance(e, socket.timeout):
        return Failure("deadline_exceeded", "no answer came in time")
    if isinstance(e, (codec.Malformed, ValueError)) and not isinstance(e, OSError):  # of TLS both
        return Failure("internal", str(e))
    return Failure("unavailable", f"the host cannot be reached, or its answer broke off: {e or type(e).__name__}")


_TROUBLE = (OSError, http.client.HTTPException, codec.Malformed, ValueError)


def call(service: Service, procedure: str, request: codec.Message, output: Type[O], timeout: Optional[float]) -> O:
    """Calls a procedure that answers once."""
    timeout = PATIENCE if timeout is None else timeout
    until = time.monotonic() + timeout
    body = json.dumps(codec.to_json(request)).encode()
    try:
        exchange = _Exchange(service, procedure, "application/json", body, timeout)
        try:
            exchange.accept("application/json", until)
            return codec.from_json(output, json.loads(exchange.whole(until)))
        finally:
            exchange.close()
    except _TROUBLE as e:
        raise _failed(e) from e


def stream(service: Service, procedure: str, request: codec.Message, output: Type[O]) -> Stream[O]:
    """Calls a procedure that answers with a stream, which begins when it is read."""
    text = json.dumps(codec.to_json(request)).encode()
    try:
        exchange = _Exchange(service, procedure, "application/connect+json", _PREFIX.pack(0, len(text)) + text, PATIENCE)
        exchange.wire.settimeout(None)  # a program may be silent for as long as it likes
        return Stream(exchange, output)
    except _TROUBLE as e:
        raise _failed(e) from e


class Stream(Generic[O]):
    """The messages of an answer, one after the other.

    Whoever does not want all of them closes it, or uses it in a with statement; another
    thread may do so too, and a loop over it ends.
    """

    def __init__(self, exchange: _Exchange, output: Type[O]) -> None:
        self._exchange = exchange
        self._output = output
        self._begun = False
        self._closed = False
        self._reading = threading.RLock()

    def __iter__(self) -> Iterator[O]:
        return self

    def __next__(self) -> O:
        with self._reading:
            if self._closed:
                raise StopIteration
            try:
                return self._next()
            except _TROUBLE as e:
                if self._closed:
                    raise StopIteration from None
                self.close()
                raise _failed(e) from e
            except BaseException:
                self.close()
                raise

    def _next(self) -> O:
        if not self._begun:
            self._exchange.accept("application/connect+json")
            self._begun = True
        flags, length = _PREFIX.unpack(self._read(_PREFIX.size))
        if flags & _COMPRESSED or length > MOST:
            raise codec.Malformed("a message of a stream is compressed, or too long")
        sent = json.loads(self._read(length))
        if not flags & _END:
            return codec.from_json(self._output, sent)
        if not isinstance(sent, dict):
            raise codec.Malformed("the end of a stream is no object")
        if sent.get("error"):
            raise failure_of(sent["error"])
        raise StopIteration

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._exchange.answer().read(size - len(data))
            if not part:
                raise ConnectionResetError("the answer ends in a message")
            data += part
        return data

    def close(self) -> None:
        """Ends the stream."""
        self._closed = True
        self._exchange.end()
        with self._reading:
            self._exchange.close()

    def __enter__(self) -> Stream[O]:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], e: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


def _parsed(text: Union[str, bytes]) -> object:
    try:
        parsed: object = json.loads(text)
        return parsed
    except ValueError:
        return None
